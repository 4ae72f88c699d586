"""The DHCP server of every subnet that has one: each vport hears its own configuration, and nothing else.

    punts.py: the vport asks ──> told.py: what is configured ──> packets/dhcp.py, dhcp6.py ──> back to the vport

There is no pool and no database: addresses are those of the configuration, so a lease never ends up with somebody else
and a restart forgets nothing that matters. Who asked and what the answer was is kept for `show dhcp leases`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from controller.commit.planning import Draft
from controller.edge.allowance import Allowance
from controller.edge.context import EdgeContext
from controller.edge.told import lease, lease6
from controller.events import Kind, Severity
from controller.hypervisors.punted import Punt
from controller.packets import dhcp, dhcp6
from controller.packets.frame import parse
from controller.pipeline import Feature
from data.addresses import BITS
from data.path import Path, vport_name
from data.schema.objects import Vport

__all__ = ["LIMIT", "RATE", "Dhcp", "LeaseRecord"]

RATE = 5  # messages a second and vport; a client that boots sends two
LIMIT = 100_000  # vports that are remembered to have asked, about 40 MB; the longest silent one is forgotten first
_OFFERED, _LEASED, _REFUSED, _RELEASED, _DECLINED, _INFORMED = (
    "offered", "leased", "refused", "released", "declined", "informed",
)  # fmt: skip
_STATES = {dhcp.OFFER: _OFFERED, dhcp.ACK: _LEASED, dhcp.NAK: _REFUSED}


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a vport heard last of DHCP or DHCPv6; times are seconds since the epoch."""

    path: Path
    uuid: str
    version: int
    addresses: tuple[str, ...]
    state: str
    asked: float
    seconds: int
    """How long what it was given is good for."""

    @property
    def until(self) -> float | None:
        """When it ends unless the client renews it; None without a lease."""
        return self.asked + self.seconds if self.state == _LEASED else None


class Dhcp:
    """See the module."""

    def __init__(self, context: EdgeContext) -> None:
        self._context = context
        self._allowance = Allowance(RATE)
        self._records: OrderedDict[tuple[Path, int], LeaseRecord] = OrderedDict()  # by vport and IP version
        context.punted.serve(Feature.DHCP, self._asked)
        context.network.on_change.append(self._follow)

    def leases(self) -> Iterator[LeaseRecord]:
        """What vports heard that are still there; one that was renamed has to ask again to be known."""
        running = self._context.network.running
        for record in self._records.values():
            vport = running.get(record.path)
            if vport is not None and vport.uuid == record.uuid:
                yield record

    def _asked(self, punt: Punt) -> None:
        running = self._context.network.running
        vport = None if punt.path is None else running.get(punt.path)
        if punt.path is None or not isinstance(vport, Vport) or not self._allowance.take(vport.uuid):
            return
        frame = parse(punt.frame)  # only now: what a flood costs is what it costs to refuse it
        if frame is None or frame.source_mac != vport.mac:
            return
        answer = self._four(punt, punt.path, vport) if frame.version == 4 else self._six(punt, punt.path, vport)
        if answer is not None:
            self._context.punted.answer(punt, answer)

    def _four(self, punt: Punt, path: Path, vport: Vport) -> bytes | None:
        own, message = lease(self._context.network.running, path), dhcp.decode(punt.frame)
        if own is None or message is None:
            return None
        answer = dhcp.reply(punt.frame, own)
        if message.kind == dhcp.RELEASE:
            state: str | None = _RELEASED
        elif message.kind == dhcp.DECLINE:
            state = _DECLINED
            self._doubt(path, str(message.requested or own.address))
        elif message.kind == dhcp.INFORM:
            state = _INFORMED
        else:
            state = None if answer is None else _STATES.get(dhcp.kind_of(answer) or 0)
        if state is not None:
            self._note(path, vport, 4, (str(own.address),), state, own.seconds)
        return answer

    def _six(self, punt: Punt, path: Path, vport: Vport) -> bytes | None:
        own, message = lease6(self._context.network.running, path), dhcp6.decode(punt.frame)
        if own is None or message is None:
            return None
        answer = dhcp6.reply(punt.frame, own)
        if answer is None:
            return None
        given = tuple(str(ip) for ip in dhcp6.given(answer))
        if message.kind == dhcp6.RELEASE:
            state = _RELEASED
        elif message.kind == dhcp6.DECLINE:
            state = _DECLINED
            self._doubt(path, ", ".join(str(ip) for ip in message.addresses))
        elif message.kind in (dhcp6.CONFIRM, dhcp6.INFORMATION_REQUEST):
            state = _INFORMED
        elif not given:
            state = _REFUSED
        else:
            state = _OFFERED if message.kind == dhcp6.SOLICIT else _LEASED
        self._note(path, vport, 6, given, state, own.seconds)
        return answer

    def _doubt(self, path: Path, address: str) -> None:
        """A client found its address in use, which anti-spoofing should make impossible."""
        text = f"{vport_name(path)} says that its address {address} is in use by somebody else"
        self._context.network.events.once(
            Kind.VPORT, f"dhcp {vport_name(path)}", address, text, severity=Severity.WARNING, about=path
        )

    def _note(
        self, path: Path, vport: Vport, version: int, addresses: tuple[str, ...], state: str, seconds: int
    ) -> None:
        key = path, version
        self._records[key] = LeaseRecord(path, vport.uuid, version, addresses, state, self._context.clock(), seconds)
        self._records.move_to_end(key)
        if len(self._records) > LIMIT:
            self._records.popitem(last=False)

    def _follow(self, made: Draft) -> None:
        """Forgets vports that were deleted."""
        for path, body in made.edits.items() if self._records else ():
            if body is None and path[-2:-1] == ("vport",):
                for version in BITS:
                    self._records.pop((path, version), None)
