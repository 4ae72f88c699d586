"""Policy entries and redirects: ports and ICMP types go with their protocols, and only what is allowed can be
stateful."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.schema.objects import Entry, Object
from data.schema.services import Redirect

PROTOCOLS_WITH_PORTS = ("tcp", "udp", "sctp")
PROTOCOLS_WITH_TYPES = ("icmp", "icmpv6")


@rule(Entry, Redirect)
def ports_need_a_protocol_with_ports(check: Check, path: Path, entry: Object) -> Iterator[Problem]:
    if not isinstance(entry, Entry | Redirect) or entry.protocol in PROTOCOLS_WITH_PORTS:
        return
    for leaf, ports in (("source-port", entry.source_port), ("destination-port", entry.destination_port)):
        if ports:
            cause = f"{leaf} needs protocol tcp, udp or sctp, and the protocol is {entry.protocol or 'any'}"
            yield problem(path, leaf, cause, f"set {path_text(path)} protocol tcp, or delete {leaf}")


@rule(Entry)
def icmp_needs_icmp(check: Check, path: Path, entry: Entry) -> Iterator[Problem]:
    if entry.protocol in PROTOCOLS_WITH_TYPES:
        return
    for leaf, value in (("icmp-type", entry.icmp_type), ("icmp-code", entry.icmp_code)):
        if value is not None:
            cause = f"{leaf} needs protocol icmp or icmpv6, and the protocol is {entry.protocol or 'any'}"
            yield problem(path, leaf, cause, f"set {path_text(path)} protocol icmp, or delete {leaf}")


@rule(Entry)
def only_allow_is_stateful(check: Check, path: Path, entry: Entry) -> Iterator[Problem]:
    if entry.stateful and entry.action == "deny":
        yield problem(
            path,
            "stateful",
            "what is denied has no replies to let back",
            "delete stateful, or set action allow",
        )
