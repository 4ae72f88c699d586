"""The FRR driver's commits on a real router: what is refused, confirmed, reverted, rolled back, and by whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from napalm.base import exceptions

from controller.pe.frr import FrrDriver
from nshell.lab.probing import wait_until
from tests.system.wan.frr.pair import PATIENCE, SECRET, Pair, described, merge, running, startup


def test_the_running_configuration_as_a_candidate_changes_nothing(driver: FrrDriver) -> None:
    driver.load_replace_candidate(config=running(driver))
    assert driver.compare_config() == ""


def test_a_replacement_is_compared_committed_saved_and_rolled_back(driver: FrrDriver, tmp_path: Path) -> None:
    before = running(driver)
    candidate = described(before, "near end").replace("ip route 10.77.0.0/16 Null0\n", "")
    (tmp_path / "candidate.conf").write_text(candidate)
    driver.load_replace_candidate(filename=str(tmp_path / "candidate.conf"))
    assert running(driver) == before
    difference = driver.compare_config()
    assert difference.splitlines() == [
        " router bgp 65000",
        "- neighbor 10.9.0.2 description far end",
        "+ neighbor 10.9.0.2 description near end",
        "-ip route 10.77.0.0/16 Null0",
    ]
    driver.commit_config(message="move the far end")
    assert "description near end" in running(driver) and "10.77.0.0/16" not in running(driver)
    assert "description near end" in startup(driver)
    assert driver.compare_config() == "" and not driver.has_pending_commit()
    driver.rollback()
    assert running(driver) == before
    assert "description far end" in startup(driver)
    with pytest.raises(exceptions.CommitError, match="no commit"):
        driver.rollback()


def test_a_merge_adds_and_removes_lines_and_leaves_the_rest(driver: FrrDriver) -> None:
    before = running(driver)
    driver.load_merge_candidate(config=(
        "router bgp 65000\n no neighbor 10.9.0.9\n neighbor 10.9.0.3 remote-as 65003\n"
        " address-family ipv4 unicast\n  network 10.77.0.0/16\n exit-address-family\nexit\n"
    ))  # fmt: skip
    difference = driver.compare_config().splitlines()
    assert "- neighbor 10.9.0.9" in difference
    assert "+ neighbor 10.9.0.3 remote-as 65003" in difference
    assert "+  network 10.77.0.0/16" in difference
    driver.commit_config()
    after = running(driver).splitlines()
    lost = [line for line in before.splitlines() if line not in after]
    assert [line for line in lost if "10.9.0.9" not in line] == []
    assert "  network 10.77.0.0/16" in after


def test_a_discarded_candidate_is_gone(driver: FrrDriver) -> None:
    driver.load_merge_candidate(config=merge("discarded"))
    assert driver.get_config("candidate")["candidate"] == merge("discarded")
    driver.discard_config()
    assert driver.compare_config() == "" and driver.get_config("candidate")["candidate"] == ""
    with pytest.raises(exceptions.CommitError, match="no candidate"):
        driver.commit_config()


@pytest.mark.parametrize("kind", ["merge", "replace"])
@pytest.mark.parametrize("wrong", ["nonsense here", "router bgp 65000\n neighbour 10.9.0.2 shutdown"])
def test_a_syntax_error_is_refused_and_nothing_changes(driver: FrrDriver, kind: str, wrong: str) -> None:
    before = running(driver)
    load: Callable[..., None] = getattr(driver, f"load_{kind}_candidate")
    expected = exceptions.MergeConfigException if kind == "merge" else exceptions.ReplaceConfigException
    with pytest.raises(expected, match="does not understand"):
        load(config=f"{before if kind == 'replace' else ''}{wrong}\n")
    assert driver.compare_config() == ""
    with pytest.raises(exceptions.CommitError):
        driver.commit_config()
    assert running(driver) == before


@pytest.mark.parametrize("kind", ["merge", "replace"])
def test_a_line_the_daemon_refuses_takes_back_the_lines_before_it(driver: FrrDriver, kind: str) -> None:
    before = running(driver)
    # good grammar, and a good line on either side; but the neighbor is none, and the password is a secret
    wrong = (
        "ip route 10.78.0.0/16 Null0\nrouter bgp 65000\n neighbor 10.9.0.2 description changed\n"
        f" neighbor 10.9.0.77 password {SECRET}\n neighbor 10.9.0.9 description changed\nexit\n"
    )
    if kind == "merge":
        driver.load_merge_candidate(config=wrong)
        with pytest.raises(exceptions.MergeConfigException, match="former configuration is back") as caught:
            driver.commit_config()
    else:
        driver.load_replace_candidate(config=f"{before}{wrong}")
        with pytest.raises(exceptions.ReplaceConfigException, match="former configuration is back") as caught:
            driver.commit_config(revert_in=60)
    assert running(driver) == before and not driver.has_pending_commit()
    assert SECRET not in str(caught.value)


def test_a_line_without_its_daemon_is_refused_rather_than_forgotten(driver: FrrDriver) -> None:
    with pytest.raises(exceptions.MergeConfigException, match="needs ospfd"):
        driver.load_merge_candidate(config="router ospf\n network 10.9.0.0/24 area 0\nexit\n")


def test_a_vrf_that_comes_with_its_bgp_instance_arrives_as_written(driver: FrrDriver) -> None:
    vrf = "vrf BLUE\n vni 77\nexit-vrf\n"
    merged = "router bgp 65000\n neighbor 10.9.0.2 timers 5 15\nexit\n"
    driver.load_merge_candidate(config=vrf + merged)
    driver.commit_config()
    with_vrf = running(driver)
    assert "vrf BLUE\n vni 77\n" in with_vrf
    driver.rollback()
    driver.load_replace_candidate(config=with_vrf)
    driver.commit_config()
    assert running(driver) == with_vrf


def test_an_unconfirmed_commit_reverts_by_itself_and_never_reaches_the_startup_configuration(
    driver: FrrDriver,
) -> None:
    before = running(driver)
    driver.load_replace_candidate(config=described(before, "for a while"))
    driver.commit_config(revert_in=3)
    # a loaded machine may be slower than 3 s: look at what cannot have gone wrong by then
    assert "for a while" not in startup(driver)
    assert wait_until(lambda: not driver.has_pending_commit(), PATIENCE)
    assert running(driver) == before
    with pytest.raises(exceptions.CommitConfirmException, match="no commit"):
        driver.confirm_commit()


def test_a_confirmed_commit_stays_and_is_saved(driver: FrrDriver) -> None:
    before = running(driver)
    driver.load_replace_candidate(config=described(before, "for good"))
    driver.commit_config(revert_in=PATIENCE)
    assert driver.has_pending_commit() and "for good" not in startup(driver)
    driver.confirm_commit()
    assert not driver.has_pending_commit()
    assert "for good" in running(driver) and "for good" in startup(driver)
    driver.rollback()
    assert running(driver) == before


def test_a_pending_commit_is_rolled_back_at_once_on_request(driver: FrrDriver) -> None:
    before = running(driver)
    driver.load_merge_candidate(config=merge("pending"))
    driver.commit_config(revert_in=PATIENCE)
    driver.rollback()
    assert running(driver) == before and not driver.has_pending_commit()


def test_two_users_keep_each_others_merges(driver: FrrDriver, pair: Pair) -> None:
    other = pair.driver()
    driver.load_merge_candidate(config=merge("first"))
    other.load_merge_candidate(config=merge("second", neighbor="10.9.0.9"))
    problems: list[BaseException] = []

    def commit(one: FrrDriver) -> None:
        try:
            one.commit_config()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=commit, args=(one,)) for one in (driver, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    after = running(driver)
    assert "10.9.0.2 description first" in after and "10.9.0.9 description second" in after
    other.close()


def test_a_second_user_cannot_commit_over_a_pending_commit_but_may_confirm_it(driver: FrrDriver, pair: Pair) -> None:
    other = pair.driver()
    driver.load_merge_candidate(config=merge("mine"))
    other.load_merge_candidate(config=merge("theirs"))
    driver.commit_config(revert_in=PATIENCE)
    assert other.has_pending_commit()
    with pytest.raises(exceptions.CommitError, match="waits to be confirmed"):
        other.commit_config()
    assert "description mine" in running(driver)
    other.confirm_commit()
    assert not driver.has_pending_commit() and "description mine" in startup(driver)
    other.commit_config()  # its candidate is still loaded
    assert "description theirs" in running(driver)
    other.close()


def test_secrets_stay_in_private_files_and_out_of_sanitized_configurations(driver: FrrDriver, pair: Pair) -> None:
    driver.load_merge_candidate(config=f"router bgp 65000\n neighbor 10.9.0.9 password {SECRET}\nexit\n")
    driver.commit_config(revert_in=PATIENCE)
    assert SECRET in running(driver)
    assert SECRET not in str(driver.get_config(sanitized=True))
    assert driver.get_bgp_config(neighbor="10.9.0.9")["_"]["neighbors"]["10.9.0.9"]["authentication_key"] == SECRET
    files = [one for one in pair.state.rglob("*") if one.is_file()]
    assert any(SECRET in one.read_text() for one in files)
    assert {one.stat().st_mode & 0o077 for one in [pair.state, *files]} == {0}
    log = Path("/var/log/frr/frr-reload.log")
    assert not log.exists() or SECRET not in log.read_text()
    driver.rollback()
