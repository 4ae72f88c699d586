"""The order of flow-mods in which Open vSwitch carries a bundle out fastest; what the bundle does is the same.

Flows of one match and many priorities (each policy entry has its own) are one linked list in ovs-vswitchd, the highest
first (lib/classifier.c: classifier_replace, classifier_remove). Added with the highest first, each new one walks the
list to its end; with the lowest first it is put in front. Removals find the front at once when the highest go first.
All the while the main thread carries out nothing else: with a userspace datapath without threads of its own it carries
no packet, and what arrives is lost when it lasts. 75,000 flows of 600 policy entries, by the longest time without an
answer to 100 Hz:

    added     highest first 4.07 s (278 of 695 lost)    lowest first 0.07 s     at random 0.32 s
    removed   highest first 0.25 s                      lowest first 0.47 s     at random 0.45 s
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.openflow import wire
from data.steps import Steps

__all__ = ["in_order"]

_EVERY = 500  # flow-mods between two looks at the clock, 0.1 ms
_COMMAND = 25  # of struct ofp_flow_mod (OpenFlow 1.4, 7.3.4.2): the byte of the command
_PRIORITY = slice(30, 32)


def in_order(flow_mods: Sequence[bytes]) -> Steps[list[bytes]]:
    """The same flow-mods: additions beside each other by priority, the lowest first, removals the highest first.

    What stands between them stays there, and so does the order of those that have one priority, so a flow that is
    added, removed and added again has the same end.
    """
    found: list[bytes] = []
    run: dict[bytes, list[bytes]] = {}
    command = -1
    for count, message in enumerate(flow_mods):
        if message[_COMMAND] != command:
            yield from _move(run, command, found)
            run, command = {}, message[_COMMAND]
        sortable = command in (wire.ADD, wire.DELETE_STRICT)
        run.setdefault(message[_PRIORITY] if sortable else b"", []).append(message)
        if count % _EVERY == 0:
            yield
    yield from _move(run, command, found)
    return found


def _move(run: dict[bytes, list[bytes]], command: int, found: list[bytes]) -> Steps[None]:
    """What a run holds, in order, to the end of what was found; there may be a priority for each flow-mod."""
    for count, priority in enumerate(sorted(run, reverse=command == wire.DELETE_STRICT)):
        found += run.pop(priority)  # freed here, as all at once would take 10 ms
        if count % _EVERY == 0:
            yield
