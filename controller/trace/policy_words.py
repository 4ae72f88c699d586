"""What a policy entry is about, as a person says it: 'zone web -> zone db, tcp/5432'."""

from __future__ import annotations

from data.schema.objects import Endpoint, Entry

__all__ = ["entry_words"]


def entry_words(entry: Entry) -> str:
    """Ends, protocol, ports, ICMP type and DSCP of an entry."""
    words = [] if _any(entry.from_) and _any(entry.to) else [f"{_end(entry.from_)} -> {_end(entry.to)}"]
    if entry.protocol is not None:
        ports = f"/{','.join(entry.destination_port)}" if entry.destination_port else ""
        words.append(f"{entry.protocol}{ports}")
    if entry.source_port:
        words.append(f"source-port {','.join(entry.source_port)}")
    for name, value in (("type", entry.icmp_type), ("code", entry.icmp_code), ("dscp", entry.dscp)):
        if value is not None:
            words.append(f"{name} {value}")
    return ", ".join(words) or "everything"


def _any(end: Endpoint) -> bool:
    return end.kind == "any"


def _end(end: Endpoint) -> str:
    return "any" if _any(end) else f"{end.kind.removeprefix('policy-').removeprefix('network-')} {end.name}"
