"""The pair of routers, one for the tests of a module, and a driver that leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controller.pe.frr import FrrDriver
from tests.conftest import cannot_run
from tests.system.wan.frr.pair import RELOAD, Pair, running


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    if not RELOAD.exists():
        cannot_run("the FRR driver's tests need frr and frr-pythontools")
    pair = Pair(tmp_path_factory.mktemp("frr"))
    try:
        pair.start()
        yield pair
    finally:
        pair.close()


@pytest.fixture
def driver(pair: Pair) -> Iterator[FrrDriver]:
    """A driver whose router gets back the configuration it had."""
    driver = pair.driver()
    before = running(driver)
    try:
        yield driver
    finally:
        if driver.has_pending_commit():
            driver.rollback()
        if running(driver) != before:
            driver.load_replace_candidate(config=before)
            driver.commit_config()
        driver.close()
