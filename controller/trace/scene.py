"""What words and verdicts are made from: the state, whose flow a cookie is, who has an address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.compile.state import State
from controller.pipeline import Feature, Owner, split_cookie
from controller.trace.contents import together
from controller.trace.machine import Step
from controller.trace.question import Question
from data.addresses import Ip
from data.path import Path
from data.schema.objects import Vport
from data.steps import Steps

__all__ = ["Scene", "Told", "owners"]


@dataclass(frozen=True, slots=True)
class Told:
    """What a cookie says: the object, what kind it is, and what its flow does for it."""

    path: Path | None
    owner: Owner
    feature: Feature


@dataclass(frozen=True, slots=True)
class Scene:
    """`wanted`: the vport that the packet is meant for, if any; `underlay`: whether tunnel addresses may be named."""

    state: State
    question: Question
    wanted: Path | None
    underlay: bool = True
    owners: dict[int, Path] = field(default_factory=dict)

    def told(self, step: Step) -> Told | None:
        """Of the flow that a step met; None when it met none, or one that is not of nshell."""
        parts = None if step.flow is None else split_cookie(step.flow.cookie)
        return None if parts is None else Told(self.owners.get(parts[2]), parts[0], parts[1])

    def holder(self, ip: Ip) -> Path | None:
        """The vport of the sender's domain, or of a shared one that it uses, that is configured to have an address."""
        own = self.question.source[:4]
        for domain in (own, *self.state.shared(own)):
            for path in self.state.view.holders("vport", "address", domain, str(ip)):
                if isinstance(self.state.view.get(path), Vport):
                    return path
        return None

    def name(self, path: Path) -> str:
        """Of an object: short where it is in the sender's domain, else with the names of those that it is in."""
        if path[:4] == self.question.source[:4] and len(path) > 4:
            return path[-1]
        return "/".join(path[1::2])

    def bridge(self, path: Path) -> bool:
        """Whether this is a bridge vport: what comes out there goes on in a physical network."""
        vport = self.state.view.get(path)
        return isinstance(vport, Vport) and vport.type == "bridge"


def owners(state: State, domain: Path, steps: Iterable[Step]) -> Steps[dict[int, Path]]:
    """The objects whose flows a packet met, by their number: one walk through the domains it can come to."""
    wanted: set[int] = set()
    for step in steps:
        parts = None if step.flow is None else split_cookie(step.flow.cookie)
        if parts is not None and parts[2]:
            wanted.add(parts[2])
    found: dict[int, Path] = {}
    for one in together(state, domain):
        for nth, (path, body) in enumerate(state.view.walk(one)):
            number = state.numbers.find("object", body.uuid)
            if number in wanted:
                found[number] = path
            if nth % 100 == 0:
                yield
            if len(found) == len(wanted):
                return found
    return found
