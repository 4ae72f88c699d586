"""What is said to FRR's bfdd: which sessions to keep, over its vty; how they stand, over its control socket.

    bfdd.vty    configured, in a block that is FRR's own syntax:    bfd
                                                                     profile nshell
                                                                      ... timers ...
                                                                     peer A [multihop] local-address B
                                                                      profile nshell
    bfdd.sock   frames of length (4 bytes), id (2), type (1), version (1) and JSON; after one NOTIFY frame bfdd says of
                each session how it stands, and again as soon as that changes (FRR bfdd/bfdctl.h, bfdd/control.c)

The profile is the mark by which ours are known, also after a restart of either. A peer that somebody configured there
without it is his: it is used as it is, never changed and never removed. Pure but for `Heard`, which reads.
"""

from __future__ import annotations

import re
import struct
from asyncio import StreamReader
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from data.addresses import Ip, address

__all__ = ["DETECT_MULTIPLIER", "LIMIT", "PROFILE", "SUBSCRIBE", "BfdSession", "Said", "added", "configured", "profile",
           "read", "removed", "said", "shut"]  # fmt: skip

PROFILE = "nshell"
DETECT_MULTIPLIER = 3
"""Packets that may be missing (RFC 5880 section 6.8.1); FRR's own default."""
LIMIT = 64 << 10  # bytes of one frame; bfdd's have 400
_HEAD = struct.Struct("!IHBB")
_VERSION, _RESPONSE, _NOTIFY = 1, 1, 4
_STATES = 1  # of the notifications: how sessions stand, not how they are configured
SUBSCRIBE = _HEAD.pack(8, 1, _NOTIFY, _VERSION) + struct.pack("=Q", _STATES)
"""The frame that asks for them; its 8 bytes are in the order of the machine."""
_PEER = re.compile(r" peer (\S+)( multihop)?(?: local-address (\S+))?(?: (interface|vrf) .*)?")


@dataclass(frozen=True, slots=True, order=True)
class BfdSession:
    """Between which addresses, and whether routers may be between (RFC 5883)."""

    peer: Ip
    local: Ip
    multihop: bool

    @property
    def line(self) -> str:
        """As bfdd's configuration names it."""
        return f"peer {self.peer}{' multihop' if self.multihop else ''} local-address {self.local}"


@dataclass(frozen=True, slots=True)
class Said:
    """How a session stands: up, down, init or adm-down; diagnostics of both ends (RFC 5880 section 4.1). `local` is
    None where bfdd names none."""

    peer: Ip
    local: Ip | None
    multihop: bool
    state: str
    diagnostic: int
    remote_diagnostic: int

    def about(self, session: BfdSession) -> bool:
        """Whether it is said of this one."""
        same = (self.peer, self.multihop) == (session.peer, session.multihop)
        return same and self.local in (None, session.local)


class _Frame(msgspec.Struct, rename="kebab"):
    """What we take of a notification."""

    op: str = ""
    peer_address: str = ""
    local_address: str = ""
    multihop: bool = False
    state: str = ""
    diagnostics: int = 0
    remote_diagnostics: int = 0


def profile(interval: int) -> list[str]:
    """The lines of our profile; `interval` in milliseconds. Packets of peers behind routers may have any TTL."""
    return ["bfd", f"profile {PROFILE}", f"receive-interval {interval}", f"transmit-interval {interval}",
            f"detect-multiplier {DETECT_MULTIPLIER}", "minimum-ttl 1", "exit", "exit"]  # fmt: skip


def added(some: Iterable[BfdSession]) -> list[str]:
    """The lines that make these sessions."""
    return _block(some, f"profile {PROFILE}")


def shut(some: Iterable[BfdSession]) -> list[str]:
    """The lines that tell the other ends that these sessions end on purpose (RFC 5880 section 6.8.16)."""
    return _block(some, "shutdown")


def _block(some: Iterable[BfdSession], line: str) -> list[str]:
    lines = [text for one in some for text in (one.line, line, "exit")]
    return ["bfd", *lines, "exit"] if lines else []


def removed(some: Iterable[BfdSession]) -> list[str]:
    """The lines that take these sessions away."""
    lines = [f"no {one.line}" for one in some]
    return ["bfd", *lines, "exit"] if lines else []


def configured(text: str) -> dict[BfdSession, bool]:
    """The sessions of a running configuration of bfdd, and whether each is ours."""
    found: dict[BfdSession, bool] = {}
    within: BfdSession | None = None
    for line in _bfd_block(text.splitlines()):
        if line.startswith("  "):
            if within is not None and line.split() == ["profile", PROFILE]:
                found[within] = True
            continue
        within = _session(line)
        if within is not None:
            found.setdefault(within, False)
    return found


def _bfd_block(lines: Sequence[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.rstrip() == "bfd":
            inside = True
        elif line and not line.startswith((" ", "!")):
            inside = False
        elif inside:
            yield line.rstrip()


def _session(line: str) -> BfdSession | None:
    """None for one that names no local address, or more than we do: it cannot be ours."""
    match = _PEER.fullmatch(line)
    if match is None or match[3] is None or match[4] is not None:
        return None
    return BfdSession(address(match[1]), address(match[3]), match[2] is not None)


async def read(reader: StreamReader) -> tuple[int, bytes]:
    """The type and the body of the next frame. Raises IncompleteReadError at the end, ValueError for no such frame."""
    length, _, kind, version = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if version != _VERSION or length > LIMIT:
        raise ValueError(f"a frame of version {version} with {length} bytes")
    return kind, await reader.readexactly(length)


def said(kind: int, body: bytes) -> Said | None:
    """What a frame says of a session; None when it says none of that. Raises ValueError."""
    if kind == _RESPONSE or kind != _NOTIFY:
        return None
    frame = msgspec.json.decode(body, type=_Frame)
    if frame.op != "status":
        return None
    local = address(frame.local_address) if frame.local_address else None
    return Said(
        address(frame.peer_address), local, frame.multihop, frame.state, frame.diagnostics, frame.remote_diagnostics
    )
