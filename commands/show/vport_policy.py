"""show vport X policy: everything that decides what one virtual port may send and receive, in the order of its effect.

    objects    domain, its template, zone, subnet, policy groups, qos, and where each comes from
    ingress    the rules that its packets can meet on their way into the network: those of the template first, then
               those of the domain, each by priority and number; at the end what happens when none matches, and why
    egress     the same for packets to it, and `forwarding` for those that are led other ways

Asked of what acts, so that what is deactivated is not there, and what is inherited is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import named
from commands.show.policy import entry_flags, entry_match, policies_in_order
from commands.show.qos import NAMED_BY, qos_words
from data.acting import inactive_at
from data.addresses import address, prefix
from data.configuration import Configuration
from data.path import Path, vport_name
from data.qos import effective
from data.schema.objects import Domain, Endpoint, Entry, L2Domain, NetworkMacro, Subnet, Vport
from data.schema.services import Redirect
from data.templates import template_of
from views.models import Cell, Column, Model, Several, Table

Row: TypeAlias = "tuple[Cell, ...]"

OBJECTS = (
    Column("what", "Object"),
    Column("name", "Name"),
    Column("from", "From"),
    Column("detail", "Detail", shrink=True),
)
RULES = (
    Column("order", "No.", "right"),
    Column("rule", "Policy/Entry"),
    Column("from", "From", shrink=True),
    Column("to", "To", shrink=True),
    Column("match", "Match", shrink=True),
    Column("action", "Action"),
    Column("flags", "Flags"),
    Column("by", "By"),
)
DIRECTIONS = (
    ("ingress", "packets that it sends"),
    ("egress", "packets that it receives"),
    ("forwarding", "packets that it sends and that are led other ways"),
)


@command(
    "show vport <vport> policy [enterprise <enterprise> [domain <domain>]]",
    help="what decides what a virtual port may send and receive, and where each rule comes from",
    words={"policy": "every object and rule that it is subject to, in the order in which they are looked at"},
    confined=True,
)
async def show_vport_policy(context: Context, arguments: Arguments) -> Model:
    """Tables of the objects and of each direction; with several vports of the name, those of each."""
    acting = context.fabric.acting
    found: dict[str, Model] = {}
    for path in named(acting, "vport", arguments.values["vport"], arguments):
        vport = acting.get(path)
        if isinstance(vport, Vport):
            found[vport_name(path)] = _Policy(context.fabric.running, acting, path, vport).tables()
    return next(iter(found.values())) if len(found) == 1 else Several(found)


class _Policy:
    """What one vport is subject to."""

    def __init__(self, configured: Configuration, acting: Configuration, path: Path, vport: Vport) -> None:
        self._configured = configured
        self._acting = acting
        self._path = path
        self._vport = vport
        self._domain_path = path[:4]
        domain = acting.get(path[:4])
        assert isinstance(domain, Domain | L2Domain)
        self._domain = domain
        self._subnet_path = acting.resolve(path, "subnet", vport.subnet) if vport.subnet else None

    def tables(self) -> Several:
        name = vport_name(self._path)
        parts: dict[str, Model] = {
            "objects": Table(f"Policy of vport {name}", OBJECTS, list(self._objects()), "objects"),
        }
        for direction, title in DIRECTIONS:
            rows = list(self._rules(direction))
            if rows:
                parts[direction] = Table(f"{direction.capitalize()}: {title}", RULES, rows, "rules", note=name)
        return Several(parts)

    def _origin(self, path: Path) -> str:
        """Where the object at the path comes from, in words."""
        item = self._acting.get(path)
        if item is None or not item.inherited:
            return path[2]
        template = template_of(self._domain)
        said = f"template {template[-1]}" if template is not None else "template"
        own = self._configured.get(path) is not None and inactive_at(self._configured, path) is None
        return f"{said}, overridden in the domain" if own else said

    def _objects(self) -> Iterator[Row]:
        path, vport, domain = self._path, self._vport, self._domain
        yield (path[2], f"{path[1]}/{path[3]}", None, domain.description)
        template = template_of(domain)
        if template is not None:
            yield ("template", template[-1], None, None)
        if self._subnet_path is not None:
            subnet = self._acting.get(self._subnet_path)
            assert isinstance(subnet, Subnet)
            prefixes = ", ".join(text for text in (subnet.prefix, subnet.ipv6_prefix) if text)
            zone = self._subnet_path[:-2]
            yield ("zone", zone[-1], self._origin(zone), None)
            yield ("subnet", self._subnet_path[-1], self._origin(self._subnet_path), prefixes)
        for group in vport.policy_group:
            yield ("policy-group", group, self._origin((*self._domain_path, "policy-group", group)), None)
        yield from self._qos()

    def _qos(self) -> Iterator[Row]:
        found = effective(self._acting, self._path, self._vport)
        if found is not None:
            said = [f"named by {NAMED_BY[found.source]}", *qos_words(found.qos)]
            yield ("qos", found.path[-1], self._origin(found.path), ", ".join(said))

    def _rules(self, direction: str) -> Iterator[Row]:
        """The rules that a packet of the vport can meet, and what happens when none matches."""
        number = 0
        any_entry = False
        for policy, _ in policies_in_order(self._acting, self._domain_path, direction):
            keyword = "redirect" if direction == "forwarding" else "entry"
            for name in self._acting.children(policy, keyword):
                path = (*policy, keyword, name)
                entry = self._acting.get(path)
                if not isinstance(entry, Entry | Redirect):
                    continue
                any_entry = True
                if not self._applies(path, entry.to if direction == "egress" else entry.from_):
                    continue
                number += 1
                action = entry.action if isinstance(entry, Entry) else _way(entry)
                ends = str(entry.from_), str(entry.to)
                yield (
                    number,
                    f"{policy[-1]}/{name}",
                    *ends,
                    entry_match(entry),
                    action,
                    _flags(entry),
                    self._origin(path),
                )
        if direction == "forwarding":
            return
        verdict, why = self._default(direction, any_entry)
        yield (None, "default", "any", "any", "any", verdict, None, why)

    def _default(self, direction: str, any_entry: bool) -> tuple[str, str]:
        """What happens to a packet that no entry matches, and because of what."""
        field = f"{direction}_default"
        said, configured = getattr(self._domain, field), self._configured.get(self._domain_path)
        if said is None:
            if any_entry:
                return "deny", f"an {direction}-policy has an entry"
            return "allow", f"no {direction}-policy has an entry"
        keyword = f"{direction}-default"
        if getattr(configured, field, None) is not None:
            return said, f"{keyword} of the domain"
        return said, f"{keyword} of template {getattr(self._domain, 'template', '')}"

    def _applies(self, rule: Path, end: Endpoint) -> bool:
        """Whether the vport can be at this end of a rule."""
        if end.kind == "any":
            return True
        target = self._acting.resolve(rule, end.kind, end.name)
        if end.kind == "network-macro":
            macro = None if target is None else self._acting.get(target)
            if not isinstance(macro, NetworkMacro):
                return True  # hidden from whoever asks: it may be
            return any(prefix(macro.prefix).covers(address(own)) for own in self._vport.address)
        if end.kind == "policy-group":
            return end.name in self._vport.policy_group
        if end.kind == "zone":
            return self._subnet_path is not None and target == self._subnet_path[:-2]
        return target in (self._path, self._subnet_path)


def _way(redirect: Redirect) -> str:
    if redirect.target:
        return f"to target {redirect.target}"
    return f"to {redirect.next_hop}" if redirect.next_hop else "as routed"


def _flags(entry: Entry | Redirect) -> str | None:
    return entry_flags(entry) if isinstance(entry, Entry) else None
