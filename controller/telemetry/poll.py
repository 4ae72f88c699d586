"""One look at one switch: what is asked, in which order, and what the answers are about.

    tables (which hold anything?) ──> flows of those that count, one request after the other
                                  ──> the ports of the tunnels, and the meters when any flow has one

A switch answers one request at a time, and between two of them does what else there is to do: the largest is one
table. Of large switches one table is asked for after the other, so that never more than one large answer is on its
way. Nothing is asked while a change is being carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.openflow import statistics
from controller.openflow.errors import RequestRefused
from controller.openflow.statistics import Counter
from controller.telemetry.purposes import PURPOSES, READ, TUNNELS, Purpose, Subject

__all__ = ["Busy", "Reading", "Source", "read", "subjects_of"]

_METERED = (Purpose.SENDS, Purpose.METER)


class Source(Protocol):
    """What is asked of a connection (`controller.openflow.connection.Switch`)."""

    async def multipart(self, kind: int, body: bytes) -> list[bytes]: ...


class Busy(Exception):
    """A change is being carried out: the look is given up."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a switch said: how many flows it has, the counters that are not 0, and whose meters and ports are whose.

    `asked` and `answered` are when, `size` is how many bytes it said.
    """

    asked: float
    answered: float
    flows: int
    counters: list[Counter]
    subjects: dict[bytes, Subject]
    size: int


async def read(
    source: Source,
    ports: Sequence[int],
    clock: Callable[[], float],
    busy: Callable[[], bool] = lambda: False,
    *,
    together: bool = False,
) -> Reading:
    """`together`: flows are asked for with one write, for switches whose answers are small, since each wait for an
    answer costs a turn of the loop. Raises SwitchGone, RequestRefused; ValueError when an answer cannot be read; Busy.
    """
    asked = clock()
    size = 0

    async def ask(kind: int, body: bytes) -> list[bytes]:
        nonlocal size
        if busy():
            raise Busy
        parts = await source.multipart(kind, body)
        size += sum(map(len, parts))
        return parts

    held = statistics.table_flows(await ask(statistics.TABLE, b""))
    counters: list[Counter] = []
    wanted = [
        statistics.flows_request(one.table, one.cookie, one.mask) for one in READ if one.table in held or not held
    ]
    answers = await asyncio.gather(*(ask(statistics.FLOW, each) for each in wanted)) if together else ()
    for number, each in enumerate(wanted):
        parts = answers[number] if together else await ask(statistics.FLOW, each)
        counters += await statistics.flows(parts, PURPOSES, TUNNELS)
    subjects: dict[bytes, Subject] = {}
    meters = {
        counter.meter: counter.cookie & 0xFFFFFFFF
        for counter in counters
        if counter.meter is not None and PURPOSES.get(counter.cookie >> 40) in _METERED
    }
    if meters:
        for number, counter in statistics.meter_drops(await ask(statistics.METER, statistics.meters_request())):
            if number in meters:
                counters.append(counter)
                subjects[counter.identity] = Subject(Purpose.LIMITED, meters[number])
    for port in ports:
        try:
            parts = await ask(statistics.PORT, statistics.port_request(port))
        except RequestRefused:
            continue  # it has no such port: there is nobody to send labels to, say
        for _, counter in statistics.port_bytes(parts):
            counters.append(counter)
            subjects[counter.identity] = Subject(Purpose.UPLINK)
    return Reading(asked, clock(), sum(held.values()), counters, subjects, size)


def subjects_of(counter: Counter, subjects: Mapping[bytes, Subject]) -> list[Subject]:
    """What a counter is about: nothing, one thing, or all the tunnels that a flow sends into."""
    known = subjects.get(counter.identity)
    if known is not None:
        return [known]
    purpose = PURPOSES.get(counter.cookie >> 40)
    if purpose is Purpose.METER:
        return []
    if purpose is not None:
        return [Subject(purpose, counter.cookie & 0xFFFFFFFF)]
    return [Subject(Purpose.TUNNEL, 0, endpoint) for endpoint in counter.endpoints]
