"""Who is behind bridge vports: MAC addresses and their IP addresses, learned from what they send.

    packet of an unknown MAC, ARP or ND with another address ──> learned    within PAUSE of each other in one update
    the same MAC, or address, elsewhere in the subnet        ──> it moved   more than MOVES in MOVES_WITHIN s: ignored
    nothing sent for AGE s (flow counters)                   ──> asked PROBES times, then forgotten
    its vport, subnet or the room for it is gone             ──> forgotten

The facts themselves are `Placement.learned`, which flows are made from and which outlives a restart; here is when each
was last heard of. Never learned: a MAC address of a vport or gateway, an address of either, or outside the subnet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.commit.planning import Draft
from controller.compile import Learned, Observed
from controller.compile.services.bridge_guard import ADDRESSES_OF_ONE
from controller.compile.services.bridging import learned_flows
from controller.compile.state import BRIDGE, Place
from controller.edge.context import EdgeContext
from controller.edge.segments import claimed, has_object, hosts, may_have, question
from controller.events import Kind, Severity
from controller.hypervisors.punted import Punt
from controller.openflow.errors import OpenFlowError
from controller.openflow.packed import flow_key
from controller.packets.frame import parse
from controller.pipeline import Feature, Table
from data.addresses import Ip, address
from data.path import Path, vport_name
from data.schema.objects import Vport

__all__ = ["AGE", "Behind", "Learning"]

AGE = 300.0  # seconds of silence after which somebody is asked whether he is still there
SWEEP = 60.0  # seconds between two looks at the counters
PROBES = 3  # questions, one a second
PAUSE = 0.05  # seconds between two updates of one vport at least
MOVES, MOVES_WITHIN, DAMPED = 5, 10.0, 30.0  # moves within seconds that are believed; ignored for seconds then
_WATCHED = 4096  # addresses of one subnet whose moves are counted: about 3 MB while all of them move


@dataclass(slots=True)
class Entry:
    """One MAC address: its IP addresses, when it was last heard of (seconds since the epoch), and its counter then."""

    addresses: list[str]
    seen: float
    packets: int | None = None
    probes: int = 0


@dataclass(slots=True)
class Behind:
    """What is behind one bridge vport of a subnet."""

    uuid: str
    subnet: str  # UUID
    entries: dict[str, Entry] = field(default_factory=dict)

    def facts(self) -> Learned | None:
        return {mac: tuple(entry.addresses) for mac, entry in self.entries.items()} or None


class Learning:
    """See the module. `age` and `sweep` are in seconds."""

    def __init__(self, context: EdgeContext, *, age: float = AGE, sweep: float = SWEEP) -> None:
        self._context = context
        self._age, self._sweep = age, sweep
        self._behind: dict[str, Behind] = {}
        self._changed: set[str] = set()
        self._flushing: asyncio.TimerHandle | None = None
        self._moves: dict[str, dict[str, deque[float]]] = {}  # UUID of a subnet -> address -> its last moves
        self._damped: dict[tuple[str, str], float] = {}
        self._doubtful = True
        self._counted = context.clock()
        context.punted.serve(Feature.LEARN, self.heard)
        context.network.on_change.append(self._follow)

    async def run(self) -> None:
        """Forgets who is not there any more, until it is cancelled."""
        self.recall()
        while True:
            await asyncio.sleep(1.0)
            await self.second()

    async def second(self) -> None:
        """What is to be done every second."""
        if self._doubtful:
            self._doubtful = False
            self._review()
        if self._context.clock() - self._counted >= self._sweep:
            self._counted = self._context.clock()
            for subnet in tuple(self._moves):
                self._calm(subnet)
            await self._count()
        self._expire()

    def entries(self, uuid: str) -> Mapping[str, Entry]:
        """What is behind a bridge vport, by MAC address."""
        behind = self._behind.get(uuid)
        return behind.entries if behind else {}

    def everything(self) -> Iterator[tuple[str, Mapping[str, Entry]]]:
        """The same of all bridge vports, by their UUIDs."""
        return ((uuid, behind.entries) for uuid, behind in self._behind.items())

    def clear(self, uuid: str) -> int:
        """Forgets all that is behind a bridge vport, to learn it anew; how many MAC addresses it was."""
        behind = self._behind.pop(uuid, None)
        if behind is None:
            return 0
        self._note(uuid)
        return len(behind.entries)

    # What is heard ------------------------------------------------------------------------------------------

    def heard(self, punt: Punt) -> None:
        """A packet from behind a bridge vport whose sender, or his address, is not known."""
        place = None if punt.path is None else self._context.network.state.place(punt.path)
        frame = parse(punt.frame)
        if place is None or punt.path is None or frame is None or place.vport.type != BRIDGE:
            return
        if place.location.dvrs != punt.dvrs:
            return  # it was on its way when the uplink went elsewhere
        entry = self._sender(punt.path, place, frame.source_mac)
        if entry is None:
            return
        entry.seen, entry.probes = self._context.clock(), 0
        ip = claimed(punt.frame, frame.source_mac)
        if ip is not None:
            self._says(punt.path, place, frame.source_mac, entry, ip)

    def _sender(self, path: Path, place: Place, mac: str) -> Entry | None:
        state = self._context.network.state
        behind = self._of(path, place)
        entry = behind.entries.get(mac)
        if entry is not None:
            return entry
        if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00" or has_object(state, place.subnet, mac):
            return None
        before = next((other for other in self._others(path, place) if mac in other.entries), None)
        if len(behind.entries) >= place.vport.mac_limit:
            text = f"{vport_name(path)} has {place.vport.mac_limit} MAC addresses behind it, its mac-limit"
            self._context.network.events.once(
                Kind.VPORT, f"mac-limit {behind.uuid}", "full", text, severity=Severity.WARNING, about=path
            )
            return None
        if before is not None:
            if not self._believed(behind.subnet, mac, f"MAC address {mac}", vport_name(path)):
                return None
            entry = before.entries.pop(mac)
            entry.packets = None
            self._note(before.uuid)
        behind.entries[mac] = entry = entry or Entry([], self._context.clock())
        self._note(behind.uuid)
        return entry

    def _says(self, path: Path, place: Place, mac: str, entry: Entry, ip: Ip) -> None:
        """Somebody says that he has an address."""
        text = str(ip)
        if text in entry.addresses or not may_have(self._context.network.state, place.subnet, ip):
            return
        events = self._context.network.events
        if len(entry.addresses) >= ADDRESSES_OF_ONE:
            said = f"{mac} behind {vport_name(path)} has more than {ADDRESSES_OF_ONE} addresses: {text} is not learned"
            subject = f"addresses {mac} {path[:4]}"
            events.once(Kind.VPORT, subject, "more", said, severity=Severity.WARNING, about=path)
            return
        behind = self._of(path, place)
        for other in (behind, *self._others(path, place)):
            for known, held in other.entries.items():
                if text in held.addresses:
                    if not self._believed(behind.subnet, text, text, mac):
                        return
                    pair = " ".join(sorted((known, mac)))
                    said = f"{text} behind {vport_name(path)} was at {known} and is at {mac} now"
                    events.once(Kind.IDENTITY, f"address {text} {behind.subnet}", pair, said, about=path)
                    held.addresses.remove(text)
                    self._note(other.uuid)
        entry.addresses.append(text)
        self._note(behind.uuid)

    def _believed(self, subnet: str, what: str, name: str, where: str) -> bool:
        """Whether somebody may move again: not when he does all the time."""
        now, key = self._context.clock(), (subnet, what)
        if self._damped.get(key, 0.0) > now:
            return False
        if len(self._moves.get(subnet, ())) >= _WATCHED:
            self._calm(subnet)
            if len(self._moves.get(subnet, ())) >= _WATCHED:
                return False
        times = self._moves.setdefault(subnet, {}).setdefault(what, deque(maxlen=MOVES))
        if len(times) == MOVES and times[0] > now - MOVES_WITHIN:
            self._damped[key] = now + DAMPED
            said = f"{name} moves too often, now to {where}: ignored for {DAMPED:.0f} s, is there a loop?"
            about = self._context.network.running.by_uuid(subnet)
            self._context.network.events.once(
                Kind.VPORT, f"moves {key}", str(int(now // DAMPED)), said, severity=Severity.WARNING, about=about
            )
            return False
        times.append(now)
        return True

    def _calm(self, subnet: str) -> None:
        """Forgets what does not move any more in a subnet."""
        now = self._context.clock()
        moving = {what: times for what, times in self._moves.pop(subnet, {}).items() if times[-1] > now - MOVES_WITHIN}
        if moving:
            self._moves[subnet] = moving
        self._damped = {one: until for one, until in self._damped.items() if until > now}

    def _of(self, path: Path, place: Place) -> Behind:
        uuid, subnet = place.vport.uuid, self._uuid(place.subnet)
        known = self._behind.get(uuid)
        if known is None or known.subnet != subnet:
            moved = known is not None
            known = self._behind[uuid] = Behind(uuid, subnet)
            if moved:
                self._note(uuid)
        return known

    def _others(self, path: Path, place: Place) -> Iterator[Behind]:
        """What is behind the other bridge vports of a subnet."""
        state = self._context.network.state
        for other in state.bridges_of(place.subnet) - {path}:
            known = self._behind.get(self._uuid(other))
            if known is not None:
                yield known

    def _uuid(self, path: Path) -> str:
        body = self._context.network.state.view.get(path)
        assert body is not None, f"{' '.join(path)} is gone"
        return body.uuid

    # What is told -------------------------------------------------------------------------------------------

    def _note(self, uuid: str) -> None:
        """Something about this vport is to be told, soon and together with what else changes."""
        self._changed.add(uuid)
        if self._flushing is None:
            most = max((len(self.entries(one)) for one in self._changed), default=0)
            pause = PAUSE + most / 10_000  # a fact is a line of the memory: 4,096 of them take a while to write
            self._flushing = asyncio.get_running_loop().call_later(pause, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        changed, self._changed = self._changed, set()
        facts: dict[str, Learned | None] = {}
        for uuid in changed:
            behind = self._behind.get(uuid)
            facts[uuid] = None if behind is None else behind.facts()
        self._context.upkeep.observe(Observed(learned=facts))

    # What is forgotten --------------------------------------------------------------------------------------

    def recall(self) -> None:
        """What an earlier process learned; nobody has been silent yet."""
        network, now = self._context.network, self._context.clock()
        for uuid in network.state.placement.learned:
            facts, path = network.state.placement.learned.get(uuid) or {}, network.running.by_uuid(uuid)
            vport = None if path is None else network.running.get(path)
            subnet = network.state.segment_of(path, vport) if path and isinstance(vport, Vport) else None
            entries = {mac: Entry(list(addresses), now) for mac, addresses in facts.items()}
            self._behind[uuid] = Behind(uuid, "" if subnet is None else self._uuid(subnet), entries)

    def _follow(self, made: Draft) -> None:
        if self._behind and made.edits:
            self._doubtful = True

    def _review(self) -> None:
        """After a commit: what cannot be learned any more is forgotten."""
        state = self._context.network.state
        for uuid, behind in tuple(self._behind.items()):
            path = state.view.by_uuid(uuid)
            vport = None if path is None else state.view.get(path)
            subnet = state.segment_of(path, vport) if path and isinstance(vport, Vport) else None
            if not isinstance(vport, Vport) or vport.type != BRIDGE or subnet is None:
                del self._behind[uuid]
                self._note(uuid)
                continue
            kept = {
                mac: Entry([*hosts(state, tuple(entry.addresses), subnet)], entry.seen, entry.packets, entry.probes)
                for mac, entry in behind.entries.items()
                if not has_object(state, subnet, mac)
            }
            kept = dict(list(kept.items())[: vport.mac_limit]) if behind.subnet == self._uuid(subnet) else {}
            if Behind("", "", kept).facts() != behind.facts() or behind.subnet != self._uuid(subnet):
                self._behind[uuid] = Behind(uuid, self._uuid(subnet), kept)
                self._note(uuid)

    async def _count(self) -> None:
        """Who has sent something since the last look."""
        network, now = self._context.network, self._context.clock()
        places = self._places()
        for dvrs in {place.location.dvrs for _, place in places.values()}:
            channel = network.channels.get(dvrs)
            if channel is None or channel.switch is None:
                continue
            try:
                flows = await channel.switch.flows(Table.SPOOF_GUARD)
            except OpenFlowError:
                continue  # lost, which is told elsewhere; nobody is forgotten while it is away
            counts = {flow.key: flow.packets for flow in flows}
            for uuid, (path, place) in places.items():
                if place.location.dvrs != dvrs:
                    continue
                for mac, entry in self.entries(uuid).items():
                    keys = [flow_key(made) for made in learned_flows(network.state, path, mac, dvrs)]
                    packets = sum(counts.get(key, 0) for key in keys)
                    if entry.packets is not None and entry.packets != packets:
                        entry.seen, entry.probes = now, 0
                    entry.packets = packets

    def _places(self) -> dict[str, tuple[Path, Place]]:
        """The bridge vports that something is behind, where they are."""
        state = self._context.network.state
        found = {}
        for uuid, behind in self._behind.items():
            path = state.view.by_uuid(uuid)
            place = None if path is None else state.place(path)
            if path is not None and place is not None and behind.entries:
                found[uuid] = path, place
        return found

    def _expire(self) -> None:
        """Asks those who have been silent, and forgets who does not answer."""
        network, now = self._context.network, self._context.clock()
        for uuid, (path, place) in self._places().items():
            channel = network.channels.get(place.location.dvrs)
            if channel is None or not channel.ready:
                continue  # nobody can be heard there
            entries = self._behind[uuid].entries
            for mac, entry in tuple(entries.items()):
                if now - entry.seen < self._age:
                    continue
                if entry.probes < PROBES and entry.addresses:
                    entry.probes += 1
                    frame = question(network.state, place.subnet, address(entry.addresses[0]), mac)
                    self._context.punted.deliver(place.location.dvrs, network.state.slot(path), frame)
                else:
                    del entries[mac]
                    self._note(uuid)
                    network.events.settled(f"mac-limit {uuid}")
