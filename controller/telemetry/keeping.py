"""What of the counting outlives the process: in the archive, in the same transaction as the look that it belongs to.

A process that is killed comes back with the marks and totals of the last look that is in the archive, and counts on
from there: nothing twice, nothing left out. Marks are those of the accounts (`account.py`).

Written as MessagePack: 35 bytes a mark, 60 bytes a series; 10,000 busy vports on 200 hypervisors are 2 MB.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from controller.telemetry.account import Kept
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.steps import Pace

__all__ = ["KeptSwitch", "Memory", "boot", "encoded", "packed", "recalled"]

log = logging.getLogger(__name__)
_VERSION = 1
_TOGETHER = 128  # series between two looks at the clock, about 100 µs


class KeptSwitch(msgspec.Struct, array_like=True, frozen=True):
    """The account of one switch, when it was looked at last (seconds since the epoch), and the run of the machine that
    the account's clock belongs to."""

    time: float
    account: Kept
    boot: str = ""


class _Totals(msgspec.Struct, array_like=True, frozen=True):
    level: str
    name: str
    counted: dict[str, int]


class _Whole(msgspec.Struct, array_like=True, frozen=True):
    version: int
    time: float
    switches: dict[str, KeptSwitch]
    others: dict[str, tuple[int, ...]]
    totals: list[_Totals]


class _Parts(msgspec.Struct, array_like=True, frozen=True):
    """The same, made of pieces that are encoded already."""

    version: int
    time: float
    switches: dict[str, msgspec.Raw]
    others: dict[str, tuple[int, ...]]
    totals: list[msgspec.Raw]


class Memory(msgspec.Struct, frozen=True):
    """What an earlier process knew: `time` of its last look, accounts by hypervisor, raw counters of what else there
    is by name, and totals."""

    time: float = 0.0
    switches: Mapping[str, KeptSwitch] = {}
    others: Mapping[str, tuple[int, ...]] = {}
    totals: Mapping[SeriesKey, dict[Measure, int]] = {}


def boot() -> str:
    """What tells this run of the machine from others: CLOCK_MONOTONIC goes on over processes, and begins anew with it
    (proc_sys_kernel(5))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Whole)


def encoded(switch: KeptSwitch) -> msgspec.Raw:
    """One account, to be written as often as needed."""
    return msgspec.Raw(_encode(switch))


async def packed(
    time: float,
    switches: Mapping[str, msgspec.Raw],
    others: Mapping[str, tuple[int, ...]],
    totals: Mapping[SeriesKey, Mapping[Measure, int]],
) -> bytes:
    """The memory as bytes. Nobody may change the totals meanwhile."""
    pace = Pace()
    series: list[msgspec.Raw] = []
    for number, (key, counted) in enumerate(totals.items()):
        series.append(msgspec.Raw(_encode((key.level, key.name, counted))))
        if number % _TOGETHER == 0:
            await pace.breathe()
    return _encode(_Parts(_VERSION, time, dict(switches), dict(others), series))


def recalled(data: bytes | None) -> Memory:
    """What `packed` made; nothing of what is damaged, or of another version: counting begins anew then."""
    if not data:
        return Memory()
    try:
        whole = _decode.decode(data)
    except msgspec.MsgspecError as problem:
        log.warning("the memory of the statistics cannot be read, totals begin at 0: %s", problem)
        return Memory()
    if whole.version != _VERSION:
        return Memory()
    totals: dict[SeriesKey, dict[Measure, int]] = {}
    levels, measures = set(Level), set(Measure)
    for one in whole.totals:
        if one.level in levels:
            known = {Measure(name): number for name, number in one.counted.items() if name in measures}
            totals[SeriesKey(Level(one.level), one.name)] = known
    return Memory(whole.time, whole.switches, whole.others, totals)
