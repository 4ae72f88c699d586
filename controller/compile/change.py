"""From one state to the next, and what that touched: the fragments to compile again, and only those.

The result must be a superset of what really changed; comparing old and new contents in `compiler.py` throws away the
rest. The other direction, a fragment that changed and is missed, would leave a stale flow behind: the tests compare
random changes with a compilation from nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from controller.compile.access import give_access
from controller.compile.catalogue import FEATURES
from controller.compile.core import (
    DOMAIN,
    FLOOD,
    IDENTITY,
    PREFIXES,
    REACH,
    RULE,
    SKELETON,
    SUBNET_KINDS,
    VPORT_KINDS,
    domain_fragments,
    everything_of,
    fragments_of,
    segment_fragments,
)
from controller.compile.dirty import Dirty
from controller.compile.features import Delta
from controller.compile.fragments import Fragment
from controller.compile.numbering import fixed_vni, number_edits
from controller.compile.placement import Location, Observed
from controller.compile.policy import DomainPolicy, Rule, Terms, build, free_places, regrouped, rules_of, sets_of
from controller.compile.remote import RemoteKey
from controller.compile.state import BRIDGE, Hosts, Members, State, endpoints
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Domain, Dvrs, L2Domain, Object, Subnet, Vport
from data.steps import Steps

__all__ = ["changed", "rehosted"]

_POLICY_KINDS = ("ingress-policy", "egress-policy", "entry", "forwarding-policy", "redirect")
_DOMAINS = ("domain", "l2-domain")
_KEYS = 1000  # facts between two yields, 0.1 ms


def changed(
    old: State,
    *,
    view: Configuration | None = None,
    edits: Mapping[Path, Object | None] | None = None,
    vports: Mapping[str, Location | None] | None = None,
    hypervisors: Mapping[str, int | None] | None = None,
    observed: Observed | None = None,
) -> Steps[tuple[State, Dirty]]:
    """The state after configuration `edits` (with `view` the configuration after them), vports appearing, moving or
    vanishing (by UUID), hypervisors becoming known (name -> OpenFlow port of the tunnel) or forgotten (None), and other
    facts being observed.

    With edits the new state allocates in a fork of the numbers: persist `new.numbers.new` when the plan is committed.
    """
    edits, vports, hypervisors, observed = edits or {}, vports or {}, hypervisors or {}, observed or Observed()
    new = replace(
        old,
        view=old.view if view is None else view,
        numbers=old.numbers.fork() if edits else old.numbers,
        placement=(yield from old.placement.with_vports(vports).with_hypervisors(hypervisors).observing(observed)),
    )
    if any(path[0] == "dvrs" for path in edits):
        new = replace(new, endpoints=endpoints(new.view))
    yield from number_edits(new.numbers, edits, old.view, new.view)
    give_access(new.view, edits, new.numbers, old.view)
    new = _used(old, new, edits)
    dirty = Dirty()
    touched: set[Path] = set()
    for path in _touched_vports(old, new, edits, vports, hypervisors):
        if path[-2] == "vport":
            touched.add(path)
        yield
    new = yield from _move(old, new, touched, dirty)
    new = _bridged(old, new, touched)
    new = yield from _policies(old, new, edits, touched, dirty)
    for path, body in edits.items():
        before = old.view.get(path)
        if isinstance(body, Subnet) or isinstance(before, Subnet):
            dirty.everywhere(Fragment(kind, path) for kind in SUBNET_KINDS)
        if isinstance(body, L2Domain) or isinstance(before, L2Domain):
            dirty.everywhere(Fragment(kind, path) for kind in SUBNET_KINDS)
        if isinstance(body, Dvrs) or isinstance(before, Dvrs):
            _hypervisor(old, new, path[1], dirty)
        if fixed_vni(before) != fixed_vni(body):  # all of its flows are on another VNI
            for state in (old, new):
                if state.policies.get(path[:4]) is not None:
                    dirty.everywhere(everything_of(state, path[:4]))
        yield
    if old.gateway_mac() != new.gateway_mac():
        for state in (old, new):
            for name in state.placement.tunnel_ports:
                dirty.everywhere(fragments_of(state, name))
                yield
    for name in hypervisors:
        _hypervisor(old, new, name, dirty)
        yield
    others = {path[1] for path in edits if path[0] == "dvrs"}.union(hypervisors)
    remote: dict[str, list[RemoteKey]] = {}
    for count, key in enumerate(observed.remote):
        remote.setdefault(key.kind, []).append(key)
        if count % _KEYS == 0:
            yield
    delta = Delta(old, new, edits, frozenset(touched), frozenset(others), observed, remote)
    for feature in FEATURES:
        yield  # each looks at every vport: up to 0.2 s of 50,000, which together would stall the loop for one
        for fragment in feature.touched(delta):
            dirty.everywhere([fragment])
            yield
    return new, dirty


def _used(old: State, new: State, edits: Mapping[Path, Object | None]) -> State:
    """Who uses which shared domain after the edits."""
    users: dict[Path, frozenset[Path] | None] = {}
    for path, body in edits.items():
        before = old.view.get(path)
        if not isinstance(body, Domain) and not isinstance(before, Domain):
            continue
        was, now = set(old.shared(path)), set(new.shared(path))
        for used in was ^ now:
            known = users[used] if used in users else old.users.get(used)
            known = (known or frozenset()) ^ {path}
            users[used] = known or None
    return replace(new, users=old.users.changed(users)) if users else new


def _bridged(old: State, new: State, touched: Iterable[Path]) -> State:
    """Which subnets have which bridge vports."""
    bridges: dict[Path, frozenset[Path] | None] = {}
    for path in touched:
        before, after = ((place := state.place(path)) and place.vport.type == BRIDGE and place.subnet
                         for state in (old, new))  # fmt: skip
        if before == after:
            continue
        for subnet in (before, after):
            if subnet:
                known = bridges[subnet] if subnet in bridges else old.bridges.get(subnet)
                bridges[subnet] = (known or frozenset()) ^ {path} or None
    return replace(new, bridges=old.bridges.changed(bridges)) if bridges else new


def _same_object(before: Object | None, body: Object | None) -> bool:
    """Whether an edit leaves the object it was: a rollback can put another one, with another UUID, in its place."""
    return before is not None and body is not None and before.uuid == body.uuid


def _touched_vports(
    old: State,
    new: State,
    edits: Mapping[Path, Object | None],
    vports: Mapping[str, Location | None],
    hypervisors: Mapping[str, int | None],
) -> Iterable[Path]:
    for uuid in vports:
        for view in (old.view, new.view):
            path = view.by_uuid(uuid)
            if path is not None:
                yield path
    regrouped: set[str] = set(hypervisors)
    for path, body in edits.items():
        before = old.view.get(path)
        if isinstance(body, Vport) or isinstance(before, Vport):
            yield path
        elif (isinstance(body, Subnet) or isinstance(before, Subnet)) and not _same_object(before, body):
            for view in (old.view, new.view):
                yield from (referrer for referrer in view.referrers(path) if referrer[-2] == "vport")
        elif path[0] == "dvrs" and (body is None or before is None):
            regrouped.add(path[1])
    if regrouped:
        for state in (old, new):
            for uuid in state.placement.vports:
                location = state.placement.location(uuid)
                path = state.view.by_uuid(uuid)
                if path is not None and location is not None and location.dvrs in regrouped:
                    yield path


def _move(old: State, new: State, touched: Iterable[Path], dirty: Dirty) -> Steps[State]:
    """Bring `members` and `hosts` up to date, and mark what follows from a vport being here instead of there."""
    members: dict[Path, dict[str, Mapping[Path, int]]] = {}
    edited: dict[tuple[Path, str], dict[Path, int]] = {}  # those of the above that are copies already
    counts: dict[Path, dict[str, int]] = {}

    def editable(subnet: Path, dvrs: str) -> dict[Path, int]:
        if subnet not in members:
            members[subnet] = dict(old.members_of(subnet))
        if (subnet, dvrs) not in edited:
            edited[subnet, dvrs] = dict(members[subnet].get(dvrs, ()))
            members[subnet][dvrs] = edited[subnet, dvrs]
        return edited[subnet, dvrs]

    def count(domain: Path, dvrs: str, by: int) -> None:
        if domain not in counts:
            counts[domain] = dict(old.own_hosts(domain))
        counts[domain][dvrs] = counts[domain].get(dvrs, 0) + by

    for path in touched:
        before, after = old.place(path), new.place(path)
        dirty.everywhere(Fragment(kind, path) for kind in VPORT_KINDS)
        yield
        if before is not None and after is not None and before[1:] == after[1:] and old.slot(path) == new.slot(path):
            continue
        if before is not None:
            del editable(before.subnet, before.location.dvrs)[path]
            count(path[:4], before.location.dvrs, -1)
        if after is not None:
            editable(after.subnet, after.location.dvrs)[path] = new.slot(path)
            count(path[:4], after.location.dvrs, 1)

    member_changes: dict[Path, Members | None] = {}
    for subnet, by_host in members.items():
        member_changes[subnet] = {name: here for name, here in by_host.items() if here} or None
    host_changes: dict[Path, Hosts | None] = {}
    for domain, numbers in counts.items():
        host_changes[domain] = {name: number for name, number in numbers.items() if number} or None
    moved = replace(new, members=old.members.changed(member_changes), hosts=old.hosts.changed(host_changes))
    for subnet in member_changes:
        dirty.everywhere([Fragment(FLOOD, subnet)])
        crossed = old.members_of(subnet).keys() ^ moved.members_of(subnet).keys()
        if crossed:
            for state in (old, moved):
                dirty.on(crossed, segment_fragments(state, subnet))
        yield
    # Entering or leaving a whole domain is marked in _policies, when the new rules are known.
    return moved


def _policies(
    old: State, new: State, edits: Mapping[Path, Object | None], touched: Iterable[Path], dirty: Dirty
) -> Steps[State]:
    rebuilt = _domains_of_policy_edits(old, new, edits)
    renewed = _renewed(old, rebuilt, edits)
    members: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in touched:
        if (path in edits or path[:4] in rebuilt) and path[:4] not in renewed:
            members[path[:4]].append(path)
    policies: dict[Path, DomainPolicy | None] = {}
    for domain in rebuilt | renewed | members.keys():
        before = old.policies.get(domain)
        if not isinstance(new.view.get(domain), Domain | L2Domain):
            policies[domain] = None
            if before is not None:
                free_places(before, new.numbers, _elsewhere(new, before))
            continue
        if before is None:
            policies[domain] = build(new.view, domain, new.numbers, None)
            continue  # a new domain: its hypervisors are just entering it
        if domain in renewed:
            policies[domain] = build(new.view, domain, new.numbers, before, afresh=True)
            yield
            continue
        after = build(new.view, domain, new.numbers, before) if domain in rebuilt else before
        yield
        others = regrouped(before, after, old.view, new.view)
        after = yield from _recount(old, new, before, after, others.union(members[domain]), dirty)
        policies[domain] = after
        _mark_policy(before, after, dirty)
    result = replace(new, policies=old.policies.changed(policies))
    for domain in renewed:
        for state in (old, result):
            if state.policies.get(domain) is not None:
                dirty.everywhere(everything_of(state, domain))
                yield
    for domain in rehosted(old, result, edits, touched):
        crossed = set(old.hosts_of(domain)) ^ set(result.hosts_of(domain))
        if crossed:
            for state in (old, result):
                if state.policies.get(domain) is not None:
                    dirty.on(crossed, domain_fragments(state, domain))
        yield
    return result


def _elsewhere(new: State, before: DomainPolicy) -> Sequence[Rule]:
    """The rules of a domain that is gone from its place because it was renamed: their priorities are its own."""
    where = new.view.by_uuid(before.uuid)
    return [] if where is None else rules_of(new.view, where)


def rehosted(old: State, new: State, edits: Mapping[Path, Object | None], touched: Iterable[Path]) -> set[Path]:
    """The domains that other hypervisors may have to know: those of the vports, and the shared ones these use."""
    found = {path[:4] for path in touched}
    found |= {path for path in edits if path[-2:-1] == ("domain",) and len(path) == 4}
    for domain in tuple(found):
        for state in (old, new):
            found.update(state.shared(domain))
    return found


def _domains_of_policy_edits(old: State, new: State, edits: Mapping[Path, Object | None]) -> set[Path]:
    found: set[Path] = set()
    for path in edits:
        keyword = path[-2] if len(path) > 1 else ""
        if path[0] == "enterprise" and (keyword in _POLICY_KINDS or keyword in (*_DOMAINS, "subnet")):
            found.add(path[:4])
        elif keyword == "network-macro":
            for view in (old.view, new.view):
                found.update(referrer[:4] for referrer in view.referrers(path) if len(referrer) > 4)
    return found


def _renewed(old: State, rebuilt: set[Path], edits: Mapping[Path, Object | None]) -> set[Path]:
    """The domains that are another object than before, or whose rules name one that is: their numbers are others."""
    others = set[Path]()
    for path, body in edits.items():
        before = old.view.get(path)
        if before is not None and body is not None and not _same_object(before, body):
            others.add(path)
    found = set[Path]()
    for domain in {*rebuilt, *(path[:4] for path in others)} if others else ():
        policy = old.policies.get(domain)
        if policy is not None and (domain in others or not policy.used.isdisjoint(others)):
            found.add(domain)
    return found


def _recount(
    old: State, new: State, before: DomainPolicy, after: DomainPolicy, members: Iterable[Path], dirty: Dirty
) -> Steps[DomainPolicy]:
    """Move vports between the sets they were and are in."""
    change: Counter[Terms] = Counter()
    for path in members:
        was, is_now = list(sets_of(old.view, before, path)), list(sets_of(new.view, after, path))
        if was != is_now:
            change.subtract(was)
            change.update(is_now)
            dirty.everywhere([Fragment(IDENTITY, path)])
        yield
    moves = {terms: by for terms, by in change.items() if by}
    return after.with_sets(new.view, moves, new.numbers) if moves else after


def _mark_policy(before: DomainPolicy, after: DomainPolicy, dirty: Dirty) -> None:
    if before.rules is not after.rules:  # they are one while only members come and go, which must not cost the rules
        _mark_rules(before, after, dirty)
    if before.prefixes != after.prefixes:
        dirty.everywhere([Fragment(PREFIXES, after.domain)])
    appeared_or_gone = before.numbers.keys() ^ after.numbers.keys()
    if appeared_or_gone:
        for policy in (before, after):
            dirty.everywhere(Fragment(RULE, path) for path in policy.naming(appeared_or_gone))


def _mark_rules(before: DomainPolicy, after: DomainPolicy, dirty: Dirty) -> None:
    if _looked_at(before) != _looked_at(after):
        dirty.everywhere([Fragment(DOMAIN, after.domain)])
    for path in before.rules.keys() | after.rules.keys():
        same = (
            before.families == after.families
            and before.rules.get(path) == after.rules.get(path)
            and before.priorities.get(path) == after.priorities.get(path)
            and before.tracked == after.tracked
        )
        if not same:
            dirty.everywhere([Fragment(RULE, path)])


def _looked_at(policy: DomainPolicy) -> tuple[object, ...]:
    return policy.tracked, policy.directions, policy.defaults, policy.families


def _hypervisor(old: State, new: State, name: str, dirty: Dirty) -> None:
    """A hypervisor came, went, or is reached at another address or by another port number."""
    dirty.on([name], [Fragment(SKELETON, ())])
    for state in (old, new):
        for subnet in state.members:
            here = state.members_of(subnet).get(name)
            if here:
                dirty.everywhere([Fragment(FLOOD, subnet)])
                dirty.on([name], segment_fragments(state, subnet))
                dirty.everywhere(Fragment(REACH, path) for path in here)
        for domain in state.domains_with_hosts():
            if name in state.hosts_of(domain):
                dirty.on([name], domain_fragments(state, domain))
