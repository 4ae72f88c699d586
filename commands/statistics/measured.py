"""What counters are kept of, as a line names it: `vport web-1`, `enterprise acme domain prod`, `tunnel hv1>hv2`.

    words of the line ── measured() ──> Measured: level, keys of the series, the name that stands on screen
    a level and a place ── listed() ──> every key there that something was counted for, with its name

Names are those that can be typed again. A policy entry is `acme/prod/ingress/base/10`, or an end of that which no other
entry has (`base/10`); a PE router's interface is `pe1/eth0`, and `pe1` all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from commands.lookup import named, require
from commands.statistics.counted import as_seen
from commands.statistics.figures import Numbers, order
from controller.telemetry.keys import Level, SeriesKey
from controller.telemetry.naming import BY_UUID, name_at
from data.configuration import Configuration
from data.errors import CommandFailed, NothingThere
from data.path import Path
from data.schema.objects import EgressPolicy, Entry, IngressPolicy
from data.schema.services import ForwardingPolicy
from data.steps import Steps
from data.templates import in_template

if TYPE_CHECKING:
    from commands.context import Context
    from commands.language.registry import Arguments
    from controller.fabric import Fabric
    from controller.telemetry.baseline import Baseline
    from controller.telemetry.service import Telemetry

IN = "[enterprise <enterprise> [domain <domain>]]"
TENANTS = (
    f"{{vport <vport> {IN}|subnet <subnet:subnet-anywhere> {IN}|zone <zone:zone-anywhere> {IN}|"
    "rule <rule:policy-entry>|domain <domain:domain-anywhere> [enterprise <enterprise>]|"
    "enterprise <enterprise> [domain <domain> [{vport <vport>|subnet <subnet>|zone <zone>}]]}"
)
"""Grammar of one object of a tenant."""
PROVIDERS = "{dvrs <dvrs>|tunnel <tunnel>|bgp-neighbor <bgp-neighbor>|pe <pe:pe-interface>}"
"""Grammar of one object of the provider's."""
WORDS = {
    "vport": "a virtual port",
    "subnet": "all vports of a subnet",
    "zone": "all vports of a zone",
    "rule": "a policy entry",
    "domain": "all vports of a domain, or of an l2-domain",
    "enterprise": "all vports of a tenant",
    "dvrs": "a hypervisor: its vports, its uplinks, its flows",
    "tunnel": "what a hypervisor sends into a tunnel",
    "bgp-neighbor": "a BGP neighbor",
    "pe": "a PE router, or one of its interfaces",
    "since": "from then on",
    "until": "up to then",
}
SPECIFIC = (Level.RULE, Level.VPORT, Level.SUBNET, Level.ZONE, Level.DOMAIN, Level.ENTERPRISE)
"""Which word of a line says what is meant: `enterprise acme domain prod` is a domain."""
TOGETHER = 500
"""Of those that are ranked, so many are sorted in one go, in half a millisecond."""
NAMED = 6
"""Objects of the same name that an error lists."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One object whose counters are asked for; of several keys the sum."""

    level: Level
    name: str
    keys: tuple[SeriesKey, ...]

    @property
    def title(self) -> str:
        """'vport acme/prod/web-1'."""
        return f"{self.level} {self.name}"


def telemetry(context: Context) -> Telemetry:
    """What was counted. Raises CommandFailed when nothing is."""
    counted = context.fabric.telemetry
    if not counted.enabled:
        raise CommandFailed("telemetry", "counters are not read", "'delete telemetry disabled' in configure mode")
    return counted


def path_of(fabric: Fabric, key: SeriesKey) -> Path | None:
    """Where the object is; None when it is gone, or not one of the configuration's."""
    if key.level not in BY_UUID:
        return None
    return fabric.acting.by_uuid(key.name) or fabric.running.by_uuid(key.name)


@dataclass(frozen=True, slots=True)
class Listed:
    """One of many: its key, its name, where it is configured (() for what is not), and what was seen of it last."""

    key: SeriesKey
    name: str
    path: Path
    seen: Numbers


def listed(
    fabric: Fabric, counted: Telemetry, level: Level, under: Path, cleared: Baseline | None = None
) -> Steps[list[Listed]]:
    """What is at or below a place and was counted; what is gone is left out. Totals are those since it was cleared."""
    found: list[Listed] = []
    for key in counted.keys(level):
        yield
        latest = counted.latest(key)
        if latest is None:
            continue
        seen = as_seen(latest, key, cleared)
        if level not in BY_UUID:
            if counted.path_of(key) is not None:
                found.append(Listed(key, key.name, (), seen))
            continue
        path = path_of(fabric, key)
        if path is not None and path[: len(under)] == under:
            found.append(Listed(key, name_at(path), path, seen))
    return found


def ranked(level: Level, found: list[Listed], numbers: list[Numbers], most: int) -> Steps[list[tuple[Listed, Numbers]]]:
    """The busiest of them by these numbers of each, so many at most, the busiest first."""
    best: list[tuple[tuple[float, float, str], Listed, Numbers]] = []
    waiting = []
    for each, its in zip(found, numbers, strict=True):
        waiting.append((order(level, each.name, its), each, its))
        if len(waiting) == TOGETHER:
            best, waiting = nsmallest(most, best + waiting, key=itemgetter(0)), []
        yield
    return [(each, its) for _, each, its in nsmallest(most, best + waiting, key=itemgetter(0))]


