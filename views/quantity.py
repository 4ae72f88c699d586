"""Quantities as people read them: at most three digits and a prefix of the SI before the unit."""

from __future__ import annotations

PREFIXES = ("", "k", "M", "G", "T", "P", "E")
"""Powers of 1000."""


def prefixed(value: float) -> tuple[str, str]:
    """A number as at most three digits, and the prefix of its power of 1000: 3149 is ("3.1", "k")."""
    power = 0
    while value >= 999.5 and power < len(PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.0f}" if value >= 99.5 or not power else f"{value:.1f}", PREFIXES[power]


def quantity(value: float, unit: str) -> str:
    """'3.1 Gb/s', '912 B', '1.2 k/s'."""
    number, prefix = prefixed(value)
    return f"{number} {prefix}{unit}"


def rate_text(rate: float) -> str:
    """Bits per second in at most three digits before the unit."""
    return quantity(rate, "b/s")


def octets_text(octets: float) -> str:
    """Bytes: 912 B, 3.1 GB (powers of 1000)."""
    return quantity(octets, "B")


def per_second_text(rate: float) -> str:
    """What is counted one by one, per second; the few with a digit behind the point, so that one in a while is seen."""
    return f"{rate:.1f} /s" if 0 < rate < 9.95 else quantity(rate, "/s")
