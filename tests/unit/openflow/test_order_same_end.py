"""A bundle in order leaves the same flows as the bundle as it was given, whatever is in it: a model of a switch."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.openflow import actions, match, wire
from controller.openflow.order import in_order
from controller.openflow.packed import flow
from data.steps import at_once

FIELDS = {"ip": match.eth_type(wire.ETH_IPV4), "tcp": match.ip_proto(6), "port": match.in_port(7)}
EVERYTHING = (1 << 64) - 1


@dataclass(frozen=True)
class Mod:
    """A flow-mod. `mask` of the cookie, of MODIFY and DELETE alone; `action` is a register's value."""

    command: int
    table: int
    priority: int
    match: frozenset[str]
    cookie: int = 0
    mask: int = 0
    action: int = 0

    @property
    def message(self) -> bytes:
        """As it is sent."""
        made = flow(
            self.table, self.priority, self.cookie, [FIELDS[name] for name in self.match],
            [actions.set_reg(0, self.action)],
        )  # fmt: skip
        return made[:16] + self.mask.to_bytes(8, "big") + made[24:25] + bytes((self.command,)) + made[26:]


@dataclass(frozen=True)
class Ends:
    """The flows of a switch with what they do, and those that it told it had removed."""

    flows: dict[tuple[int, int, frozenset[str]], tuple[int, int]]
    removed: list[tuple[int, int, list[str], int, int]]


def carried_out(mods: list[Mod]) -> Ends:
    """What OpenFlow 1.4 says of each (6.4 and 7.3.4.2)."""
    ends = Ends({}, [])
    for mod in mods:
        key = (mod.table, mod.priority, mod.match)
        if mod.command == wire.ADD:
            ends.flows[key] = (mod.cookie, mod.action)
            continue
        strict = mod.command in (wire.MODIFY_STRICT, wire.DELETE_STRICT)
        for other, (cookie, action) in list(ends.flows.items()):
            table, priority, fields = other
            meant = other == key if strict else mod.table in (table, wire.ALL_TABLES) and mod.match <= fields
            if not meant or (cookie ^ mod.cookie) & mod.mask:
                continue
            if mod.command in (wire.MODIFY, wire.MODIFY_STRICT):
                ends.flows[other] = (cookie, mod.action)
            else:
                del ends.flows[other]
                ends.removed.append((table, priority, sorted(fields), cookie, action))
    ends.removed.sort()
    return ends


def mods(commands: list[int]) -> st.SearchStrategy[Mod]:
    """Few tables, priorities, matches and cookies, so that they meet."""
    strict = st.builds(
        Mod,
        command=st.sampled_from(commands),
        table=st.integers(0, 1),
        priority=st.sampled_from((0, 1, 2, 255, 256, 65535)),
        match=st.frozensets(st.sampled_from(sorted(FIELDS)), max_size=2),
        cookie=st.integers(0, 3),
        action=st.integers(0, 3),
    )
    wide = st.builds(
        Mod,
        command=st.sampled_from((wire.MODIFY, wire.MODIFY_STRICT, wire.DELETE, wire.DELETE_STRICT)),
        table=st.sampled_from((0, 1, wire.ALL_TABLES)),
        priority=st.sampled_from((0, 1, 256)),
        match=st.frozensets(st.sampled_from(sorted(FIELDS)), max_size=1),
        cookie=st.integers(0, 3),
        mask=st.sampled_from((0, 1, EVERYTHING)),
        action=st.integers(0, 3),
    )
    return strict if len(commands) == 2 else strict | wide


@settings(max_examples=300)
@given(st.lists(mods([wire.ADD, wire.DELETE_STRICT]), max_size=40))
def test_additions_and_removals_have_the_same_end(given: list[Mod]) -> None:
    assert_same_end(given)


@settings(max_examples=300)
@given(st.lists(mods([wire.ADD, wire.ADD, wire.DELETE_STRICT]), max_size=40))
def test_whatever_else_a_flow_mod_may_be_it_has_the_same_end(given: list[Mod]) -> None:
    assert_same_end(given)


def assert_same_end(given: list[Mod]) -> None:
    known = {mod.message: mod for mod in given}
    messages = [mod.message for mod in given]
    found = at_once(in_order(messages))
    assert sorted(found) == sorted(messages), "nothing is lost, nothing twice"
    assert carried_out([known[message] for message in found]) == carried_out(given)
    assert at_once(in_order(found)) == found, "what is in order stays"
