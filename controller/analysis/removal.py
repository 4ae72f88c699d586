"""The lines that take an entry away: where it stands, or in the template that it comes from, and whom else that serves.

    own, no template      delete enterprise acme domain prod ingress-policy base entry 20
    of the template       delete domain-template office ingress-policy base entry 20      and in acme/test it goes, too
    own, over another     both: without its own leaves the template's would be back

What is removed together is looked at together: the last entry of a direction, without which its default turns, gets a
line that says the default; the last stateful entry of a domain stays; so does what shadows an entry that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from controller.compile.policy import DIRECTIONS, DomainPolicy
from data.acting import inactive_at
from data.configuration import Configuration
from data.path import Path, path_text
from data.schema.objects import Domain, Entry, L2Domain
from data.templates import instances, source_of, template_of

__all__ = ["Removal", "removals"]


@dataclass(frozen=True, slots=True)
class Removal:
    """How to take an entry away: the lines, or why there are none. `serves` are the other domains that lose it."""

    entry: Path
    lines: tuple[str, ...]
    why: str = ""
    serves: tuple[Path, ...] = ()


def removals(
    configured: Configuration,
    acting: Configuration,
    policy: DomainPolicy,
    entries: Sequence[Path],
    useless: Callable[[Path], bool],
    writes: Callable[[Path], bool],
    shadowing: Mapping[Path, Sequence[Path]] = MappingProxyType({}),
) -> list[Removal]:
    """One for each of these entries of a domain. `useless(path)` tells whether an entry of another domain of the same
    template may go, too; `writes(path)` what the user may change; `shadowing` has the entries that decide before one
    that is shadowed."""
    made, gone = [], set[Path]()
    for path in entries:
        removal = _removal(configured, acting, path, useless, writes)
        if removal.lines and _last_stateful(policy, {*gone, path}):
            why = "it is the last stateful entry: without it replies are let back by no policy of the domain"
            removal = Removal(path, (), why)
        if removal.lines:
            gone.add(path)
        made.append(removal)
    needed = _needed([removal.entry for removal in made if not removal.lines], shadowing)
    made = [_kept(removal, needed) if removal.lines else removal for removal in made]
    gone -= needed.keys()
    defaults = list(_defaults(acting, policy, gone))
    at = next((nth for nth, removal in enumerate(made) if removal.lines), None)
    if at is not None and defaults:
        made[at] = Removal(made[at].entry, (*defaults, *made[at].lines), made[at].why, made[at].serves)
    return made


def _needed(staying: Iterable[Path], shadowing: Mapping[Path, Sequence[Path]]) -> dict[Path, Path]:
    """The entries without which one that stays would decide, each with that one."""
    found: dict[Path, Path] = {}
    waiting = list(staying)
    while waiting:
        path = waiting.pop()
        for other in shadowing.get(path, ()):
            if other not in found:
                found[other] = path
                waiting.append(other)
    return found


def _kept(removal: Removal, needed: Mapping[Path, Path]) -> Removal:
    other = needed.get(removal.entry)
    if other is None:
        return removal
    why = f"{other[-3]}/{other[-1]}, which stays, would decide in its place"
    return Removal(removal.entry, (), why, removal.serves)


def _removal(
    configured: Configuration,
    acting: Configuration,
    path: Path,
    useless: Callable[[Path], bool],
    writes: Callable[[Path], bool],
) -> Removal:
    own = configured.get(path) is not None and inactive_at(configured, path) is None
    item, domain = acting.get(path), acting.get(path[:4])
    template = template_of(domain)
    given = source_of(path, template) if template is not None and item is not None and item.inherited else None
    wanted = [place for place, there in ((path, own), (given, given is not None)) if there and place is not None]
    refused = next((place for place in wanted if not writes(place)), None)
    if refused is not None:
        whom = "whoever runs the network" if refused[0] == "domain-template" else "somebody who may"
        return Removal(path, (), f"it stands in {path_text(refused[:2])}: ask {whom} to remove it")
    serves: tuple[Path, ...] = ()
    if given is not None:
        assert template is not None
        serves = tuple(sorted(other for other in instances(acting, template) if other != path[:4]))
        needed = [other for other in serves if not useless((*other, *path[4:]))]
        if needed:
            return Removal(path, (), f"it stands in {path_text(given[:2])}, and decides in {_names(needed)}", serves)
    return Removal(path, tuple(f"delete {path_text(place)}" for place in wanted), serves=serves)


def _last_stateful(policy: DomainPolicy, gone: Collection[Path]) -> bool:
    """Whether an entry of these was stateful and none is left."""
    stateful = {path for path, rule in policy.rules.items() if isinstance(rule.entry, Entry) and rule.entry.stateful}
    return bool(stateful) and stateful <= set(gone)


def _defaults(acting: Configuration, policy: DomainPolicy, gone: Collection[Path]) -> Iterable[str]:
    domain = acting.get(policy.domain)
    assert isinstance(domain, Domain | L2Domain)
    for side in DIRECTIONS:
        entries = {path for path, rule in policy.rules.items() if rule.direction == side}
        said = domain.ingress_default if side == "ingress" else domain.egress_default
        if entries and said is None and entries <= set(gone):
            yield f"set {path_text(policy.domain)} {side}-default deny"


def _names(domains: Sequence[Path]) -> str:
    some = ", ".join(f"{path[1]}/{path[3]}" for path in domains[:4])
    return some + (f" and {len(domains) - 4} more" if len(domains) > 4 else "")
