"""Where workloads were and what was observed of them, kept over a restart of the controller.

The first hypervisor that dials in after a restart is reconciled before the others have reported their interfaces.
Without this memory its flows towards their workloads would be taken for too many and removed, and so would be those
towards what was learned behind uplinks, is alive, or was told by BGP, which takes time to tell it again. It is a file
of JSON lines, one per fact that came, changed or went, rewritten when it is read and when it has become long: facts
that are told again anyway, so it need not survive a power cut, only the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from controller.compile import Learned, Observed
from controller.compile.remote import NextHop, Remote, RemoteFlood, RemoteKey, RemoteMac, RemotePrefix, Tunnel
from controller.topology import Interface
from data.addresses import address, prefix

__all__ = ["FILE", "Remembered"]

FILE = "interfaces.jsonl"
_LONG = 400  # bytes; a line of n times that, of many learned addresses, counts as n more
HISTORY = 10_000  # lines of the past, about 100 bytes each, that are kept besides twice what is true now


class _Line(msgspec.Struct, omit_defaults=True):
    """An interface (`dvrs` is set), or one observed fact: which, about whom, and what; nothing when it is gone."""

    dvrs: str = ""
    name: str = ""
    learned: dict[str, tuple[str, ...]] | None = None
    holder: str | None = None
    alive: bool | None = None
    remote: tuple[str, ...] | None = None
    about: str = ""
    iface_id: str = ""
    ofport: int = 0  # 0: the interface is gone
    since: float = 0.0
    order: int = 0


class Remembered:
    """The file in the state directory. All methods block and may raise OSError; call them in the writer thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._left = HISTORY  # lines to go until it is rewritten

    def load(self) -> tuple[list[Interface], Observed]:
        """The interfaces and facts as the last process knew them, and a file without history from here on."""
        known: dict[tuple[str, str], _Line] = {}
        decode = msgspec.json.Decoder(_Line).decode
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return [], Observed()
        for text in lines:
            try:
                line = decode(text)
            except msgspec.DecodeError:
                continue  # the last line of a process that was killed while it wrote
            key = (line.dvrs, line.name) if line.dvrs else ("", f"{line.name} {line.about}")
            if line.ofport or any(one is not None for one in (line.learned, line.holder, line.alive, line.remote)):
                known[key] = line
            else:
                known.pop(key, None)
        kept = [msgspec.json.encode(line) + b"\n" for line in known.values()]
        self._left = _weight(kept) + HISTORY
        if len(lines) > len(known):
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(b"".join(kept))
            os.replace(fresh, self._path)
        return _read(known.values())

    def note(self, changed: Mapping[tuple[str, str], Interface | None], observed: Observed) -> None:
        """Adds interfaces by (hypervisor, name), and facts: as they are now, or None for what is gone."""
        lines = [
            _Line(dvrs, name) if interface is None else _line(interface) for (dvrs, name), interface in changed.items()
        ]
        lines += [
            _Line(name="learned", about=about, learned=None if learned is None else dict(learned))
            for about, learned in observed.learned.items()
        ]
        lines += [_Line(name="holder", about=about, holder=holder) for about, holder in observed.holders.items()]
        lines += [_Line(name="health", about=about, alive=alive) for about, alive in observed.health.items()]
        lines += [
            _Line(name="remote", about=_about(key), remote=None if fact is None else _told(fact))
            for key, fact in observed.remote.items()
        ]
        if lines:
            written = [msgspec.json.encode(line) + b"\n" for line in lines]
            with self._path.open("ab") as file:
                file.write(b"".join(written))
            self._left -= _weight(written)
            if self._left < 0:
                self.load()


def _weight(lines: list[bytes]) -> int:
    return sum(1 + len(line) // _LONG for line in lines)


def _line(interface: Interface) -> _Line:
    return _Line(
        interface.dvrs, interface.name, iface_id=interface.iface_id, ofport=interface.ofport, since=interface.since,
        order=interface.order,
    )  # fmt: skip


def _read(lines: Iterable[_Line]) -> tuple[list[Interface], Observed]:
    interfaces: list[Interface] = []
    learned: dict[str, Learned] = {}
    holders: dict[str, str] = {}
    health: dict[str, bool] = {}
    remote: dict[RemoteKey, Remote] = {}
    for line in lines:
        if line.dvrs:
            interfaces.append(Interface(line.dvrs, line.name, line.iface_id, line.ofport, line.since, line.order))
        elif line.learned is not None:
            learned[line.about] = line.learned
        elif line.holder is not None:
            holders[line.about] = line.holder
        elif line.alive is not None:
            health[line.about] = line.alive
        elif line.remote is not None:
            key, fact = _remote(line.about, line.remote)
            remote[key] = fact
    return interfaces, Observed(learned, holders, health, remote)


# A fact about another place: UUID, kind and what it is about; the words of each of its tunnels, or addresses behind it


def _about(key: RemoteKey) -> str:
    what = key.what.hex() if isinstance(key.what, bytes) else str(key.what)
    return f"{key.owner} {key.kind} {what}"


def _told(fact: Remote) -> tuple[str, ...]:
    if isinstance(fact, RemotePrefix):
        return tuple(_words(hop.tunnel, hop.mac) for hop in fact.next_hops)
    addresses = fact.addresses if isinstance(fact, RemoteMac) else ()
    return (_words(fact.tunnel, None), *map(str, addresses))


def _words(tunnel: Tunnel, mac: bytes | None) -> str:
    return f"{tunnel.encapsulation} {tunnel.endpoint} {tunnel.number} {'' if mac is None else mac.hex()}".rstrip()


def _remote(about: str, told: tuple[str, ...]) -> tuple[RemoteKey, Remote]:
    owner, kind, what = about.split()
    if kind == "prefix":
        return RemoteKey(owner, kind, prefix(what)), RemotePrefix(tuple(_hop(words) for words in told))
    tunnel = _hop(told[0]).tunnel
    if kind == "mac":
        return RemoteKey(owner, kind, bytes.fromhex(what)), RemoteMac(tunnel, tuple(map(address, told[1:])))
    return RemoteKey(owner, kind, address(what)), RemoteFlood(tunnel)


def _hop(words: str) -> NextHop:
    encapsulation, endpoint, number, *mac = words.split()
    return NextHop(Tunnel(address(endpoint), encapsulation, int(number)), bytes.fromhex(mac[0]) if mac else None)
