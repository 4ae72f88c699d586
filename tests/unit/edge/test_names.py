"""The DNS proxy: whose names are told to whom, what is sent on, and how much of it at a time."""

from __future__ import annotations

import asyncio
import socket

import dns.message
import dns.rcode
import dns.rrset
import msgspec
import pytest

from controller.edge import names as subject
from controller.edge.names import RATE, Names
from controller.packets.frame import datagram, parse
from controller.pipeline import Feature
from data.addresses import address
from data.path import Path
from data.schema.objects import Domain, Enterprise, Object, Subnet, Vport, Zone
from tests.unit.controller.model import APP, PROD, WEB, uuid, vport
from tests.unit.edge.bench import FOUR, MAC, ROUTER, SIX, Bench, dns_query

BETA: Path = ("enterprise", "beta", "domain", "prod")


class Scene(Bench):
    """The bench with a proxy that would ask at `port`."""

    def __init__(self, port: int = 9) -> None:
        super().__init__()
        self.names = Names(self.context, port)

    def ask(self, name: str, kind: str = "A", gateway: str = "10.1.1.1") -> dns.message.Message | None:
        """The answer that is given at once."""
        source = FOUR if ":" not in gateway else SIX
        frame = dns_query(dns.message.make_query(name, kind, id=7).to_wire(), address(source), address(gateway))
        answers = self.hear(Feature.DNS, frame, WEB)
        return read(answers[0]) if answers else None


def read(frame: bytes) -> dns.message.Message:
    outer = parse(frame)
    assert outer is not None and outer.source_mac == ROUTER and outer.destination_mac == MAC
    data = datagram(outer, 4242)
    assert data is not None and outer.source_port == 53
    return dns.message.from_wire(data)


def data(message: dns.message.Message | None) -> list[str]:
    assert message is not None, "an answer"
    return sorted(str(one) for rrset in message.answer for one in rrset)


async def proxied(**leaves: object) -> Scene:
    bench = Scene()
    await bench.begin(dns_proxy=True, **leaves)
    return bench


def test_names_of_the_domain_are_told_by_zone_of_their_subnet_and_in_any_case() -> None:
    async def scene() -> None:
        bench = await proxied(domain_name="web.example")
        app = bench.network.running.get(APP)
        assert isinstance(app, Subnet)
        named: dict[Path, Object | None] = {
            APP: msgspec.structs.replace(app, domain_name="app.example"),
            (*PROD, "vport", "DB_1"): vport(9, "app1"),
        }
        await bench.commit(named)
        assert data(bench.ask("vm-2.web.example")) == [FOUR]
        assert data(bench.ask("VM-3.Web.Example", "AAAA", "2001:db8:1::1")) == ["2001:db8:1::3"]
        assert data(bench.ask("db_1.app.example")) == ["10.1.2.9"]
        assert data(bench.ask("db_1")) == ["10.1.2.9"]
        assert data(bench.ask("9.2.1.10.in-addr.arpa", "PTR")) == ["DB_1.app.example."]
        missing = bench.ask("db_1.web.example")
        assert missing is not None and missing.rcode() == dns.rcode.NXDOMAIN, "of another zone"
        await bench.commit({(*PROD, "vport", "DB_1"): None})
        gone = bench.ask("db_1.app.example")
        assert gone is not None and gone.rcode() == dns.rcode.NXDOMAIN

    asyncio.run(scene())


def test_other_domains_are_never_told() -> None:
    async def scene() -> None:
        bench = await proxied(domain_name="web.example")
        others: dict[Path, Object | None] = {
            ("enterprise", "beta"): Enterprise(uuid=uuid(200)),
            BETA: Domain(uuid=uuid(201)),
            (*BETA, "zone", "z"): Zone(uuid=uuid(202)),
            (*BETA, "zone", "z", "subnet", "s"): Subnet(uuid=uuid(203), prefix="10.1.1.0/24", domain_name="b.example"),
            (*BETA, "vport", "secret"): Vport(
                uuid=uuid(204), subnet="s", mac="02:00:00:00:00:99", address=("10.1.1.99",)
            ),
        }
        await bench.commit(others)
        for name, kind in (("secret", "A"), ("secret.b.example", "A"), ("99.1.1.10.in-addr.arpa", "PTR")):
            refused = bench.ask(name, kind)
            assert refused is not None and refused.rcode() == dns.rcode.REFUSED and not refused.answer

    asyncio.run(scene())


