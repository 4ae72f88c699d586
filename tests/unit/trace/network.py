"""A small network with a bit of everything, compiled, to be asked where packets go."""

from __future__ import annotations

from functools import cache

from controller.compile import Observed
from controller.compile.remote import (
    MPLS,
    VXLAN,
    NextHop,
    Remote,
    RemoteFlood,
    RemoteKey,
    RemoteMac,
    RemotePrefix,
    Tunnel,
)
from controller.ovsdb.model import UPLINK
from controller.trace import Compiled, Question, Trace, trace
from data.addresses import address, prefix
from data.path import Path, vport_paths
from data.steps import at_once
from tests.unit.compile.committed import Committed, Plugged

PE, VTEP = address("192.0.2.1"), address("192.0.2.2")
_FABRIC = Tunnel(VTEP, VXLAN, 900)
_PROD = "set enterprise acme domain prod"
LINES = [
    *(f"set dvrs hv{n} tunnel-address 172.31.0.{n}" for n in (1, 2, 3)),
    "set bgp autonomous-system 65000",
    "set bgp-neighbor pe1 address 192.0.2.1 autonomous-system 65000",
    f"{_PROD} route-target 65000:1",
    f"{_PROD} zone web subnet web1 prefix 10.1.1.0/24 dhcp dns-proxy",
    f"{_PROD} zone db subnet db1 prefix 10.1.3.0/24",
    f"{_PROD} zone out subnet out1 prefix 198.51.100.0/24",
    f"{_PROD} vport web-1 subnet web1 mac 02:00:00:00:01:01 address 10.1.1.11",
    f"{_PROD} vport web-2 subnet web1 mac 02:00:00:00:01:02 address 10.1.1.12",
    f"{_PROD} vport web-9 subnet web1 mac 02:00:00:00:01:09 address 10.1.1.19",
    f"{_PROD} vport db-1 subnet db1 mac 02:00:00:00:03:01 address 10.1.3.21",
    f"{_PROD} vport edge type bridge subnet out1 uplink wan0 vlan 100",
    f"{_PROD} source-nat out address 198.51.100.200 from subnet web1",
    f"{_PROD} static-route 0.0.0.0/0 next-hop 198.51.100.2",
    "set domain-template office egress-policy base entry 10 protocol tcp destination-port 23 action deny",
    "set domain-template office egress-policy base entry 20 action allow stateful",
    f"{_PROD} template office",
    f"{_PROD} qos gold ingress-rate 1000 egress-rate 2000 dscp 46",
    f"{_PROD} vport web-2 qos gold",
    f"{_PROD} mirror tap vport web-2 collector 172.31.0.200",
    "set enterprise bolt domain prod zone z subnet s prefix 10.1.1.0/24",
    "set enterprise bolt domain prod vport b-1 subnet s mac 02:00:00:00:09:01 address 10.1.1.11",
]


@cache
def network() -> Committed:
    """Everybody but web-9 plugged in; a router is learned behind the bridge vport, a PE and a VTEP told routes."""
    model = Committed()
    model.commit(*LINES)
    model.plug([
        Plugged("acme/prod/web-1", "hv1", 1), Plugged("acme/prod/web-2", "hv2", 1), Plugged("acme/prod/db-1", "hv3", 1),
        Plugged("bolt/prod/b-1", "hv1", 2), Plugged(f"{UPLINK}wan0", "hv3", 9),
    ])  # fmt: skip
    prod, web1 = body(model, "domain", "prod"), body(model, "domain", "prod", "zone", "web", "subnet", "web1")
    edge = body(model, "domain", "prod", "vport", "edge")
    told: dict[RemoteKey, Remote] = {
        RemoteKey(prod, "prefix", prefix("10.200.0.0/16")): RemotePrefix((NextHop(Tunnel(PE, MPLS, 300), None),)),
        RemoteKey(web1, "mac", bytes.fromhex("020000000a01")): RemoteMac(_FABRIC, (address("10.1.1.77"),)),
        RemoteKey(web1, "flood", VTEP): RemoteFlood(_FABRIC),
    }
    model.observe(Observed(learned={edge: {"02:00:00:00:05:01": ("198.51.100.2",)}}, remote=told))
    return model


def body(model: Committed, *path: str) -> str:
    """The UUID of an object of acme."""
    found = model.acting.get(("enterprise", "acme", *path))
    assert found is not None
    return found.uuid


def vport(name: str) -> Path:
    """Of acme/prod, or by its full name."""
    full = name if "/" in name else f"acme/prod/{name}"
    return vport_paths(full)[0]


def ask(source: str, to: str, *, underlay: bool = True, **more: object) -> Trace:
    """Where a packet goes in this network."""
    model = network()
    destination = address(to) if to[0].isdigit() or ":" in to else vport(to)
    question = Question(vport(source), destination, **more)  # type: ignore[arg-type]
    return at_once(trace(model.state, question, Compiled(model.state, question.source[:4]), underlay=underlay))


def told(answer: Trace) -> list[str]:
    """The hops that decided something, as 'hypervisor table: words'."""
    return [f"{hop.dvrs} {hop.table}: {hop.words}" for hop in answer.hops if not hop.plain]
