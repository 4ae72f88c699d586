"""What is where: the hypervisors, the interfaces they report, and the vport that each interface resolves.

Pure bookkeeping: no I/O, no asyncio. `hypervisors/contact.py` tells it what OVSDB reports, `upkeep.py` there asks it
which vports may have moved (`touched`) and where each one is now (`claim`), and recompiles exactly those.

    OVSDB: interface tap7 on hv2, iface-id = acme/prod/web-1, ofport 4      OpenFlow: reconciled, lost, ...
                     |                                                                |
             Interface (a claim)                                         Hypervisor (unknown, away,
                     |                                                     connected, ready)
        the latest to appear of all claims that name the vport's UUID or full name
                     |
             Attachment (vport -> hypervisor, port)

An uplink is a claim, too, of all vports that are behind it; several hypervisors may have an uplink of one name, and the
first of them carries the traffic until it is gone: only one way may lead to a physical segment.

What an away hypervisor reported last stays: other hypervisors go on sending to its workloads until it is back and says
otherwise, or until its configuration is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.events import Events, Kind, Severity
from controller.ovsdb.model import UPLINK
from data.path import Path, vport_name
from data.schema.objects import Vport

__all__ = ["TUNNEL_PORT", "Attachment", "Hypervisor", "Interface", "Standing", "Topology"]

TUNNEL_PORT = 65000  # OpenFlow port requested for nsh-vxlan; assumed until the hypervisor reports another


class Standing(StrEnum):
    """How far the contact with a hypervisor has got."""

    UNKNOWN = "unknown"  # dialled in, not configured: left alone
    AWAY = "away"  # configured, not here
    CONNECTED = "connected"  # here, its flows are not yet known to be right
    READY = "ready"  # its flows equal the committed configuration


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """One hypervisor as seen now. `name` is the configured one, or the system-id of an unknown hypervisor.

    `since` is when `state` began (seconds since the epoch), `reason` why, in words for people.
    """

    name: str
    system_id: str
    state: Standing
    since: float
    reason: str = ""
    tunnel_address: str = ""
    datapath_id: int | None = None
    vxlan_port: int = TUNNEL_PORT
    ovs_version: str = ""
    ovsdb_peer: str = ""
    openflow_peer: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface with an iface-id: a claim to be the attachment of a vport. A later claim has a higher `order`."""

    dvrs: str
    name: str
    iface_id: str
    ofport: int
    since: float
    order: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a vport is resolved."""

    vport: str  # UUID
    dvrs: str
    ofport: int
    interface: str
    since: float


class Topology:
    """The register of hypervisors and interfaces. All methods are synchronous and cost O(what they change)."""

    def __init__(self, events: Events, clock: Callable[[], float] = time.time) -> None:
        self._events = events
        self._clock = clock
        self._hypervisors: dict[str, Hypervisor] = {}
        self._unknown: dict[str, Hypervisor] = {}
        self._interfaces: dict[str, dict[str, Interface]] = {}  # hypervisor -> interface name -> claim
        self._claims: dict[str, list[Interface]] = {}  # iface-id -> claims, the latest last
        self._order = 0
        self.touched: set[str] = set()  # iface-ids whose claims changed since somebody last took them
        self.released: dict[tuple[str, int], str] = {}  # (hypervisor, port) -> the iface-id that gave it up
        self._changed: dict[tuple[str, str], Interface | None] = {}  # (hypervisor, interface name), None: gone
        self._ending = False

    # Hypervisors --------------------------------------------------------------------------------------------

    @property
    def hypervisors(self) -> Mapping[str, Hypervisor]:
        """The configured hypervisors by name."""
        return self._hypervisors

    @property
    def unknown(self) -> Mapping[str, Hypervisor]:
        """Hypervisors that dialled in without being configured, by system-id (or by the peer that has none)."""
        return self._unknown

    def configure(self, name: str, system_id: str, tunnel_address: str) -> None:
        """A hypervisor was added to the configuration, or changed there."""
        known = self._hypervisors.get(name)
        if known is None:
            known = Hypervisor(name, system_id, Standing.AWAY, self._clock(), "has not connected yet")
        self._hypervisors[name] = replace(known, system_id=system_id, tunnel_address=tunnel_address)

    def forget(self, name: str) -> None:
        """A hypervisor was deleted from the configuration; its claims go with it."""
        self._hypervisors.pop(name, None)
        for interface in tuple(self._interfaces.get(name, {})):
            self.vanish(name, interface)
        self._interfaces.pop(name, None)

    def end(self) -> None:
        """The controller stops: that hypervisors are away from now on is its own doing, and no error."""
        self._ending = True

    def stand(self, name: str, state: Standing, reason: str) -> None:
        """Notes a change of state and says so; without a change only the reason is kept."""
        known = self._hypervisors.get(name)
        if known is None:
            return
        if known.state is state:
            self._hypervisors[name] = replace(known, reason=reason)
            return
        self._hypervisors[name] = replace(known, state=state, since=self._clock(), reason=reason)
        lost = state is Standing.AWAY and not self._ending
        self._events.add(
            Kind.HYPERVISOR, f"{name} {state}: {reason}" if reason else f"{name} {state}",
            severity=Severity.ERROR if lost else Severity.NOTICE, about=("dvrs", name), dvrs=name,
            facts={"state": str(state), "reason": reason},
        )  # fmt: skip

    def note(
        self,
        name: str,
        *,
        datapath_id: int | None = None,
        vxlan_port: int | None = None,
        ovs_version: str | None = None,
        ovsdb_peer: str | None = None,
        openflow_peer: str | None = None,
    ) -> None:
        """Keeps facts that the hypervisor reported about itself; None leaves a fact as it was."""
        known = self._hypervisors.get(name)
        if known is None:
            return
        self._hypervisors[name] = replace(
            known,
            datapath_id=known.datapath_id if datapath_id is None else datapath_id,
            vxlan_port=known.vxlan_port if vxlan_port is None else vxlan_port,
            ovs_version=known.ovs_version if ovs_version is None else ovs_version,
            ovsdb_peer=known.ovsdb_peer if ovsdb_peer is None else ovsdb_peer,
            openflow_peer=known.openflow_peer if openflow_peer is None else openflow_peer,
        )

    def stranger(self, key: str, reason: str, *, ovsdb_peer: str = "", openflow_peer: str = "",
                 datapath_id: int | None = None, ovs_version: str = "") -> None:  # fmt: skip
        """Somebody dialled in whom the configuration does not know; `key` is a system-id, or what is known instead."""
        if key not in self._unknown:
            self._events.add(
                Kind.HYPERVISOR, f"unknown {key} from {ovsdb_peer or openflow_peer}: {reason}",
                severity=Severity.WARNING, facts={"system-id": key, "peer": ovsdb_peer or openflow_peer},
            )  # fmt: skip
        self._unknown[key] = Hypervisor(
            key, key, Standing.UNKNOWN, self._clock(), reason, "", datapath_id, TUNNEL_PORT, ovs_version,
            ovsdb_peer, openflow_peer,
        )  # fmt: skip

    def stranger_left(self, key: str) -> None:
        """An unknown hypervisor went away or became known."""
        self._unknown.pop(key, None)

    # Interfaces and vports ----------------------------------------------------------------------------------

    def appear(self, dvrs: str, name: str, iface_id: str, ofport: int) -> None:
        """An interface of an admitted hypervisor has an iface-id and a port; the same again changes nothing."""
        if dvrs not in self._hypervisors:
            return
        known = self._interfaces.get(dvrs, {}).get(name)
        if known is not None:
            if known.iface_id == iface_id and known.ofport == ofport:
                return
            self.vanish(dvrs, name)
        self._order += 1
        self._place(Interface(dvrs, name, iface_id, ofport, self._clock(), self._order))
        rivals = [claim for claim in self._claims[iface_id] if (claim.dvrs, claim.name) != (dvrs, name)]
        if rivals and not iface_id.startswith(UPLINK):
            others = ", ".join(f"{claim.name} on {claim.dvrs}" for claim in rivals)
            self._events.add(
                Kind.IDENTITY, f"{iface_id} is claimed by {others} and now by {name} on {dvrs}: the latest counts",
                dvrs=dvrs, facts={"iface-id": iface_id, "interface": name},
            )  # fmt: skip

    def vanish(self, dvrs: str, name: str) -> None:
        """An interface is gone, lost its iface-id or its port."""
        gone = self._interfaces.get(dvrs, {}).pop(name, None)
        if gone is None:
            return
        claims = self._claims[gone.iface_id]
        claims.remove(gone)
        if not claims:
            del self._claims[gone.iface_id]
        self.touched.add(gone.iface_id)
        self._changed[dvrs, name] = None
        self.released[dvrs, gone.ofport] = gone.iface_id

    def report(self, dvrs: str, interfaces: Mapping[str, tuple[str, int]]) -> None:
        """All interfaces of a hypervisor, name -> (iface-id, port), as its OVSDB holds them now."""
        for name in [name for name in self._interfaces.get(dvrs, {}) if name not in interfaces]:
            self.vanish(dvrs, name)
        for name, (iface_id, ofport) in interfaces.items():
            self.appear(dvrs, name, iface_id, ofport)

    def claim(self, uuid: str, full_name: str, without: Collection[str] = ()) -> Interface | None:
        """The interface that resolves a vport now: the latest of those that name it either way.

        Interfaces of the hypervisors `without` do not count.
        """
        if uuid not in self._claims and full_name not in self._claims:
            return None
        claims = [*self._claims.get(uuid, ()), *self._claims.get(full_name, ())]
        claims = [claim for claim in claims if claim.dvrs not in without] if without else claims
        return max(claims, key=lambda claim: claim.order, default=None)

    def uplink(self, name: str, without: Collection[str] = ()) -> Interface | None:
        """The interface that is the uplink of this name now: the first of those that say so."""
        claims = [claim for claim in self._claims.get(UPLINK + name, ()) if claim.dvrs not in without]
        return min(claims, key=lambda claim: claim.order, default=None)

    def attachment(self, path: Path, vport: Vport) -> Attachment | None:
        """Where a vport is resolved, for people; one behind an uplink is where that is."""
        claim = self.claim(vport.uuid, vport_name(path)) if vport.uplink is None else self.uplink(vport.uplink)
        if claim is None:
            return None
        return Attachment(vport.uuid, claim.dvrs, claim.ofport, claim.name, claim.since)

    def claims_of(self, dvrs: str) -> Iterator[Interface]:
        """The interfaces with an iface-id on one hypervisor, also those that name no vport."""
        yield from tuple(self._interfaces.get(dvrs, {}).values())

    def rivals(self) -> Iterator[tuple[str, tuple[Interface, ...]]]:
        """iface-ids that several interfaces claim, the one that counts last."""
        for iface_id, claims in self._claims.items():
            if len(claims) > 1:
                yield iface_id, tuple(claims)

    def take_touched(self) -> set[str]:
        """The iface-ids whose claims changed since the last call."""
        touched, self.touched = self.touched, set()
        return touched

    def take_released(self) -> set[tuple[str, int]]:
        """The ports given up since the last call and not taken again by the same workload meanwhile."""
        released, self.released = self.released, {}
        return set(released)

    def take_changed(self) -> dict[tuple[str, str], Interface | None]:
        """The interfaces that came, changed or (None) went since the last call, to be remembered."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, interfaces: Iterable[Interface]) -> None:
        """Claims as an earlier process knew them, before anybody has connected; those of others are dropped."""
        for interface in sorted(interfaces, key=lambda interface: interface.order):
            if interface.dvrs in self._hypervisors:
                self._order = max(self._order, interface.order)
                self._place(interface)

    def _place(self, interface: Interface) -> None:
        self._interfaces.setdefault(interface.dvrs, {})[interface.name] = interface
        self._claims.setdefault(interface.iface_id, []).append(interface)
        self.touched.add(interface.iface_id)
        self._changed[interface.dvrs, interface.name] = interface
        if self.released.get((interface.dvrs, interface.ofport)) == interface.iface_id:
            del self.released[interface.dvrs, interface.ofport]
