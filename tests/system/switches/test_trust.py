"""Trust with real Open vSwitch over TLS: joining by token, impostors on either side, revocation, renewal, restarts.

One controller in this process and one lab serve all tests of this file, in their order; hypervisors begin outside.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from agent import keys
from agent.host import Ovs, run
from agent.main import main
from commands.language.registry import Arguments
from commands.request_dvrs import show_certificates
from controller.hypervisors.bridges import datapath_id
from controller.openflow import wire
from controller.topology import Standing
from controller.trust import office
from controller.trust.authority import Authority
from data.errors import CommandFailed
from data.schema.objects import Dvrs
from tests.system.switches.trusted import HYPERVISORS, Trusted

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trusted]:
    place = Trusted(tmp_path_factory.mktemp("trust"))
    try:
        await place.open()
        yield place
    finally:
        await place.close()


def hello(name: str) -> bytes:
    params = {"system_id": name, "version": "t"}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "hello", "params": params}).encode() + b"\n"


def greeting(number: int) -> bytes:
    """An OpenFlow HELLO, and the answer to the controller's second message, its FEATURES_REQUEST (xid 3)."""
    features = struct.pack("!QIBB2xII", number, 0, 254, 0, 0, 0)
    hello = wire.message(wire.HELLO, 1, struct.pack("!HHI", 1, 8, 1 << 5))
    return hello + wire.message(wire.FEATURES_REPLY, 3, features)


async def database_of(place: Trusted, context: ssl.SSLContext, system_id: str) -> bytes:
    """Pretends to be a database with this system-id; what came after it had said so."""
    reader, writer = await place.dial(place.settings.ovsdb_port, context)
    try:
        question = json.loads(await reader.readuntil(b"}"))
        writer.write(json.dumps({"id": question["id"], "result": ["Open_vSwitch"], "error": None}).encode())
        await reader.readuntil(b'"monitor"')
        row = {
            "bridges": ["set", []], "external_ids": ["map", [["system-id", system_id]]], "other_config": ["map", []],
            "ovs_version": "3.1.0", "next_cfg": 1, "cur_cfg": 1, "manager_options": ["set", []],
        }  # fmt: skip
        result = {"Open_vSwitch": {"00000000-0000-4000-8000-000000000000": {"new": row}}}
        writer.write(json.dumps({"id": question["id"] + 1, "result": result, "error": None}).encode())
        async with asyncio.timeout(5):
            return await reader.read()
    except asyncio.IncompleteReadError as end:
        return end.partial
    finally:
        writer.close()


