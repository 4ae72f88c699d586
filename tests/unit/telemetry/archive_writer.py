"""A process that appends looks until it is killed: `archive_writer.py FILE`; prints the number of each kept look."""

from __future__ import annotations

import sys
from pathlib import Path

from controller.telemetry.archive import Archive
from controller.telemetry.keys import Level, Measure, SeriesKey

LENGTH = 20
BEGINNING = 1_800_000_000
KEYS = [SeriesKey(Level.VPORT, f"vport-{number}") for number in range(300)]


def main(file: str) -> None:
    archive = Archive(Path(file))
    archive.open()
    number = int(archive.state() or b"0")
    while True:
        number += 1
        counted = {key: {Measure.SENDS_BYTES: 7, Measure.GETS_PACKETS: 1} for key in KEYS}
        archive.append(BEGINNING + number * LENGTH, LENGTH, counted, str(number).encode())
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
