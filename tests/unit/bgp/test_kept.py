"""Sequence numbers of addresses that moved, over a restart."""

from __future__ import annotations

from pathlib import Path as FilePath

from controller.bgp.kept import Kept as KeptNumbers
from tests.unit.controller.model import uuid


def test_kept_numbers_survive_and_what_is_no_such_file_is_nothing(tmp_path: FilePath) -> None:
    kept = KeptNumbers(tmp_path)
    assert kept.load() == {}
    kept.save({f"{uuid(1)} 02000a01010b": 7})
    assert kept.load() == {f"{uuid(1)} 02000a01010b": 7}
    for text in ("", "[1]", '{"x": 1}', '{"a 02000a01010b": "7"}', "\x00"):
        (tmp_path / "mobility.json").write_text(text)
        assert kept.load() == {}
