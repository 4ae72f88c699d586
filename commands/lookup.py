"""Finding what a command's arguments name, with the error for what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from commands.language.registry import Arguments
from commands.language.types import chain, paths
from data.errors import NothingThere
from data.path import Path, path_text, vport_paths

if TYPE_CHECKING:
    from commands.context import Context
    from data.configuration import Configuration

LISTED_BY_NAME = ("qos", "mirror", "virtual-ip")
"""Lists that are shown by the keyword itself, without a plural."""
NAMES_LISTED = 12
"""Names an error offers."""


def require(configuration: Configuration, path: Path) -> Path:
    """The path itself when there is such an object. Raises NothingThere with the names there are."""
    for end in range(2, len(path) + 1, 2):
        part = path[:end]
        if configuration.get(part) is None:
            raise no(part, configuration.search(part[:-2], part[-2], "", NAMES_LISTED + 1))
    return path


def no(path: Path, names: list[str]) -> NothingThere:
    """The error for what is not there, with the names that there are."""
    known = ", ".join(names[:NAMES_LISTED]) + (", ..." if len(names) > NAMES_LISTED else "")
    remedy = f"there are: {known}" if names else f"there is no {path[-2]} at all yet"
    return NothingThere(path_text(path), f"there is no {path[-2]} {path[-1]}", remedy)


def no_hypervisor(name: str, known: list[str]) -> NothingThere:
    """The error for a hypervisor that hosts no vport of a tenant's administrator, or is not there at all."""
    found = no(("dvrs", name), known)
    return found if known else NothingThere(found.where, found.cause, "none of your vports is on a hypervisor now")


def hypervisor(context: Context, name: str) -> str:
    """The name of a hypervisor that the user may ask of: a configured one, and for who is confined to tenants one that
    hosts a vport of theirs. Raises NothingThere.
    """
    fabric = context.fabric
    if not context.access.confined:
        return require(fabric.running, ("dvrs", name))[-1]
    known = fabric.topology.hypervisors
    if name not in known:
        raise no_hypervisor(name, sorted(known))
    return name


def scope(configuration: Configuration, arguments: Arguments) -> Path:
    """The path that the arguments enterprise and domain name: (), an enterprise's or a domain's. Raises
    NothingThere.
    """
    path: Path = ()
    for keyword in ("enterprise", "domain"):
        name = arguments.get(keyword)
        if name is None:
            break
        path = (*path, keyword, name)
    return require(configuration, path)


def note(path: Path) -> str:
    """The scope as a table's note."""
    return path_text(path) if path else "all enterprises"


def named(configuration: Configuration, keyword: str, name: str, arguments: Arguments) -> Iterator[Path]:
    """The objects of a list with this name, within the arguments' scope. Raises NothingThere when there is none."""
    if keyword == "vport" and "/" in name:
        possible = vport_paths(name)
        if not possible:
            raise NothingThere(f"vport {name}", "a full name has three parts", "write enterprise/domain/vport")
        inside = next((path for path in possible if configuration.get(path[:4]) is not None), possible[0])
        yield require(configuration, inside)
        return
    values = {key: value for key, value in arguments.values.items() if key in chain(keyword)[:-1]}
    found = [path for path in paths(configuration, keyword, values, name) if path[-1] == name]
    if not found:
        listing = keyword if keyword in LISTED_BY_NAME else f"{keyword}s"
        raise NothingThere(
            f"{keyword} {name}", f"there is no {keyword} {name}", f"'show {listing}' lists what there is"
        )
    yield from found
