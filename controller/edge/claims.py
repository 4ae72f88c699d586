"""Who has a virtual IP: the vport that announced it last, by gratuitous ARP or an unsolicited advertisement.

    claim of one of its vports     ──> it holds the address, and all hypervisors of the domain send there
    more than CHANGES within SPAN  ──> two fight for it: it stays as it is for IGNORED seconds, and an event says so
    another vport has it           ──> its subnet is told, at once and again: neighbours remember the MAC address
    the holder is unresolved       ──> the first that is resolved has it meanwhile, and for good after GRACE seconds
    virtual IP or its vports gone  ──> forgotten

The fact itself is `Placement.holders`, which flows are made from and which outlives a restart; here is when it became
one, and who claimed. A flow sends up only what a vport may claim (`compile/virtual_guard.py`), and no further: what the
subnet hears is what was believed, when the flows are there. The slot says which vport it was.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.commit.planning import Draft
from controller.compile import Observed, State
from controller.compile.services.virtual_ip import candidates, holder
from controller.edge.context import EdgeContext
from controller.events import Kind
from controller.hypervisors.punted import Punt
from controller.openflow import actions
from controller.packets.neighbour import gratuitous_arp, neighbour_advertisement
from controller.pipeline import Feature, Register, Table
from data.addresses import Ip, address
from data.path import Path, vport_name
from data.schema.objects import Vport
from data.schema.services import VirtualIp

__all__ = ["CHANGES", "GRACE", "IGNORED", "SPAN", "Claim", "Claims", "Held"]

CHANGES, SPAN = 5, 10.0  # changes of one holder within seconds that are believed
IGNORED = 10.0  # seconds without a change after that
GRACE = 5.0  # seconds in which a holder that moves cold may come back
LOOK = 1.0  # seconds between two looks at who is gone, and between two announcements
_AT_ONCE = 500  # vports that one packet-out goes to: 16 kB of actions
_ANYBODY = Ip(6, 0)


@dataclass(slots=True)
class Claim:
    """What is known of one virtual IP beside its holder; times are seconds since the epoch."""

    since: float | None = None  # when it came to who has it now; None: before the controller started
    claims: Counter[str] = field(default_factory=Counter)  # UUID of a vport -> claims that this process saw
    changes: deque[float] = field(default_factory=lambda: deque(maxlen=CHANGES))
    ignored_until: float = 0.0
    gone: float = 0.0  # since when the holder is not resolved
    waiting: str | None = None  # UUID of who holds it when what was observed is carried out
    untold: bool = False  # whether the second announcement is due


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a virtual IP (None: nobody is resolved), since when (None: before the controller started), and how often
    which vport claimed it since then."""

    vport: Path | None
    since: float | None
    claims: Mapping[Path, int]


