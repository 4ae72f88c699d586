"""`python -m tests.parallel [--quiet] [ARGUMENT...]`: the tests on all cores, and the few that failed once more, alone.

`make test` runs this, then those that compare times, one by one (--quiet). The arguments are pytest's. One that fails
beside others may have had too little of the machine, so at most RECHECKED of them are run again, one by one, as
`make check RECHECK=yes` does in Open vSwitch. Those that fail again fail the run, and those that pass only alone are
named. A crashed worker, an error of collection, an interrupted run or more failures than that are final.

Exit status: pytest's own; 0 also when whatever failed passed alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import pytest

QUIET = "--quiet"
MARKS = "not soak and not bench and "
WORKERS = (os.cpu_count() or 1) + 1  # system tests wait more than they work: two on two cores left a third idle
RECHECKED = 10  # failures that are looked at again: more of them are no accident of a loaded machine


class Outcomes:
    """A pytest plugin that keeps what became of the tests, by node ID."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: dict[str, None] = {}
        self.broken = False  # something failed that is no test: a collection, a worker

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = None
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.broken |= report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, error: object | None) -> None:
        self.broken |= error is not None


def run(quiet: bool, arguments: Sequence[str]) -> tuple[int, Outcomes]:
    """One session of pytest; its exit status and what became of the tests."""
    outcomes = Outcomes()
    marks = MARKS + ("quiet" if quiet else "not quiet")
    return int(pytest.main(["-m", marks, *arguments], plugins=[outcomes])), outcomes


def main(arguments: Sequence[str]) -> int:
    quiet = QUIET in arguments
    beside = () if quiet else ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
    status, together = run(quiet, [*beside, *(one for one in arguments if one != QUIET)])
    failed = list(together.failed)
    if status != pytest.ExitCode.TESTS_FAILED or together.broken or not 0 < len(failed) <= RECHECKED:
        return status
    print(f"\nonce more, alone: {len(failed)} that failed", flush=True)
    status, alone = run(quiet, ["-p", "no:cacheprovider", *failed])
    again = [one for one in failed if one in alone.failed or one not in alone.passed]
    for said, names in (
        ("passed only when run alone", [one for one in failed if one not in again]),
        ("did not pass alone, either", again),
    ):
        if names:
            print(f"{said}: {', '.join(names)}", flush=True)
    return status or int(pytest.ExitCode.TESTS_FAILED if again else pytest.ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
