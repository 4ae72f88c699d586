"""What must be true of a configuration as a whole before it is committed.

Each rule is a small pure function registered for a kind of object; it looks at one edited object and at what
refers to it, so a check costs the edits, not the configuration. `registry.py` has the mechanism; one file per
subject holds the rules: `leaves.py` (mandatory, well-formed), `references.py`, `unique.py`, `subnets.py`,
`vports.py`, `entries.py`, `controller.py`, `accounts.py`.
"""

from data.rules import accounts, controller, entries, leaves, references, subnets, unique, vports
from data.rules.registry import check

__all__ = ["accounts", "check", "controller", "entries", "leaves", "references", "subnets", "unique", "vports"]
