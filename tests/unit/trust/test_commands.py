"""What `request dvrs ... join-token` tells a hypervisor to dial, and what `show certificates` says of each."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import pytest

from commands.language.registry import Arguments
from commands.request_dvrs import identity, join_token, state
from data.errors import CommandFailed, NothingThere
from data.schema.objects import Controller, Dvrs
from data.store.trust import CertificateRow
from tests.unit.shell.pretend import running


class Office:
    """Gives one token and knows one certificate."""

    asked: tuple[str, int] | None = None

    async def join_token(self, system_id: str, minutes: int) -> str:
        self.asked = (system_id, minutes)
        return "t1.A.B"

    def certificates(self) -> tuple[CertificateRow, ...]:
        return (CertificateRow("AA", "gone", 1.0, 2.0),)


def fabric(settings: Controller, item: Dvrs | None = None) -> SimpleNamespace:
    configuration = running("set dvrs hv1 tunnel-address 192.0.2.11")
    edits = {("controller",): settings} | ({} if item is None else {("dvrs", "hv2"): item})
    configuration.apply(edits, 2)
    return SimpleNamespace(running=configuration, trust=Office())


async def line(settings: Controller, name: str = "hv1", item: Dvrs | None = None, **values: str) -> list[str]:
    context = SimpleNamespace(fabric=fabric(settings, item))
    found = await join_token(context, Arguments({"dvrs": name, **values}, frozenset()))  # type: ignore[arg-type]
    assert len(found.lines) == 1
    return shlex.split(found.lines[0])


async def test_the_line_is_short_where_everything_is_as_usual() -> None:
    words = await line(Controller(uuid="u", listen_address="192.0.2.1"))
    assert words == "nshell agent join --controller 192.0.2.1 --system-id hv1 --token t1.A.B".split()


async def test_other_ports_and_another_system_id_are_said() -> None:
    settings = Controller(uuid="u", listen_address="192.0.2.1", ovsdb_port=1, openflow_port=2, agent_port=3)
    words = await line(settings, "hv2", Dvrs(uuid="v", system_id="node two"), minutes="5")
    assert words[3:-2] == [
        "--controller", "192.0.2.1:1", "--system-id", "node two", "--openflow-port", "2", "--agent-port", "3",
    ]  # fmt: skip


async def test_where_it_listens_everywhere_the_address_is_the_one_that_reaches_the_hypervisor() -> None:
    item = Dvrs(uuid="v", tunnel_address="127.0.0.9")
    assert (await line(Controller(uuid="u", listen_address="0.0.0.0"), "hv2", item))[4] == "127.0.0.1"


async def test_a_controller_that_nobody_reaches_says_so_instead() -> None:
    with pytest.raises(CommandFailed, match=r"listens on 127\.0\.0\.1 alone"):
        await line(Controller(uuid="u"))


async def test_a_hypervisor_that_is_not_configured_gets_no_token_and_is_revoked_by_its_certificates() -> None:
    settings = Controller(uuid="u", listen_address="192.0.2.1")
    with pytest.raises(NothingThere):
        await line(settings, "hv9")
    context = SimpleNamespace(fabric=fabric(settings, Dvrs(uuid="v", system_id="other")))
    assert [identity(context, name) for name in ("hv1", "hv2", "gone")] == ["hv1", "other", "gone"]  # type: ignore[arg-type]
    with pytest.raises(NothingThere):
        identity(context, "hv9")  # type: ignore[arg-type]


def test_the_state_of_a_certificate_is_what_it_is_worth() -> None:
    rows = {
        "revoked": CertificateRow("A", "hv1", 1.0, 90.0, 5.0),
        "expired": CertificateRow("B", "hv1", 1.0, 10.0),
        "superseded": CertificateRow("C", "hv1", 2.0, 90.0),
        "valid": CertificateRow("D", "hv1", 3.0, 90.0),
    }
    assert {word: state(row, {"hv1": "D"}, 20.0) for word, row in rows.items()} == {word: word for word in rows}
