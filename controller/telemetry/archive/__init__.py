"""What was counted, kept as series in one file: every look for an hour, minutes for a day, hours for a year.

Why it exists: an operator asks what a vport did last night and last spring, and the answer must be exact, come at
once, and cost a disk of ordinary size. A row per value would be 610 million rows for 10,000 vports and a year of
hours; here a row holds a measure of 128 series over a day (columns.py says how).

    append(look) ──> cells of the look ──> minute ──> hour        (rollup.py; tiers.py: how finely, for how long)
         │                 │                  │         │
         │                 └─ an hour ────────┴─ packs ─┴─ packs  (tidying.py: packed and deleted, a little per look)
         └ place, state: in the same transaction                  (file.py: after kill -9 a look is there, or not)

    read, total <── the coarsest tier that will do <── tiers joined at their seams                    (reading.py)

Size: 10,000 vports for a year are about 400 MB when one in ten is busy all the time, three are heard now and then and
six are silent (measured: 316 MiB of hours, 349 MiB in all; hours alone are 2.3 GiB in a plain table with a row per
value); 1.4 GB when all of them are busy; a silent one costs 100 bytes a year. An append of 10,000 vports: 12 ms; a
read of one series: 5 ms for an hour, 20 ms for a day, 40-75 ms for a year (tests/bench/series.py).

Measured alternatives, one measure, in bytes per vport and hour: packs of a day 1.27, of a week 1.14 (and fuller pages).
A year of hours is read in 5 ms from chunks of 64 series, 10 ms of 128, 20 ms of 256; a look has as many rows more.

Read next: archive.py (what the collector calls), rollup.py, columns.py; together.py (tables of many series).
"""

from controller.telemetry.archive.archive import FILE, Archive, Look, Size
from controller.telemetry.archive.reading import Series

__all__ = ["FILE", "Archive", "Look", "Series", "Size"]