def test_a_subnet_without_a_proxy_is_not_answered_and_a_flood_only_at_the_rate() -> None:
    async def scene() -> None:
        bench = await proxied()
        answered = sum(bench.ask("vm-2") is not None for _ in range(300))
        assert RATE <= answered <= 2 * RATE
        await bench.serve(dns_proxy=False)
        await asyncio.sleep(1.0)
        assert bench.ask("vm-2") is None

    asyncio.run(scene())


class Server(asyncio.DatagramProtocol):
    """Answers every name with one address, unless it is told to be silent or to lie about the id."""

    def __init__(self) -> None:
        self.silent, self.lies = False, False
        self.ids: list[int] = []
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.ids.append(query.id)
        if self.silent or self.transport is None:
            return
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(str(query.question[0].name), 60, "IN", "A", "198.51.100.1"))
        if self.lies:
            reply.id ^= 1
        self.transport.sendto(reply.to_wire(), addr)


def test_other_names_are_asked_of_the_server_with_an_id_of_our_own_and_failures_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        server = Server()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
        server.transport = transport
        bench = Scene(transport.get_extra_info("sockname")[1])
        monkeypatch.setattr(subject, "PATIENCE", 0.2)
        await bench.begin(dns_proxy=True, dns_server=("127.0.0.1",))

        async def forwarded(name: str) -> dns.message.Message:
            assert bench.ask(name) is None, "not at once"
            for _ in range(100):
                await asyncio.sleep(0.01)
                if bench.sent:
                    return read(bench.sent[0][1])
            raise AssertionError("no answer came")

        for _ in range(3):
            reply = await forwarded("www.example.org")
            assert data(reply) == ["198.51.100.1"] and reply.id == 7
        assert len({*server.ids, 7}) > 2, "hard to guess"
        server.lies = True
        assert (await forwarded("www.example.org")).rcode() == dns.rcode.SERVFAIL
        server.lies, server.silent = False, True
        assert (await forwarded("www.example.org")).rcode() == dns.rcode.SERVFAIL
        for _ in range(40):
            bench.ask("www.example.org")
        assert bench.names._outstanding.total() <= 16, "of one vport"
        await asyncio.sleep(0.5)
        assert not bench.names._outstanding
        transport.close()

    asyncio.run(scene())


def test_dead_servers_of_one_enterprise_leave_room_for_queries_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        monkeypatch.setattr(subject, "OUTSTANDING", 6)
        monkeypatch.setattr(subject, "PATIENCE", 0.3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            bench = Scene(silent.getsockname()[1])
            await bench.begin(dns_proxy=True, dns_server=("127.0.0.1",))
            waiting = bench.names._waiting
            for _ in range(10):
                bench.ask("www.example.org")
            await asyncio.sleep(0)
            (acme,) = waiting.values()
            assert len(acme) == 6, "all there is"
            oldest = next(iter(acme))
            assert not bench.names._room("acme"), "nobody makes room for himself"
            assert bench.names._room("beta"), "beta has none"
            beta = bench.context.upkeep.spawn(asyncio.sleep(0.01), "a query of beta")
            waiting["beta"] = {beta: None}
            assert oldest not in acme and len(acme) == 5
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert oldest.cancelled() and bench.names._outstanding.total() == 5
            waiting["beta"] = dict.fromkeys([beta, *list(acme)[:4]])  # as many as acme has
            assert not bench.names._room("beta") and not bench.names._room("acme")
            del waiting["beta"]
            await asyncio.sleep(0.5)
            assert not bench.names._outstanding and not waiting

    asyncio.run(scene())
