"""Packets that met an entry with `log`, as lines for people."""

from __future__ import annotations

import struct

from controller.events import Kind
from controller.packets.frame import parse, summary
from controller.pipeline import Feature, Owner, cookie
from controller.policylog import RATE, PolicyLog
from data.addresses import address
from data.schema.objects import Entry, IngressPolicy, Vport
from tests.unit.controller.model import PROD, Model, uuid, vport_path


def frame(protocol: int, ports: bytes, tagged: bool = False, fragment: int = 0) -> bytes:
    tag = b"\x81\x00\x00\x05" if tagged else b""
    ends = b"\x0a\x01\x01\x02\x0a\x01\x01\x03"
    ip = struct.pack("!BBHHHBBH8s", 0x45, 0, 40, 0, fragment, 64, protocol, 0, ends)
    return bytes(12) + tag + b"\x08\x00" + ip + ports


def frame6(source: str, target: str, ports: bytes) -> bytes:
    ends = address(source).packed + address(target).packed
    return bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 40, 6, 64) + ends + ports


def test_the_5_tuple_of_a_frame_is_read_also_when_it_is_tagged_cut_off_or_a_fragment() -> None:
    def words(raw: bytes) -> str | None:
        found = parse(raw)
        return None if found is None else summary(found)

    ports = struct.pack("!HH", 4000, 5432)
    assert words(frame(6, ports)) == "10.1.1.2:4000 -> 10.1.1.3:5432 tcp"
    assert words(frame(17, ports, tagged=True)) == "10.1.1.2:4000 -> 10.1.1.3:5432 udp"
    assert words(frame(1, b"\x08\x00")) == "10.1.1.2 -> 10.1.1.3 icmp type 8 code 0"
    assert words(frame(1, b"")) == "10.1.1.2 -> 10.1.1.3 icmp"
    assert words(frame(6, b"\x01")) == "10.1.1.2 -> 10.1.1.3 protocol tcp"
    assert words(frame(6, ports, fragment=7)) == "10.1.1.2 -> 10.1.1.3 protocol tcp"
    assert words(frame(47, ports)) == "10.1.1.2 -> 10.1.1.3 protocol 47"
    assert words(frame(6, b"")[:30]) is None
    assert words(b"") is None


def model() -> Model:
    model = Model(vports=2)
    policy = (*PROD, "ingress-policy", "base")
    entry = Entry(uuid=uuid(501), action="deny", log=True)
    model.network.running.apply({policy: IngressPolicy(uuid=uuid(500)), (*policy, "entry", "10"): entry}, 2)
    model.network.objects[77] = entry.uuid
    return model


async def test_a_logged_packet_names_the_entry_the_vport_and_the_5_tuple() -> None:
    bench = model()
    PolicyLog(bench.network).packet("hv1", cookie(Owner.ENTRY, Feature.RULE, 77), frame(6, struct.pack("!HH", 4, 22)))
    assert bench.told(Kind.POLICY) == [
        "denied by ingress base/10 of acme/prod on hv1, vport vm-2: 10.1.1.2:4 -> 10.1.1.3:22 tcp"
    ]


async def test_a_logged_ipv6_packet_names_the_vport_with_its_address_too() -> None:
    bench = model()
    both = Vport(uuid=uuid(1002), subnet="web1", mac="02:00:0a:01:01:02", address=("10.1.1.2", "2001:db8::2"))
    bench.network.running.apply({vport_path(2): both}, 3)
    packet = frame6("2001:db8::2", "2001:db8::3", struct.pack("!HH", 4, 22))
    PolicyLog(bench.network).packet("hv1", cookie(Owner.ENTRY, Feature.RULE, 77), packet)
    assert bench.told(Kind.POLICY) == [
        "denied by ingress base/10 of acme/prod on hv1, vport vm-2: [2001:db8::2]:4 -> [2001:db8::3]:22 tcp"
    ]


async def test_packets_of_foreign_flows_and_of_entries_that_are_gone_are_not_told() -> None:
    bench = model()
    log = PolicyLog(bench.network)
    for number in (0, 5, cookie(Owner.ENTRY, Feature.RULE, 78), cookie(Owner.VPORT, Feature.FORWARD, 77)):
        log.packet("hv1", number, frame(6, b""))
    log.packet("hv1", cookie(Owner.ENTRY, Feature.RULE, 77), b"garbage")
    assert bench.told(Kind.POLICY) == []


async def test_a_flood_of_logged_packets_is_counted_instead_of_told() -> None:
    bench = model()
    now = [100.0]
    log = PolicyLog(bench.network, lambda: now[0])
    for _ in range(RATE + 30):
        log.packet("hv1", cookie(Owner.ENTRY, Feature.RULE, 77), frame(6, b""))
    now[0] = 101.0
    log.packet("hv1", cookie(Owner.ENTRY, Feature.RULE, 77), frame(6, b""))
    told = bench.told(Kind.POLICY)
    assert len(told) == RATE + 2 and "30 more logged packets on hv1 within a second" in told
