"""Frames of an independent implementation, from golden.txt, and the hosts that they are between."""

from __future__ import annotations

from pathlib import Path

from data.addresses import address

LINES = [line.split() for line in (Path(__file__).parent / "golden.txt").read_text().splitlines()]
GOLDEN = {line[0]: bytes.fromhex(line[1]) for line in LINES if line[0] != "#"}
A, B = "02:00:00:00:00:01", "02:00:00:00:00:02"
A4, B4 = address("10.1.1.1"), address("10.1.1.11")
A6, B6 = address("2001:db8:1::1"), address("2001:db8:1::11")
