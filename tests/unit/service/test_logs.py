"""The log: three forms of a record, none of which a stranger's text can forge, and files that logrotate moves away."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nshell.serving import logs

ROOT = Path(__file__).parents[3]
FORGED = "x\n2026-01-01 00:00:00,000 level=ERROR logger=nshell.service forged\r\x1b[2J\u009b"


@pytest.fixture
def record() -> logging.LogRecord:
    return logging.LogRecord("nshell.session", logging.WARNING, __file__, 1, "user %s failed", (FORGED,), None)


@pytest.fixture
def speaking() -> Iterator[None]:
    token = logs.speaker.set(("anna", "ssh 192.0.2.9:4711"))
    yield
    logs.speaker.reset(token)


def with_traceback(record: logging.LogRecord) -> logging.LogRecord:
    try:
        raise ValueError(FORGED)
    except ValueError:
        record.exc_info = sys.exc_info()
    return record


def test_what_a_stranger_calls_itself_forges_no_second_record(record: logging.LogRecord) -> None:
    assert len(logs.Text().format(record).splitlines()) == 1
    assert len(logs.Journal().format(record).splitlines()) == 1
    assert len(logs.Json().format(record).splitlines()) == 1
    record = with_traceback(record)
    first, *rest = logs.Text().format(record).splitlines()
    assert "level=WARNING logger=nshell.session" in first
    assert len(rest) > 3 and all(line.startswith(logs.INDENT) for line in rest)
    assert all(line.startswith("<4>") for line in logs.Journal().format(record).splitlines())
    assert len(logs.Json().format(record).splitlines()) == 1


@pytest.mark.parametrize("form", [logs.Text, logs.Journal, logs.Json])
def test_no_control_character_reaches_whoever_reads_the_log(
    record: logging.LogRecord, form: type[logging.Formatter]
) -> None:
    text = form().format(with_traceback(record))
    assert not {character for character in text if ord(character) < 32 or 127 <= ord(character) < 160} - {"\n"}


def test_json_has_time_level_logger_and_who_it_is_about(record: logging.LogRecord, speaking: None) -> None:
    record.created, record.msecs = 1767225600.5, 500.0
    said = json.loads(logs.Json().format(with_traceback(record)))
    assert said["time"] == "2026-01-01T00:00:00.500Z"
    assert (said["level"], said["logger"]) == ("warning", "nshell.session")
    assert (said["user"], said["origin"]) == ("anna", "ssh 192.0.2.9:4711")
    assert said["message"] == f"user {FORGED} failed"
    assert said["traceback"].startswith("Traceback")


def test_text_says_who_it_is_about_once(speaking: None) -> None:
    plain = logging.LogRecord("nshell.session", logging.INFO, __file__, 1, "commit", (), None)
    assert logs.Text().format(plain).endswith("logger=nshell.session user='anna' origin='ssh 192.0.2.9:4711' commit")
    named = logging.LogRecord("nshell.session", logging.INFO, __file__, 1, "user=%s commit", ("bo",), None)
    assert logs.Text().format(named).endswith("logger=nshell.session origin='ssh 192.0.2.9:4711' user=bo commit")


def test_what_a_message_says_as_name_and_value_is_a_member_in_json(speaking: None) -> None:
    message = "user=%s took=%.1f code=%d 50%% of %d retries left, reason=%r"
    arguments = ("bo", 0.25, 3, 7, "x time=1 level=error")
    record = logging.LogRecord("nshell.session", logging.INFO, __file__, 1, message, arguments, None)
    said = json.loads(logs.Json().format(record))
    assert (said["user"], said["took"], said["code"], said["reason"]) == ("bo", 0.25, 3, "x time=1 level=error")
    assert (said["origin"], said["level"]) == ("ssh 192.0.2.9:4711", "info")
    assert "retries" not in said and "time" in said
    forging = logging.LogRecord("x", logging.INFO, __file__, 1, "level=%s message=%s", ("debug", "forged"), None)
    said = json.loads(logs.Json().format(forging))
    assert (said["level"], said["message"]) == ("info", "level=debug message=forged")


def test_a_file_goes_on_under_its_name_when_logrotate_moved_it(tmp_path: Path) -> None:
    script = (
        "import logging, os, sys; from nshell.serving import logs\n"
        "handler = logs.set_up(sys.argv[1], '', 'info'); logging.info('one')\n"
        "os.rename(sys.argv[1], sys.argv[1] + '.1'); handler.reopen()\n"
        "logging.info('two'); print('from python', flush=True)"
    )
    path = tmp_path / "deep" / "nshell.log"
    path.parent.mkdir()
    with path.open("ab") as stream:
        subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=stream, stderr=stream, check=True)
    assert (tmp_path / "deep" / "nshell.log.1").read_text().endswith("one\n")
    assert path.read_text().splitlines()[0].endswith("two")
    assert path.read_text().endswith("from python\n")


def test_a_log_that_cannot_be_opened_again_goes_on_in_its_former_file(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "nshell.log"
    path.parent.mkdir()
    handler = logs.LogFile(path)
    (tmp_path / "folder").rename(tmp_path / "gone")
    with pytest.raises(OSError):
        handler.reopen()
    handler.setFormatter(logs.Text())
    handler.emit(logging.LogRecord("nshell", logging.INFO, "", 1, "still here", (), None))
    handler.close()
    assert (tmp_path / "gone" / "nshell.log").read_text().endswith("still here\n")


def test_the_journal_is_recognised_by_device_and_inode() -> None:
    status = os.fstat(2)
    assert logs.to_the_journal({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    assert not logs.to_the_journal({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
    assert not logs.to_the_journal({"JOURNAL_STREAM": "garbage"})
    assert not logs.to_the_journal({})
