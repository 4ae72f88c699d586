"""States to flow-mods and meter-mods: everything one hypervisor must hold, or the difference between two states.

Both are generators that yield often (`data.steps`), so that 100,000 flows can be made without stalling the loop.
Messages are complete in OpenFlow 1.4; the key of a flow is its table, priority and match, that of a meter its number
(`controller/openflow/messages.py`).
"""

from __future__ import annotations

from collections.abc import Hashable

from controller.compile.core import fragments_of
from controller.compile.dirty import Dirty
from controller.compile.state import State
from controller.openflow.messages import METERS, as_delete, as_replacement, key
from data.steps import Steps

__all__ = ["compile_all", "compile_change"]

Contents = dict[bytes, bytes]
"""key -> flow-mod or meter-mod, an ADD"""


def compile_all(state: State, dvrs: str) -> Steps[Contents]:
    """Every flow and meter that one hypervisor must hold."""
    contents: Contents = {}
    for fragment in fragments_of(state, dvrs):
        for flow in fragment.flows(state, dvrs):
            contents[key(flow)] = flow
        yield
    return contents


def compile_change(old: State, new: State, dirty: Dirty) -> Steps[dict[str, list[bytes]]]:
    """Per hypervisor the messages that turn what it holds in `old` into what it must hold in `new`.

    Removals come as OFPFC_DELETE_STRICT behind all additions; an ADD of a flow that exists replaces it and keeps its
    counters (OpenFlow 1.4 section 6.4). A meter that exists gets a MODIFY; these, and removals of meters, come behind
    the flows. Hypervisors with nothing to do are left out.
    """
    before: dict[str, Contents] = {}
    after: dict[str, Contents] = {}
    for fragment, only in dirty.fragments.items():
        for state, side in ((old, before), (new, after)):
            made: dict[Hashable, Contents] = {}
            scope = fragment.scope(state)
            for dvrs in scope if only is None else only.intersection(scope):
                variant = fragment.variant(state, dvrs)
                contents = made.get(variant)
                if contents is None:
                    contents = made[variant] = {key(flow): flow for flow in fragment.flows(state, dvrs)}
                side.setdefault(dvrs, {}).update(contents)
            yield
    result: dict[str, list[bytes]] = {}
    for dvrs in before.keys() | after.keys():
        was, is_now = before.get(dvrs, {}), after.get(dvrs, {})
        held = {at: it for at, it in was.items() if at[0] == METERS}
        messages = [it for at, it in is_now.items() if was.get(at) != it and at not in held]
        messages += [as_delete(it) for at, it in was.items() if at not in is_now and at not in held]
        messages += [as_replacement(is_now[at]) for at, it in held.items() if is_now.get(at, it) != it]
        messages += [as_delete(it) for at, it in held.items() if at not in is_now]
        yield
        if messages:
            result[dvrs] = messages
    return result
