"""One router's session: its thread, its time limits, and that no secret gets out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from napalm.base.mock import MockDriver

import controller.pe.session
from controller.pe import drivers
from controller.pe.drivers import Place, driver_of, rounded
from controller.pe.errors import PeAway, PeRefused
from controller.pe.session import Session
from data.schema.wan import Pe
from tests.unit.pe.devices import HANG, LOSE, REFUSE, Device

UUID = "00000000-0000-4000-8000-000000000001"


def place(driver: str = "junos", directory: Path = Path("/nonexistent"), **more: Any) -> Place:
    return Place(Pe(uuid=UUID, driver=driver, address="r1", password="hunter2", **more), directory)


def session(device: Device, driver: str = "junos", limit: float = 30) -> Session:
    # an instance, so that no TCP connection is tried first
    return Session("r1", place(driver, instance="none"), "s3cret", device.driver, limit)


async def test_a_commit_goes_through_load_compare_commit_and_confirm_over_one_connection() -> None:
    device = Device()
    way = session(device)
    assert await way.prepare("set a\nset b\n") == "@@ -0,0 +1,2 @@\n+a\n+b"
    await way.commit("revision 2", 120)
    assert device.lines == ["a", "b"] and device.former == []
    await way.confirm()
    way.close()
    while device.opened:
        await asyncio.sleep(0.01)
    assert device.log == ["open", "load", "compare", "commit", "confirm", "close"]


async def test_a_commit_that_is_rolled_back_leaves_what_was() -> None:
    device = Device()
    device.lines = ["a"]
    way = session(device)
    await way.prepare("set b\n")
    await way.commit("", 120)
    assert device.lines == ["a", "b"]
    await way.rollback()
    assert device.lines == ["a"]
    way.close()


@pytest.mark.parametrize("step", ["load", "compare", "commit", "confirm"])
async def test_a_router_that_says_no_is_told_from_one_that_is_lost_and_the_password_is_hidden(step: str) -> None:
    for fault, kind in ((REFUSE, PeRefused), (LOSE, PeAway)):
        device = Device()
        device.fail[step] = fault
        way = session(device)
        with pytest.raises(kind) as problem:
            await way.prepare("set a")
            await way.commit("", 120)
            await way.confirm()
        assert "hunter2" not in str(problem.value) and "********" in str(problem.value)
        way.close()


async def test_a_router_that_hangs_is_given_up_in_time_and_the_next_question_gets_through() -> None:
    device = Device()
    device.fail["load"] = HANG
    way = session(device, limit=0.2)
    with pytest.raises(PeAway, match=r"no answer in 0\.2 s"):
        await way.prepare("set a")
    assert await session(device).prepare("set b")
    device.hold.set()
    while "close" not in device.log:
        await asyncio.sleep(0.01)


async def test_a_router_that_takes_no_connection_is_away_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller.pe.session, "PROBE", 0.2)
    away = Place(Pe(uuid=UUID, driver="junos", address="127.0.0.1", port=1), Path("/nonexistent"))
    with pytest.raises(PeAway, match=r"127\.0\.0\.1 port 1"):
        await Session("r1", away).prepare("set a")


async def test_a_getter_of_the_driver_is_answered_and_one_that_it_has_not_is_refused() -> None:
    way = session(Device())
    assert (await way.ask("get_facts"))["vendor"] == "Fake"
    with pytest.raises(PeRefused):
        await way.ask("get_nonsense")
    way.close()


@pytest.mark.parametrize(("driver", "seconds"), [("junos", 180), ("ios", 180), ("eos", 121), ("frr", 121)])
def test_the_time_until_a_commit_is_undone_is_one_that_the_driver_takes(driver: str, seconds: int) -> None:
    assert rounded(driver, 121) == seconds


@pytest.mark.parametrize("driver", ["eos", "ios", "iosxr", "nxos", "junos", "frr"])
def test_every_driver_is_made_with_host_keys_checked(driver: str, tmp_path: Path) -> None:
    (tmp_path / drivers.KNOWN_HOSTS).write_text("")
    made = driver_of(place(driver, tmp_path))
    if driver == "junos":
        assert made.device._hostkey_verify is True
        assert str(tmp_path) in Path(made.ssh_config_file).read_text()
    elif driver == "frr":
        assert made._access.options.get("ssh_strict", True) is True and made._access.options["alt_host_keys"]
    else:
        options = made.device.netmiko_kwargs if driver == "iosxr" else made.netmiko_optional_args
        assert options["ssh_strict"] is True and options["alt_key_file"] == str(tmp_path / drivers.KNOWN_HOSTS)


def _answers(folder: Path, **answers: str) -> Path:
    for name, text in answers.items():
        for number in (1, 2):
            (folder / f"{name}.{number}").write_text(text)
    return folder


@pytest.mark.parametrize("driver", ["eos", "ios", "iosxr", "nxos", "junos"])
async def test_napalms_own_mock_goes_through_a_commit_and_a_rollback(driver: str, tmp_path: Path) -> None:
    answers = _answers(
        tmp_path, load_merge_candidate="{}", compare_config='{"diff": "+a"}', commit_config="{}",
        confirm_commit="{}", discard_config="{}",
    )  # fmt: skip

    def mock(_: Place) -> MockDriver:
        return MockDriver("r1", "", "", optional_args={"path": str(answers), "profile": [driver]})

    way = Session("r1", place(driver, instance="none"), make=mock)
    assert await way.prepare("a") == "+a"
    await way.commit("revision 2", 60)
    assert await way.pending() is way.timed
    await way.confirm()
    assert not await way.pending()
    assert await way.prepare("a") == "+a"
    await way.commit("revision 3", 60)
    await way.rollback()
    assert not await way.pending()
    way.close()


def test_drivers_with_a_timed_revert_are_those_of_napalm_that_have_one() -> None:
    """So that a later NAPALM that learns it for the others is noticed."""
    for name in drivers.TIMED | {"iosxr", "nxos"}:
        made = driver_of(place(name))
        if name in ("iosxr", "nxos"):
            with pytest.raises(NotImplementedError, match="confirm"):
                made.commit_config(revert_in=60)
        else:
            assert "revert_in" in type(made).commit_config.__code__.co_varnames
