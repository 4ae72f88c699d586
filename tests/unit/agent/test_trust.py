"""The agent's key and certificates as files: whole or not at all, and for nobody else."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from agent import keys
from agent.host import OvsLocation
from agent.trust import SYSTEM_DIRECTORY, Files, Granted
from controller.trust.authority import Authority
from data.errors import CommandFailed


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "controller")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "ovs").mkdir()
    return Files(OvsLocation.choose(str(tmp_path / "ovs"), environ={}))


def signer(authority: Authority, lifetime: timedelta = timedelta(days=90)) -> object:
    return lambda name, request: Granted(authority.sign(name, request, time.time(), lifetime).pem, authority.pem)


def test_the_systems_own_open_vswitch_has_its_files_in_etc() -> None:
    assert Files(OvsLocation.choose(environ={})).directory == SYSTEM_DIRECTORY


def test_a_certificate_is_obtained_and_replaced_with_its_key_in_one_file(files: Files, authority: Authority) -> None:
    files.obtain("hv1", signer(authority))  # type: ignore[arg-type]
    first = files.identity.read_text()
    assert first.count("PRIVATE KEY") == 2 and first.count("BEGIN CERTIFICATE") == 1
    assert files.facts() is not None and files.facts().system_id == "hv1"  # type: ignore[union-attr]
    files.context()
    files.obtain("hv1", signer(authority))  # type: ignore[arg-type]
    assert files.identity.read_text() != first
    assert {file.name: file.stat().st_mode & 0o777 for file in files.directory.iterdir()} == {
        "hypervisor.pem": 0o600, "authority.pem": 0o600,
    }  # fmt: skip
    assert files.remove() and not files.directory.exists() and not files.remove()


def test_a_certificate_for_somebody_else_is_not_installed(files: Files, authority: Authority, tmp_path: Path) -> None:
    other = Authority.open(tmp_path / "other")

    def of_another_name(name: str, request: str) -> Granted:
        return Granted(authority.sign("hv2", request, time.time()).pem, authority.pem)

    def of_another_key(name: str, request: str) -> Granted:
        return Granted(authority.sign(name, keys.new_key()[1], time.time()).pem, authority.pem)

    def of_another_authority(name: str, request: str) -> Granted:
        return Granted(other.sign(name, request, time.time()).pem, authority.pem)

    for sign in (of_another_name, of_another_key, of_another_authority, lambda name, request: Granted("", "")):
        with pytest.raises(CommandFailed, match="not for this host"):
            files.obtain("hv1", sign)
    assert not files.directory.exists()


def test_it_is_renewed_after_two_thirds_of_its_life(files: Files, authority: Authority) -> None:
    assert files.renew_at() is None
    files.obtain("hv1", signer(authority, timedelta(days=90)))  # type: ignore[arg-type]
    due = files.renew_at()
    assert due is not None and abs(due - time.time() - 60 * 86400) < 60
    os.utime(files.identity, (1, time.time() - 80 * 86400))
    assert (files.renew_at() or 0) < time.time() + 34 * 86400


def test_former_files_are_put_back_as_they_were(files: Files, authority: Authority) -> None:
    files.obtain("hv1", signer(authority))  # type: ignore[arg-type]
    former = files.read()
    files.obtain("hv1", signer(authority))  # type: ignore[arg-type]
    assert files.read() != former
    files.write(*former)
    assert files.read() == former
