"""One event as a syslog message (RFC 5424), and how it is framed on a stream (RFC 6587 3.4.1, RFC 5425 4.3).

    <132>1 2030-01-01T12:00:00.123456Z nsh1 nshell 4711 drift [nshell@32473 severity="warning" dvrs="hv1"][meta
    sequenceId="7"] hv1 repaired: 1 missing, 0 wrong, 0 too many

The names of structured data need a private enterprise number (section 7.2.2). None is registered for nshell, so they
carry, unless a site gives its own, the one that belongs to nobody: 32473, set aside for examples and documentation (RFC
5612). So no vendor's names can be mistaken for ours, and a receiver that takes the number seriously sees a placeholder.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from controller.events.event import Event

__all__ = ["LONGEST", "framed", "message"]

LONGEST = 2048  # bytes: every receiver should take so many (RFC 5424, section 6.1)
STRUCTURED = 1200  # bytes of structured data; further facts are left out
VALUE = 400  # characters of one fact
APPLICATION = "nshell"
NEWEST = 2**31 - 1  # of a sequenceId (RFC 5424, section 7.3.1)

_UNPRINTABLE = re.compile(r"[^\x21-\x7e]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ESCAPED = re.compile(r'(["\\\]])')
_NAME = re.compile(r'[^\x21-\x7e]|[="\]]')


def message(event: Event, facility: int, host: str, process: int, enterprise: int) -> bytes:
    """The message, at most LONGEST bytes. `facility` is a number (local0 is 16), `host` this machine's name,
    `enterprise` the private enterprise number in the name of the facts.
    """
    stamp = datetime.fromtimestamp(event.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    host = _UNPRINTABLE.sub("", host)[:255] or "-"
    head = f"<{facility * 8 + event.severity.code}>1 {stamp} {host} {APPLICATION} {process} {event.kind} "
    whole = head.encode("ascii") + _structured(event, enterprise)
    text = _CONTROLS.sub(" ", event.text)
    said = text.encode("utf-8", "replace")
    if not text.isascii():
        said = b"\xef\xbb\xbf" + said  # the mark that says it is UTF-8 (RFC 5424, section 6.4)
    room = LONGEST - len(whole) - 1
    return whole + b" " + (said if len(said) <= room else said[:room].decode("utf-8", "ignore").encode("utf-8"))


def framed(whole: bytes) -> bytes:
    """The message with its length before it, for a stream."""
    return b"%d %s" % (len(whole), whole)


def _structured(event: Event, enterprise: int) -> bytes:
    facts: dict[str, object] = {"severity": event.severity, "number": event.number}
    if event.about is not None:
        facts["about"] = " ".join(event.about)
    if event.dvrs is not None:
        facts["dvrs"] = event.dvrs
    facts |= event.facts
    element = f"[nshell@{enterprise}".encode("ascii")
    for name, value in facts.items():
        shown = _ESCAPED.sub(r"\\\1", _CONTROLS.sub(" ", str(value)[:VALUE]))
        more = f' {_NAME.sub("-", name)[:32] or "-"}="{shown}"'.encode("utf-8", "replace")
        if len(element) + len(more) <= STRUCTURED:
            element += more
    sequence = (event.number - 1) % NEWEST + 1
    return element + f"]{f'[meta sequenceId={chr(34)}{sequence}{chr(34)}]'}".encode("ascii")
