"""As much of a fabric as /metrics asks of, for its tests and its benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from controller.events import Events
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.topology import Attachment, Hypervisor, Standing
from data.configuration import Running


@dataclass
class Counters:
    """What was counted, as telemetry knows it."""

    seen: dict[SeriesKey, Mapping[Measure, int]] = field(default_factory=dict)
    interval: float = 10.0

    def keys(self, level: Level) -> tuple[SeriesKey, ...]:
        return tuple(key for key in self.seen if key.level is level)

    def latest(self, key: SeriesKey) -> Any:
        return SimpleNamespace(time=0.0, totals=self.seen[key], rates={})


class Network:
    """As much of a fabric as is told of."""

    def __init__(self, configuration: Running) -> None:
        self.acting = self.running = configuration
        self.telemetry = Counters()
        self.events = Events()
        self.commit_counts = {"applied": 3, "failed": 1}
        self.waiting = None
        self.where: dict[str, Attachment] = {}
        hypervisor = Hypervisor("hv1", "hv1", Standing.READY, 0.0)
        self.topology = SimpleNamespace(
            hypervisors={"hv1": hypervisor}, attachment=lambda path, vport: self.where.get(vport.uuid)
        )
        self.trust = SimpleNamespace(certificates=lambda: ())
        self.bgp = None
        self.pe = SimpleNamespace(all=list)

    def uuid(self, *path: str) -> str:
        item = self.running.get(path)
        assert item is not None, path
        return item.uuid
