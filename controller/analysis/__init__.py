"""What the rules of a domain are good for, and which change of them would let a packet through.

Why it exists: policies only grow. An operator wants to know which entries decide nothing (others decide first), which
nobody has met for a month, and, when two machines cannot talk, the smallest change after which they can.

    compiled policy (order, terms, sets) ──> space.py    packets as boxes over what rules can tell apart
                                             ends.py     which ends there are: with today's members, whatever they are
                                             findings.py shadowed, redundant, matches nothing, not decided
    an entry ──> removal.py    the lines that take it away, and whom else it serves
    a trace that ends early ──> changes.py   what would do away with what stops it (parties.py: whom it names)
                                allowed.py   compiled as a draft and traced again; nothing is applied
    edits of entries ──> verdicts.py   who reaches whom after them and did not before, and the other way round

Order, terms and defaults are those of `controller/compile/policy.py`, from which the flows are made, too.
All of it is pure. Read next: space.py.
"""

from controller.analysis.allowed import Answer, Offer
from controller.analysis.findings import Finding, Found
from controller.analysis.removal import Removal, removals
from controller.analysis.service import Analysis

__all__ = ["Analysis", "Answer", "Finding", "Found", "Offer", "Removal", "removals"]
