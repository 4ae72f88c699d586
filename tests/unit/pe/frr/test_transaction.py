"""The commit script where a router fails in ways that a real FRR cannot be made to on demand.

The router is two small shell programs: `vtysh`, whose running configuration is a file, and `frr-reload.py`, which
copies. Files named after a fault make them fail.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest
from napalm.base import exceptions

from controller.pe.frr import FrrDriver, transaction
from nshell.lab.probing import wait_until

PATIENCE = 60  # seconds
BEFORE = "hostname before\n"

VTYSH = """#!/bin/sh
cd "{folder}" || exit 1
case "$*" in
    "-c show daemons") echo zebra bgpd staticd ;;
    "-c show running-config no-header") [ ! -e unreadable ] && cat running ;;
    "-c write memory") [ ! -e unsaved ] && cp running startup ;;
    "-C -f "*) ;;
    "-f "*) cat "$2" >> running; [ ! -e refused ] || { echo "% refused"; exit 13; } ;;
    *) exit 1 ;;
esac
"""
RELOAD = """#!/bin/sh
for file in "$@"; do :; done
cd "{folder}" || exit 1
case "$*" in
    *--reload*) [ ! -e broken ] || { echo "cannot reload"; exit 1; }; cp "$file" running ;;
    *--test*) cmp -s "$file" running || echo "something is left" ;;
esac
"""


class Router:
    """A folder that is a router: running, startup, and its faults."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("vtysh", VTYSH), ("reload", RELOAD)):
            (folder / name).write_text(text.replace("{folder}", str(folder)))
            (folder / name).chmod(0o755)
        (folder / "running").write_text(BEFORE)
        (folder / "startup").write_text(BEFORE)
        self.state = folder / "state" / "main"

    def driver(self) -> FrrDriver:
        options = {
            "transport": "local",
            "vtysh": str(self.folder / "vtysh"),
            "frr_reload": str(self.folder / "reload"),
            "state_directory": str(self.folder / "state"),
        }
        driver = FrrDriver("", "", "", optional_args=options)
        driver.open()
        return driver

    def fail(self, *faults: str) -> None:
        for fault in faults:
            (self.folder / fault).touch()

    def mend(self, *faults: str) -> None:
        for fault in faults:
            (self.folder / fault).unlink()

    @property
    def running(self) -> str:
        return (self.folder / "running").read_text()

    @property
    def startup(self) -> str:
        return (self.folder / "startup").read_text()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    yield Router(tmp_path)


def test_a_startup_configuration_that_cannot_be_written_takes_the_commit_back(router: Router) -> None:
    driver = router.driver()
    driver.load_replace_candidate(config="hostname after\n")
    router.fail("unsaved")
    with pytest.raises(exceptions.CommitError, match="startup configuration could not be written"):
        driver.commit_config()
    assert router.running == BEFORE and not driver.has_pending_commit()
    router.mend("unsaved")
    driver.commit_config()  # the candidate is still there
    assert router.running == router.startup == "hostname after\n"


def test_a_router_that_refuses_the_way_back_too_says_so_until_a_rollback_succeeds(router: Router) -> None:
    driver = router.driver()
    driver.load_merge_candidate(config="hostname after\n")
    router.fail("refused", "broken")
    with pytest.raises(exceptions.CommitError, match="NOT wholly back"):
        driver.commit_config()
    assert driver.has_pending_commit() and router.running != BEFORE
    with pytest.raises(exceptions.CommitError, match="waits to be confirmed"):
        driver.commit_config()
    with pytest.raises(exceptions.CommitError, match="NOT wholly back"):
        driver.rollback()
    router.mend("refused", "broken")
    driver.rollback()
    assert router.running == BEFORE and not driver.has_pending_commit()


def test_an_unreadable_configuration_stops_a_commit_before_its_first_line(router: Router) -> None:
    driver = router.driver()
    driver.load_merge_candidate(config="hostname after\n")
    router.fail("unreadable")
    with pytest.raises(exceptions.CommitError, match="could not be read"):
        driver.commit_config()
    router.mend("unreadable")
    assert router.running == BEFORE and not driver.has_pending_commit()


def test_a_refused_revert_is_tried_until_the_router_takes_it(router: Router) -> None:
    driver = router.driver()
    driver.load_replace_candidate(config="hostname after\n")
    driver.commit_config(revert_in=1)
    router.fail("broken")
    said = next(router.state.glob("change.*/commit.sh")).parent / "said"
    assert wait_until(lambda: "cannot reload" in said.read_text(), PATIENCE)
    assert driver.has_pending_commit()
    router.mend("broken")
    assert wait_until(lambda: not driver.has_pending_commit(), PATIENCE)
    assert router.running == router.startup == BEFORE


def test_who_waits_too_long_for_anothers_commit_is_told_that_it_is_locked(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "LOCK_TIMEOUT", 1)
    driver = router.driver()
    driver.load_replace_candidate(config="hostname after\n")
    router.state.mkdir(parents=True, exist_ok=True)
    with (router.state / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(exceptions.LockError):
            driver.commit_config()
        assert router.running == BEFORE
    driver.commit_config()
    assert router.running == "hostname after\n"


def test_nothing_is_left_on_the_router_but_what_a_rollback_needs(router: Router) -> None:
    driver = router.driver()
    driver.load_replace_candidate(config="hostname after\n")
    driver.compare_config()
    driver.commit_config(message='it\'s "quoted" $(touch nothing)')
    driver.load_merge_candidate(config="hostname later\n")
    driver.close()
    assert sorted(one.name for one in router.state.iterdir()) == ["lock", "previous.conf"]


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_a_revert_in_no_time_or_in_more_than_a_day_is_refused(router: Router, seconds: int) -> None:
    driver = router.driver()
    driver.load_replace_candidate(config="hostname after\n")
    with pytest.raises(exceptions.CommitError, match="revert_in"):
        driver.commit_config(revert_in=seconds)
    assert router.running == BEFORE
