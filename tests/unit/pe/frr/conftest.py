"""Hooks NAPALM's tests of drivers into pytest: their cases are the directories under mocked_data."""

from __future__ import annotations

import pytest
from napalm.base.test import conftest as napalm_conftest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    napalm_conftest.pytest_generate_tests(metafunc, __file__)
