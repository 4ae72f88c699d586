"""Where things are: which hypervisor a vport is resolved on, how each hypervisor is reached, and what was observed.

The compiler's frozen view of `controller.topology` and `controller.observed`: only what flows depend on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from controller.compile.layered import Layered
from controller.compile.remote import Remote, RemoteKey, RemoteMac, What
from data.addresses import Ip
from data.steps import Steps, at_once

__all__ = ["Learned", "Location", "Observed", "Placement"]

_FOLDED = 10_000  # facts that are folded in at once: 1 ms, and 2 for every 100,000 that were there
_TOGETHER = 64  # remote facts between two yields, about 100 µs

Learned = Mapping[str, tuple[str, ...]]
"""MAC address -> IP addresses, of what is behind one bridge vport."""


@dataclass(frozen=True, slots=True)
class Location:
    """A vport's place: the hypervisor's name and the OpenFlow port of its interface there."""

    dvrs: str
    port: int


@dataclass(frozen=True, slots=True)
class Observed:
    """Facts about workloads that only packets tell, or others; as a change, None removes one.

    learned   UUID of a bridge vport -> what was learned behind it
    holders   UUID of a virtual IP -> UUID of the vport that claimed it last
    health    target of a probe (`controller.compile.health.target`) -> whether it is alive
    remote    a place outside our hypervisors -> how to get there (`remote.py`); told by BGP, not by packets
    """

    learned: Mapping[str, Learned | None] = field(default_factory=dict)
    holders: Mapping[str, str | None] = field(default_factory=dict)
    health: Mapping[str, bool | None] = field(default_factory=dict)
    remote: Mapping[RemoteKey, Remote | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.learned or self.holders or self.health or self.remote)


@dataclass(frozen=True, slots=True)
class Placement:
    """Immutable; the `with_` methods give changed copies that share the rest.

    `tunnel_ports` maps each known hypervisor to the OpenFlow port of its VXLAN tunnel port. A hypervisor that is away
    stays in it, with its vports, until its configuration is deleted: others go on sending to it. `remote` holds the
    facts about each owner by kind, `remote_macs` who has an address in a segment, by UUID. The rest is as in
    `Observed`.
    """

    tunnel_ports: Mapping[str, int] = field(default_factory=dict)
    vports: Layered[str, Location] = field(default_factory=Layered)
    learned: Layered[str, Learned] = field(default_factory=Layered)
    holders: Layered[str, str] = field(default_factory=Layered)
    health: Layered[str, bool] = field(default_factory=Layered)
    remote: Layered[tuple[str, str], Layered[What, Remote]] = field(default_factory=Layered)
    remote_macs: Layered[str, Layered[Ip, frozenset[bytes]]] = field(default_factory=Layered)

    def location(self, uuid: str) -> Location | None:
        """Where the vport with this UUID is, None while it is unresolved."""
        return self.vports.get(uuid)

    def with_vports(self, changes: Mapping[str, Location | None]) -> Placement:
        """A copy in which these vports have moved; None means unresolved."""
        return replace(self, vports=self.vports.changed(changes))

    def with_hypervisors(self, changes: Mapping[str, int | None]) -> Placement:
        """A copy with other tunnel ports; None forgets a hypervisor."""
        ports = {**self.tunnel_ports, **{name: port for name, port in changes.items() if port is not None}}
        for name, port in changes.items():
            if port is None:
                ports.pop(name, None)
        return replace(self, tunnel_ports=ports)

    def remotes(self, owner: str, kind: str) -> Layered[What, Remote]:
        """The facts of one kind about an owner."""
        return self.remote.get((owner, kind)) or _NONE

    def all_remote(self) -> Iterator[tuple[RemoteKey, Remote]]:
        """Every fact about other places."""
        for owner, kind in self.remote:
            facts = self.remotes(owner, kind)
            for what in facts:
                fact = facts.get(what)
                if fact is not None:
                    yield RemoteKey(owner, kind, what), fact

    def with_observed(self, changes: Observed) -> Placement:
        """A copy with other observed facts, at once."""
        return at_once(self.observing(changes))

    def observing(self, changes: Observed) -> Steps[Placement]:
        """A copy with other observed facts; a full table of routes comes in steps."""
        grouped: defaultdict[tuple[str, str], dict[What, Remote | None]] = defaultdict(dict)
        macs: defaultdict[str, dict[Ip, frozenset[bytes]]] = defaultdict(dict)
        for number, (key, fact) in enumerate(changes.remote.items()):
            grouped[key.owner, key.kind][key.what] = fact
            if isinstance(key.what, bytes):
                _note(macs[key.owner], self.remote_macs.get(key.owner), key.what,
                      self.remotes(key.owner, key.kind).get(key.what), fact)  # fmt: skip
            if number % _TOGETHER == 0:
                yield
        remote: dict[tuple[str, str], Layered[What, Remote] | None] = {}
        for at, facts in grouped.items():
            after, rest = self.remotes(*at), iter(facts.items())
            while some := dict(islice(rest, _FOLDED)):
                after = after.changed(some)
                yield
            remote[at] = after or None
        known: dict[str, Layered[Ip, frozenset[bytes]] | None] = {}
        for owner, addresses in macs.items():
            before = self.remote_macs.get(owner) or Layered[Ip, frozenset[bytes]]()
            known[owner] = before.changed({ip: held or None for ip, held in addresses.items()}) or None
            yield
        return replace(
            self,
            learned=self.learned.changed(changes.learned),
            holders=self.holders.changed(changes.holders),
            health=self.health.changed(changes.health),
            remote=self.remote.changed(remote),
            remote_macs=self.remote_macs.changed(known),
        )


_NONE: Layered[What, Remote] = Layered()


def _note(
    changed: dict[Ip, frozenset[bytes]],
    known: Layered[Ip, frozenset[bytes]] | None,
    mac: bytes,
    before: Remote | None,
    after: Remote | None,
) -> None:
    """Who has the addresses that a MAC address had, and those that it has."""
    had, has = (frozenset(one.addresses) if isinstance(one, RemoteMac) else frozenset() for one in (before, after))
    for ip in had ^ has:
        held = changed[ip] if ip in changed else (known and known.get(ip)) or frozenset()
        changed[ip] = held - {mac} if ip in had else held | {mac}
