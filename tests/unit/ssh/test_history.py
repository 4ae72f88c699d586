"""What an operator typed is there again, without secrets, and does not grow for ever."""

from __future__ import annotations

from pathlib import Path

from nshell.terminal import history
from nshell.terminal.history import history_of


def lines(state: Path) -> list[str]:
    """The newest first."""
    return list(history_of(str(state), "bob").load_history_strings())


def test_lines_are_kept_without_their_secrets(tmp_path: Path) -> None:
    kept = history_of(str(tmp_path), "bob")
    kept.append_string("show version")
    kept.append_string("set user eve class operator password Correct.Horse")
    assert lines(tmp_path)[1] == "show version" and "Correct.Horse" not in (tmp_path / "history/bob").read_text()
    assert "Correct.Horse" not in kept.get_strings()[-1], "nor for the arrow keys"
    assert (tmp_path / "history/bob").stat().st_mode & 0o777 == 0o600


def test_a_long_history_is_cut_to_its_newest_lines(tmp_path: Path) -> None:
    kept = history_of(str(tmp_path), "bob")
    for number in range(3):
        kept.append_string(f"show old {number}")
    with open(tmp_path / "history/bob", "a") as file:
        file.writelines(f"\n# then\n+show vports | match {number:06}\n" for number in range(40_000))
    newest = lines(tmp_path)
    assert newest[0] == "show vports | match 039999" and len(newest) == history.KEPT
    assert (tmp_path / "history/bob").stat().st_size < history.LIMIT


def test_a_name_that_is_a_path_and_a_disk_that_is_full_keep_nobody_out(tmp_path: Path) -> None:
    history_of(str(tmp_path), "../../eve").append_string("x")
    assert [path.name for path in (tmp_path / "history").iterdir()] == ["eve"]
    (tmp_path / "state").write_text("not a directory")
    history_of(str(tmp_path / "state"), "bob").append_string("x")
