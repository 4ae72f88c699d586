"""What a commit must not contain about edge services, both address families, shared domains and uplinks."""

from __future__ import annotations

import time

import pytest

from data.configuration import Running
from data.errors import Problem
from data.rules import check
from tests.unit.data.examples import ACME, PROD, edited, running

HERE = "enterprise acme domain prod"
WEB1 = f"{HERE} zone web subnet web1"
MORE = f"""\
set {WEB1} ipv6-prefix 2001:db8:1::/64
set {HERE} vport web-1 address 2001:db8:1::11
set {HERE} virtual-ip 10.1.1.100 vport [ web-1 web-2 ]
set {HERE} floating-ip 192.0.2.10 vport app-1
set {HERE} source-nat out address 192.0.2.20
set {HERE} load-balancer www address 10.1.1.200 port 443
set {HERE} load-balancer www backend web-1
set {HERE} load-balancer www backend second vport web-2 port 8443
set {HERE} static-route 172.16.0.0/12 next-hop [ 10.1.1.11 10.1.1.12 ]
set {HERE} vport fw-1 subnet app1 mac 02:00:0a:01:02:63 address 10.1.2.99 anti-spoofing mac
set {HERE} redirection-target fw vport fw-1
set {HERE} forwarding-policy chain redirect 10 protocol tcp destination-port 443 target fw
set {HERE} mirror tap vport web-1 to app-1
set {HERE} qos gold ingress-rate 10000
set {HERE} vport lan type bridge subnet web1 uplink eth1 vlan 10
set {HERE} vport metal type host subnet app1 uplink eth1 vlan 11 mac 02:00:0a:01:02:0c address 10.1.2.12
set enterprise acme l2-domain wire vport a mac 02:00:00:00:00:0a
set enterprise acme l2-domain wire vport trunk type bridge uplink eth2
set enterprise ops domain dns zone z subnet s prefix 10.99.0.0/24
set enterprise ops domain dns shared access-prefix 198.18.0.0/16
set enterprise ops domain hidden zone z subnet s prefix 10.98.0.0/24
set {HERE} use ops/dns
"""


def state() -> Running:
    return running(ACME + MORE)


def problems(*lines: str) -> list[Problem]:
    before = state()
    candidate = edited(before, *lines)
    return check(candidate.view, candidate.merge(), before)


def test_all_services_together_are_valid() -> None:
    full = state()
    assert check(full, dict(full.walk()), running("")) == []


