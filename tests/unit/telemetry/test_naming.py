"""What a series is called is what a line of `show statistics` calls it: events and thresholds have no other name."""

from __future__ import annotations

from controller.telemetry.keys import Level, SeriesKey
from controller.telemetry.naming import name_of
from data.configuration import Running
from data.path import Path
from data.schema.objects import Dvrs, Object, Subnet, Vport, Zone
from data.schema.policies import Entry

PROD: Path = ("enterprise", "acme", "domain", "prod")
OBJECTS: dict[Path, Object] = {
    ("dvrs", "hv1"): Dvrs(uuid="hypervisor"),
    (*PROD, "zone", "app"): Zone(uuid="zone"),
    (*PROD, "zone", "app", "subnet", "app1"): Subnet(uuid="subnet"),
    (*PROD, "vport", "web-1"): Vport(uuid="vport"),
    (*PROD, "ingress-policy", "base", "entry", "10"): Entry(uuid="into", action="deny"),
    (*PROD, "egress-policy", "base", "entry", "10"): Entry(uuid="out", action="deny"),
}


def test_what_is_counted_has_a_name_that_can_be_typed_and_is_no_others() -> None:
    view = Running(OBJECTS, 1)
    names = {
        SeriesKey(Level.VPORT, "vport"): "acme/prod/web-1",
        SeriesKey(Level.SUBNET, "subnet"): "acme/prod/app1",
        SeriesKey(Level.ZONE, "zone"): "acme/prod/app",
        SeriesKey(Level.RULE, "into"): "acme/prod/ingress/base/10",
        SeriesKey(Level.RULE, "out"): "acme/prod/egress/base/10",
        SeriesKey(Level.DVRS, "hv1"): "hv1",
        SeriesKey(Level.TUNNEL, "hv1>hv2"): "hv1>hv2",
        SeriesKey(Level.VPORT, "gone"): None,
        SeriesKey(Level.TUNNEL, "hv9>hv1"): None,
    }
    assert {key: name_of(view, key) for key in names} == names
