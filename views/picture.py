"""A result that is drawn again in place: what a terminal is sent so that nothing flickers.

Every line is overwritten and its rest cleared, then what is below; the screen is never empty in between. Terminals that
know synchronised output (mode 2026) show the whole at once, others ignore it.
"""

from __future__ import annotations

from collections.abc import Sequence

from views.color import PLAIN
from views.render import Screen, harmless
from views.table import cut

BEGIN = "\x1b[?2026h\x1b[H"
END_OF_LINE = "\x1b[K"
END = "\x1b[J\x1b[?2026l"
CLEAR = "\x1b[2J"
"""Before the first picture: what was on the screen goes."""


def picture(lines: Sequence[str], screen: Screen, first: bool) -> str:
    """The lines over the picture before them; what does not fit below is counted."""
    room = max(2, (screen.rows or 24) - 1)
    shown = list(lines[:room])
    if len(lines) > room:
        shown[-1] = f"... {len(lines) - room + 1} more lines"
    fitting = (fitted(harmless(line), screen) for line in shown)
    body = "".join(f"{line}{END_OF_LINE}\r\n" for line in fitting)
    return f"{CLEAR if first else ''}{BEGIN}{body}{END}"


def fitted(line: str, screen: Screen) -> str:
    """The line in one row of the screen."""
    plain = line.translate(PLAIN)
    if not screen.columns or len(plain) <= screen.columns:
        return line
    return cut(plain, screen.columns, "…" if screen.unicode else "~")
