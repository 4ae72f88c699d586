"""The outcome of a commit: one line for the revision, one per hypervisor, and what is still expected of the operator.

revision 214  applied, verified on 1 of 1 hypervisors, 1 of 1 neighbors and routers
  hv3                +2 -0   verified in 4 ms
  bgp-neighbor pe1   +1 -0   verified in 6 ms
commit confirmed will be automatically rolled back in 5 minutes unless confirmed
  'commit' keeps it, else revision 213 returns at 14:07:31
commit complete

The last two lines are worded as Junos words them: programs that drive Junos wait for them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from views.color import of_state
from views.models import Receipt, Receipts
from views.wrapping import indented, wrapped

COMPLETE = "commit complete"


def receipt_lines(receipt: Receipt, width: int, color: bool = False, screen: int = 0) -> list[str]:
    """What one hypervisor, neighbor or router confirmed; a reason that the screen is too narrow for stands below."""
    state = of_state(receipt.state) if color else receipt.state
    text = f"  {receipt.part.ljust(width)}   +{receipt.added} -{receipt.removed}   {state}"
    if receipt.state == "verified" and receipt.milliseconds is not None:
        text += f" in {max(1, round(receipt.milliseconds))} ms"
    if not receipt.reason:
        return [text]
    whole = f"{text} ({receipt.reason})"
    return [whole] if not screen or len(whole) <= screen else [text, *indented(receipt.reason, "    ", screen)]


def _verified(receipts: Sequence[Receipt]) -> str:
    return f"{sum(receipt.state == 'verified' for receipt in receipts)} of {len(receipts)}"


def render_receipts(outcome: Receipts, color: bool = False, screen: int = 0) -> list[str]:
    """The outcome as lines for a screen of so many characters (0: no limit)."""
    if outcome.action == "confirmed":
        return [f"revision {outcome.revision} confirmed", COMPLETE]
    if outcome.action == "unchanged":
        return ["nothing to commit: the candidate equals the running configuration", COMPLETE]
    hypervisors = [receipt for receipt in outcome.receipts if " " not in receipt.part]
    beside = [receipt for receipt in outcome.receipts if " " in receipt.part]
    pending = sum(receipt.state == "pending" for receipt in outcome.receipts)
    if not outcome.receipts:
        head = f"revision {outcome.revision}  applied, nothing to send to any hypervisor now"
    else:
        kinds = ((hypervisors, "hypervisors"), (beside, "neighbors and routers"))
        verified = ", ".join(f"{_verified(some)} {kind}" for some, kind in kinds if some)
        head = f"revision {outcome.revision}  applied, verified on {verified}"
        if pending:
            head += f", pending on {pending}"
    width = max((len(receipt.part) for receipt in outcome.receipts), default=0)
    first, *others = wrapped(head, screen)
    lines = [first, *(f"  {other}" for other in others)]
    for receipt in outcome.receipts:
        lines += receipt_lines(receipt, width, color, screen)
    if outcome.deadline is not None:
        clock = time.strftime("%H:%M:%S", time.localtime(outcome.deadline))
        noun = "minute" if outcome.minutes == 1 else "minutes"
        lines.append(f"commit confirmed will be automatically rolled back in {outcome.minutes} {noun} unless confirmed")
        lines.append(f"  'commit' keeps it, else revision {outcome.back_to} returns at {clock}")
    return [*lines, COMPLETE]