@pytest.mark.parametrize(
    ("line", "path", "cause"),
    [
        # both families
        (f"set {WEB1} ipv6-prefix 2001:db8:1::/72", f"{WEB1} ipv6-prefix", "own addresses (slaac) from a /72"),
        (f"set {WEB1} ipv6-gateway 2001:db8:2::1", f"{WEB1} ipv6-gateway", "outside the prefix 2001:db8:1::/64"),
        (f"set {WEB1} ipv6-gateway 2001:db8:1::11", f"{HERE} vport web-1 address", "is the gateway of subnet web1"),
        (f"delete {WEB1} ipv6-prefix", f"{HERE} vport web-1 address", "subnet web1 has no ipv6-prefix"),
        (f"set {HERE} vport web-2 address 2001:db8:9::1", f"{HERE} vport web-2 address", "outside subnet web1"),
        (
            f"set {HERE} vport web-2 address 2001:db8:1::",
            f"{HERE} vport web-2 address",
            "subnet-router anycast address",
        ),
        (
            f"set {HERE} vport web-2 address 2001:db8:1::11",
            f"{HERE} vport web-2 address",
            "already that of vport web-1",
        ),
        (
            f"set {HERE} zone x subnet y ipv6-prefix 2001:db8:1::/96 ipv6-addressing none",
            f"{HERE} zone x subnet y ipv6-prefix",
            "2001:db8:1::/96 overlaps 2001:db8:1::/64 of zone web subnet web1",
        ),
        (
            f"set {HERE} zone x subnet y prefix 10.7.0.0/24 ipv6-gateway 2001:db8::1",
            f"{HERE} zone x subnet y ipv6-gateway",
            "ipv6-gateway is set, and ipv6-prefix is not",
        ),
        ("set dvrs hv3 tunnel-address 2001:db8::3", "dvrs hv3 tunnel-address", "as 172.31.0.1 of dvrs hv1 is"),
        # what a vport needs, and what it is attached to
        (f"set {HERE} vport x subnet web1 address 10.1.1.50", f"{HERE} vport x mac", "mac is missing"),
        (f"set {HERE} vport x mac 02:00:00:00:00:09", f"{HERE} vport x subnet", "subnet is missing"),
        ("set enterprise acme l2-domain wire vport b", "enterprise acme l2-domain wire vport b mac", "mac is missing"),
        (
            "set enterprise acme l2-domain wire vport a subnet web1",
            "enterprise acme l2-domain wire vport a subnet",
            "an l2-domain has no subnets",
        ),
        (f"set {HERE} vport web-1 uplink eth7", f"{HERE} vport web-1 uplink", "a vm vport has no uplink"),
        (f"set {HERE} vport web-1 vlan 7", f"{HERE} vport web-1 vlan", "vlan is that on an uplink"),
        (f"set {HERE} vport web-1 mac-limit 7", f"{HERE} vport web-1 mac-limit", "no MAC addresses are learned"),
        (f"delete {HERE} vport lan uplink", f"{HERE} vport lan uplink", "a bridge vport is behind an uplink"),
        (f"set {HERE} vport lan vlan 11", f"{HERE} vport lan vlan", "uplink eth1 vlan 11 is already that of"),
        (
            f"set {HERE} vport lan2 type bridge subnet web1 uplink eth1 vlan 30",
            f"{HERE} vport lan2 uplink",
            "subnet web1 is already on uplink eth1, by vport lan: frames could go round in a loop",
        ),
        (
            "set enterprise acme l2-domain wire vport t2 type bridge uplink eth2 vlan 9",
            "enterprise acme l2-domain wire vport t2 uplink",
            "l2-domain wire is already on uplink eth2, by vport trunk",
        ),
        (
            "set enterprise ops domain dns vport b type bridge subnet s uplink eth1 vlan 10",
            "enterprise ops domain dns vport b vlan",
            "uplink eth1 vlan 10 is already that of a vport of another enterprise",
        ),
        # one owner of each address
        (f"set {HERE} vport web-2 address 10.1.1.100", f"{HERE} vport web-2 address", "that of virtual-ip 10.1.1.100"),
        (f"set {HERE} floating-ip 10.1.1.11 vport app-1", f"{HERE} floating-ip 10.1.1.11", "that of vport web-1"),
        (
            f"set {HERE} source-nat b address 192.0.2.10",
            f"{HERE} source-nat b address",
            "that of floating-ip 192.0.2.10",
        ),
        (f"set {HERE} source-nat b address 10.1.1.1", f"{HERE} source-nat b address", "is the gateway of subnet web1"),
        (f"set {HERE} source-nat b address 10.1.1.255", f"{HERE} source-nat b address", "the broadcast address of"),
        (f"set {HERE} load-balancer b address 10.1.1.200 port 443", f"{HERE} load-balancer b address", "balancer www"),
        (f"set {HERE} load-balancer b address 10.1.1.100 port 1", f"{HERE} load-balancer b address", "virtual-ip"),
        (f"set {WEB1} gateway 10.1.1.200", f"{WEB1} gateway", "already that of load-balancer www"),
        # virtual and floating IPs
        (f"set {HERE} virtual-ip 10.1.1.100 vport app-1", f"{HERE} virtual-ip 10.1.1.100 vport", "subnet app1"),
        (f"set {HERE} virtual-ip 10.1.1.100 mac 02:00:0a:01:01:0c", f"{HERE} virtual-ip 10.1.1.100 mac", "vport web-2"),
        (f"set {HERE} floating-ip 2001:db8:f::1 vport app-1", f"{HERE} floating-ip 2001:db8:f::1 vport", "no IPv6"),
        (f"set {HERE} floating-ip 192.0.2.10 address 10.9.9.9", f"{HERE} floating-ip 192.0.2.10 address", "no address"),
        (
            f"set {HERE} floating-ip 192.0.2.11 vport app-1",
            f"{HERE} floating-ip 192.0.2.11 vport",
            "already known outside",
        ),
        (
            f"delete {HERE} vport app-1 address",
            f"{HERE} floating-ip 192.0.2.10 vport",
            "vport app-1 has no IPv4 address",
        ),
        # routes
        (f"set {HERE} static-route 10.0.0.0/8", f"{HERE} static-route 10.0.0.0/8 next-hop", "it leads nowhere"),
        (
            f"set {HERE} static-route 172.16.0.0/12 blackhole",
            f"{HERE} static-route 172.16.0.0/12 blackhole",
            "next hops",
        ),
        (
            f"set {HERE} static-route ::/0 next-hop 10.1.1.11",
            f"{HERE} static-route ::/0 next-hop",
            "10.1.1.11 is not an IPv6 address, as the prefix ::/0 is",
        ),
        (
            f"set {HERE} static-route 172.16.0.0/12 next-hop 192.0.2.1",
            f"{HERE} static-route 172.16.0.0/12 next-hop",
            "192.0.2.1 is in no subnet of domain prod",
        ),
        (
            f"set {HERE} static-route 10.1.1.0/24 blackhole",
            f"{HERE} static-route 10.1.1.0/24",
            "10.1.1.0/24 is subnet web1, which is routed by itself",
        ),
        (
            f"set {HERE} zone x subnet y prefix 172.16.0.0/12",
            f"{HERE} zone x subnet y prefix",
            "172.16.0.0/12 is that of a static-route",
        ),
        (
            f"set {WEB1} prefix 10.1.1.8/29",
            f"{HERE} static-route 172.16.0.0/12 next-hop",
            None,  # .11 and .12 still fit
        ),
        (
            f"set {WEB1} prefix 10.1.3.0/24",
            f"{HERE} static-route 172.16.0.0/12 next-hop",
            "10.1.1.11 is in no subnet of domain prod",
        ),
        # service chaining
        (
            f"set {HERE} forwarding-policy chain redirect 10 next-hop 10.1.1.11",
            f"{HERE} forwarding-policy chain redirect 10 next-hop",
            "a target and a next-hop",
        ),
        (
            f"set {HERE} forwarding-policy chain redirect 20 destination-port 80",
            f"{HERE} forwarding-policy chain redirect 20 destination-port",
            "needs protocol tcp, udp or sctp",
        ),
        (
            f"set {HERE} redirection-target fw vport web-1",
            f"{HERE} redirection-target fw vport",
            "anti-spoofing is full",
        ),
        (f"set {HERE} vport fw-1 anti-spoofing full", f"{HERE} redirection-target fw vport", "anti-spoofing is full"),
        (f"set {HERE} redirection-target fw health tcp", f"{HERE} redirection-target fw health-port", "port to probe"),
        # load balancers
        (f"set {HERE} load-balancer www protocol udp", f"{HERE} load-balancer www health", "cannot be probed by TCP"),
        (
            f"set {HERE} load-balancer www address 2001:db8:1::200",
            f"{HERE} load-balancer www backend second vport",
            "vport web-2 has no IPv6 address",
        ),
        (
            f"set {HERE} load-balancer www backend third",
            f"{HERE} load-balancer www backend third vport",
            "domain prod has no vport third",
        ),
        (f"delete {HERE} vport web-1", f"{HERE} vport web-1", "backend web-1"),
        # the others
        (f"set {HERE} mirror tap collector 192.0.2.9", f"{HERE} mirror tap collector", "both are set"),
        (f"delete {HERE} mirror tap to", f"{HERE} mirror tap to", "the copies go nowhere"),
        (f"set {HERE} mirror tap vport app-1", f"{HERE} mirror tap to", "copies of its copies"),
        (f"set {HERE} qos gold egress-burst 100", f"{HERE} qos gold egress-burst", "what goes beyond egress-rate"),
        (f"set {WEB1} dhcp-option 53 value 0x01", f"{WEB1} dhcp-option 53", "part of the protocol itself"),
        (f"set {WEB1} dns-proxy dns-server 169.254.9.9", f"{WEB1} dns-server", "a link of the controller's own"),
        (f"set {WEB1} dhcp-option 43 value 0x012", f"{WEB1} dhcp-option 43 value", "not a row of hexadecimal bytes"),
        # domains
        ("set enterprise acme l2-domain prod", "enterprise acme l2-domain prod", "already has a domain prod"),
        (f"set {HERE} use acme/prod", f"{HERE} use", "acme/prod is this domain itself"),
        (f"set {HERE} access-prefix 198.19.0.0/16", f"{HERE} access-prefix", "this one is not shared"),
        (
            "delete enterprise ops domain dns shared",
            "enterprise ops domain dns shared",
            "still used by 1 domain: 1 of other",
        ),
        ("delete enterprise ops domain dns", "enterprise ops domain dns", "one in another enterprise still names it"),
        (
            "delete enterprise ops domain dns access-prefix",
            "enterprise ops domain dns access-prefix",
            "it has IPv4 subnets, and no IPv4 prefix",
        ),
        (
            "set enterprise ops domain dns zone z subnet s ipv6-prefix 2001:db8:99::/64",
            "enterprise ops domain dns zone z subnet s ipv6-prefix",
            "its domain is shared, and has no IPv6 access-prefix",
        ),
        (
            "set enterprise ops domain dns access-prefix 10.99.0.0/28",
            "enterprise ops domain dns access-prefix",
            "10.99.0.0/28 overlaps the prefix of zone z subnet s",
        ),
        (
            f"set {HERE} zone x subnet y prefix 10.99.0.0/16",
            f"{HERE} zone x subnet y prefix",
            "10.99.0.0/16 overlaps a subnet of a domain of another enterprise",
        ),
        (
            "set enterprise ops domain dns zone z subnet t prefix 10.1.1.0/25",
            "enterprise ops domain dns zone z subnet t prefix",
            "10.1.1.0/25 overlaps a subnet of a domain of another enterprise",
        ),
    ],
)
def test_what_is_wrong_is_said_once_at_its_path(line: str, path: str, cause: str | None) -> None:
    found = [problem for problem in problems(line) if problem.path_text == path]
    if cause is None:
        assert not found
        return
    assert found and cause in found[0].cause
    assert all(problem.remedy for problem in found)
    assert len({problem.cause for problem in found}) == len(found)


