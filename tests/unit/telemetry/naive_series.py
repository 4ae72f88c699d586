"""What the archive must agree with: every look kept as it was told, and added up with fractions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from controller.telemetry.keys import Measure, SeriesKey


@dataclass
class NaiveSeries:
    """Looks in milliseconds, told to it and to an archive alike."""

    looks: list[tuple[int, int, Mapping[SeriesKey, Mapping[Measure, int]]]] = field(default_factory=list)

    def append(self, start: int, end: int, counted: Mapping[SeriesKey, Mapping[Measure, int]]) -> None:
        self.looks.append((start, end, counted))

    def total(self, key: SeriesKey, measure: Measure, since: int, until: int) -> Fraction:
        """What was counted in a period, spread evenly over each look."""
        return sum(
            (
                Fraction(counted[key].get(measure, 0) * _overlap(start, end, since, until), end - start)
                for start, end, counted in self.looks
                if key in counted
            ),
            Fraction(0),
        )

    def known(self, key: SeriesKey, since: int, until: int) -> int:
        """For how many milliseconds of a period the series was known."""
        return sum(_overlap(start, end, since, until) for start, end, counted in self.looks if key in counted)


def _overlap(start: int, end: int, since: int, until: int) -> int:
    return max(0, min(end, until) - max(start, since))
