"""The option that writes frames anew, and the fixed time."""

from __future__ import annotations

import pytest

from tests.unit.dashboard.pretend import frozen

__all__ = ["frozen"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-frames", action="store_true", help="write what is on the screens into frames/")