@pytest.mark.parametrize(
    "lines",
    [
        (f"set {HERE} vport pc type host subnet app1 mac 02:00:0a:01:02:0d address 10.1.2.13",),
        (f"set {HERE} load-balancer dns address 10.1.1.200 port 53 protocol udp health icmp",),
        (f"set {HERE} source-nat second address 192.0.2.20 from zone web",),
        (f"delete {HERE} mirror tap to", f"set {HERE} mirror tap collector 192.0.2.9"),
        (f"set {HERE} vport lan2 type bridge subnet web1 uplink eth3 vlan 10",),
        (f"delete {HERE} vport lan", f"set {HERE} vport lan2 type bridge subnet web1 uplink eth1 vlan 10"),
        ("set dvrs hv1 tunnel-address 2001:db8::1", "set dvrs hv2 tunnel-address 2001:db8::2"),
        (f"set {HERE} ingress-policy base entry 20 action allow protocol icmpv6 icmp-type 128",),
        (f"set {HERE} static-route ::/0 next-hop 2001:db8:1::11",),
        (f"set {HERE} zone v6 subnet only ipv6-prefix 2001:db8:6::/64",),
        (f"set {HERE} zone v6 subnet p ipv6-prefix 2001:db8:6::/72 ipv6-addressing dhcpv6",),
        (f"delete {HERE} use", "delete enterprise ops"),
        ("delete enterprise acme",),
        ("set enterprise acme l2-domain wire vport a address 192.168.7.7",),
    ],
)
def test_what_belongs_together_is_accepted(lines: tuple[str, ...]) -> None:
    assert problems(*lines) == []