class Claims:
    """See the module."""

    def __init__(self, context: EdgeContext) -> None:
        self._context = context
        self._known: dict[str, Claim] = {}  # UUID of a virtual IP that exists -> what is known of it
        context.punted.serve(Feature.CLAIM, self._punted)
        context.network.on_change.append(self._changed)

    async def run(self) -> None:
        """Looks for what is gone, and says again what was said."""
        while True:
            await asyncio.sleep(LOOK)
            self.sweep()

    def held(self, path: Path) -> Held:
        """Who has the virtual IP at the path now."""
        state = self._context.network.state
        body = state.view.get(path)
        claim = self._known.get(body.uuid) if body is not None else None
        if claim is None:
            return Held(holder(state, path), None, {})
        claims = {where: number for uuid, number in claim.claims.items() if (where := state.view.by_uuid(uuid))}
        return Held(holder(state, path), claim.since, claims)

    # Claims -------------------------------------------------------------------------------------------------

    def _punted(self, punt: Punt) -> None:
        state, path = self._context.network.state, punt.path
        body = None if path is None else state.view.get(path)
        if path is None or not isinstance(body, VirtualIp):
            return
        for vport, place in candidates(state, path):
            if place.location.dvrs == punt.dvrs and state.slot(vport) == punt.slot:
                self._claimed(path, body.uuid, place.vport.uuid)

    def _claimed(self, path: Path, uuid: str, vport: str) -> None:
        now, claim = self._context.clock(), self._known.setdefault(uuid, Claim())
        claim.claims[vport] += 1
        if self._holder(uuid) == vport or now < claim.ignored_until:
            return
        if len(claim.changes) == CHANGES and now - claim.changes[0] < SPAN:
            claim.ignored_until = now + IGNORED
            text = f"several vports fight for {_name(path)}: it stays as it is for {IGNORED:g} s"
            self._context.network.events.add(Kind.IDENTITY, text, about=path)
            return
        claim.changes.append(now)
        self._observe(uuid, vport)

    def _holder(self, uuid: str) -> str | None:
        """UUID of the vport that claimed a virtual IP last."""
        claim = self._known.get(uuid)
        if claim is not None and claim.waiting is not None:
            return claim.waiting
        return self._context.network.state.placement.holders.get(uuid)

    def _observe(self, uuid: str, vport: str | None) -> None:
        self._known.setdefault(uuid, Claim()).waiting = vport
        self._context.upkeep.observe(Observed(holders={uuid: vport}))

    # What came of them --------------------------------------------------------------------------------------

    def _changed(self, made: Draft) -> None:
        """A change has been carried out: who has another virtual IP, or one that nobody had?"""
        for uuid, vport in made.observed.holders.items():
            claim = self._known.get(uuid)
            if claim is not None and claim.waiting == vport:
                claim.waiting = None
        state = self._context.network.state
        for path in _concerned(made):
            body, before, after = state.view.get(path), holder(made.old, path), holder(state, path)
            if not isinstance(body, VirtualIp) or before == after:
                continue
            claim = self._known.setdefault(body.uuid, Claim())
            claim.since = self._context.clock()
            name = "nobody" if after is None else vport_name(after)
            former = "" if before is None else f", before by {vport_name(before)}"
            self._context.network.events.add(
                Kind.VPORT, f"{_name(path)} is held by {name}{former}", about=path, facts={"holder": name}
            )
            if after is not None:
                claim.untold = True
                self._announce(state, path, body, after)

    def _announce(self, state: State, path: Path, body: VirtualIp, by: Path) -> None:
        """Tells every other vport of the subnet, in the name of the one that has the address."""
        place = state.place(by)
        mac = body.mac or (place.vport.mac if place is not None else None)
        if place is None or mac is None:
            return
        ip = address(path[-1])
        frame = gratuitous_arp(mac, ip) if ip.version == 4 else neighbour_advertisement(mac, ip, ip, "", _ANYBODY)
        for dvrs, vports in state.members_of(place.subnet).items():
            slots = [slot for vport, slot in vports.items() if vport != by]
            for first in range(0, len(slots), _AT_ONCE):
                acts = [
                    act
                    for slot in slots[first : first + _AT_ONCE]
                    for act in (actions.set_reg(Register.TO_PORT, slot), actions.resubmit(Table.DELIVER))
                ]
                self._context.punted.send(dvrs, frame, acts)

    def sweep(self) -> None:
        """Forgets what is gone, gives what an unresolved holder had to the next for good, and announces again."""
        state, now = self._context.network.state, self._context.clock()
        for uuid in {*self._known, *state.placement.holders}:
            path = state.view.by_uuid(uuid)
            body = None if path is None else state.view.get(path)
            if path is None or not isinstance(body, VirtualIp):
                self._known.pop(uuid, None)
                if state.placement.holders.get(uuid) is not None:
                    self._context.upkeep.observe(Observed(holders={uuid: None}))
                continue
            claim = self._known.setdefault(uuid, Claim())
            has = holder(state, path)
            if claim.untold and has is not None:
                claim.untold = False
                self._announce(state, path, body, has)
            held = self._holder(uuid)
            able = {place.vport.uuid for _, place in candidates(state, path)}
            if held is None or held in able:
                claim.gone = 0.0
                continue
            claim.gone = claim.gone or now
            may = state.view.by_uuid(held)
            if may is None or may[-1] not in body.vport or now - claim.gone >= GRACE:
                claim.gone = 0.0
                following = None if has is None else state.view.get(has)
                self._observe(uuid, None if following is None else following.uuid)


def _concerned(made: Draft) -> Iterator[Path]:
    """The virtual IPs that may have another holder after a change."""
    found: set[Path] = {path for path in made.edits if path[-2:-1] == ("virtual-ip",)}
    vports = {path for path, body in made.edits.items() if isinstance(body, Vport)}
    for state in (made.old, made.new):
        found.update(path for uuid in made.observed.holders if (path := state.view.by_uuid(uuid)) is not None)
        vports.update(path for uuid in made.moved if (path := state.view.by_uuid(uuid)) is not None)
    for path in vports:
        found.update(user for user in made.new.view.referrers(path) if user[-2] == "virtual-ip")
    return iter(sorted(found))


def _name(path: Path) -> str:
    return f"virtual-ip {path[1]}/{path[3]}/{path[-1]}"
