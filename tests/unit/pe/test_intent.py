"""What a router shall hold, worked out from the policy."""

from __future__ import annotations

import msgspec
import pytest

from controller.events import Events
from controller.network import Network
from controller.numbers import Numbers
from controller.pe.intent import PeIntent, routers, vrf_name
from data.configuration import Running
from data.path import Path
from data.schema.objects import Domain, Object
from data.schema.wan import Neighbor, Pe, PeVpn
from tests.unit.controller.model import PROD, configuration, uuid
from tests.unit.controller.wan_bench import VPN, vpn, wan

DOMAIN = Domain(uuid=uuid(101), route_target=("65000:1",))


def intent(**changed: Object | None) -> PeIntent:
    """Of the first router; `changed` by the kind: domain, neighbor, pe, vpn."""
    objects: dict[Path, Object] = {**configuration(), **wan(), VPN: vpn(1, "10.9.0.0/24")}
    places = {"domain": PROD, "neighbor": ("bgp-neighbor", "r1"), "pe": ("pe", "r1"), "vpn": VPN}
    for kind, item in changed.items():
        if item is None:
            del objects[places[kind]]
        else:
            objects[places[kind]] = item
    network = Network(Running(objects, 1), Numbers(), (), Events())
    return routers(network.state)["r1"].intent


def test_a_vpn_is_one_more_site_of_its_domain() -> None:
    found = intent()
    assert (found.controller, found.controller_as, found.own_address) == ("192.0.2.1", 65000, "192.0.2.11")
    assert found.external and found.tunnels == ("172.31.0.1", "172.31.0.2") and found.locked
    (vrf,) = found.vrfs
    assert vrf.imports == vrf.exports == ("65000:1",) and vrf.name == "nsh-prod" and vrf.prefixes == ("10.9.0.0/24",)
    assert vrf.distinguisher.startswith("65001:"), "the router's own number and that of the domain"


def test_further_targets_are_taken_and_told_as_hypervisors_do() -> None:
    body = msgspec.structs.replace(DOMAIN, import_target=("65000:9", "4200000000:1"), export_target=("65000:7",))
    (vrf,) = intent(domain=body).vrfs
    assert vrf.imports == ("65000:1", "65000:9", "4200000000:1"), "sorted as routers sort them"
    assert vrf.exports == ("65000:1", "65000:7")


def test_a_domain_with_one_way_targets_alone_has_them_the_other_way_round_on_the_router() -> None:
    body = Domain(uuid=uuid(101), import_target=("65000:1",), export_target=("65000:2",))
    (vrf,) = intent(domain=body).vrfs
    assert (vrf.imports, vrf.exports) == (("65000:2",), ("65000:1",))


def test_what_the_configuration_says_of_the_session_and_the_vrf_is_taken() -> None:
    neighbor = Neighbor(
        uuid=uuid(311), address="192.0.2.11", local_address="198.51.100.1", autonomous_system=65000,
        family=("vpnv4",), hold_time=30, ttl_security=1,
    )  # fmt: skip
    found = intent(
        neighbor=neighbor,
        pe=Pe(uuid=uuid(321), driver="eos", address="r1", tunnel_address="192.0.2.99"),
        vpn=PeVpn(uuid=uuid(331), domain="acme/prod", route_distinguisher="1:2", interface=("et2", "et1")),
    )
    assert found.controller == "198.51.100.1" and not found.external and found.families == ("vpnv4",)
    assert (found.hold_time, found.ttl_security, found.locked, found.tunnel_address) == (30, 1, False, "192.0.2.99")
    assert found.vrfs[0].distinguisher == "1:2" and found.vrfs[0].interfaces == ("et1", "et2")
    assert found.versions() == (4,)


def test_a_router_without_its_neighbor_shall_hold_nothing() -> None:
    assert intent(neighbor=None) == PeIntent("junos")


@pytest.mark.parametrize("name", ["a", "b" * 11, "c" * 12, "d" * 60])
def test_names_of_vrfs_fit_into_a_network_device_and_stay_apart(name: str) -> None:
    assert len(vrf_name(name)) <= 15 and vrf_name(name).startswith("nsh-")
    assert vrf_name(name) != vrf_name(name + "x")
