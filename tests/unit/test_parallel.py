"""`make test` runs what failed beside others once more, alone, and hides nothing by it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parallel import RECHECKED

ROOT = Path(__file__).parents[2]
SETTINGS = """\
[pytest]
addopts = --import-mode=importlib -p no:cacheprovider -m "not soak"
asyncio_default_fixture_loop_scope = function
markers =
    soak: long
    bench: measures
    quiet: alone
"""
HEAD = f"""\
import os, pathlib, pytest
DIARY = pathlib.Path(__file__).with_name("diary")
def times(name):
    with DIARY.open("a") as file:
        file.write(name + "\\n")
    return DIARY.read_text().splitlines().count(name)
@pytest.mark.quiet
def test_quiet():
    times("quiet")
@pytest.mark.parametrize("what", range({RECHECKED + 1}))
def test_sound(what):
    times("sound")
"""
TWICE = """
@pytest.mark.parametrize("address", ["2001:db8::1/64 [a b]"])
def test_second_time_lucky(address):
    assert times("lucky") == 2
"""


def ran(place: Path, *tests: str, arguments: tuple[str, ...] = ("-n", "2")) -> tuple[int, str, list[str]]:
    """Exit status, what was said, and which tests ran, in order, when a file has these tests beside sound ones."""
    (place / "pytest.ini").write_text(SETTINGS)
    (place / "test_some.py").write_text("\n".join((HEAD, *tests)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.parallel", *arguments, "test_some.py"],
        cwd=place, env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, (place / "diary").read_text().split()


def test_what_passes_beside_others_is_not_run_again(tmp_path: Path) -> None:
    status, said, tests = ran(tmp_path)
    assert status == 0, said
    assert tests == ["sound"] * (RECHECKED + 1) and "alone" not in said


def test_what_passes_alone_is_named_and_nothing_else_is_run_again(tmp_path: Path) -> None:
    status, said, tests = ran(tmp_path, TWICE)
    assert status == 0, said
    assert tests == ["sound"] * (RECHECKED + 1) + ["lucky"] * 2
    assert said.endswith("passed only when run alone: test_some.py::test_second_time_lucky[2001:db8::1/64 [a b]]\n")


def test_what_fails_alone_too_fails_the_run_beside_one_that_does_not(tmp_path: Path) -> None:
    status, said, tests = ran(tmp_path, TWICE, "def test_bad():\n    assert times('bad') == 3")
    assert status == 1, said
    assert tests.count("bad") == tests.count("lucky") == 2
    assert "did not pass alone, either: test_some.py::test_bad\n" in said
    assert "passed only when run alone: test_some.py::test_second_time_lucky" in said


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        pytest.param("def test_crash():\n    if times('crash') == 1:\n        os._exit(3)", 1, id="a crash"),
        pytest.param("@pytest.mark.parametrize('n', range(11))\ndef test_bad(n):\n    assert 0", 1, id="too many"),
        pytest.param("if times('load') <= 2:\n    raise OSError", 1, id="a collection that fails"),
        pytest.param("def test_stop():\n    raise KeyboardInterrupt", 2, id="an interrupted run"),
    ],
)
def test_anything_worse_is_final(tmp_path: Path, fault: str, status: int) -> None:
    found, said, tests = ran(tmp_path, TWICE, fault)
    assert found == status, said
    assert tests.count("lucky") <= 1 and "alone" not in said


def test_a_test_that_skips_itself_alone_has_not_passed(tmp_path: Path) -> None:
    status, said, _ = ran(tmp_path, "def test_shy():\n    if times('shy') == 2:\n        pytest.skip()\n    assert 0")
    assert status == 1 and "did not pass alone, either: test_some.py::test_shy\n" in said


def test_those_that_compare_times_run_one_by_one_and_once_more_too(tmp_path: Path) -> None:
    slow = "@pytest.mark.quiet\ndef test_slow():\n    assert times('slow') == 2"
    status, said, tests = ran(tmp_path, slow, TWICE, arguments=("--quiet",))
    assert status == 0, said
    assert tests == ["quiet", "slow", "slow"] and "passed only when run alone: test_some.py::test_slow\n" in said
