"""What can go wrong with a hypervisor's database.

::

    OvsdbError
    ├── OvsdbGone      the connection ended; the reason says how
    ├── OvsdbTimeout   no answer in time
    ├── OvsdbRefused   the database answered with an error (RFC 7047, 3.1 and 5.2)
    └── SetupConflict  somebody else's configuration stands where ours should
"""

from __future__ import annotations


class OvsdbError(Exception):
    """Anything a caller of this package has to expect."""


class OvsdbGone(OvsdbError):
    """The connection ended; waiting calls and later ones raise this."""


class OvsdbTimeout(OvsdbError):
    """No answer in time."""


class OvsdbRefused(OvsdbError):
    """``error`` is the database's short word ("constraint violation"), ``details`` its sentence or empty."""

    def __init__(self, error: str, details: str = "") -> None:
        super().__init__(f"{error}: {details}" if details else error)
        self.error, self.details = error, details


class SetupConflict(OvsdbError):
    """Somebody else's configuration stands where ours should; nothing was changed."""
