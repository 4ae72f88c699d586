"""Meters among the messages of a change: added before the flows, changed and removed after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from controller.compile.compiler import compile_change
from controller.compile.dirty import Dirty
from controller.compile.state import State
from controller.openflow import actions, match, meters
from controller.openflow.messages import Phase, as_delete, as_replacement, is_delete, key, phase
from controller.openflow.packed import flow
from data.steps import at_once


class Limits:
    """A fragment of one hypervisor; a state is just the rate of each meter, and each meter has a flow."""

    def scope(self, state: Any) -> frozenset[str]:
        return frozenset({"hv1"})

    def variant(self, state: Any, dvrs: str) -> str:
        return dvrs

    def flows(self, state: Mapping[int, int], dvrs: str) -> list[bytes]:
        made = []
        for number, rate in state.items():
            made.append(flow(0, 1, 1, [match.in_port(number)], [actions.output(1)], meter=number))
            made.append(meters.meter_mod(meters.ADD, number, rate, 10))
        return made


def change(old: Mapping[int, int], new: Mapping[int, int]) -> list[bytes]:
    dirty = Dirty()
    dirty.everywhere([cast(Any, Limits())])
    return at_once(compile_change(cast(State, old), cast(State, new), dirty)).get("hv1", [])


def contents(state: Mapping[int, int]) -> dict[bytes, bytes]:
    return {key(message): message for message in Limits().flows(state, "hv1")}


def test_a_meter_is_added_changed_or_removed_around_the_flows_that_use_it() -> None:
    one, two, three = ({number: 5} for number in (1, 2, 3))
    flow_of = {number: Limits().flows({number: 5}, "hv1")[0] for number in (1, 2, 3)}
    meter_of = {number: Limits().flows({number: 5}, "hv1")[1] for number in (1, 2, 3)}
    messages = change({**two, **three}, {**one, 2: 9})
    assert messages == [
        flow_of[1],
        meter_of[1],
        as_delete(flow_of[3]),
        as_replacement(meters.meter_mod(meters.ADD, 2, 9, 10)),
        as_delete(meter_of[3]),
    ]
    assert change(two, two) == []


states = st.dictionaries(st.integers(1, 6), st.integers(1, 3))


@given(old=states, new=states)
def test_a_change_and_its_reverse_make_what_each_state_holds(old: dict[int, int], new: dict[int, int]) -> None:
    held = contents(old)
    for before, after in ((old, new), (new, old)):
        messages = change(before, after)
        late = [message for message in messages if phase(message) is Phase.LATE]
        assert messages[len(messages) - len(late) :] == late
        for message in messages:
            if is_delete(message):
                del held[key(message)]
                continue
            if meters.is_meter(message):
                assert (key(message) in held) == (meters.command(message) == meters.MODIFY)
                message = meters.meter_mod(
                    meters.ADD, meters.number(message), int.from_bytes(message[20:24], "big"), 10
                )
            held[key(message)] = message
        assert held == contents(after)
