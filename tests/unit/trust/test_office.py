"""Join tokens, certificates, renewal and revocation, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent import keys
from agent.enrolment import Token
from controller.events import Events
from controller.trust import tokens
from controller.trust.door import Credential
from controller.trust.office import Trust
from data.errors import CommandFailed
from data.store import Store
from data.store.trust import VALID_AT_ONCE, CertificateRow, TrustStore

PEER = "192.0.2.7:4711"


class Office:
    """Trust over a store, with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.now = 1.8e9
        self.store = Store.open(folder)
        self.events = Events()
        self.cut: list[tuple[str, str]] = []
        self._writer = ThreadPoolExecutor(1)
        self.trust = self.another()

    def another(self) -> Trust:
        """As after a restart."""
        trust = Trust(self.store, self.submit, self.events, lambda: self.now)
        trust.cut = lambda system_id, reason: self.cut.append((system_id, reason)) or 3  # type: ignore[func-returns-value]
        return trust

    async def submit(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._writer, lambda: work(*args, **kwargs))

    async def secret(self, name: str, minutes: int = 60) -> str:
        return Token.read(await self.trust.join_token(name, minutes)).secret

    async def join(self, name: str, secret: str, peer: str = PEER) -> Credential:
        await self.trust.enrol(name, secret, keys.new_key()[1], peer)
        return Credential(name, [row.serial for row in self.trust.certificates() if row.system_id == name][-1])


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path)
    await office.trust.start()
    yield office
    await office.trust.stop()
    office.store.close()


async def test_a_token_carries_the_fingerprint_and_only_a_hash_of_it_is_kept(office: Office) -> None:
    text = await office.trust.join_token("hv1")
    token = Token.read(text)
    assert token.fingerprint == keys.fingerprint(await office.trust.authority_pem())
    kept = office.store.rows("SELECT system_id, digest FROM join_token")
    assert kept == [("hv1", tokens.digest(token.secret))] and token.secret not in str(kept)
    assert all(token.secret not in event.text for event in office.events)


async def test_a_token_works_once_for_one_hypervisor_and_for_its_time(office: Office) -> None:
    first = await office.secret("hv1")
    secret = await office.secret("hv1")
    for name, wrong in (("hv1", first), ("hv2", secret), ("hv1", secret + "x"), ("hv1", ""), ("hv1", "\udcff")):
        with pytest.raises(CommandFailed, match="no token for"):
            await office.join(name, wrong)
    credential = await office.join("hv1", secret)
    assert await office.trust.objection(credential) is None
    with pytest.raises(CommandFailed):
        await office.join("hv1", secret)
    secret = await office.secret("hv1", minutes=5)
    office.now += 301
    with pytest.raises(CommandFailed):
        await office.join("hv1", secret)


async def test_of_two_that_bring_a_token_at_the_same_time_one_gets_a_certificate(office: Office) -> None:
    secret = await office.secret("hv1")
    tried = await asyncio.gather(*(office.join("hv1", secret) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, Credential) for one in tried) == 1
    assert len(office.trust.certificates()) == 1


async def test_who_brings_wrong_tokens_waits_and_others_do_not(office: Office) -> None:
    secret = await office.secret("hv1")
    for _ in range(tokens.FAILURES):
        with pytest.raises(CommandFailed, match="no token"):
            await office.join("hv1", "wrong")
    with pytest.raises(CommandFailed, match="too many wrong tokens"):
        await office.join("hv1", secret)
    await office.join("hv1", secret, "192.0.2.8:1")
    office.now += tokens.WINDOW + 1
    await office.join("hv1", await office.secret("hv1"))


async def test_strangers_are_not_told_which_hypervisors_there_are(office: Office) -> None:
    secret, request = await office.secret("hv1"), keys.new_key()[1]
    said = []
    for name, configured, given in (
        ("hv1", True, "wrong"),
        ("hv2", False, secret),
        ("\ud800", False, ""),
        ("", False, ""),
    ):
        with pytest.raises(CommandFailed) as caught:
            await office.trust.enrol(name, given, request, PEER, configured=configured)
        said.append(
            (caught.value.cause.replace(f" {name},", " NAME,"), caught.value.remedy.replace(f" {name} ", " NAME "))
        )
    assert len(set(said)) == 1
    with pytest.raises(CommandFailed, match="no token"):
        await office.trust.enrol("hv1", secret, request, PEER, configured=False)
    await office.join("hv1", secret)


