"""The service beside a pretended speaker, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path as FilePath

import pytest

import controller.bgp.sessions
from tests.unit.bgp.service_bench import PretendSpeaker, Wan


@pytest.fixture
async def wan(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wan]:
    PretendSpeaker.made.clear()
    monkeypatch.setattr(controller.bgp.sessions, "ExabgpSpeaker", PretendSpeaker)
    made = Wan(tmp_path)
    await made.begin()
    yield made
    await made.bgp.stop()
    await made.upkeep.stop()
    made.store.close()
