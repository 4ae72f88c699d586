"""What can go wrong with a switch, and OpenFlow error messages as text.

::

    OpenFlowError
    ├── SwitchGone       the connection ended; the reason says how
    └── RequestRefused   the switch answered a request with an error
        ├── BundleRefused  a bundle could not be filled or committed: nothing of it was applied
        └── MeterRefused   a meter could not be made or changed

The texts follow ONF TS-012 (OpenFlow 1.4.0), 7.4.4; the rows are the errors that flows, groups and bundles
can meet.
"""

from __future__ import annotations

import struct


class OpenFlowError(Exception):
    """Anything a caller of this package has to expect."""


class SwitchGone(OpenFlowError):
    """The connection ended; waiting requests and later ones raise this."""


class RequestRefused(OpenFlowError):
    """The switch answered with an error: ``kind`` and ``code`` as in ofp_error_type, ``data`` the refused
    message.
    """

    def __init__(self, kind: int, code: int, data: bytes = b"") -> None:
        super().__init__(error_text(kind, code))
        self.kind, self.code, self.data = kind, code, data


class MeterRefused(RequestRefused):
    """The switch does not take a meter; ``described`` is the meter-mod as one line."""

    def __init__(self, cause: RequestRefused, described: str) -> None:
        super().__init__(cause.kind, cause.code, cause.data)
        self.described = described
        self.args = (f"{cause}: {described}",)


class BundleRefused(RequestRefused):
    """Nothing of the bundle was applied.

    ``reason`` is the text of the decisive error; ``flow`` the flow-mod it is about, None when it cannot be
    told; ``described`` the flow as one line, empty without a flow.
    """

    def __init__(self, cause: RequestRefused, flow: bytes | None = None, described: str = "") -> None:
        super().__init__(cause.kind, cause.code, cause.data)
        self.reason = str(cause)
        self.flow, self.described = flow, described
        if described:
            self.args = (f"{self.reason}: {described}",)


_ERRORS: dict[int, tuple[str, dict[int, str]]] = {
    0: ("hello failed", {0: "no common version", 1: "permission denied"}),
    1: (
        "bad request",
        {
            0: "version not supported", 1: "type not supported", 2: "multipart type not supported",
            3: "experimenter not supported", 4: "experimenter type not supported", 5: "permission denied",
            6: "wrong length", 7: "buffer already used", 8: "buffer does not exist", 9: "wrong table",
            10: "denied because the controller is a slave", 11: "wrong port", 12: "wrong packet",
            13: "multipart buffer overflow",
        },
    ),
    2: (
        "bad action",
        {
            0: "type unknown", 1: "wrong length", 2: "experimenter unknown", 3: "experimenter type unknown",
            4: "wrong output port", 5: "wrong argument", 6: "permission denied", 7: "too many actions",
            8: "wrong queue", 9: "group does not exist", 10: "action does not fit the match",
            11: "unsupported order", 12: "unsupported tag", 13: "set-field type unknown",
            14: "set-field wrong length", 15: "set-field wrong argument",
        },
    ),
    3: (
        "bad instruction",
        {
            0: "unknown", 1: "not supported", 2: "wrong table", 3: "metadata not supported",
            4: "metadata mask not supported", 5: "experimenter unknown", 6: "experimenter type unknown",
            7: "wrong length", 8: "permission denied", 9: "duplicate",
        },
    ),
    4: (
        "bad match",
        {
            0: "type not supported", 1: "wrong length", 2: "wrong tag", 3: "MAC mask not supported",
            4: "IP mask not supported", 5: "wildcards not supported", 6: "field not supported",
            7: "wrong value", 8: "mask not supported", 9: "prerequisite missing", 10: "field given twice",
            11: "permission denied",
        },
    ),
    5: (
        "flow-mod failed",
        {
            0: "unknown", 1: "table full", 2: "wrong table", 3: "overlaps another flow",
            4: "permission denied", 5: "wrong timeout", 6: "command unknown", 7: "flags unknown",
            8: "cannot synchronise", 9: "wrong priority",
        },
    ),
    6: (
        "group-mod failed",
        {
            0: "group exists", 1: "wrong group", 2: "weight not supported", 3: "groups full",
            4: "buckets full", 5: "chaining not supported", 6: "watch not supported", 7: "loop",
            8: "unknown group", 9: "group in use by another", 10: "wrong type", 11: "wrong command",
            12: "wrong bucket", 13: "wrong watch", 14: "permission denied",
        },
    ),
    9: ("queue operation failed", {}),
    10: ("configuration failed", {0: "wrong flags", 1: "wrong length", 2: "permission denied"}),
    11: ("role request failed", {}),
    12: ("meter-mod failed", {0: "unknown", 1: "meter exists", 2: "wrong meter", 3: "unknown meter"}),
    16: (
        "flow monitor failed",
        {0: "unknown", 1: "monitor exists", 2: "wrong monitor", 3: "unknown monitor", 4: "wrong command"},
    ),
    17: (
        "bundle failed",
        {
            0: "unknown", 1: "permission denied", 2: "wrong identifier", 3: "bundle exists",
            4: "bundle closed", 5: "out of bundles", 6: "type unknown", 7: "wrong flags", 8: "wrong length",
            9: "wrong xid", 10: "message not supported", 11: "message conflict", 12: "too many messages",
            13: "a message failed", 14: "timed out", 15: "in progress",
        },
    ),
}  # fmt: skip


def error_text(kind: int, code: int) -> str:
    """``bad match: prerequisite missing``; numbers where a number has no name here."""
    if kind == 0xFFFF:
        return f"Open vSwitch extension error {code}"
    name, codes = _ERRORS.get(kind, (f"error type {kind}", {}))
    return f"{name}: {codes.get(code, f'code {code}')}"


def refused(body: bytes) -> RequestRefused:
    """The exception for the body of an OFPT_ERROR message (type, code, start of the refused message)."""
    if len(body) < 4:
        return RequestRefused(1, 6)
    kind, code = struct.unpack_from("!HH", body)
    return RequestRefused(kind, code, body[4:])
