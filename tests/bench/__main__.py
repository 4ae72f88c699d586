"""`python -m tests.bench [NAME...]`: run the benchmarks, print the table, write bench-results.json.

Exit code 0 when every target was met, 1 when one was missed or a benchmark could not run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tests.bench import (
    analysis,
    bgp,
    dashboard,
    fleet,
    metrics,
    policy,
    push,
    remote_route,
    scale,
    series,
    ssh,
    start,
    telemetry,
    trace,
)
from tests.bench.measure import Row, Unavailable, leave_on_sigterm

BENCHMARKS: tuple[ModuleType, ...] = (
    start, push, policy, fleet, scale, ssh, dashboard, bgp, remote_route, series, telemetry, metrics, trace, analysis,
)  # fmt: skip
RESULTS = Path("bench-results.json")
WIDTHS = (64, 12, 12, 8, 8, 5)


def line(*cells: str) -> str:
    name, *rest = cells
    return " ".join(
        [f"{name:<{WIDTHS[0]}}", *(f"{cell:>{width}}" for cell, width in zip(rest, WIDTHS[1:], strict=True))]
    )


def number(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:.{digits}f} {unit}"


def show(row: Row) -> str:
    return line(
        row.name,
        number(row.ours, row.unit),
        "-" if row.peer is None else number(row.peer, row.unit),
        "-" if row.ratio is None else f"{row.ratio:.3f}",
        "-" if row.target is None else f"{row.target:.3f}",
        {None: "-", True: "yes", False: "NO"}[row.met],
    )


def as_json(row: Row) -> dict[str, object]:
    return {**dataclasses.asdict(row), "ratio": row.ratio, "met": row.met}


def machine() -> dict[str, object]:
    return {"processors": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__.splitlines()[0] if __doc__ else "",
        epilog="; ".join(f"{each.NAME}: {each.ABOUT}" for each in BENCHMARKS),
    )
    known = {each.NAME: each for each in BENCHMARKS}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(known)}; all by default")
    chosen = parser.parse_args(arguments).names or list(known)
    if unknown := [name for name in chosen if name not in known]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(known)}")
    leave_on_sigterm()
    rows: list[Row] = []
    failures: dict[str, str] = {}
    print(line("", "ours", "peer", "ratio", "at most", "met"))
    for name in chosen:
        print(f"{name}: {known[name].ABOUT}", flush=True)
        try:
            for row in known[name].measure():
                rows.append(row)
                print(show(row), flush=True)
        except (Unavailable, RuntimeError) as failure:
            failures[name] = str(failure)
            print(f"  could not run: {failure}", flush=True)
    print("\nwhat was measured, on both sides:")
    for row in rows:
        if row.measured:
            print(f"  {row.name.strip()}: {row.measured}")
    RESULTS.write_text(
        json.dumps(
            {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "machine": machine(),
                "rows": [as_json(row) for row in rows],
                "failures": failures,
            },
            indent=1,
        )
        + "\n"
    )
    missed = [row.name.strip() for row in rows if row.met is False]
    print(
        f"\n{sum(1 for row in rows if row.met)} targets met, {len(missed)} missed, "
        f"{len(failures)} benchmarks could not run; "
        f"written to {RESULTS}"
    )
    return 1 if failures else 0  # a missed target is a figure to read, not a broken run: machines are noisy


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
