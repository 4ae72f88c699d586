"""Neighbours as ExaBGP's configuration: what is said, and that no value can say more than it should."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Peer
from controller.bgp.speaker.configuration import configuration, secrets

PEER = Peer("pe1", "192.0.2.9", "192.0.2.1", 65000, 65001, "192.0.2.1", (Family.VPNV4, Family.EVPN))


def statements(text: str) -> set[str]:
    return {one.strip() for line in text.splitlines() for one in re.findall(r"[^;{}]+;", line)}


def test_everything_that_a_neighbor_has_is_said() -> None:
    said = statements(configuration([replace(PEER, port=1790, hold_time=30, restart_time=60)]))
    assert said >= {
        "router-id 192.0.2.1;",
        "local-address 192.0.2.1;",
        "local-as 65000;",
        "peer-as 65001;",
        "connect 1790;",
        "hold-time 30;",
        "graceful-restart 60;",
        "manual-eor true;",
        "ipv4 mpls-vpn;",
        "l2vpn evpn;",
        "passive false;",
    }
    assert not any(one.startswith(("listen", "md5", "incoming-ttl")) for one in said)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (PEER, "outgoing-ttl 1;"),
        (replace(PEER, multihop=5), "outgoing-ttl 5;"),
        (replace(PEER, ttl_security=1), "incoming-ttl 255;"),
        (replace(PEER, ttl_security=3), "incoming-ttl 253;"),
        (replace(PEER, peer_as=65000), None),
    ],
)
def test_hop_counts_are_those_of_the_way_to_the_peer(peer: Peer, expected: str | None) -> None:
    found = [one for one in statements(configuration([peer])) if "-ttl" in one]
    assert found == ([expected] if expected else [])


def test_connections_are_accepted_where_it_says_so_and_for_passive_neighbors() -> None:
    other = replace(PEER, name="pe2", address="192.0.2.10", local_address="192.0.2.2")
    third = replace(PEER, name="pe3", address="192.0.2.11", local_address="192.0.2.3", passive=True)
    text = configuration([PEER, other, third], ["192.0.2.1"], 1179)
    parts = text.split("neighbor ")[1:]
    assert ["listen 1179;" in part for part in parts] == [True, False, True]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"address": "192.0.2.9; local-as 1"}, "192.0.2.9; local-as 1"),
        ({"address": "2001:db8::1"}, "different families"),
        ({"address": "192.0.2.1"}, "local address, too"),
        ({"router_id": "x }"}, "x }"),
        ({"local_as": 0}, "autonomous system"),
        ({"peer_as": 1 << 32}, "autonomous system"),
        ({"port": 0}, "port"),
        ({"hold_time": 2}, "hold time"),
        ({"restart_time": 4096}, "restart time"),
        ({"multihop": 2, "ttl_security": 1}, "exclude"),
        ({"ttl_security": 255}, "TTL security"),
        ({"password": ""}, "password"),
        ({"password": "x" * 81}, "password"),
        ({"families": ()}, "family"),
    ],
)
def test_what_cannot_be_is_refused_naming_the_neighbor(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^neighbor pe1: .*{re.escape(complaint)}"):
        configuration([replace(PEER, **change)])  # type: ignore[arg-type]


def test_two_neighbors_cannot_have_one_address() -> None:
    with pytest.raises(ValueError, match=r"neighbor pe2: 192\.0\.2\.9 is the address of neighbor pe1"):
        configuration([PEER, replace(PEER, name="pe2", local_address="192.0.2.2")])


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=60))
def test_names_and_passwords_of_any_characters_leave_the_statements_as_they_are(name: str, password: str) -> None:
    if len(password.encode("utf-8", "replace")) > 80:
        return
    try:
        password.encode()
    except UnicodeEncodeError:
        return
    plain = configuration([replace(PEER, password="x")])
    text = configuration([replace(PEER, name=name, password=password)])
    masked = re.sub(r"md5-password [A-Za-z0-9+/=]+;", "md5-password ?;", text)
    assert masked == re.sub(r"md5-password [A-Za-z0-9+/=]+;", "md5-password ?;", plain)
    assert f"md5-password {base64.b64encode(password.encode()).decode()};" in text
    assert password in secrets([replace(PEER, password=password)])


def test_a_neighbor_never_shows_its_password() -> None:
    assert "hunter2" not in repr(replace(PEER, password="hunter2")) and "hunter2" not in str(
        [replace(PEER, password="hunter2")]
    )