def outsider() -> ssl.SSLContext:
    """TLS that believes anybody and has no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def forged(folder: Path, name: str) -> ssl.SSLContext:
    """TLS with a certificate of that name by another authority."""
    authority = Authority.open(folder / "other")
    key, request = keys.new_key()
    file = folder / "forged.pem"
    file.write_text(key + authority.sign(name, request, time.time()).pem)
    context = outsider()
    context.load_cert_chain(file)
    return context


async def test_nobody_gets_in_without_a_certificate_of_ours_and_no_event_is_made_of_it(
    place: Trusted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ovsdb, openflow, agent = place.ports
    before = len(place.fabric.events)
    with caplog.at_level(logging.WARNING):
        for context in (None, outsider(), forged(tmp_path, "hv1")):
            began = time.monotonic()
            assert await place.refused(ovsdb, context, b"") == b"", "silence is no handshake either"
            assert time.monotonic() - began < 10
            assert await place.refused(openflow, context, greeting(1)) == b""
            assert await place.refused(agent, context, hello("hv1")) == b""
    assert place.told_since(before) == []
    assert "certificate" in caplog.text and "no TLS" in caplog.text
    assert all(place.state(name) is Standing.AWAY for name in HYPERVISORS), "they dial in the clear"


async def test_the_line_that_is_printed_joins_a_hypervisor_and_its_flows_are_programmed(place: Trusted) -> None:
    await place.join("hv1", await place.line("hv1"))
    await place.ready("hv1")
    assert await place.difference("hv1") == [] and await place.fabric.flow_count("hv1")
    shown = await place.vsctl("hv1", "show")
    assert shown.count('"ssl:') == 2 and "tcp:" not in shown
    for file in (place.files("hv1").identity, place.files("hv1").authority):
        assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in place.files("hv1").authority.read_text()
    shown = await show_certificates(SimpleNamespace(fabric=place.fabric), Arguments({"dvrs": "hv1"}, frozenset()))  # type: ignore[arg-type,assignment]
    assert [(row[0], row[4]) for row in shown.rows] == [("hv1", "valid")]  # type: ignore[attr-defined]
    before = place.files("hv1").read()
    await place.agent(
        "hv1", "join", "--controller", f"{place.lab.controller_address}:{place.ports[0]}", "--openflow-port",
        str(place.ports[1]), "--agent-port", str(place.ports[2]), "--datapath", "netdev",
    )  # fmt: skip
    assert place.files("hv1").read() == before, "joining again needs no token and changes nothing"


async def test_a_token_that_is_not_good_changes_nothing_on_the_host(
    place: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await place.line("hv2")
    changed = good[:-1] + ("a" if good[-1] != "a" else "b")
    of_another = (await place.line("hv3")).replace("--system-id hv3", "--system-id hv2")
    unknown = good.replace("--system-id hv2", "--system-id hv9")
    used = await place.line("hv1")
    await place.join("hv1", used)
    clock = place.fabric.trust._clock
    before = await place.vsctl("hv2", "list", "Open_vSwitch"), place.files("hv2").read()
    for name, line, reason in (
        ("hv2", changed, "no token for hv2"),
        ("hv2", of_another, "no token for hv2"),
        ("hv2", unknown, "no token for hv9"),
        ("hv1", used, "no token for hv1"),
        ("hv2", good.replace(" t1.", " t1.A"), "no join token"),
        ("hv2", good.replace(place.lab.controller_address, "127.0.0.1"), "needs none"),
        ("hv2", shlex.join(shlex.split(good)[:-2]), "has no certificate of hv2"),
    ):
        with pytest.raises(CommandFailed, match=reason):
            await place.join(name, line)
    monkeypatch.setattr(place.fabric.trust, "_clock", lambda: clock() + 3601)
    with pytest.raises(CommandFailed, match="its time is over"):
        await place.join("hv2", good)
    monkeypatch.undo()
    assert (await place.vsctl("hv2", "list", "Open_vSwitch"), place.files("hv2").read()) == before
    secret = good.rpartition(".")[2]
    assert not any(secret in event.text for event in place.fabric.events)
    await place.ready("hv1")


async def test_one_hypervisor_cannot_be_another_on_any_of_the_three(place: Trusted) -> None:
    await place.joined("hv1", "hv2", "hv3")
    context = await asyncio.to_thread(place.files("hv2").context)
    item = place.fabric.running.get(("dvrs", "hv3"))
    assert isinstance(item, Dvrs)
    before = len(place.fabric.events)
    channels = place.fabric.network.channels
    kept = channels["hv3"].switch
    answer = await place.refused(place.settings.agent_port, context, hello("hv3"))
    assert "its certificate is that of hv2" in json.loads(answer)["error"]["message"]
    await place.refused(place.settings.openflow_port, context, greeting(datapath_id(item)))
    assert b"transact" not in await database_of(place, context, "hv3")
    told = place.told_since(before)
    for protocol in ("OpenFlow", "OVSDB"):
        assert any(f"says over {protocol} that it is hv3" in text for text in told)
    assert len(told) == 3 and all(text.startswith(("hv2 ", "agent hv3")) for text in told)
    await place.vsctl("hv2", "set", "Open_vSwitch", ".", "external_ids:system-id=hv3")
    await place.until(lambda: place.state("hv2") is not Standing.READY or not _database(place, "hv2"), "hv2 is let go")
    assert place.told_since(before) == told or all("hv3" not in text[:4] for text in place.told_since(before))
    assert channels["hv3"].switch is kept and place.state("hv3") is Standing.READY
    await place.vsctl("hv2", "set", "Open_vSwitch", ".", "external_ids:system-id=hv2")
    await place.until(lambda: _database(place, "hv2"), "hv2 is itself again")
    await place.ready("hv2")


def _database(place: Trusted, name: str) -> bool:
    return bool(place.fabric.topology.hypervisors[name].ovsdb_peer)


async def test_revocation_ends_every_connection_at_once_and_a_new_token_lets_it_in_again(place: Trusted) -> None:
    await place.joined("hv3")
    await asyncio.to_thread(place.lab.start_agent, "hv3")
    await place.until(lambda: place.fabric.agents.agent("hv3") is not None, "its agent is connected")
    context = await asyncio.to_thread(place.files("hv3").context)
    line = await place.line("hv3")
    certificates, connections = await place.fabric.trust.revoke("hv3")
    assert certificates >= 1 and connections == 3
    assert place.state("hv3") is Standing.AWAY and place.fabric.network.channels["hv3"].switch is None
    for port in place.ports:
        assert await place.refused(port, context, hello("hv3")) == b""
    with pytest.raises(CommandFailed, match="no token for hv3"):
        await place.join("hv3", line)
    await asyncio.sleep(1.5)  # it has dialled in again by then
    assert place.state("hv3") is Standing.AWAY and place.fabric.agents.agent("hv3") is None
    await place.join("hv3", await place.line("hv3"))
    await place.ready("hv3")
    await asyncio.to_thread(place.lab.stop_agent, "hv3")


async def test_the_agent_renews_a_certificate_and_the_next_connection_uses_it(place: Trusted) -> None:
    trust = place.fabric.trust
    trust.lifetime = timedelta(seconds=6)
    await place.join("hv2", await place.line("hv2"))
    trust.lifetime = office.LIFETIME
    first, before = serial(place, "hv2"), place.files("hv2").read()[1]
    await asyncio.to_thread(place.lab.start_agent, "hv2")
    try:
        await place.until(lambda: place.files("hv2").read()[1] != before, "it is renewed")
        assert serial(place, "hv2") != first
        place.fabric._listeners._ovsdb.cut("hv2", "a test")
        place.fabric.network.channels["hv2"].switch.close("a test")  # type: ignore[union-attr]
        await place.until(lambda: used(place, "hv2") == {serial(place, "hv2")}, "the new one is used")
        await place.ready("hv2")
    finally:
        await asyncio.to_thread(place.lab.stop_agent, "hv2")


def serial(place: Trusted, name: str) -> str:
    """The newest certificate of a hypervisor."""
    return [row.serial for row in place.fabric.trust.certificates() if row.system_id == name][-1]


def used(place: Trusted, name: str) -> set[str]:
    """Serials that a hypervisor's OVSDB and OpenFlow connections stand on."""
    listeners = place.fabric._listeners
    every = [*listeners._ovsdb.connections, *listeners._openflow.connections]
    return {one.certificate.serial for one in every if one.certificate and one.certificate.system_id == name}


