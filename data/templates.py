"""What domains inherit from the template they are made from: where it is placed, and what it comes to.

    domain-template office                       enterprise acme domain prod { template office; }
    ├── ingress-default deny                     ├── ingress-default deny             unless it says something itself
    └── zone web ── subnet web1 { mtu 9000; }    └── zone web ── subnet web1          { mtu 9000; dhcp; }
                                                       configured below the domain: zone web subnet web1 { dhcp; }

A leaf that the domain sets wins; one at its default is the template's (see DECIDES). What is in the template alone gets
a UUID made of those of the domain and of the template's object (RFC 9562 section 5.5): the same one after every
restart. Pure, and about single objects: `acting.py` asks for those that an edit touches.
"""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID, uuid5

import msgspec

from data.configuration import Configuration, Edits
from data.path import Path
from data.schema.nodes import NODES, node_of
from data.schema.objects import Domain, DomainTemplate, Object

__all__ = [
    "DECIDES",
    "TEMPLATE",
    "derived",
    "domain_of",
    "in_template",
    "inheriting",
    "instances",
    "merged",
    "named_in_templates",
    "outside_templates",
    "placed",
    "source_of",
    "template_of",
]

TEMPLATE = "domain-template"
_PORTS = ("source_port", "destination_port")
DECIDES: dict[str, dict[str, tuple[str, ...]]] = {
    "subnet": {"prefix": ("gateway",), "ipv6_prefix": ("ipv6_gateway",)},
    "qos": {"ingress_rate": ("ingress_burst",), "egress_rate": ("egress_burst",)},
    "entry": {"action": ("stateful",), "protocol": (*_PORTS, "icmp_type", "icmp_code")},
    "redirect": {"protocol": _PORTS, "target": ("next_hop",), "next_hop": ("target",)},
    "static-route": {"next_hop": ("blackhole",), "blackhole": ("next_hop",)},
}
"""Leaves that a domain takes from its template no longer once it sets another: they would not fit that one."""
_LENGTH = 4  # words of a domain's path
_UNDER_TEMPLATE = 2  # words of a template's path

_KINDS = frozenset(keywords[-1] for keywords in NODES if keywords[0] == TEMPLATE)

T = TypeVar("T", bound=Object)


def in_template(path: Path) -> bool:
    """Whether a path is that of a template, or of an object in one."""
    return path[:1] == (TEMPLATE,)


def domain_of(path: Path) -> Path | None:
    """The domain that a path is, or is in."""
    return path[:_LENGTH] if len(path) >= _LENGTH and path[2] == "domain" else None


def template_of(domain: Object | None) -> Path | None:
    """The path of the template that a domain names, whether or not there is one."""
    return (TEMPLATE, domain.template) if isinstance(domain, Domain) and domain.template else None


def placed(domain: Path, path: Path) -> Path:
    """Where an object of a template is in a domain made from it."""
    return (*domain, *path[_UNDER_TEMPLATE:])


def source_of(path: Path, template: Path) -> Path | None:
    """The place in a template that an object of a domain would come from; None for what no template has (vports)."""
    source = (*template, *path[_LENGTH:])
    return source if source[::2] in NODES else None


def named_in_templates(kind: str) -> bool:
    """Whether a template can have objects of the kind: those it names are its own, others each domain's."""
    return kind in _KINDS


def outside_templates(edits: Edits) -> Edits:
    """What is to be compiled of the edits of what acts: a template itself is nowhere, only what is made from it."""
    if not any(path[0] == TEMPLATE for path in edits):
        return edits
    return {path: item for path, item in edits.items() if not in_template(path)}


def instances(view: Configuration, template: Path) -> set[Path]:
    """The domains that name a template. The caller may change the set."""
    return set(view.naming(TEMPLATE, (), template[-1]))


def inheriting(domain: Domain, template: DomainTemplate) -> Domain:
    """A domain with the leaves of its template that it does not set itself."""
    leaves = node_of((TEMPLATE, "")).fields
    given = {field: getattr(template, field) for field in leaves if field != "description"}
    missing = {field: value for field, value in given.items() if not _sets(domain, field) and value is not None}
    return msgspec.structs.replace(domain, **missing) if missing else domain


def _sets(domain: Domain, field: str) -> bool:
    return node_of(("enterprise", "", "domain", "")).fields[field].is_set(getattr(domain, field))


def derived(item: Object, domain_uuid: str) -> Object:
    """An object of a template as a domain with this UUID has it."""
    own = str(uuid5(UUID(domain_uuid), item.uuid))
    return msgspec.structs.replace(item, uuid=own, annotation=None, inherited=True)


def merged(path: Path, own: T, given: Object) -> T:
    """A domain's object over the template's at the same place: leaf by leaf, and with the UUID of the domain's."""
    leaves = node_of(path).fields
    taken = {field: getattr(given, field) for field, leaf in leaves.items() if not leaf.is_set(getattr(own, field))}
    for field, others in DECIDES.get(path[-2], {}).items():
        if field not in taken:
            taken = {name: value for name, value in taken.items() if name not in others}
    return msgspec.structs.replace(own, inherited=True, **taken)
