"""What is true now and counted nowhere, as metrics: the controller, hypervisors, vports, neighbours, routers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import Metric

from controller.pe.router import RouterState
from controller.telemetry.naming import Labels, vport_labels
from controller.topology import Standing
from data.schema.objects import Vport

if TYPE_CHECKING:
    from controller.fabric import Fabric

__all__ = ["facts"]

PACE = 50  # vports between two pauses, 0.5 ms


def facts(fabric: Fabric, version: str, sessions: Mapping[str, int]) -> Iterator[Metric | None]:
    """Metrics; None between them where work was done that took a while."""
    running = fabric.running
    waits = fabric.waiting is not None
    build = Metric("nshell_build", "What runs here", "info")
    build.add_sample("nshell_build_info", {"version": version}, 1)
    yield build
    yield gauge("nshell_configuration_revision", "The committed revision", [({}, running.revision)])
    yield gauge("nshell_commit_unconfirmed", "1 while a commit waits for its confirmation", [({}, int(waits))])
    yield gauge(
        "nshell_sessions", "Operators' sessions", [({"transport": way}, count) for way, count in sessions.items()]
    )
    yield gauge(
        "nshell_telemetry_interval_seconds", "Time between two looks at the counters",
        [({}, fabric.telemetry.interval)], "seconds",
    )  # fmt: skip
    yield gauge(
        "nshell_certificate_expiry_timestamp_seconds", "When a hypervisor's certificate ends",
        [({"dvrs": name}, expires) for name, expires in _certificates(fabric).items()], "seconds",
    )  # fmt: skip
    resolved: Counter[str] = Counter()
    yield from _vports(fabric, resolved)
    hypervisors = list(fabric.topology.hypervisors.values())
    yield gauge(
        "nshell_dvrs_ready", "1 when its flows are known to be those that are committed",
        [({"dvrs": one.name}, int(one.state is Standing.READY)) for one in hypervisors],
    )  # fmt: skip
    yield gauge(
        "nshell_dvrs_vports", "Virtual ports that it hosts",
        [({"dvrs": one.name}, resolved[one.name]) for one in hypervisors],
    )  # fmt: skip
    bgp = fabric.bgp
    tables = {} if bgp is None else bgp.rib.inbound.tables
    yield gauge(
        "nshell_bgp_neighbor_up", "1 when its session is established",
        [({"neighbor": name}, int(table.up)) for name, table in tables.items()],
    )  # fmt: skip
    yield gauge(
        "nshell_pe_in_sync", "1 when the router holds what is committed",
        [({"pe": one.name}, int(one.state is RouterState.IN_SYNC)) for one in fabric.pe.all()],
    )  # fmt: skip


def gauge(name: str, help_: str, samples: Iterable[tuple[Labels, float]], unit: str = "") -> Metric:
    """Values of now."""
    metric = Metric(name, help_, "gauge", unit)
    for labels, value in samples:
        metric.add_sample(name, labels, value)
    return metric


def _vports(fabric: Fabric, resolved: Counter[str]) -> Iterator[Metric | None]:
    """Whether each vport is up, and where; `resolved` counts those on each hypervisor."""
    up = Metric("nshell_vport_up", "1 when it is resolved and its flows are known to be there", "gauge")
    where = Metric("nshell_vport", "What a virtual port is, and where", "info")
    view, topology = fabric.acting, fabric.topology
    for number, (path, vport) in enumerate(list(view.objects(Vport))):
        labels = vport_labels(view, path)
        attachment = topology.attachment(path, vport)
        dvrs = "" if attachment is None else attachment.dvrs
        hypervisor = topology.hypervisors.get(dvrs)
        resolved[dvrs] += 1
        ready = hypervisor is not None and hypervisor.state is Standing.READY
        up.add_sample("nshell_vport_up", labels, int(ready))
        where.add_sample("nshell_vport_info", labels | {"dvrs": dvrs, "uuid": vport.uuid, "type": vport.type}, 1)
        if number % PACE == 0:
            yield None
    yield up
    yield where


def _certificates(fabric: Fabric) -> dict[str, float]:
    """When the newest good certificate of each system-id ends."""
    return {row.system_id: row.expires for row in fabric.trust.certificates() if row.revoked is None}
