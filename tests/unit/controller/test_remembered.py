"""Where workloads were, over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller import remembered
from controller.remembered import FILE, Remembered
from controller.topology import Interface

ONE = Interface("hv1", "tap1", "acme/prod/web-1", 3, 10.0, 1)
TWO = Interface("hv2", "tap2", "acme/prod/web-2", 4, 11.0, 2)


def test_interfaces_that_came_are_remembered_and_those_that_went_are_not(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    assert memory.load() == []
    memory.note({("hv1", "tap1"): ONE, ("hv2", "tap2"): TWO})
    memory.note({("hv1", "tap1"): None})
    assert Remembered(tmp_path).load() == [TWO]


def test_history_is_dropped_when_the_file_is_read(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    for _ in range(50):
        memory.note({("hv1", "tap1"): ONE})
    memory.load()
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 1


def test_an_interface_that_comes_and_goes_for_ever_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "HISTORY", 10)
    memory = Remembered(tmp_path)
    memory.note({("hv2", "tap2"): TWO})
    for _ in range(100):
        memory.note({("hv1", "tap1"): ONE})
        memory.note({("hv1", "tap1"): None})
        assert len((tmp_path / FILE).read_bytes().splitlines()) <= 14
    assert memory.load() == [TWO]


def test_a_line_that_was_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    memory.note({("hv1", "tap1"): ONE})
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"dvrs":"hv2","na')
    assert memory.load() == [ONE]
