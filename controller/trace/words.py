"""Each step of a packet in words: what the table decided, on account of which object.

`hops` tells them in order. A step of the fabric's own wiring, or one that decides nothing (which identity an address
has, that no service is concerned), is `plain`: shown with `detail` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.openflow.wire import CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, CT_REPLY
from controller.pipeline import Feature, Table
from controller.trace.dropped import table_name, why_dropped
from controller.trace.machine import End, Fork, Step, What
from controller.trace.parts import Ct
from controller.trace.question import Hop
from controller.trace.scene import Scene, Told
from controller.trace.table_words import TABLES

__all__ = ["hops"]

_STATES = ((CT_NEW, "new"), (CT_ESTABLISHED, "established"), (CT_RELATED, "related"), (CT_INVALID, "invalid"),
           (CT_REPLY, "reply"))  # fmt: skip
_TRACKED = (Table.INGRESS_STATE, Table.EGRESS_STATE, Table.BALANCE, Table.RETURNED)


def hops(scene: Scene, steps: Sequence[Step], ends: Sequence[End], forks: Sequence[Fork] = ()) -> Iterator[Hop]:
    """The steps of a packet as hops."""
    at: dict[int, list[End]] = {}
    for end in ends:
        at.setdefault(end.step, []).append(end)
    shared = {fork.step: fork for fork in forks}
    for number, step in enumerate(steps):
        here = at.get(number, [])
        told = scene.told(step)
        words, plain = _words(scene, step, told, steps[number + 1 :], here)
        fork = shared.get(number)
        if fork is not None:
            words, plain = f"{words}; one of {len(fork.shares)}, by a hash of the flow", False
        path = None if told is None else told.path
        message = None if step.flow is None else step.flow.message
        yield Hop(step.dvrs, table_name(step.table), words, path, message, plain, step.copy)
        for end in here:
            if end.copy and not step.copy:
                yield Hop(step.dvrs, table_name(step.table), _copied(scene, end), path, message, copy=True)


def _copied(scene: Scene, end: End) -> str:
    if end.what is What.CONTROLLER:
        return "a copy goes to the controller"
    if end.what is What.COLLECTOR:
        return "a copy goes to the collector of a mirror"
    return "a mirror's copy goes out"


def _words(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step], ends: Sequence[End]) -> tuple[str, bool]:
    """What a step is in words, and whether it decides nothing."""
    if any(end.what is What.NOTHING for end in ends):
        end = next(end for end in ends if end.what is What.NOTHING)
        if told is None or told.feature is not Feature.DENIED:
            return why_dropped(scene, step, told, end), False
        return "denied", True
    if any(end.what is What.WAITS for end in ends):
        return "connection tracking waits for the other fragments of the packet", False
    if any(end.what is What.UNREADABLE for end in ends):
        return "a flow does what trace does not know", False
    if step.flow is None:
        return "no flow is about it", True
    if any(end.what is What.CONTROLLER and not end.copy for end in ends):
        return f"to the controller: {_purpose(told)}", False
    made = TABLES.get(step.table)
    words = None if made is None else made(scene, step, told, rest)
    return (_wiring(step), True) if words is None else (words, False)


def _purpose(told: Told | None) -> str:
    return "" if told is None else told.feature.name.lower().replace("_", " ")


def _wiring(step: Step) -> str:
    """Of a step that decides nothing."""
    state = _tracked(step)
    if state is not None:
        return state
    does = None if step.flow is None else step.flow.does
    if does is not None and any(isinstance(action, Ct) for action in does.actions):
        return "asked of connection tracking"
    return f"on to {table_name(does.goto)}" if does is not None and does.goto is not None else "looked up"


def _tracked(step: Step) -> str | None:
    state = step.before.get("ct_state", 0)
    if step.table not in _TRACKED or not state:
        return None
    return f"connection: {', '.join(name for bit, name in _STATES if state & bit)} (zone {step.before['ct_zone']})"