async def test_a_restarted_controller_is_the_same_to_everybody(place: Trusted) -> None:
    await place.joined("hv1")
    before = (await place.fabric.trust.authority_pem(), place.fabric.trust.certificates())
    await place.stop()
    await place.start()
    assert (await place.fabric.trust.authority_pem(), place.fabric.trust.certificates()) == before
    await place.ready("hv1")


async def test_an_impostor_in_place_of_the_controller_is_refused_by_the_agent_and_by_open_vswitch(
    place: Trusted, tmp_path: Path
) -> None:
    await place.joined("hv1")
    line = await place.line("hv3")
    await place.stop()
    other = Authority.open(tmp_path / "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other.controller(time.time())[0])
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await writer.start_tls(context)
            line = await reader.readline()
            heard.append(line)
            if b'"authority"' in line:
                answer = {"jsonrpc": "2.0", "id": 1, "result": {"authority": await answering()}}
                writer.write(json.dumps(answer).encode() + b"\n")
            await reader.read()
        except (OSError, asyncio.IncompleteReadError) as problem:
            refusals.append(str(problem))
        finally:
            writer.close()

    refusals: list[str] = []
    own, real = other.pem, Authority.open(place.directory / office.DIRECTORY).pem
    pretence = [own]

    async def answering() -> str:
        return pretence[0]

    servers = [await asyncio.start_server(listen, place.lab.controller_address, port) for port in place.ports]
    try:
        with pytest.raises(CommandFailed, match="not the controller that made this token"):
            await place.join("hv3", line)
        pretence[0] = real  # it is no secret, but nobody else can prove to be of it
        with pytest.raises(CommandFailed, match="does not prove to be the controller"):
            await place.join("hv3", line)
        await place.until(lambda: any("unknown ca" in text.lower() for text in refusals), "Open vSwitch refuses it")
        assert not any(line.rpartition(".")[2].encode() in text for text in heard), "it has learnt the secret"
        assert not any(b'"result"' in text for text in heard), "Open vSwitch has spoken with it"
    finally:
        for server in servers:
            server.close()
        await place.start()
    await place.ready("hv1")
    await place.join("hv3", line)


async def test_leaving_removes_the_key_and_what_open_vswitch_was_told(place: Trusted) -> None:
    await place.joined("hv3")
    await place.agent("hv3", "leave")
    assert place.files("hv3").read() == (None, None) and not place.files("hv3").directory.exists()
    assert "Private" not in await place.vsctl("hv3", "get-ssl")
    assert place.lab.ovs("hv3").rows("Manager") == []


async def test_a_join_that_fails_after_its_certificate_came_leaves_none(
    place: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent import join

    await place.until(lambda: place.files("hv3").read() == (None, None), "hv3 has left")
    line = shlex.split(await place.line("hv3"))
    rundir = str(place.lab.ovs("hv3").location.rundir)
    monkeypatch.setattr(join, "_make_bridge", lambda ovs, membership: run(["false"]))

    def inside() -> int:
        return main([*line[2:], "--datapath", "netdev", "--rundir", rundir])

    assert await in_space(place, "hv3", inside) == 1
    assert place.files("hv3").read() == (None, None)
    assert "Private" not in await place.vsctl("hv3", "get-ssl")


async def in_space(place: Trusted, name: str, work: Callable[[], int]) -> int:
    from agent import namespaces

    space = namespaces.of_name(f"{place.lab.prefix}-{name}")
    found: Awaitable[int] = asyncio.to_thread(namespaces.inside, space, work)
    return await found


async def test_the_keys_of_somebody_else_are_not_replaced(place: Trusted) -> None:
    ovs: Ovs = place.lab.ovs("hv3")
    await asyncio.to_thread(ovs.vsctl, "set-ssl", "/a/key", "/a/certificate", "/a/authority")
    with pytest.raises(CommandFailed, match="keys of somebody else"):
        await place.join("hv3", await place.line("hv3"))
    assert "/a/key" in await place.vsctl("hv3", "get-ssl")
    await asyncio.to_thread(ovs.vsctl, "del-ssl")


async def test_strangers_at_the_door_do_not_push_out_events_or_lines(
    place: Trusted, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(place.fabric.events)
    port = place.settings.openflow_port
    with caplog.at_level(logging.WARNING):
        await asyncio.gather(*(place.refused(port, None, b"GET / HTTP/1.0\r\n\r\n") for _ in range(120)))
    assert place.told_since(before) == []
    assert sum("refused" in record.message for record in caplog.records) <= 2 * 30
    await place.ready("hv1")
