"""Where a packet goes, and why: the compiled flows of a state, followed without a switch.

Why it exists: an operator asks why two machines can, or cannot, talk, now or at a former revision, and wants the
answer in words: which hypervisor, which table, which policy entry by whom. It reads the very flow-mods that the
switches are sent, so it knows what they will do and not what somebody meant.

    question.py   Question ── packet.py ──> Packet
    contents.py   flow-mods of a hypervisor, once for many questions ── tables.py (find) ── decode.py (read)
    machine.py    what a switch does: parts.py (actions), tracker.py (connections) ──> Steps and Ends
    tracing.py    the network now, at a revision, or as its switches are
    follow.py     trace(): asks for the neighbour's MAC, follows, answers, tells what it came to
    judge.py, dropped.py       the verdict and its reason
    words.py, table_words.py   each step in words, with the object behind it ──> Hops

Read next: question.py (the question and the answer), machine.py (what a switch does with it), words.py (the answer).
"""

from __future__ import annotations

from controller.trace.contents import Compiled, Contents, Held, Unread
from controller.trace.follow import trace
from controller.trace.question import Connection, Fragment, Hop, Question, Trace, Verdict, Way

__all__ = ["Compiled", "Connection", "Contents", "Fragment", "Held", "Hop", "Question", "Trace", "Unread", "Verdict",
           "Way", "trace"]  # fmt: skip
