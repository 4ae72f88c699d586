"""The DNS proxy at the gateways: names of the domain's own vports, and everything else asked for of others.

    VPORT.DOMAIN-NAME   a vport of a subnet that has this domain-name
    VPORT               any vport of the domain
    its addresses       VPORT.DOMAIN-NAME
    anything else       the dns-server of the subnet, asked by the controller from its own network

A domain hears of its own vports alone. Each forwarded query has a port and an id of its own (RFC 5452); how many are
under way is bounded, and one that nobody answers ends after two seconds with each server. Only UDP is served: answers
are short, and of a long one that is forwarded a client hears that it is cut. When no more may be under way, the
enterprise that has most of them gives its oldest up for one that has fewer: nobody's dead server is everybody's.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from controller.commit.planning import Draft
from controller.compile.services.punts import DNS_PORT
from controller.edge.allowance import Allowance
from controller.edge.context import EdgeContext
from controller.hypervisors.punted import Punt
from controller.packets.dns import answer, asked_name, forwardable, onward, refusal, returned
from controller.packets.frame import Frame, datagram, parse
from controller.packets.headers import UDP, ip_frame, udp
from controller.pipeline import Feature
from data.addresses import Ip, address
from data.path import Path
from data.schema.objects import Controller, Subnet, Vport

__all__ = ["OUTSTANDING", "PATIENCE", "RATE", "Names"]

RATE = 50  # queries a second and vport
OUTSTANDING = 256  # queries that servers were asked and have not answered; each holds a socket
_OF_ONE = 16  # of one vport among them
PATIENCE = 2.0  # seconds for one server
_SERVERS = 2  # that are asked one after the other: clients give up after 5 s
_DOMAINS = 1000  # whose names are kept at hand; a domain with 1,000 vports costs 100 KB

Asker = tuple[str, int]
"""Hypervisor and slot."""


@dataclass(slots=True)
class _Book:
    """What is needed of a domain at each query."""

    vports: dict[str, str]
    """Name in lower case, as queries come in any case -> name."""
    zones: tuple[str, ...]
    """The domain-names of its subnets, the longest first."""


class Names:
    """See the module. `port` is that of the servers that are asked."""

    def __init__(self, context: EdgeContext, port: int = DNS_PORT) -> None:
        self._context = context
        self._port = port
        self._allowance = Allowance(RATE)
        self._books: dict[Path, _Book] = {}
        self._outstanding: Counter[Asker] = Counter()
        self._waiting: dict[str, dict[asyncio.Task[None], None]] = {}  # enterprise -> its queries, the oldest first
        context.punted.serve(Feature.DNS, self._asked)
        context.network.on_change.append(self._follow)

    def _asked(self, punt: Punt) -> None:
        path, asker = punt.path, (punt.dvrs, punt.slot)
        if path is None or not self._allowance.take(asker):
            return
        subnet, frame = self._context.network.running.get(path), parse(punt.frame)
        query = None if frame is None else datagram(frame, DNS_PORT)
        if not isinstance(subnet, Subnet) or not subnet.dns_proxy or frame is None or query is None:
            return
        servers = [address(text) for text in subnet.dns_server[:_SERVERS]]
        found = self._own(path[:4], subnet, query, bool(servers))
        if found is None and not servers:
            found = refusal(query)
        if found is not None:
            self._reply(punt, frame, found)
        elif forwardable(query) and self._outstanding[asker] < _OF_ONE and self._room(path[1]):
            self._outstanding[asker] += 1
            task = self._context.upkeep.spawn(self._forward(punt, frame, query, servers), "a DNS query", lasting=True)
            self._waiting.setdefault(path[1], {})[task] = None
            task.add_done_callback(partial(self._over, path[1], asker))

    # Names of the domain ------------------------------------------------------------------------------------

    def _own(self, domain: Path, subnet: Subnet, query: bytes, recursion: bool) -> bytes | None:
        """The reply to a query about the domain itself."""
        running, book, name = self._context.network.running, self._book(domain), asked_name(query) or ""
        zone = next((zone for zone in book.zones if name == zone or name.endswith(f".{zone}")), None)

        def addresses(below: str) -> Sequence[Ip] | None:
            vport = running.get((*domain, "vport", book.vports.get(below, "")))
            if not isinstance(vport, Vport) or (zone is not None and self._zone(domain, vport) != zone):
                return None
            return [address(text) for text in vport.address]

        def owner(ip: Ip) -> str | None:
            path = running.holder("vport", "address", domain, str(ip))
            vport = None if path is None else running.get(path)
            if path is None or not isinstance(vport, Vport):
                return None
            return ".".join(part for part in (path[-1], self._zone(domain, vport)) if part)

        return answer(query, addresses, owner, zone or subnet.domain_name or "", recursion)

    def _zone(self, domain: Path, vport: Vport) -> str | None:
        running = self._context.network.running
        path = running.resolve((*domain, "vport", ""), "subnet", vport.subnet)
        subnet = None if path is None else running.get(path)
        return subnet.domain_name if isinstance(subnet, Subnet) else None

    def _book(self, domain: Path) -> _Book:
        known = self._books.get(domain)
        if known is None:
            running = self._context.network.running
            if len(self._books) >= _DOMAINS:
                self._books.clear()
            zones = {subnet.domain_name for _, subnet in running.objects(Subnet, domain) if subnet.domain_name}
            vports = {name.lower(): name for name in running.children(domain, "vport")}
            known = self._books[domain] = _Book(vports, tuple(sorted(zones, key=len, reverse=True)))
        return known

    def _follow(self, made: Draft) -> None:
        """Keeps what is at hand of a domain as the configuration is."""
        for path, body in made.edits.items() if self._books else ():
            book = self._books.get(path[:4])
            if book is None:
                continue
            if len(path) == 6 and path[4] == "vport":
                if body is not None:
                    book.vports[path[5].lower()] = path[5]
                elif book.vports.get(path[5].lower()) == path[5]:
                    del book.vports[path[5].lower()]
            elif len(path) == 4 or path[-2] == "subnet":
                del self._books[path[:4]]

    # Names of others ----------------------------------------------------------------------------------------

    def _room(self, enterprise: str) -> bool:
        """Whether one more query of an enterprise may wait, perhaps instead of one of another."""
        if sum(map(len, self._waiting.values())) < OUTSTANDING:
            return True
        most = max(self._waiting.values(), key=len)
        if len(most) <= len(self._waiting.get(enterprise, ())) + 1:
            return False
        oldest = next(iter(most))
        del most[oldest]
        return oldest.cancel()

    def _over(self, enterprise: str, asker: Asker, task: asyncio.Task[None]) -> None:
        waiting = self._waiting.get(enterprise, {})
        waiting.pop(task, None)
        if not waiting:
            self._waiting.pop(enterprise, None)
        self._outstanding[asker] -= 1
        if not self._outstanding[asker]:
            del self._outstanding[asker]

    async def _forward(self, punt: Punt, frame: Frame, query: bytes, servers: Sequence[Ip]) -> None:
        for server in servers:
            reply = await self._ask(server, query)
            if reply is not None:
                self._reply(punt, frame, reply)
                return
        failed = refusal(query, failed=True)
        if failed is not None:
            self._reply(punt, frame, failed)

    async def _ask(self, server: Ip, query: bytes) -> bytes | None:
        """What one server says within PATIENCE; None for nothing."""
        loop = asyncio.get_running_loop()
        number = secrets.randbelow(0x10000)
        waiting = _Waiting(query, number, loop.create_future())
        family = socket.AF_INET if server.version == 4 else socket.AF_INET6
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                sock.connect((str(server), self._port))  # the kernel lets through only what comes from there
                transport, _ = await loop.create_datagram_endpoint(lambda: waiting, sock=sock)
            except OSError:
                sock.close()
                raise
        except OSError:
            return None  # no way to this server: the next one is asked
        try:
            transport.sendto(onward(query, number))
            return await asyncio.wait_for(waiting.reply, PATIENCE)
        except TimeoutError:
            return None
        finally:
            transport.close()

    def _reply(self, punt: Punt, frame: Frame, reply: bytes) -> None:
        """Sends a reply back, from the address that was asked."""
        client, ours, port = frame.source, frame.destination, frame.source_port
        if client is None or ours is None or port is None:
            return
        router = self._context.network.running.settings(Controller).anycast_gateway_mac
        segment = udp(ours, client, DNS_PORT, port, reply)
        self._context.punted.answer(punt, ip_frame(router, frame.source_mac, ours, client, UDP, segment))


class _Waiting(asyncio.DatagramProtocol):
    """One query that a server was asked: what is no answer to it is not listened to."""

    def __init__(self, query: bytes, number: int, reply: asyncio.Future[bytes | None]) -> None:
        self._query, self._number, self.reply = query, number, reply

    def datagram_received(self, data: bytes, addr: object) -> None:
        found = returned(self._query, self._number, data)
        if found is not None and not self.reply.done():
            self.reply.set_result(found)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_result(None)
