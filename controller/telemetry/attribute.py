"""Whose a counter is: from the number in a cookie to the object, and from a vport to all that it is part of.

    vport ──> subnet ──> zone ──> domain ──> enterprise          hypervisor: the one whose switch counted
    l2-domain's vport ──> l2-domain ──> enterprise

What a vport is part of is worked out once and kept until a commit changes anything. What was counted of a vport that
is gone from the configuration meanwhile goes to what it was part of last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from controller.commit.planning import Draft
from controller.network import Network
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.purposes import MEASURES, Purpose, Subject
from data.addresses import Ip, address
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Vport
from data.steps import Pace

__all__ = ["Attribution", "Counts", "parents"]

Counts = dict[SeriesKey, dict[Measure, int]]
_SENT = (None, Measure.UPLINK_SENT_BYTES)
_FORMER_LIMIT = 200_000  # vports that are remembered as they were, 150 bytes each


def parents(view: Configuration, path: Path) -> tuple[SeriesKey, ...]:
    """The keys of what a vport is part of, its own first; of one that does not exist none."""
    vport = view.get(path)
    if not isinstance(vport, Vport):
        return ()
    keys = [SeriesKey(Level.VPORT, vport.uuid)]
    domain = path[:4]
    subnet = view.resolve(path, "subnet", vport.subnet) if domain[2] == "domain" and vport.subnet else None
    places = [] if subnet is None else [(Level.SUBNET, subnet), (Level.ZONE, subnet[:-2])]
    for level, place in (*places, (Level.DOMAIN, domain), (Level.ENTERPRISE, domain[:2])):
        body = view.get(place)
        if body is not None:
            keys.append(SeriesKey(level, body.uuid))
    return tuple(keys)


class Attribution:
    """See the module. It must be told of every change of the network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[str, tuple[SeriesKey, ...]] = {}  # vport UUID -> its keys
        self._former: dict[str, tuple[SeriesKey, ...]] = {}  # the same before the last change, also of those gone since
        self._endpoints: dict[bytes, str] | None = None

    def changed(self, made: Draft) -> None:
        """A change of the network is in force."""
        if made.edits:
            self._former.update(self._known)
            if len(self._former) > _FORMER_LIMIT:
                self._former = dict(self._known)
            self._known = {}
            self._endpoints = None

    def of_vport(self, uuid: str) -> tuple[SeriesKey, ...]:
        """The keys that a vport's counters count for."""
        found = self._known.get(uuid)
        if found is None:
            view = self._network.running
            path = view.by_uuid(uuid)
            found = self._former.get(uuid, ()) if path is None else parents(view, path)
            self._known[uuid] = found
        return found

    async def counts(self, dvrs: str, grown: Mapping[Subject, tuple[int, int]]) -> Counts:
        """What a switch has counted, for everything that it counts for."""
        result: Counts = {}
        here, pace = SeriesKey(Level.DVRS, dvrs), Pace()
        for subject, numbers in grown.items():
            await pace.breathe()
            for key in self._keys(dvrs, subject):
                of_key = result.setdefault(key, {})
                measures = _SENT if subject.purpose is Purpose.TUNNEL and key == here else MEASURES[subject.purpose]
                for measure, number in zip(measures, numbers, strict=True):
                    if measure is not None and number:
                        of_key[measure] = of_key.get(measure, 0) + number
        return {key: measures for key, measures in result.items() if measures}

    def _keys(self, dvrs: str, subject: Subject) -> Iterator[SeriesKey]:
        purpose = subject.purpose
        if purpose is Purpose.UPLINK:
            yield SeriesKey(Level.DVRS, dvrs)
        elif purpose is Purpose.TUNNEL:
            yield SeriesKey(Level.TUNNEL, f"{dvrs}>{self.end(subject.endpoint)}")
            yield SeriesKey(Level.DVRS, dvrs)
        else:
            uuid = self._network.objects.get(subject.number)
            if uuid is not None and purpose is Purpose.HITS:
                yield SeriesKey(Level.RULE, uuid)
            elif uuid is not None:
                yield from self.of_vport(uuid)
                yield SeriesKey(Level.DVRS, dvrs)

    async def looked_at(self, hypervisors: AbstractSet[str]) -> set[SeriesKey]:
        """Everything that the switches of these hypervisors count for, whether anything was counted or not."""
        state, pace = self._network.state, Pace()
        found = {SeriesKey(Level.DVRS, name) for name in hypervisors}
        domains: set[Path] = set()
        for domain in state.hosts:
            if not hypervisors.isdisjoint(state.own_hosts(domain)):
                domains.add(domain)
        for domain in domains:
            for name in state.view.children(domain, "vport"):
                path = (*domain, "vport", name)
                vport = state.view.get(path)
                where = None if vport is None else state.placement.location(vport.uuid)
                if vport is not None and where is not None and where.dvrs in hypervisors:
                    found.update(self.of_vport(vport.uuid))
                await pace.breathe()
            policy = state.policies.get(domain)
            for path in () if policy is None else policy.rules:
                rule = state.view.get(path)
                if rule is not None:
                    found.add(SeriesKey(Level.RULE, rule.uuid))
                await pace.breathe()
        return found

    def end(self, endpoint: bytes) -> str:
        """The other end of a tunnel: the hypervisor with this address, or the address itself."""
        if self._endpoints is None:
            self._endpoints = {
                address(known.tunnel_address).packed: name
                for name, known in self._network.topology.hypervisors.items()
                if known.tunnel_address
            }
        found = self._endpoints.get(endpoint)
        if found is None:
            version = 4 if len(endpoint) == 4 else 6
            found = self._endpoints[endpoint] = str(Ip(version, int.from_bytes(endpoint, "big")))
        return found
