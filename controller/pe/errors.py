"""What can go wrong with a router, as two kinds: it is not there, or it does not want to.

PeProblem
├── PeAway      not reached, not let in, or lost on the way: what happened there is not known
└── PeRefused   it answered, and said no
"""

from __future__ import annotations

__all__ = ["PeAway", "PeProblem", "PeRefused"]


class PeProblem(Exception):
    """One sentence, without secrets."""


class PeAway(PeProblem):
    """See the module."""


class PeRefused(PeProblem):
    """See the module."""
