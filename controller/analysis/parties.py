"""By what words an entry can name the two ends of a packet: vports of its own domain, or a macro for anything else.

A policy knows its own domain alone. In the sender's domain a receiver of another domain is an address outside, in the
receiver's the sender is one: the access address by which a shared domain knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.compile.access import access_address
from controller.compile.policy import Direction
from controller.compile.state import State
from controller.trace.ends import ICMP
from controller.trace.question import Question
from data.addresses import BITS, Ip, address, prefix
from data.path import Path, path_text
from data.schema.objects import NetworkMacro, Vport

if TYPE_CHECKING:
    from controller.analysis.changes import By

__all__ = ["Party", "ends_words", "receiver_of"]


@dataclass(frozen=True, slots=True)
class Party:
    """One end: its words in an entry, the lines that make what they name, and the IP version of the packet."""

    words: str
    version: int
    lines: tuple[str, ...] = ()


def ends_words(state: State, question: Question, side: Direction, by: By) -> tuple[Path, Party, Party] | None:
    """The domain whose policy is meant, and both ends as it knows them; None where an end has no address."""
    sender, receiver = question.source, receiver_of(state, question)
    pair = _pair(state, question, receiver)
    if pair is None:
        return None
    source, target = pair
    if side == "ingress" or receiver is None:
        domain = sender[:4]
        own = _vport(state, sender, by, source.version) if question.source_address is None else None
        there = None
        if receiver is not None and receiver[:4] == domain:
            there = _vport(state, receiver, by, target.version)
        return domain, own or _macro(state, domain, source), there or _macro(state, domain, target)
    domain = receiver[:4]
    here = _vport(state, receiver, by, target.version)
    if sender[:4] == domain and question.source_address is None:
        return domain, _vport(state, sender, by, source.version), here
    body = state.view.get(sender)
    assert isinstance(body, Vport)
    known = access_address(state.view, state.numbers, domain, body, source) if sender[:4] != domain else source
    return domain, _macro(state, domain, known or source), here


def receiver_of(state: State, question: Question) -> Path | None:
    """The vport that the packet is for, in the sender's domain or in one that it uses."""
    if not isinstance(question.destination, Ip):
        return question.destination
    domain = question.source[:4]
    for place in (domain, *state.shared(domain)):
        holder = state.view.holder("vport", "address", place, str(question.destination))
        if holder is not None:
            return holder
    return None


def _pair(state: State, question: Question, receiver: Path | None) -> tuple[Ip, Ip] | None:
    """The first two addresses of one IP version, as a trace takes them."""
    known, to = question.source_address, question.destination
    only = ICMP.get(question.protocol or "")
    targets = (to,) if isinstance(to, Ip) else _addresses(state, receiver)
    for source in (known,) if known is not None else _addresses(state, question.source):
        target = next((ip for ip in targets if ip.version == source.version and only in (None, ip.version)), None)
        if target is not None:
            return source, target
    return None


def _addresses(state: State, path: Path | None) -> tuple[Ip, ...]:
    body = None if path is None else state.view.get(path)
    return tuple(map(address, body.address)) if isinstance(body, Vport) else ()


def _vport(state: State, path: Path, by: By, version: int) -> Party:
    """A vport, or what it is part of: the group with the fewest members, its subnet or zone."""
    body, name = state.view.get(path), f"vport {path[-1]}"
    assert isinstance(body, Vport)
    subnet = state.view.resolve(path, "subnet", body.subnet) if body.subnet else None
    if by == "policy-group" and body.policy_group:
        groups = {group: (*path[:4], "policy-group", group) for group in body.policy_group}
        name = f"policy-group {min(groups, key=lambda group: (len(state.view.referrers(groups[group])), group))}"
    elif by == "subnet" and subnet is not None:
        name = f"subnet {subnet[-1]}"
    elif by == "zone" and subnet is not None:
        name = f"zone {subnet[-3]}"
    return Party(name, version)


def _macro(state: State, domain: Path, ip: Ip) -> Party:
    """The macro that is exactly this address, or one to be made."""
    enterprise, host = domain[:2], f"{ip}/{BITS[ip.version]}"
    for name in state.view.children(enterprise, "network-macro"):
        macro = state.view.get((*enterprise, "network-macro", name))
        if isinstance(macro, NetworkMacro) and prefix(macro.prefix) == prefix(host):
            return Party(f"network-macro {name}", ip.version)
    name = "host-" + str(ip).replace(".", "-").replace(":", "-").strip("-")
    made = f"set {path_text(enterprise)} network-macro {name} prefix {host}"
    return Party(f"network-macro {name}", ip.version, (made,))
