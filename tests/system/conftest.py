"""What the tests of the fabric stand on, made anew for each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path as FilePath

import pytest_asyncio

from tests.system.site import Site


@pytest_asyncio.fixture
async def site(tmp_path: FilePath) -> AsyncIterator[Site]:
    site = Site(tmp_path / "state")
    await site.start()
    try:
        yield site
    finally:
        await site.close()
