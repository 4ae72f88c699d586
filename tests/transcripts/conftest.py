"""Fixtures and options of the transcript tests: a daemon per test, and `--update-transcripts`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transcripts.shell import Shell


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-transcripts", action="store_true", help="write what was said into the transcripts")


@pytest.fixture
def shell(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shell]:
    """A shell with a daemon of its own, ended after the test; a traceback in its log fails the test."""
    way = getattr(request.node, "callspec", None)
    made = Shell(tmp_path, ssh=way is not None and way.params.get("way") == "ssh")
    try:
        yield made
    finally:
        made.close()
    assert "Traceback" not in made.log(), made.log()
