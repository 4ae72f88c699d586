"""Where rules stand among each other: a flow priority for each, kept as long as the order allows.

A rule that is put between two others takes a place between theirs, so that no other rule's flows change; only where the
gap has become too narrow are all places of a direction given out anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.numbers import Numbers
from controller.pipeline import Priority
from data.errors import CommandFailed

__all__ = ["STEP", "places_of"]

STEP = 64  # gap left between neighbouring rules, so that one can be put between them without renumbering


def places_of(pool: str, uuids: Sequence[str], numbers: Numbers) -> list[int]:
    """A priority for each rule, falling in their order; those that had one keep it whenever the order allows.

    Raises CommandFailed when there are more rules than priorities.
    """
    labels: list[int | None] = []
    bound = int(Priority.RULE_CEILING) + 1
    for uuid in uuids:
        label = numbers.find(pool, uuid)
        if label is not None and label < bound:
            bound = label
            labels.append(label)
        else:
            labels.append(None)
    placed = _spread(labels)
    for uuid, had, place in zip(uuids, labels, placed, strict=True):
        if had != place:
            numbers.put(pool, uuid, place)
    return placed


def _spread(labels: Sequence[int | None]) -> list[int]:
    """Fill the gaps of a falling sequence; when one is too narrow, all labels are given out anew, evenly."""
    result: list[int] = []
    at = 0
    above: int | None = None
    while at < len(labels):
        label = labels[at]
        if label is not None:
            result.append(label)
            above = label
            at += 1
            continue
        end = at
        while end < len(labels) and labels[end] is None:
            end += 1
        below = labels[end] if end < len(labels) else None
        count = end - at
        high = (
            above if above is not None else (below + STEP * (count + 1) if below else int(Priority.RULE_FIRST) + STEP)
        )
        high = min(high, int(Priority.RULE_CEILING) + 1)
        low = below if below is not None else int(Priority.RULE_LAST)
        step = min((high - low) // (count + 1), STEP)
        if step < 1:
            return _evenly(len(labels))
        result.extend(high - step * (nth + 1) for nth in range(count))
        above = result[-1]
        at = end
    return result


def _evenly(count: int) -> list[int]:
    room = int(Priority.RULE_CEILING) - int(Priority.RULE_LAST)
    step = max(1, min(STEP, room // (count + 1)))
    if step * count >= room:
        raise CommandFailed(
            "policy", f"{count} entries in one direction of a domain, at most {room - 1}", "merge entries"
        )
    first = (
        int(Priority.RULE_FIRST) if step * count < Priority.RULE_FIRST - Priority.RULE_LAST else Priority.RULE_CEILING
    )
    return [int(first) - step * nth for nth in range(count)]
