"""Peers that no vendor would ship, on a whole network: what they send reaches nobody else.

While each does its worst, echo requests through the PE and the VTEP are counted and the other sessions are watched.
Figures are printed as lines that begin with `wan:`.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network
from tests.system.wan.peers.raw_peer import (
    MARKER,
    NOTIFICATION,
    OPEN,
    UPDATE,
    attribute,
    message,
    update,
)
from tests.system.wan.raw_peers import (
    AS_PATH,
    EXTENDED,
    LOCAL_PREF,
    MP_REACH,
    OPTIONAL,
    ORIGIN,
    TRANSITIVE,
    VPNV4,
    RawPeers,
    announced,
    common,
    many,
    reach,
    target,
    vpn,
)
from tests.system.wan.wan_faults import Untouched, comes, facts, faulty, summary

Site = tuple[Network, RawPeers]
TARGET = target(65000, 77)
ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES = 6, 7, 8
MOST = 500  # MiB of the daemon; 60 when nothing happens, 150 with 100,000 routes


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with faulty(tmp_path_factory.mktemp("faults"), "fa") as (network, peers):
        yield network, peers


def a_route(number: int) -> bytes:
    """The NLRI of 40.0.NUMBER.0/24."""
    return vpn(bytes([40, 0, number]), 24)


def without(attributes: bytes, kind: int) -> bytes:
    """Short attributes, less one of them."""
    kept, at = b"", 0
    while at < len(attributes):
        end = at + 3 + attributes[at + 2]
        kept += attributes[at:end] if attributes[at + 1] != kind else b""
        at = end
    return kept


def malformed(hop: bytes) -> dict[str, tuple[bytes, str]]:
    """UPDATEs that count as withdrawals (RFC 7606 section 7), each with what is said of it."""

    def with_attributes(number: int, attributes: bytes) -> bytes:
        return update(reach(VPNV4, hop, a_route(number)) + attributes)

    usual = common(TARGET)

    def instead(number: int, flags: int, kind: int, value: bytes) -> bytes:
        return with_attributes(number, without(usual, kind) + attribute(flags, kind, value))

    return {
        "ORIGIN of 7": (instead(1, TRANSITIVE, ORIGIN, b"\7"), "ORIGIN"),
        "ORIGIN of two bytes": (instead(2, TRANSITIVE, ORIGIN, b"\0\0"), "ORIGIN"),
        "no ORIGIN": (with_attributes(3, without(usual, ORIGIN)), "ORIGIN is missing"),
        "AS_PATH with a wrong count": (instead(4, TRANSITIVE, AS_PATH, b"\2\5\0\0\0\1"), "AS_PATH"),
        "AS_PATH with an unknown segment": (instead(5, TRANSITIVE, AS_PATH, b"\x09\1\0\0\0\1"), "AS_PATH"),
        "no AS_PATH": (with_attributes(6, without(usual, AS_PATH)), "AS_PATH is missing"),
        "LOCAL_PREF of two bytes": (instead(7, TRANSITIVE, LOCAL_PREF, b"\0\1"), "LOCAL_PREF"),
        "communities of five bytes": (
            with_attributes(8, usual + attribute(0xC0, COMMUNITIES, b"12345")),
            "COMMUNITIES",
        ),
        "targets of nine bytes": (instead(9, 0xC0, EXTENDED, b"123456789"), "EXTENDED_COMMUNITIES"),
        "flags of another": (instead(10, OPTIONAL, ORIGIN, b"\0"), "ORIGIN: flags"),
        "unknown and well known": (with_attributes(11, usual + attribute(TRANSITIVE, 99, b"x")), "attribute 99"),
        "attributes that end too early": (with_attributes(12, usual + bytes([TRANSITIVE, 99, 200])), ""),
    }


RESETS: dict[str, Callable[[bytes], bytes]] = {
    "MP_REACH_NLRI of two bytes": lambda hop: update(attribute(OPTIONAL, MP_REACH, b"\0\1")),
    "MP_REACH_NLRI twice": lambda hop: update(2 * reach(VPNV4, hop, a_route(1)) + common(TARGET)),
    "an NLRI of 255 bits that is not there": lambda hop: announced(hop, b"\xff" + bytes(9)),
    "lengths that cannot be": lambda hop: message(UPDATE, b"\xff\xff\0\0"),
    "a message of five bytes": lambda hop: MARKER + b"\0\5\2",
    "no marker": lambda hop: bytes(19),
    "no such type": lambda hop: message(9),
    "an OPEN in state Established": lambda hop: message(OPEN, bytes(10)),
    "a web browser's words": lambda hop: b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
}  # fmt: skip


def test_malformed_attributes_cost_their_routes_alone_and_the_reason_is_shown(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("bad"))
    bad = peers.established("bad")
    hop = peers.hop("bad")
    with Untouched(network) as watch:
        said = malformed(hop)
        peers.send(bad, b"".join(announced(hop, a_route(number), TARGET) for number in range(len(said) + 3)))
        assert wait_until(lambda: summary(network, "bad")["received"] == len(said) + 3, PATIENCE, 0.1)
        peers.send(bad, b"".join(one for one, _ in said.values()))
        mild = attribute(TRANSITIVE, ATOMIC_AGGREGATE, b"x") + attribute(0xC0, AGGREGATOR, b"123")
        peers.send(bad, update(reach(VPNV4, hop, a_route(100)) + common(TARGET) + mild))
        assert wait_until(lambda: summary(network, "bad")["received"] == 4, PATIENCE, 0.1), network.run(
            "show bgp received bad", "show bgp neighbors bad"
        )
        reasons = facts(network, "bad")["not_read"]
        for name, (_, reason) in said.items():
            assert any(reason in one for one in reasons), f"{name}: {reasons}"
        assert any("ATOMIC_AGGREGATE" in one for one in reasons) and any("AGGREGATOR" in one for one in reasons)
        assert summary(network, "bad")["state"] == "established" and not bad.count(NOTIFICATION)
        peers.close(bad)
    print(f"wan: {len(said)} kinds of malformed attributes: {watch}")


def test_routes_that_are_well_formed_and_senseless_are_refused_with_the_reason(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("odd"))
    odd = peers.established("odd")
    ours = bytes(map(int, network.lab.tunnel_address("hv1").split(".")))
    senseless = {
        1: announced(ours, a_route(1), TARGET),  # to ourselves
        2: announced(b"\x7f\0\0\1", a_route(2), TARGET),
        3: announced(b"\xe0\0\0\1", a_route(3), TARGET),
        4: announced(bytes(4), a_route(4), TARGET),
        5: update(
            reach(VPNV4, peers.hop("odd"), a_route(5))
            + without(common(TARGET), AS_PATH)
            + attribute(TRANSITIVE, AS_PATH, b"\2\1" + struct.pack("!I", 65000))
        ),  # a loop
    }
    with Untouched(network):
        peers.send(odd, b"".join(senseless.values()) + announced(peers.hop("odd"), a_route(9), TARGET))
        assert wait_until(lambda: summary(network, "odd")["received"] == 6, PATIENCE, 0.1)
        rows = {row["destination"]: row["standing"] for row in network.rows("show bgp received odd")}
        for number in senseless:
            assert rows[f"40.0.{number}.0/24"].startswith("refused: "), rows
        assert rows["40.0.9.0/24"] == "best"
        peers.close(odd)


def test_what_cannot_be_read_at_all_ends_that_session_alone_and_says_why(site: Site) -> None:
    network, peers = site
    names = [f"r{number}" for number in range(len(RESETS))]
    network.commit(*(line for name in names for line in peers.neighbour(name)))
    sessions = [peers.established(name) for name in names]
    with Untouched(network) as watch:
        for name, peer, (what, said) in zip(names, sessions, RESETS.items(), strict=True):
            peers.send(peer, said(peers.hop(name)))
            peers.do(peer.until(NOTIFICATION))
            row = comes(network, name, "idle")
            assert row["reason"], what
            print(f"wan: {what}: {row['reason']}")
            peers.close(peer)
    print(f"wan: {len(RESETS)} kinds of nonsense: {watch}")


def test_those_that_never_get_to_a_session_are_named_with_the_reason(site: Site) -> None:
    network, peers = site
    network.commit(
        *peers.neighbour("endless"), *peers.neighbour("wrong"), *peers.neighbour("half"),
        *peers.neighbour("nomd5", "password secret-of-theirs", passive=False), *peers.neighbour("drip", "hold-time 3"),
    )  # fmt: skip
    refusing = peers.raw("nomd5")
    peers.call(refusing.listen, 179)
    with Untouched(network) as watch:
        wrong = peers.connected("wrong", asn=65001)
        peers.send(wrong, wrong.open_message([VPNV4]))
        peers.do(wrong.until(NOTIFICATION))
        endless = peers.connected("endless")  # an OPEN of 4,096 bytes, one byte at a time, and never the last
        peers.send(endless, MARKER + struct.pack("!HB", 4096, OPEN) + b"\4")
        half = peers.connected("half")
        peers.send(half, half.open_message([VPNV4])[:-3])
        drip = peers.established("drip", hold=0)
        slow = announced(peers.hop("drip"), a_route(1), TARGET)
        for byte in slow:  # the hold timer counts whole messages
            if drip.closed:
                break
            peers.send(drip, bytes([byte]))
            peers.send(endless, b"\0")
            time.sleep(0.1)
        for name in ("wrong", "nomd5"):
            assert wait_until(lambda one=name: facts(network, one)["last_attempt"], 2 * PATIENCE, 0.2), name  # type: ignore[misc]
            print(f"wan: {name}: {facts(network, name)['last_attempt']}")
        assert "secret-of-theirs" not in network.run("show bgp neighbors", "show events")
        for peer in (wrong, endless, half, drip, refusing):
            peers.close(peer)
        network.commit("delete bgp-neighbor nomd5")
    print(f"wan: peers that never get to a session: {watch}")


def test_a_million_prefixes_meet_the_prefix_limit_and_are_left_alone(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("big", "hold-time 9"))
    big = peers.established("big", hold=9)
    with Untouched(network) as watch:
        began = time.monotonic()
        for one in many(1_000_000, peers.hop("big")):
            peers.send(big, one)
        row = comes(network, "big", "shut")
        assert "more than its prefix-limit 100000" in row["reason"]
        seconds = time.monotonic() - began
        peers.do(big.gone())
        peers.close(big)
        again = peers.connected("big")
        peers.do(again.gone())
        assert not again.count(OPEN), "it is not even answered"
        peers.close(again)
        assert not network.rows("show bgp received big")
    assert watch.memory < MOST
    print(f"wan: a million prefixes, limit 100,000: shut after {seconds:.1f} s; {watch}")
    network.run("request bgp-neighbor big reset")
    again = peers.established("big")
    comes(network, "big", "established")
    peers.close(again)


def flap(peers: RawPeers, name: str, number: int) -> None:
    """A session that tells a route and is lost: by a RST, a NOTIFICATION, or without a word."""
    peer = peers.established(name, hold=3)
    peers.send(peer, announced(peers.hop(name), a_route(1), TARGET))
    time.sleep(0.1)
    if number % 3 == 1:
        peers.send(peer, message(NOTIFICATION, b"\6\4"))
    elif number % 3 == 2:
        peers.silence(peer)
        peers.do(peer.gone())  # by our hold timer
    peers.close(peer, reset=number % 3 == 0)


def test_a_session_that_flaps_is_damped_and_stable_routes_keep_their_flows(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("flappy", "hold-time 3"))
    before = network.all_flows()
    done = 0
    with Untouched(network) as watch:
        for number in range(20):
            try:
                flap(peers, "flappy", number)
            except (AssertionError, TimeoutError):
                break  # it is closed before it says anything, or nobody listens for it any more: left alone
            done += 1
            assert wait_until(lambda: summary(network, "flappy")["state"] != "established", PATIENCE, 0.1)
        row = comes(network, "flappy", "shut")
        assert "RFC 2439" in row["reason"] and 5 <= done < 20, (row, done)
        assert facts(network, "flappy")["flaps"] == done
        assert wait_until(lambda: network.all_flows() == before, PATIENCE, 0.2)
        told = sum("flappy" in row["text"] for row in network.rows("show events"))
        assert 2 * done <= told <= 2 * done + 10
    print(f"wan: {done} of 20 flaps until it was damped, {told} events: {watch}")
