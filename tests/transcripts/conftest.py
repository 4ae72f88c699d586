"""Fixtures and options of the transcript tests: a daemon per test, and `--update-transcripts`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transcripts.shell import Shell


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-transcripts", action="store_true", help="write what was said into the transcripts")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell with a daemon of its own, ended after the test; a traceback in its log fails the test."""
    made = Shell(tmp_path)
    try:
        yield made
    finally:
        made.end()
    assert "Traceback" not in made.log(), made.log()
