"""The outcome of a commit: one line for the revision, one per hypervisor, and what is still expected of the operator.

revision 214  applied, verified on 1 of 1 hypervisors, 1 of 1 neighbours and routers
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

COMPLETE = "commit complete"


def receipt_line(receipt: Receipt, width: int, color: bool = False) -> str:
    """One hypervisor's confirmation."""
    state = of_state(receipt.state) if color else receipt.state
    text = f"  {receipt.part.ljust(width)}   +{receipt.added} -{receipt.removed}   {state}"
    if receipt.state == "verified" and receipt.milliseconds is not None:
        text += f" in {max(1, round(receipt.milliseconds))} ms"
    if receipt.reason:
        text += f" ({receipt.reason})"
    return text


def _verified(receipts: Sequence[Receipt]) -> str:
    return f"{sum(receipt.state == 'verified' for receipt in receipts)} of {len(receipts)}"


def render_receipts(outcome: Receipts, color: bool = False) -> list[str]:
    """The outcome as lines."""
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
        kinds = ((hypervisors, "hypervisors"), (beside, "neighbours and routers"))
        verified = ", ".join(f"{_verified(some)} {kind}" for some, kind in kinds if some)
        head = f"revision {outcome.revision}  applied, verified on {verified}"
        if pending:
            head += f", pending on {pending}"
    width = max((len(receipt.part) for receipt in outcome.receipts), default=0)
    lines = [head, *(receipt_line(receipt, width, color) for receipt in outcome.receipts)]
    if outcome.deadline is not None:
        clock = time.strftime("%H:%M:%S", time.localtime(outcome.deadline))
        noun = "minute" if outcome.minutes == 1 else "minutes"
        lines.append(f"commit confirmed will be automatically rolled back in {outcome.minutes} {noun} unless confirmed")
        lines.append(f"  'commit' keeps it, else revision {outcome.back_to} returns at {clock}")
    return [*lines, COMPLETE]
