"""The configuration of one router as text, from templates/<driver>/config.j2: pure, the same intent the same text.

The text has all that shall be there and nothing else, one statement a line, blocks indented, in the words in which
the router itself shows it; `fragment.py` makes of it what is to be merged.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from controller.pe.intent import PeIntent
from data.addresses import prefix

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["HIDDEN", "hidden", "rendered"]

HIDDEN = "********"
_SECRET = re.compile(r"(?im)^(.*?\b(?:password|authentication-key|key-string|secret)\b)[ \t]+(?!;)\S.*$")


def rendered(intent: PeIntent, key: str | None = None) -> str:
    """The text for an intent; where there is no `key`, the line that has one ends before it. Empty: nothing of ours.

    Raises KeyError for a driver without templates.
    """
    if not intent.controller:
        return ""
    text = _template(intent.driver).render(one=intent, key=key, network=_network)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def hidden(text: str, *secrets: str | None) -> str:
    """A text that a router said, without these secrets, and without what stands behind a word such as `password`
    (routers show keys in forms that are easily turned back)."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return _SECRET.sub(rf"\1 {HIDDEN}", text)


@cache
def _template(driver: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # 60 ms, which only who has a PE pays

    # Configuration is no HTML: escaping would spoil it, and names come from types that let no template syntax in.
    environment = Environment(
        loader=PackageLoader("controller.pe"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False,
    )  # fmt: skip
    return environment.get_template(f"{driver}/config.j2")


def _network(text: str) -> tuple[int, str, str]:
    """IP version, address and mask (as IOS writes it) of a prefix."""
    found = prefix(text)
    mask = ((1 << 32) - 1) >> (32 - found.length) << (32 - found.length) if found.version == 4 else 0
    return found.version, text.partition("/")[0], ".".join(str(one) for one in mask.to_bytes(4, "big"))
