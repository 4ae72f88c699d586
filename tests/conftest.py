"""What every test run has in common: which tests are system tests, and what they may not do without.

A test's place says its kind: everything under tests/system works real Open vSwitch as root and is marked
`system`. On a developer's machine without root or Open vSwitch those are skipped with the reason; with
CI=true in the environment they fail instead, so that a machine that cannot run them never reports success. A test
that needs still more of its machine says so with `cannot_run`.
Markers and the default selection are in pyproject.toml; docs/development.md says how to run a part.
"""

from __future__ import annotations

import os
import shutil
from itertools import groupby
from pathlib import Path
from typing import NoReturn

import pytest

TESTS = Path(__file__).parent
EARLY = 0.85  # of all files, when the last system test begins: it may take two minutes, in which others have work, too
SYSTEM_PROGRAMS = ("ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ip", "ethtool", "tcpdump")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(TESTS / "system"):
            item.add_marker(pytest.mark.system)
    if hasattr(config, "workerinput"):
        items[:] = mingled(items)


def mingled(items: list[pytest.Item]) -> list[pytest.Item]:
    """Files of system tests spread evenly among the others, for workers: the former wait most of their time, the latter
    work, and either kind alone leaves a processor idle or makes the waiting ones late.
    """
    files = {path: list(group) for path, group in groupby(items, key=lambda item: item.path)}
    kinds: dict[bool, list[Path]] = {True: [], False: []}
    for path in files:
        kinds[path.is_relative_to(TESTS / "system")].append(path)
    span = {True: EARLY, False: 1.0}
    places = {
        path: span[kind] * (place + 0.5) / len(paths)
        for kind, paths in kinds.items()
        for place, path in enumerate(paths)
    }
    return [item for path in sorted(files, key=lambda path: places[path]) for item in files[path]]


def missing_for_system_tests() -> str | None:
    """What keeps this machine from running system tests, as words; None when nothing does."""
    if os.geteuid() != 0:
        return "system tests need root"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    absent = [program for program in SYSTEM_PROGRAMS if shutil.which(program, path=path) is None]
    return f"system tests need {', '.join(absent)}" if absent else None


def cannot_run(reason: str) -> NoReturn:
    """Give a test up: skipped with the reason, failed with CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: never skipped)", pytrace=False)
    pytest.skip(reason)


def as_root(why: str) -> None:
    """Give a test up that needs root, where there is none."""
    if os.geteuid() != 0:
        cannot_run(f"{why}: needs root")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("system") is None:
        return
    missing = missing_for_system_tests()
    if missing is not None:
        cannot_run(missing)
