"""Trace can read whatever the compiler writes, and says so when it cannot."""

from __future__ import annotations

import random

import pytest

from controller.openflow import actions as a
from controller.openflow import meters
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.trace.decode import Unreadable, instructions, shape_of, split
from controller.trace.tables import Flow
from data.errors import NshellError
from tests.unit.compile.committed import Committed
from tests.unit.compile.fabric_model import Model, base
from tests.unit.compile.test_incremental import random_edit
from tests.unit.compile.test_random_services import populated, random_step
from tests.unit.openflow.elements import ACTIONS, MATCHES

RANGES = ("multipath", "ct nat src", "ct nat ipv6 src", "ct nat ipv6 ports", "ct nat ipv6 range", "ct nat src ports")
NEVER_COMPILED = ("output_reg", "group", "ct commit mark", "ct two nested", "ct nat dst port")
"""Elements that can be written but that no flow of ours has."""


def read(message: bytes) -> None:
    """Everything that trace reads of a flow."""
    heads, values = split(message)
    assert sum(width for _, width, _ in shape_of(heads)) == len(values)
    assert Flow(message).does is not None


def committed(seed: int) -> Committed:
    dice = random.Random(seed)
    model = populated(dice)
    for _ in range(40):
        try:
            random_step(model, dice)
        except NshellError:
            model.refused += 1
    return model


@pytest.mark.parametrize("seed", range(3))
def test_every_flow_of_every_service_can_be_read(seed: int) -> None:
    seen = {message for flows in committed(seed).held.values() for message in flows.values()}
    for message in seen:
        if not meters.is_meter(message):
            read(message)
    assert len(seen) > 300


def test_every_flow_of_a_random_fabric_can_be_read() -> None:
    model, dice = Model(5), random.Random(5)
    model.commit(base(model))
    seen: set[bytes] = set()
    for _ in range(80):
        edits, places = random_edit(model, dice)
        if edits:
            model.commit(edits, places)
        for flows in model.held.values():
            seen.update(flows.values())
    for message in seen:
        if not meters.is_meter(message):
            read(message)
    assert len(seen) > 300


@pytest.mark.parametrize("name", MATCHES)
def test_every_match_that_can_be_written_can_be_read(name: str) -> None:
    read(flow(3, 7, 1, MATCHES[name], [a.resubmit(9)]))


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_that_can_be_written_is_read_or_refused(name: str) -> None:
    match: list[Match] = ACTIONS[name][0]
    message = flow(3, 7, 1, match, ACTIONS[name][1])
    if name.startswith(NEVER_COMPILED) or (name.startswith(RANGES) and "nat" in name):
        try:
            read(message)
        except Unreadable:
            return  # a trace that passed over it would lie
    read(message)


def test_a_flow_of_somebody_else_is_not_understood_by_guessing() -> None:
    with pytest.raises(Unreadable):
        instructions(bytes.fromhex("0004001800000000ffff001000002320003f000000000000"))
    with pytest.raises(Unreadable):
        instructions(bytes.fromhex("0002000800000000"))
