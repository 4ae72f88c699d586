"""States to flow-mods: everything one hypervisor must hold, or the difference between two states.

Both are generators that yield often (`data.steps`), so that 100,000 flows can be made without stalling the loop.
Flow-mods are complete OpenFlow 1.4 messages; the key of a flow is its table, priority and match.
"""

from __future__ import annotations

from collections.abc import Hashable

from controller.compile.change import Dirty
from controller.compile.fragments import fragments_of
from controller.compile.state import State
from controller.openflow.packed import as_delete_strict, flow_key
from data.steps import Steps

__all__ = ["compile_all", "compile_change"]

Contents = dict[bytes, bytes]
"""flow key -> flow-mod"""


def compile_all(state: State, dvrs: str) -> Steps[Contents]:
    """Every flow that one hypervisor must hold."""
    contents: Contents = {}
    for fragment in fragments_of(state, dvrs):
        for flow in fragment.flows(state, dvrs):
            contents[flow_key(flow)] = flow
        yield
    return contents


def compile_change(old: State, new: State, dirty: Dirty) -> Steps[dict[str, list[bytes]]]:
    """Per hypervisor the flow-mods that turn what it holds in `old` into what it must hold in `new`.

    Removals come as OFPFC_DELETE_STRICT behind all additions; an ADD of a flow that exists replaces it and keeps its
    counters (OpenFlow 1.4 section 6.4). Hypervisors with nothing to do are left out.
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
                    contents = made[variant] = {flow_key(flow): flow for flow in fragment.flows(state, dvrs)}
                side.setdefault(dvrs, {}).update(contents)
            yield
    result: dict[str, list[bytes]] = {}
    for dvrs in before.keys() | after.keys():
        was, is_now = before.get(dvrs, {}), after.get(dvrs, {})
        flows = [flow for key, flow in is_now.items() if was.get(key) != flow]
        flows += [as_delete_strict(flow) for key, flow in was.items() if key not in is_now]
        yield
        if flows:
            result[dvrs] = flows
    return result
