"""Domain names on the wire, as router advertisements and DHCPv6 carry them: labels, never compressed."""

from __future__ import annotations

__all__ = ["domain_bytes"]


def domain_bytes(name: str) -> bytes:
    """A domain name as its labels (RFC 1035 section 3.1). Raises ValueError if one of them is empty or too long."""
    found = b""
    for label in name.rstrip(".").split("."):
        if not 0 < len(label.encode()) < 64:
            raise ValueError(f"'{name}' is not a domain name")
        found += bytes((len(label.encode()),)) + label.encode()
    return found + b"\0"