async def test_a_failed_request_does_not_use_the_token_up(office: Office) -> None:
    secret = await office.secret("hv1")
    with pytest.raises(CommandFailed):
        await office.trust.enrol("hv1", secret, "no request", PEER)
    await office.join("hv1", secret)


async def test_revocation_is_of_one_hypervisor_lasts_over_a_restart_and_voids_its_token(office: Office) -> None:
    mine, other = [await office.join(name, await office.secret(name)) for name in ("hv1", "hv2")]
    secret = await office.secret("hv1")
    assert await office.trust.revoke("hv1") == (1, 3) and [name for name, _ in office.cut] == ["hv1"]
    assert "revoked" in (await office.trust.objection(mine) or "") and await office.trust.objection(other) is None
    with pytest.raises(CommandFailed):
        await office.join("hv1", secret)
    again = office.another()
    await again.start()
    assert "revoked" in (await again.objection(mine) or "") and await again.objection(other) is None
    await again.stop()
    with pytest.raises(CommandFailed):
        await office.trust.renew(mine, keys.new_key()[1])


async def test_renewal_leaves_the_former_good_and_is_not_given_without_end(office: Office) -> None:
    credential = await office.join("hv1", await office.secret("hv1"))
    with pytest.raises(CommandFailed, match="too young"):
        await office.trust.renew(credential, keys.new_key()[1])
    office.now += 60 * 86400
    given = await office.trust.renew(credential, keys.new_key()[1])
    assert keys.facts(given["certificate"]).system_id == "hv1"
    assert await office.trust.objection(credential) is None
    for _ in range(VALID_AT_ONCE):
        office.now += 10 * 86400
        if await office.trust.objection(credential) is None:
            await office.trust.renew(credential, keys.new_key()[1])
    assert "revoked" in (await office.trust.objection(credential) or ""), "the oldest of too many"
    assert sum(row.revoked is None for row in office.trust.certificates()) == VALID_AT_ONCE


async def test_a_revocation_between_question_and_signature_wins(office: Office) -> None:
    credential = await office.join("hv1", await office.secret("hv1"))
    office.now += 60 * 86400
    revoking = asyncio.create_task(office.trust.revoke("hv1"))
    await asyncio.sleep(0)
    with pytest.raises(CommandFailed):
        await office.trust.renew(credential, keys.new_key()[1])
    await revoking
    assert all(row.revoked is not None for row in office.trust.certificates())


async def test_a_serial_that_was_never_issued_or_is_another_hypervisors_is_not_good(office: Office) -> None:
    credential = await office.join("hv1", await office.secret("hv1"))
    for wrong in (Credential("hv1", "ABCD"), Credential("hv2", credential.serial)):
        assert "not one that was issued here" in (await office.trust.objection(wrong) or "")


async def test_a_certificate_that_a_lab_wrote_down_meanwhile_is_good(office: Office) -> None:
    TrustStore(office.store).add(CertificateRow("AA", "hv1", office.now, office.now + 9))
    assert await office.trust.objection(Credential("hv1", "AA")) is None


async def test_what_expired_long_ago_is_forgotten(office: Office) -> None:
    rows = TrustStore(office.store)
    rows.add(CertificateRow("AA", "hv1", 1.0, 2.0))
    rows.add(CertificateRow("BB", "hv1", 1.0, office.now))
    rows.forget(office.now - 1)
    assert [row.serial for row in rows.certificates()] == ["BB"]


async def test_a_hypervisor_that_does_not_renew_is_told_of_once(office: Office) -> None:
    await office.join("hv1", await office.secret("hv1"))
    office.now += 80 * 86400
    for _ in range(2):
        office.trust._warn()
    assert [event.text for event in office.events if "expires" in event.text] == [
        "the certificate of hv1 expires in 10 days; does 'nshell agent run' run there?"
    ]


@pytest.mark.parametrize("text", ["", "t1", "t1.x.y", "t2." + "A" * 43 + ".secret", "t1." + "A" * 43 + "."])
def test_what_is_no_token_is_refused_at_the_hypervisor(text: str) -> None:
    with pytest.raises(CommandFailed, match="no join token"):
        Token.read(text)