def test_a_domain_that_is_not_shared_is_answered_like_one_that_does_not_exist() -> None:
    hidden, missing = problems(f"set {HERE} use ops/hidden"), problems(f"set {HERE} use ops/nowhere")
    assert len(hidden) == len(missing) == 1
    assert hidden[0].cause == "there is no shared domain ops/hidden"
    assert missing[0].cause == hidden[0].cause.replace("hidden", "nowhere")
    assert hidden[0].remedy == missing[0].remedy


def test_an_overlap_with_a_domain_that_is_newly_used_is_said_at_the_use() -> None:
    before = running(ACME + MORE + f"delete {HERE} use ops/dns\nset {HERE} zone x subnet y prefix 10.99.0.0/16")
    candidate = edited(before, f"set {HERE} use ops/dns")
    found = check(candidate.view, candidate.merge(), before)
    assert [problem.path_text for problem in found] == [f"{HERE} use"]
    assert "10.99.0.0/24 of ops/dns overlaps subnet y of this domain" in found[0].cause


def test_a_route_whose_subnet_goes_is_looked_at_again() -> None:
    hop = f"set {HERE} zone x subnet hop prefix 10.5.0.0/24\nset {HERE} static-route ::/0 blackhole"
    before = running(f"{ACME}{MORE}{hop}\nset {HERE} static-route 0.0.0.0/0 next-hop 10.5.0.9")
    candidate = edited(before, f"delete {HERE} zone x")
    found = check(candidate.view, candidate.merge(), before)
    assert [problem.path_text for problem in found] == [f"{HERE} static-route 0.0.0.0/0 next-hop"]


