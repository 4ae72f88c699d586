"""The daemon's log: one record is one line, for people, for programs or for the journal.

    text      2026-03-01 10:00:00,123 level=INFO logger=nshell.service user=anna origin='ssh 192.0.2.9:4711' session ...
    json      {"user": "anna", "origin": "ssh 192.0.2.9:4711", "time": "2026-03-01T10:00:00.123Z", "level": "info", ...
    journal   <6>logger=nshell.service ...        sd-daemon(3): journald takes the severity off and adds the time

What a stranger calls itself can forge no second record: a message has no line ends and no control characters, and
the lines of a traceback are indented (text), prefixed (journal) or a member of their own (json).
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar

from views.render import harmless

FORMATS = ("text", "json", "journal")
LEVELS = ("debug", "info", "warning", "error")
SEVERITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Python's levels as syslog's (RFC 5424, section 6.2.1)."""
INDENT = "  | "
DIRECTIVE = re.compile(r"(?:(?<!\S)([\w-]+)=)?%(?:\.?\d+)?[a-z]|%%")
"""A directive in a message's format, with the name that stands before it, if any."""

speaker: ContextVar[tuple[str, str] | None] = ContextVar("speaker", default=None)
"""User and origin of the session that the current task works for: set once, where a session is made."""


def one_line(text: str) -> str:
    """Text that stays on its line whatever it holds."""
    return harmless(text).replace("\n", "\\n")


class Text(logging.Formatter):
    """For people and grep: key=value pairs, then the message."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = f"{self.formatTime(record)} level={record.levelname} "
        return "\n".join([stamp + labelled(record), *(INDENT + line for line in self.traceback(record))])

    def traceback(self, record: logging.LogRecord) -> list[str]:
        """The lines of the exception that the record carries, without control characters."""
        if not record.exc_info:
            return []
        return [harmless(line) for line in self.formatException(record.exc_info).splitlines()]


class Journal(Text):
    """For journald, which reads a severity at the start of each line and has a clock of its own."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{SEVERITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in (labelled(record), *self.traceback(record)))


class Json(Text):
    """For programs: one JSON object to a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said = {
            **labels(record),
            **facts(record),
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["traceback"] = "\n".join(self.traceback(record))
        return json.dumps(said)


def labels(record: logging.LogRecord) -> dict[str, str]:
    """Whom the session works for that the record comes from, as user and origin; {} where there is none."""
    now = speaker.get()
    return {} if now is None else dict(zip(("user", "origin"), now, strict=True))


def facts(record: logging.LogRecord) -> dict[str, object]:
    """What the record says as name=value, by name: "user=%s code=%d" with its two arguments are two facts. Only the
    program's own words give names, never the text of an argument.
    """
    if not isinstance(record.args, tuple):
        return {}
    directives = [found for found in DIRECTIVE.finditer(str(record.msg)) if found[0] != "%%"]
    return {
        found[1]: value if isinstance(value, int | float) else str(value)
        for found, value in zip(directives, record.args, strict=False)
        if found[1]
    }


def labelled(record: logging.LogRecord) -> str:
    """Logger, labels and message as key=value words; what the message says itself is not said twice."""
    said = facts(record)
    words = [f"{name}={one_line(repr(value))}" for name, value in labels(record).items() if name not in said]
    return " ".join([f"logger={record.name}", *words, one_line(record.getMessage())])


FORMATTERS: Mapping[str, type[logging.Formatter]] = {"text": Text, "json": Json, "journal": Journal}


class LogFile(logging.FileHandler):
    """A log file that logrotate may move away: `reopen` goes on in a new one."""

    def reopen(self) -> None:
        """Open the path again; standard output and error follow when they went to the former file.

        Raises OSError, and goes on in the former file, when the path cannot be opened.
        """
        self.acquire()
        try:
            fresh = self._open()
            former = self.stream
            if former is not None:
                before = os.fstat(former.fileno())
                for descriptor in (1, 2):
                    if os.path.samestat(os.fstat(descriptor), before):
                        os.dup2(fresh.fileno(), descriptor)
                former.close()
            self.stream = fresh
        finally:
            self.release()


def to_the_journal(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether standard error is the journal's: systemd.exec(5), $JOURNAL_STREAM, names its device and inode."""
    try:
        device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
        status = os.fstat(2)
        return (status.st_dev, status.st_ino) == (int(device), int(inode))
    except (ValueError, OSError):
        return False


def set_up(path: str, format_name: str, level: str) -> logging.Handler:
    """Log to this file, or to standard error when it is "". An empty format is `text`, for the journal `journal`.

    Raises OSError when the file cannot be opened.
    """
    logging.raiseExceptions = False  # a log on a full disk is cut, and says no more about it
    handler: logging.Handler
    if path:
        os.makedirs(os.path.dirname(os.path.abspath(path)), 0o750, exist_ok=True)
        handler = LogFile(path, encoding="utf-8", errors="backslashreplace")
    else:
        handler = logging.StreamHandler(sys.stderr)
    chosen = format_name or ("journal" if not path and to_the_journal() else "text")
    handler.setFormatter(FORMATTERS[chosen]())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    return handler
