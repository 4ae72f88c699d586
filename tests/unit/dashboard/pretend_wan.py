"""The network of pretend.py with more to see: tunnels with loads, a PE router and a VTEP, BGP, busy flows, changes."""

from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, cast

from commands.language.lexer import lex, split_pipes
from commands.language.parse import parse
from commands.language.registry import Mode
from controller.openflow.readback import FlowEntry
from controller.pipeline import Feature, Owner, Table, cookie, split_cookie
from controller.telemetry.keys import Level, Measure
from controller.underlay.endpoints import Endpoint, Reachability
from data.access import EVERYTHING, Access
from data.configuration import Running
from data.path import Path
from data.store import HistoryEntry
from nshell.sessions.confined import facade
from tests.unit.dashboard.pretend import CONFIGURATION, MEGABIT, NOW, Network, PretendSource
from views.render import Screen

RULE = ("enterprise", "acme", "domain", "prod", "ingress-policy", "base", "entry", "10")
WEB_1 = ("enterprise", "acme", "domain", "prod", "vport", "web-1")
DB_1 = ("enterprise", "acme", "domain", "prod", "vport", "db-1")
MORE = f"""{CONFIGURATION}
set enterprise acme domain prod ingress-policy base entry 10 protocol tcp destination-port 5432 action allow
set bgp autonomous-system 65000
set bgp-neighbor pe1 address 192.0.2.1
set bgp-neighbor vtep address 192.0.2.9
"""
NUMBERS: dict[int, Path] = {7: WEB_1, 8: RULE, 9: DB_1}
TUNNELS = {"hv1>172.31.0.2": 96, "hv2>172.31.0.1": 64, "hv1>192.0.2.1": 12, "hv2>192.0.2.9": 0}
"""Key -> megabits per second; others than hypervisors are known by address."""
REASON = "hold time expired: nothing heard for 90 s, the session was closed by the other end"


class WideNetwork(Network):
    """See the module. Flows grow with each read of them."""

    def __init__(self, state: Running) -> None:
        super().__init__(state)
        for name, megabits in TUNNELS.items():
            source, _, end = name.partition(">")
            end = {"172.31.0.1": "hv1", "172.31.0.2": "hv2"}.get(end, end)
            rate = megabits * MEGABIT
            totals = {Measure.SENDS_BYTES: int(rate * 3600), Measure.SENDS_PACKETS: megabits * 1000}
            self.telemetry.count(Level.TUNNEL, f"{source}>{end}", totals, {Measure.SENDS_BYTES: rate})
        ends = (("172.31.0.1", "dvrs hv1"), ("172.31.0.2", "dvrs hv2"), ("192.0.2.1", "pe pe1"),
                ("192.0.2.9", "next hop of bgp routes"))  # fmt: skip
        self.underlay = SimpleNamespace(  # type: ignore[assignment]
            endpoints=[Endpoint(ip_address(at), who, Reachability.REACHABLE, NOW - 4000) for at, who in ends]
        )
        self.pe = SimpleNamespace(all=lambda: [router("pe1", "pending", "2 VPNs of revision 3 are not there yet")])
        self.neighbours = [neighbour("pe1", "192.0.2.1", "established", ""),
                           neighbour("vtep", "192.0.2.9", "idle", REASON)]  # fmt: skip
        self.bgp = SimpleNamespace(  # type: ignore[assignment]
            views=SimpleNamespace(neighbours=lambda: self.neighbours),
            epoch=lambda at: at, speaker=SimpleNamespace(failures={}), bfd=SimpleNamespace(standing={}),
        )  # fmt: skip
        self.telemetry.past = lambda key, measure, at: (1 + at // 300 % 4) * MEGABIT
        self.reads, self.delivered = 0, 900

    async def flows(self, dvrs: str, table: int = 255) -> list[Any]:
        """What hv1 holds; the second read finds more than the first."""
        if dvrs != "hv1":
            return []
        self.reads += 1
        found = [
            flow(Table.CLASSIFY, Owner.VPORT, Feature.RECEIVED, 7, self.reads * 5_000),
            flow(Table.INGRESS_ACL, Owner.ENTRY, Feature.RULE, 8, self.reads * 2_000),
            flow(Table.DELIVER, Owner.VPORT, Feature.DELIVERED, 9, self.reads * self.delivered),
            flow(Table.SWITCH, Owner.FABRIC, Feature.FORWARD, 0, 77),
        ]
        return [one for one in found if table in (255, one.table)]

    def explain(self, cookie: int) -> Path | None:  # type: ignore[override]
        parts = split_cookie(cookie)
        return None if parts is None else NUMBERS.get(parts[2])

    async def last_changes(self, paths: set[Path]) -> dict[Path, tuple[int, str]]:
        return {path: (2, "eve") if path == RULE else (3, "ops") for path in paths}

    async def history(self, limit: int, number: int | None = None) -> list[HistoryEntry]:
        """As the store: what failed has the number of what succeeded after it, and no receipts."""
        third, *others = await super().history(limit)
        attempt = HistoryEntry(3, "ops", NOW - 95, "let the app tier in", "failed", "hv2: the table of flows is full")
        return [one for one in (third, attempt, *others) if number in (None, one.number)][:limit]

    async def difference(self, first: int, second: int) -> Any:
        """What a revision changed."""
        assert second == first + 1, (first, second)
        return {RULE: (None, self.running.get(RULE))}

    async def lives(self, path: Path) -> list[Any]:
        """No tenant had its name before another."""
        return []


def flow(table: Table, owner: Owner, feature: Feature, number: int, packets: int) -> FlowEntry:
    match = bytes.fromhex("0001000480000004")
    return FlowEntry(table, 100, cookie(owner, feature, number), match, b"", packets, packets * 1000, 60)


def neighbour(name: str, address: str, state: str, reason: str) -> SimpleNamespace:
    """As NeighbourView (controller/bgp/rib/views.py)."""
    up = state == "established"
    return SimpleNamespace(
        name=name, address=address, autonomous_system=65000, internal=True, role="pe" if name == "pe1" else "vtep",
        state=state, since=NOW - 4000, reason=reason, router_id="192.0.2.1", hold_time=90, restart_time=120,
        configured=("vpnv4",), families=("vpnv4",) if up else (), received=42 if up else 0, refused=1 if up else 0,
        stale=0, advertised=17 if up else 0, prefix_limit=1000, flaps=3, stale_until=None, shut_until=None, notes=(),
    )  # fmt: skip


def router(name: str, state: str, reason: str) -> SimpleNamespace:
    """As a router of controller/pe."""
    wanted = SimpleNamespace(
        pe=SimpleNamespace(driver="junos", instance="", address="192.0.2.1"), intent=SimpleNamespace(vrfs=(1, 2))
    )
    return SimpleNamespace(name=name, state=state, wanted=wanted, contact=NOW - 30, reason=reason)


class WideSource(PretendSource):
    """The answers of handlers over the wide network. Who is confined gets the confined fabric, and is refused what a
    session refuses (`Access.refuse_verb`)."""

    def __init__(self, screen: Screen, access: Access = EVERYTHING, configuration: str = MORE) -> None:
        super().__init__(screen, access, configuration)
        self.context.running.apply({}, 3)
        self.whole = WideNetwork(self.context.running)
        self.context.fabric = facade(self.whole, access) if access.confined else self.whole  # type: ignore

    async def _handled(self, line: str) -> Any:
        command, _ = parse(Mode.OPERATIONAL, split_pipes(lex(line).words)[0], cast("Any", self.context), False)
        self.context.access.refuse_verb("show", command.confined, line)
        return await super()._handled(line)
