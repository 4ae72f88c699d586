"""show vports: a vport that is configured here and known to be at another site."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from controller.compile.placement import Location
from controller.compile.remote import VXLAN, RemoteMac, Tunnel
from controller.compile.wan.shown import Elsewhere, beyond
from data.addresses import address
from data.path import Path, vport_name
from tests.unit.compile.test_remote import MAC, OURS, PROD, VTEP, WEB, fabric, tell, vport
from tests.unit.service.test_confined_shows import TINA, Confined
from tests.unit.shell.pretend import PretendContext, PretendFabric, running
from tests.unit.shell.test_commands import cells, run
from views.models import Document, Several, Table

WEB_2 = "acme/prod/web-2"


class TwoSites(PretendFabric):
    """web-2 is behind the other site's hypervisor."""

    def elsewhere(self, path: Path) -> Elsewhere | None:
        return Elsewhere(address("172.31.9.1")) if vport_name(path) == WEB_2 else None


def context(made: PretendContext) -> PretendContext:
    made.fabric = TwoSites(running())  # type: ignore[assignment]
    return made


def test_it_is_elsewhere_with_the_endpoint_in_place_of_a_hypervisor() -> None:
    table = run(context(PretendContext()), "show vports enterprise acme")
    assert isinstance(table, Table)
    assert cells(table, "name") == ["web-1", "web-2"]
    assert cells(table, "state") == ["unresolved", "elsewhere"] and cells(table, "dvrs") == [None, "172.31.9.1"]
    assert table.summary.endswith("elsewhere 1   unresolved 1")


def test_its_detail_says_where_and_who_told_it() -> None:
    found = run(context(PretendContext()), f"show vport {WEB_2} detail")
    assert isinstance(found, Several)
    one = found.parts[WEB_2]
    assert isinstance(one, Document)
    assert (one.facts["state"], one.facts["endpoint"], one.facts["dvrs"]) == ("elsewhere", "172.31.9.1", None)
    assert "another site" in str(one.facts["reason"])


def test_a_tenant_sees_that_it_is_elsewhere_and_not_where_in_the_underlay() -> None:
    made = Confined(access=TINA)
    context(made)
    table = run(made, "show vports")
    assert cells(table, "state") == ["unresolved", "elsewhere"] and cells(table, "dvrs") == [None, None]
    found = run(made, f"show vport {WEB_2} detail")
    assert isinstance(found, Several) and "172.31.9.1" not in str(found)
    assert "endpoint" not in found.parts[WEB_2].facts  # type: ignore[attr-defined]


@pytest.mark.parametrize("known_by", ["mac", "address"])
def test_what_is_told_of_its_mac_or_address_makes_it_so_until_it_is_resolved_here(known_by: str) -> None:
    model = fabric()
    path, body = (*PROD, "vport", "web-30"), vport(model, 30)
    assert body.mac is not None
    hardware = bytes.fromhex(body.mac.replace(":", "")) if known_by == "mac" else MAC
    body = body if known_by == "mac" else msgspec.structs.replace(body, mac=None)
    model.commit({path: body})
    assert beyond(model.state, path) is None
    tunnel = Tunnel(VTEP, VXLAN, 7700)
    told = RemoteMac(tunnel, () if known_by == "mac" else tuple(map(address, body.address)))
    tell(model, WEB, "mac", hardware, told)
    assert beyond(model.state, path) == tunnel
    tell(model, WEB, "mac", hardware, behind(told, OURS))
    assert beyond(model.state, path) is None, "an endpoint of ours is not elsewhere"
    tell(model, WEB, "mac", hardware, told)
    places: dict[str, Any] = {body.uuid: Location("hv1", 30)}
    if known_by == "mac":
        model.commit({}, places)
        assert beyond(model.state, path) is None


def behind(fact: RemoteMac, endpoint: Any) -> RemoteMac:
    return RemoteMac(fact.tunnel._replace(endpoint=endpoint), fact.addresses)
