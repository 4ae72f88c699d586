"""The outcome of a commit: one line for the revision, one per hypervisor, and what is still expected of the operator.

revision 214  prepared on 1 of 1 hypervisors, applied, verified
  hv3   +2 -0   verified in 4 ms
confirm within 5 minutes with 'commit', or revision 213 returns by itself at 14:07:31
"""

from __future__ import annotations

import time

from views.models import Receipt, Receipts


def receipt_line(receipt: Receipt, width: int) -> str:
    """One hypervisor's confirmation."""
    text = f"  {receipt.dvrs.ljust(width)}   +{receipt.added} -{receipt.removed}   {receipt.state}"
    if receipt.state == "verified" and receipt.milliseconds is not None:
        text += f" in {max(1, round(receipt.milliseconds))} ms"
    if receipt.reason:
        text += f" ({receipt.reason})"
    return text


def render_receipts(outcome: Receipts) -> list[str]:
    """The outcome as lines."""
    if outcome.action == "confirmed":
        return [f"revision {outcome.revision} confirmed"]
    if outcome.action == "unchanged":
        return ["nothing to commit: the candidate equals the running configuration"]
    verified = sum(receipt.state == "verified" for receipt in outcome.receipts)
    pending = sum(receipt.state == "pending" for receipt in outcome.receipts)
    if not outcome.receipts:
        head = f"revision {outcome.revision}  applied, nothing to send to any hypervisor now"
    else:
        head = f"revision {outcome.revision}  applied, verified on {verified} of {len(outcome.receipts)} hypervisors"
        if pending:
            head += f", pending on {pending}"
    width = max((len(receipt.dvrs) for receipt in outcome.receipts), default=0)
    lines = [head, *(receipt_line(receipt, width) for receipt in outcome.receipts)]
    if outcome.deadline is not None:
        clock = time.strftime("%H:%M:%S", time.localtime(outcome.deadline))
        noun = "minute" if outcome.minutes == 1 else "minutes"
        lines.append(
            f"confirm within {outcome.minutes} {noun} with 'commit', "
            f"or revision {outcome.back_to} returns by itself at {clock}"
        )
    return lines
