"""What a commit must not contain about BGP, the underlay and PE routers."""

from __future__ import annotations

import pytest

from data.errors import NshellError, Problem
from data.rules import check
from data.text.set_lines import set_lines
from tests.unit.data.examples import ACME, edited, running

HERE = "enterprise acme domain prod"
WAN = f"""\
set controller listen-address 192.0.2.1
set bgp autonomous-system 65000
set bgp-neighbor pe1 address 192.0.2.9 autonomous-system 65001
set bgp-neighbor core role underlay address 192.0.2.10 autonomous-system 65000
set underlay-listener area0 protocol ospf instance nsh
set {HERE} route-target 65000:100 route-distinguisher 65000:100
set {HERE} zone web subnet web1 vni 10100 route-target 65000:10100
set enterprise acme l2-domain wire vni 10200
set enterprise acme domain test zone z subnet s prefix 10.1.0.0/24
set domain-template branch zone z subnet s prefix 10.9.0.0/24
set pe pe1 driver frr address 192.0.2.9
set pe pe1 vpn acme domain acme/prod interface eth1
"""


def problems(*lines: str) -> list[Problem]:
    before = running(ACME + WAN)
    candidate = edited(before, *lines)
    return check(candidate.view, candidate.merge(), before)


def test_all_of_it_together_is_valid() -> None:
    full = running(ACME + WAN)
    assert check(full, dict(full.walk()), running("")) == []


@pytest.mark.parametrize(
    ("line", "path", "cause"),
    [
        ("delete bgp autonomous-system", "bgp autonomous-system", "no number of our own"),
        ("set controller listen-address 0.0.0.0", "bgp-neighbor core local-address", "not one address"),
        ("set bgp-neighbor x address 2001:db8::9 autonomous-system 1", "bgp-neighbor x local-address", "same family"),
        ("set bgp-neighbor x address 192.0.2.1 autonomous-system 1", "bgp-neighbor x address", "our own address"),
        ("set bgp-neighbor x address 192.0.2.9 autonomous-system 1", "bgp-neighbor x address", "192.0.2.9"),
        ("set bgp-neighbor x autonomous-system 1", "bgp-neighbor x address", "is missing"),
        ("set bgp-neighbor pe1 family ipv4", "bgp-neighbor pe1 family", "ipv4 is not spoken"),
        ("set bgp-neighbor core family evpn", "bgp-neighbor core family", "evpn is not spoken"),
        ("set bgp-neighbor core announce 10.0.0.0/8", "bgp-neighbor core announce", "told nothing"),
        ("set bgp-neighbor pe1 multihop 3 ttl-security 1", "bgp-neighbor pe1 multihop", "no effect"),
        ("set underlay reuse 5000", "underlay reuse", "not used from 2500"),
        ("set domain-template branch zone z subnet s vni 77", "domain-template branch zone z subnet s vni", "every"),
        ("set enterprise acme l2-domain wire vni 10100", "enterprise acme l2-domain wire vni", "is the VNI of"),
        (f"set {HERE} zone web subnet web1 vni 10200", f"{HERE} zone web subnet web1 vni", "is the VNI of"),
        (f"delete {HERE} route-target", "pe pe1 vpn acme domain", "nothing of it goes out"),
        ("set pe pe2 driver eos address 192.0.2.8", "pe pe2 neighbor", "no bgp-neighbor pe2"),
        ("set pe pe1 neighbor core", "pe pe1 neighbor", "underlay"),
        ("set pe pe1 driver eos instance x", "pe pe1 instance", "driver frr"),
        ("set pe pe1 vpn more domain acme/nowhere", "pe pe1 vpn more domain", "there is no domain acme/nowhere"),
        ("set pe pe1 vpn more domain acme/prod", "pe pe1 vpn more domain", "already"),
        ("set pe pe1 vpn more domain acme/test", "pe pe1 vpn more domain", "no route target"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_path(line: str, path: str, cause: str) -> None:
    found = problems(line)
    assert found[0].path_text == path, found
    assert cause in found[0].cause
    assert all(one.remedy for one in found)


@pytest.mark.parametrize("value", ["65000", "65000:", "65536:70000", "1.2.3.4:70000", "a:b", "0:1", "65000:4294967296"])
def test_texts_that_are_no_route_target_are_refused(value: str) -> None:
    with pytest.raises(NshellError) as caught:
        edited(running(ACME), f"set {HERE} route-target {value}")
    assert "route-target" in str(caught.value) or "65000:100" in str(caught.value)


def test_keys_are_shown_nowhere() -> None:
    full = running(ACME + WAN + "set bgp-neighbor pe1 password hunter2\nset pe pe1 password hunter3\n")
    assert "hunter" not in "\n".join(set_lines(full))