def measured(context: Context, arguments: Arguments) -> Measured:
    """The object that a line names. Raises NothingThere, and CommandFailed when several have the name."""
    fabric = context.fabric
    for level in (Level.DVRS, Level.BGP):
        if (name := arguments.get(level)) is not None:
            if fabric.running.get((level, name)) is None:
                raise NothingThere(f"{level} {name}", f"there is no {level} {name}", _offer(fabric, level))
            return Measured(level, name, (SeriesKey(level, name),))
    for level in (Level.TUNNEL, Level.PE):
        if (name := arguments.get(level)) is not None:
            keys = tuple(key for key in telemetry(context).all_latest(level) if _is(key, name))
            if not keys:
                hint = f"'show statistics {_PLURAL[level]}' lists what was"
                raise NothingThere(f"{level} {name}", "nothing was counted for it", hint)
            return Measured(level, name, keys)
    level = next(level for level in SPECIFIC if arguments.get(level) is not None)
    path = _path(fabric.acting, level, arguments)
    body = fabric.acting.get(path)
    assert body is not None
    return Measured(level, name_at(path), (SeriesKey(level, body.uuid),))


_PLURAL = {Level.TUNNEL: "tunnels", Level.PE: "pe"}


def _is(key: SeriesKey, name: str) -> bool:
    """Whether a tunnel or an interface is meant: by its name, an interface also by that of its router."""
    return key.name == name or (key.level is Level.PE and key.name.partition("/")[0] == name)


def _offer(fabric: Fabric, keyword: str) -> str:
    names = fabric.running.children((), keyword)[:NAMED]
    return f"there are: {', '.join(names)}" if names else f"there is no {keyword} at all yet"


def _path(view: Configuration, level: Level, arguments: Arguments) -> Path:
    name = arguments.values[level]
    found = list(islice(_found(view, level, name, arguments.values), NAMED + 1))
    if not found and level is not Level.ENTERPRISE and (tenant := arguments.get("enterprise")) is not None:
        require(view, ("enterprise", tenant))  # when that is what is not there, the error says so
    if not found and level in (Level.VPORT, Level.SUBNET, Level.ZONE):
        found = list(islice(named(view, level, name, arguments), NAMED + 1))  # the error says what there is
    if not found:
        raise NothingThere(f"{level} {name}", f"there is no {level} {name}", f"'show statistics {level}s' lists them")
    if len(found) > 1:
        names = ", ".join(name_at(path) for path in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
        how = "write more of the name" if level is Level.RULE else "write one of these names in full"
        raise CommandFailed(f"{level} {name}", f"there are several: {names}", how)
    return found[0]


def _found(view: Configuration, level: Level, name: str, values: Mapping[str, str]) -> Iterator[Path]:
    """Objects of this level and name, within the tenant and domain that the line names."""
    if level is Level.VPORT and "/" in name:
        whole = view.vport_by_name(name)
        yield from () if whole is None else (whole,)
    elif level is Level.RULE:
        yield from (path for path in rules(view) if f"/{name_at(path)}".endswith(f"/{name}"))
    elif level is Level.ENTERPRISE:
        yield from (path for path in [("enterprise", name)] if view.get(path) is not None)
    elif "/" in name:
        *above, last = name.split("/")
        if len(above) == (1 if level is Level.DOMAIN else 2):
            full = dict(zip(("enterprise", "domain"), above, strict=False))
            if all(values.get(keyword, said) == said for keyword, said in full.items()):
                yield from _inside(view, level, last, full)
    else:
        yield from _inside(view, level, name, values)


def _inside(view: Configuration, level: Level, name: str, values: Mapping[str, str]) -> Iterator[Path]:
    tenants = [values["enterprise"]] if "enterprise" in values else view.children((), "enterprise")
    domain = name if level is Level.DOMAIN else values.get("domain")
    for tenant in tenants:
        for kind in ("domain", "l2-domain"):
            for inside in [domain] if domain is not None else view.children(("enterprise", tenant), kind):
                place = ("enterprise", tenant, kind, inside)
                places: list[Path] = [place]
                if level is Level.SUBNET:
                    places = [(*place, "zone", zone) for zone in view.children(place, "zone")]
                for above in places:
                    path = above if level is Level.DOMAIN else (*above, str(level), name)
                    if view.get(path) is not None:
                        yield path


def rules(view: Configuration) -> Iterator[Path]:
    """All policy entries of domains."""
    for kind in (IngressPolicy, EgressPolicy, ForwardingPolicy):
        for policy, _ in view.objects(kind):
            if not in_template(policy):
                for name in view.children(policy, Entry.declared.keyword):
                    yield (*policy, Entry.declared.keyword, name)


def rule_names(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """Live values of a policy entry."""
    for path in rules(context.fabric.acting):
        name = name_at(path)
        if name.startswith(prefix):
            body = context.fabric.acting.get(path)
            yield name, (body.description or "") if body is not None else ""


def counted_names(level: Level, context: Context, prefix: str) -> Iterator[tuple[str, str]]:
    """Live values of what has no object of its own: tunnels, interfaces of PE routers."""
    for key in context.fabric.telemetry.all_latest(level):
        if key.name.startswith(prefix):
            yield key.name, ""
