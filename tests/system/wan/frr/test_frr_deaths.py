"""The FRR driver killed in the middle: the router is left with the old configuration or the new one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from napalm.base import exceptions

from controller.pe.frr import FrrDriver
from nshell.lab.probing import wait_until
from tests.system.wan.frr.pair import PATIENCE, Pair, described, merge, running

CHILD = """
import sys, json
from controller.pe.frr import FrrDriver
driver = FrrDriver("", "", "", optional_args=json.loads(sys.argv[1]))
driver.open()
driver.load_replace_candidate(filename=sys.argv[2])
print("committing", flush=True)
driver.commit_config(revert_in=int(sys.argv[3]) or None)
print("committed", flush=True)
sys.stdin.read()
"""


def child(pair: Pair, file: Path, revert_in: int = 0) -> subprocess.Popen[str]:
    """Another process whose driver commits this file; it says when it begins and when it is done."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, json.dumps(pair.options()), str(file), str(revert_in)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def long(text: str) -> str:
    """The configuration changed in 200 places, which takes frr-reload.py long enough to be killed in."""
    extra = "".join(f"ip prefix-list LONG seq {number} permit 10.{number}.0.0/16\n" for number in range(1, 201))
    return described(text, "long").replace("end\n", "") + extra


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3, 0.6])
def test_a_driver_killed_in_the_middle_of_a_commit_leaves_the_old_or_the_new(
    driver: FrrDriver, pair: Pair, tmp_path: Path, delay: float
) -> None:
    before = running(driver)
    file = tmp_path / "long.conf"
    file.write_text(long(before))
    other = child(pair, file)
    assert other.stdout is not None and other.stdout.readline() == "committing\n"
    time.sleep(delay)  # no condition to wait for: any moment must do
    other.kill()
    other.communicate()
    assert wait_until(pair.idle, PATIENCE)
    after = running(driver)
    if after != before:
        driver.load_replace_candidate(config=long(before))
        assert driver.compare_config() == ""
        assert after.count("prefix-list LONG seq") == 200 and "description long" in after


def test_a_driver_killed_before_it_confirms_is_reverted_by_the_router(
    driver: FrrDriver, pair: Pair, tmp_path: Path
) -> None:
    before = running(driver)
    file = tmp_path / "candidate.conf"
    file.write_text(described(before, "orphan"))
    other = child(pair, file, revert_in=5)
    assert other.stdout is not None
    assert [other.stdout.readline(), other.stdout.readline()] == ["committing\n", "committed\n"]
    other.kill()
    other.communicate()
    assert wait_until(pair.idle, PATIENCE)
    assert running(driver) == before


def test_a_commit_killed_on_the_router_itself_is_undone_before_the_next_one(
    driver: FrrDriver, pair: Pair, tmp_path: Path
) -> None:
    before = running(driver)
    file = tmp_path / "long.conf"
    file.write_text(long(before))
    other = child(pair, file)
    try:
        assert wait_until(lambda: (pair.state / "changing").exists(), PATIENCE)
        change = Path((pair.state / "changing").read_text().strip())
        script = int((change / "pid").read_text())
        assert b"commit.sh" in Path(f"/proc/{script}/cmdline").read_bytes()
        os.kill(script, signal.SIGKILL)
    finally:
        other.kill()
        other.communicate()
    driver.load_merge_candidate(config=merge("next"))
    if (pair.state / "changing").exists():  # else it had just been done
        assert driver.has_pending_commit()
        with pytest.raises(exceptions.CommitError, match="has been undone"):
            driver.commit_config()
        assert running(driver) == before
        driver.load_merge_candidate(config=merge("next"))
    driver.commit_config()
    assert "description next" in running(driver)
