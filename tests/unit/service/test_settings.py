"""The daemon's own settings: what wins, and what an error says."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import CommandFailed
from nshell.serving.settings import CHECKS, Settings, settle

ROOT = Path(__file__).parents[3]


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "nshell.conf"
    file.write_text("# ours\n\nlog-level = debug\nlog-format=json\n  log = /var/log/x.log  \n")
    assert settle({}, {}, str(file)) == Settings("/var/log/x.log", "debug", "json", "")
    environment = {"NSHELL_LOG_LEVEL": "warning", "NSHELL_LOG_FORMAT": "text", "NSHELL_GROUP": ""}
    assert settle({"log-format": "journal"}, environment, str(file)) == Settings(
        "/var/log/x.log", "warning", "journal", ""
    )
    assert settle({}, {}, str(tmp_path / "absent")) == Settings()


@pytest.mark.parametrize(
    ("line", "cause", "remedy"),
    [
        ("log-level = loud", "'loud' is no log-level", "choose debug, info, warning or error"),
        ("log-format = xml", "'xml' is no log-format", "choose text, json or journal"),
        ("log = nshell.log", "'nshell.log' is no log", "whole path"),
        ("group = no-such-group-here", "no group", "groupadd"),
        ("loglevel = info", "there is no setting 'loglevel'", ", ".join(CHECKS)),
        ("log-level", "is not 'name = value'", "log-level = info"),
        ("log-level =", "is not 'name = value'", "log-level = info"),
        ("log-level = info\nlog-level = debug", "a second time", "remove one"),
    ],
)
def test_an_error_in_the_file_names_file_and_line_and_what_to_write(
    tmp_path: Path, line: str, cause: str, remedy: str
) -> None:
    file = tmp_path / "nshell.conf"
    file.write_text(f"# a comment\n{line}\n")
    with pytest.raises(CommandFailed) as caught:
        settle({}, {}, str(file))
    last = 2 + line.count("\n")
    assert caught.value.where == f"{file} line {last}"
    assert cause in caught.value.cause
    assert remedy in caught.value.remedy


def test_an_error_elsewhere_names_the_variable_or_the_option(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    with pytest.raises(CommandFailed) as caught:
        settle({}, {"NSHELL_LOG_LEVEL": "loud"}, absent)
    assert caught.value.where == "NSHELL_LOG_LEVEL"
    with pytest.raises(CommandFailed) as caught:
        settle({"log-level": "loud"}, {}, absent)
    assert caught.value.where == "--log-level"
    with pytest.raises(CommandFailed) as caught:
        settle({}, {}, absent, must_exist=True)
    assert (caught.value.where, caught.value.cause) == (absent, "there is no such file")
    with pytest.raises(CommandFailed, match="directory"):
        settle({}, {}, str(tmp_path))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandFailed, match="UTF-8"):
        settle({}, {}, str(tmp_path / "binary"))


def test_the_file_that_is_installed_sets_nothing_and_shows_every_setting(tmp_path: Path) -> None:
    shipped = ROOT / "packaging/etc/nshell.conf"
    assert settle({}, {}, str(shipped)) == Settings()
    for name in CHECKS:
        assert f"# {name} = " in shipped.read_text()
