"""What is counted by others than the switches: routes and messages of BGP neighbours, interfaces of PE routers.

Of BGP messages UPDATEs are counted; what else a session says is the speaker process's own.

A PE router is asked by NAPALM as often as the setting says (`telemetry pe-interval`) at most, in its session's own
thread, while it is known to be reached and no commit is under way; one that failed to answer _FAILURES times in a row
is asked only every _SELDOM-th time: its driver has no interface counters, or it is overloaded for a while. Its counters
have no age: one that fell has begun anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from controller.bgp.service import Bgp
from controller.pe.router import Router, RouterState
from controller.telemetry.attribute import Counts
from controller.telemetry.board import LARGEST
from controller.telemetry.keys import Level, Measure, SeriesKey

__all__ = ["Others", "interface_counters"]

log = logging.getLogger(__name__)
_REACHED = (RouterState.IN_SYNC, RouterState.CHANGED)
_INTERFACES_LIMIT = 512  # of one router
_GETTER = "get_interfaces_counters"
_FAILURES = 3  # in a row after which a router is asked seldom
_SELDOM = 30  # times that it is passed over then: half an hour
_BGP = "bgp-neighbor "
_KINDS = ("unicast", "multicast", "broadcast")

Numbers = tuple[int, int, int, int]
"""Bytes and packets sent, bytes and packets received by a router's interface."""


class Routers(Protocol):
    """What is asked of the PE routers (`controller/pe/routers.py`)."""

    def all(self) -> list[Router]: ...

    async def ask(self, name: str, getter: str) -> Any: ...


def interface_counters(said: Mapping[str, Mapping[str, int]]) -> dict[str, Numbers]:
    """What NAPALM's getter says, interface by interface; -1 is what a device does not count."""

    def one(counters: Mapping[str, int], what: str) -> int:
        return min(max(int(counters.get(what, 0)), 0), LARGEST)

    def packets(way: str, counters: Mapping[str, int]) -> int:
        return sum(one(counters, f"{way}_{kind}_packets") for kind in _KINDS)

    return {
        name: (
            one(counters, "tx_octets"), packets("tx", counters),
            one(counters, "rx_octets"), packets("rx", counters),
        )
        for name, counters in list(said.items())[:_INTERFACES_LIMIT]
    }  # fmt: skip


class Others:
    """See the module. `bgp` gives the service while there is one; `busy` says whether a commit is under way,
    `interval` how many seconds lie between two looks at a router, each of which is a connection of its own."""

    def __init__(
        self,
        bgp: Callable[[], Bgp | None],
        routers: Routers,
        busy: Callable[[], bool],
        interval: Callable[[], float],
    ) -> None:
        self._bgp = bgp
        self._routers = routers
        self._busy = busy
        self._interval = interval
        self._raw: dict[str, tuple[int, ...]] = {}  # PE/interface -> its counters at the last look
        self._counted: Counts = {}
        self._failures: dict[str, int] = {}  # in a row, while the router was reached
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """The setting may be another: what is waited for begins anew."""
        self._changed.set()

    def recall(self, raw: Mapping[str, tuple[int, ...]]) -> None:
        """The counters that an earlier process saw last; those of BGP begin with each process."""
        self._raw = {name: numbers for name, numbers in raw.items() if not name.startswith(_BGP)}

    def kept(self) -> Mapping[str, tuple[int, ...]]:
        """The same for the next one."""
        return self._raw

    def start(self) -> None:
        """Begins to ask routers."""
        self._task = asyncio.create_task(self._run(), name="telemetry of PE routers")

    async def stop(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def take(self) -> Counts:
        """What was counted since this was asked last, and the gauges as they are."""
        counted, self._counted = self._counted, {}
        bgp = self._bgp()
        if bgp is not None:
            for name, table in bgp.rib.inbound.tables.items():
                if name in bgp.rib.settings.neighbours:
                    received, sent = self._grown(_BGP + name, bgp.speaker.messages(name), known=True)
                    counted[SeriesKey(Level.BGP, name)] = {
                        Measure.ROUTES_RECEIVED: len(table),
                        Measure.ROUTES_SENT: table.told,
                        Measure.MESSAGES_RECEIVED: received,
                        Measure.MESSAGES_SENT: sent,
                    }
        return counted

    async def _run(self) -> None:
        while True:
            if not await self._passed(self._interval()):
                continue
            for router in self._routers.all():
                if router.state in _REACHED and not self._busy() and self._due(router.name):
                    await self._ask(router.name)

    async def _passed(self, seconds: float) -> bool:
        """Waits so long; False as soon as the setting changes."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return True
        self._changed.clear()
        return False

    def _due(self, name: str) -> bool:
        failures = self._failures.get(name, 0)
        if failures < _FAILURES:
            return True
        self._failures[name] = failures + 1
        return (failures + 1 - _FAILURES) % _SELDOM == 0

    async def _ask(self, name: str) -> None:
        try:
            self.said(name, interface_counters(await self._routers.ask(name, _GETTER)))
        except Exception as problem:  # whatever a driver does or answers: the other routers are asked all the same
            self._failures[name] = self._failures.get(name, 0) + 1
            log.info("pe %s: its interfaces' counters are not read: %s", name, problem)
        else:
            self._failures.pop(name, None)

    def said(self, name: str, interfaces: Mapping[str, Numbers]) -> None:
        """What a router's interfaces have counted by now."""
        for interface, numbers in interfaces.items():
            full = f"{name}/{interface}"
            grown = self._grown(full, numbers)
            sums = self._counted.setdefault(SeriesKey(Level.PE, full), {})
            measures = (Measure.SENDS_BYTES, Measure.SENDS_PACKETS, Measure.GETS_BYTES, Measure.GETS_PACKETS)
            for measure, number in zip(measures, grown, strict=True):
                sums[measure] = sums.get(measure, 0) + number

    def _grown(self, name: str, numbers: tuple[int, ...], *, known: bool = False) -> tuple[int, ...]:
        """What counters have grown by since they were seen last; those that fell have begun anew, and so have those
        that are `known` to begin with this process when they were never seen."""
        before = self._raw.get(name)
        self._raw[name] = numbers
        if before is None:
            return numbers if known else (0,) * len(numbers)
        if any(now < then for now, then in zip(numbers, before, strict=True)):
            return numbers
        return tuple(now - then for now, then in zip(numbers, before, strict=True))
