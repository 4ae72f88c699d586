"""What the lab's label switch makes of FRR's tables, in FRR 8.4's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nshell.lab.wan.labels import LabelSwitch

VRFS = {"vrfs": {"default": {"type": "DFLT"}, "acme": {"type": "VRF"}}}
OWN = {"aspath": {"length": 0}, "nexthops": [{"ip": "0.0.0.0", "afi": "ipv4"}]}
EXPORTED = {"paths": [{"nhVrfName": "acme", "sourced": True, "remoteLabel": 16, "nexthops": [{"ip": "0.0.0.0"}]}]}


def imported(next_hop: str, label: int, **others: Any) -> dict[str, Any]:
    path = {"aspath": {"length": 0}, "nhVrfName": "default", "locPrf": 100, "remoteLabel": label, "valid": False}
    return path | {"nexthops": [{"ip": next_hop}]} | others


class Answers:
    """An FRR that has these tables of VRF acme, and routes to these next hops."""

    def __init__(self, tables: Mapping[str, Any], reachable: tuple[str, ...] = ("172.31.0.1", "172.31.0.2")) -> None:
        self.tables, self.reachable = tables, reachable

    def show(self, command: str) -> Any:
        if command == "show bgp vrfs json":
            return VRFS
        if command.startswith("show ip route "):
            return {"172.31.0.0/24": []} if command.split()[3] in self.reachable else {}
        if " vpn " in command:
            return {"65000:1077": EXPORTED}
        family = command.split()[4]
        return {"routes": self.tables.get(family, {})}


def flows(frr: Answers, *customers: str) -> set[str]:
    return LabelSwitch(frr, customers or ("acme",)).flows()  # type: ignore[arg-type]


def routed(found: set[str]) -> list[str]:
    return sorted(one for one in found if "push_mpls" in one)


def test_an_imported_route_gets_its_label_and_goes_to_its_next_hop() -> None:
    entries = [{"prefix": "10.1.1.0/24"}, imported("172.31.0.1", 300)]
    (flow,) = routed(flows(Answers({"ipv4": {"10.1.1.0/24": entries}})))
    assert flow == (
        "table=0,priority=124,in_port=1,ip,nw_dst=10.1.1.0/24,actions=push_mpls:0x8847,set_field:300->mpls_label,"
        "set_field:172.31.255.11->tun_src,set_field:172.31.0.1->tun_dst,output:200"
    )


def test_an_ipv6_route_goes_to_the_ipv4_address_in_its_next_hop() -> None:
    entries = [imported("::ffff:ac1f:1", 301)]
    (flow,) = routed(flows(Answers({"ipv6": {"2001:db8:1::/64": entries}})))
    assert "ipv6_dst=2001:db8:1::/64" in flow and "172.31.0.1->tun_dst" in flow


def test_an_exported_route_pops_the_label_that_bgpd_allotted() -> None:
    found = flows(Answers({"ipv4": {"10.9.0.0/24": [{"prefix": "10.9.0.0/24"}, OWN]}}))
    assert any("mpls_label=16,actions=pop_mpls:0x0800" in one for one in found)
    assert not routed(found)


def test_the_best_of_several_paths_is_the_one_by_local_preference_then_path_length() -> None:
    entries = [
        imported("172.31.0.1", 300),
        imported("172.31.0.2", 301, aspath={"length": 3}, locPrf=200),
        imported("172.31.0.1", 302, aspath={"length": 2}, locPrf=200),
    ]
    (flow,) = routed(flows(Answers({"ipv4": {"10.1.1.0/24": entries}})))
    assert "set_field:302->mpls_label" in flow


def test_a_next_hop_without_a_route_is_passed_over() -> None:
    entries = [imported("172.31.0.9", 309, locPrf=500), imported("172.31.0.1", 300)]
    (flow,) = routed(flows(Answers({"ipv4": {"10.1.1.0/24": entries}})))
    assert "set_field:300->mpls_label" in flow
    assert not routed(flows(Answers({"ipv4": {"10.1.1.0/24": entries}}, reachable=())))


def test_a_customer_whose_vrf_is_not_configured_has_no_route() -> None:
    entries = [imported("172.31.0.1", 300)]
    assert not routed(flows(Answers({"ipv4": {"10.1.1.0/24": entries}}), "beta"))
