"""A network, what its controller has counted, and what its machines have: for tests that compare both.

The statistics are read from the archive as another process sees it, totals from the memory that is kept with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from controller.telemetry.archive import FILE, Archive
from controller.telemetry.keeping import Memory, recalled
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.store import Store
from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network

__all__ = ["COUNTERS", "Counted"]

T = TypeVar("T")
COUNTERS = {
    Measure.SENDS_PACKETS: "tx packets",
    Measure.SENDS_BYTES: "tx bytes",
    Measure.GETS_PACKETS: "rx packets",
    Measure.GETS_BYTES: "rx bytes",
}
"""Measure of a vport -> what the kernel says of its machine's interface."""


class Counted(Network):
    """The network, and what its controller has counted."""

    def key(self, level: Level, *path: str) -> SeriesKey:
        store = Store.open(self.shell.state)
        try:
            found = store.load().get(path)
        finally:
            store.close()
        assert found is not None, path
        return SeriesKey(level, found.uuid)

    def vport(self, name: str) -> SeriesKey:
        return self.key(Level.VPORT, "enterprise", "acme", "domain", "prod", "vport", name)

    def archive(self, ask: Callable[[Archive], T]) -> T:
        archive = Archive(self.shell.state / FILE)
        archive.open()
        try:
            return ask(archive)
        finally:
            archive.close()

    def memory(self) -> Memory:
        return self.archive(lambda archive: recalled(archive.state()))

    def settled(self) -> Mapping[SeriesKey, Mapping[Measure, int]]:
        """All totals, once all that happened before is in the archive: Open vSwitch adds up what its datapath has
        counted every half second, the next look sees it, and it is kept at the end of that round."""
        seen = {self.memory().time}

        def thrice() -> bool:
            seen.add(self.memory().time)
            return len(seen) > 3

        assert wait_until(thrice, PATIENCE, 0.2), self.run("show system events")
        return self.memory().totals

    def rates(self, key: SeriesKey, measure: Measure, since: float, until: float) -> list[float | None]:
        """Per second, in steps of two seconds or what is the finest."""
        points = int((until - since) / 2)
        return list(self.archive(lambda archive: archive.read(key, [measure], since, until, points)).values[measure])

    def interface(self, name: str) -> dict[str, int]:
        """What the kernel says of a machine's interfaces: "tx packets" and so on."""
        links = json.loads(self.lab.exec(name, ["ip", "-json", "-statistics", "link", "show"]).stdout)
        return {
            counter: sum(int(link["stats64"][way][what]) for link in links if link["ifname"] != "lo")
            for counter in COUNTERS.values()
            for way, what in [counter.split()]
        }

    def rule(self, number: str) -> SeriesKey:
        return self.key(Level.RULE, "enterprise", "acme", "domain", "prod", "ingress-policy", "base", "entry", number)