def test_a_virtual_ip_whose_vport_moves_to_another_subnet_is_looked_at_again() -> None:
    web_2 = f"{HERE} vport web-2"
    found = problems(f"delete {web_2} address", f"set {web_2} subnet app1 address 10.1.2.77")
    assert f"{HERE} virtual-ip 10.1.1.100 vport" in [problem.path_text for problem in found]


def test_two_floating_ips_that_come_to_mean_the_same_address_of_a_vport_are_named_once() -> None:
    app_1 = f"{HERE} vport app-1"
    second = f"set {app_1} address 10.1.2.78\nset {HERE} floating-ip 192.0.2.11 vport app-1 address 10.1.2.78"
    before = running(f"{ACME}{MORE}{second}")
    candidate = edited(before, f"delete {app_1} address 10.1.2.11")
    found = check(candidate.view, candidate.merge(), before)
    assert [problem.path_text for problem in found] == [f"{HERE} floating-ip 192.0.2.10 vport"]
    assert "10.1.2.78 of vport app-1 is already known outside as 192.0.2.11" in found[0].cause


def test_a_new_name_of_a_domain_or_its_enterprise_is_followed_by_its_users() -> None:
    for line, name in (
        ("rename enterprise ops domain dns to names", "ops/names"),
        ("rename enterprise ops to core", "core/dns"),
    ):
        before = state()
        candidate = edited(before, line)
        assert candidate.view.get(PROD).use == (name,)  # type: ignore[union-attr]
        assert check(candidate.view, candidate.merge(), before) == []
        assert candidate.view.users_of(("enterprise", *name.replace("/", "/domain/").split("/"))) == {PROD}


def test_a_backend_named_like_its_vport_follows_the_new_name_of_the_vport() -> None:
    before = state()
    candidate = edited(before, f"rename {HERE} vport web-1 to web-9")
    assert candidate.view.get((*PROD, "load-balancer", "www", "backend", "web-1")).vport == "web-9"  # type: ignore[union-attr]
    assert check(candidate.view, candidate.merge(), before) == []


def test_a_full_name_finds_vports_of_domains_and_l2_domains() -> None:
    there = state()
    assert there.vport_by_name("acme/wire/a") == ("enterprise", "acme", "l2-domain", "wire", "vport", "a")
    assert there.vport_by_name("acme/prod/web-1") == (*PROD, "vport", "web-1")
    assert there.vport_by_name("acme/prod/a") is None


def test_one_more_bridge_vport_costs_no_more_among_many_uplinks() -> None:
    costs = []
    for size in (50, 4000):
        lines = ["set enterprise e domain d zone z subnet s0 prefix 10.0.0.0/24"]
        for i in range(1, size):
            lines.append(f"set enterprise e domain d zone z subnet s{i} prefix 10.{i >> 8}.{i & 255}.0/24")
            lines.append(f"set enterprise e domain d vport b{i} type bridge subnet s{i} uplink eth1 vlan {i}")
        there = running("\n".join(lines))
        candidate = edited(there, "set enterprise e domain d vport b0 type bridge subnet s0 uplink eth1 vlan 4094")
        edits = candidate.merge()
        took = []
        for _ in range(100):
            began = time.perf_counter()
            assert not check(candidate.view, edits, there)
            took.append(time.perf_counter() - began)
        costs.append(min(took))
    print(f"\ncheck of one bridge vport among 50: {costs[0] * 1e6:.0f} us, among 4,000: {costs[1] * 1e6:.0f} us")
    assert costs[1] < 5 * costs[0] + 1e-4
