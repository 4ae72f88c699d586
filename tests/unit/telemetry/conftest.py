"""An archive that is open, in a folder of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.telemetry.archive import FILE, Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive(tmp_path / FILE)
    assert opened.open() is None
    yield opened
    opened.close()
