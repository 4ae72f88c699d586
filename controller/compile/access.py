"""Who uses which shared domain, and the addresses by which a shared domain knows the vports of its users.

Every address of a user's vport has an access address in each shared domain: the n-th address of its access-prefix, with
a number that is kept as long as the vport has the address and its domain uses the shared one. See `shared.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.compile.addresses import Ip, Prefix, address, prefix
from controller.numbers import Numbers
from data.configuration import Configuration
from data.errors import CommandFailed
from data.path import Path, path_text, vport_name
from data.schema.objects import Domain, Object, Vport

__all__ = ["access_address", "access_addresses", "give_access", "give_all", "used_path"]


def used_path(name: str) -> Path:
    """The path of a shared domain by its full name, enterprise/domain."""
    enterprise, _, domain = name.partition("/")
    return ("enterprise", enterprise, "domain", domain)


def _pool(shared: Domain, network: Prefix) -> str:
    return f"access/{shared.uuid}/{network.version}"


def _networks(shared: Domain) -> dict[int, Prefix]:
    """IP version -> the access prefix; of several the first."""
    found: dict[int, Prefix] = {}
    for text in shared.access_prefix:
        network = prefix(text)
        found.setdefault(network.version, network)
    return found


def access_address(view: Configuration, numbers: Numbers, shared: Path, vport: Vport, ip: Ip) -> Ip | None:
    """The address by which a shared domain knows this address of a user's vport."""
    body = view.get(shared)
    network = _networks(body).get(ip.version) if isinstance(body, Domain) else None
    if not isinstance(body, Domain) or network is None:
        return None
    number = numbers.find(_pool(body, network), f"{vport.uuid} {ip}")
    return None if number is None else Ip(network.version, network.network + number)


def access_addresses(view: Configuration, numbers: Numbers, shared: Path, vport: Vport) -> Iterator[tuple[Ip, Ip]]:
    """Each address of a user's vport, and the one by which the shared domain knows it; those without one left out."""
    for ip in map(address, vport.address):
        known = access_address(view, numbers, shared, vport, ip)
        if known is not None:
            yield ip, known


def give_access(view: Configuration, edits: Mapping[Path, Object | None], numbers: Numbers, old: Configuration) -> None:
    """Gives access addresses to the vports that the edits let use a shared domain, and takes them back from others.

    Raises CommandFailed when an access prefix has no address left.
    """
    domains = {
        path[:4] for path in edits if path[0] == "enterprise" and path[2:3] == ("domain",) and len(path) in (4, 6)
    }
    for path in edits:
        if len(path) == 4 and path[2] == "domain":  # a shared domain whose access prefix is another: all its users
            domains |= view.users_of(path)
    given: list[tuple[Path, dict[tuple[str, str], tuple[Path, Prefix]]]] = []
    for domain in sorted(domains):
        was, now = _used(old, domain), _used(view, domain)
        if not was and not now:
            continue
        whole = was != now or any(used in edits for used in (*was, *now))
        paths = (
            _vports(view, old, domain) if whole else [path for path in edits if path[:4] == domain and len(path) == 6]
        )
        for path in sorted(paths):
            before, after = _wanted(old, path, was), _wanted(view, path, now)
            for pool, key in before.keys() - after.keys():
                numbers.free(pool, key)
            given.append((path, after))
    for path, after in given:  # what was taken back may be given out again
        _give(path, after, numbers, edits)


def give_all(view: Configuration, domain: Path, numbers: Numbers) -> None:
    """Gives access addresses to all vports of a domain that have none yet. Raises as `give_access`."""
    shared = _used(view, domain)
    for name in view.children(domain, "vport") if shared else ():
        path = (*domain, "vport", name)
        _give(path, _wanted(view, path, shared), numbers, {})


def _give(
    path: Path,
    wanted: Mapping[tuple[str, str], tuple[Path, Prefix]],
    numbers: Numbers,
    edits: Mapping[Path, Object | None],
) -> None:
    for (pool, key), (shared, network) in wanted.items():
        # Without the first and the last, which are no host's in an IPv4 prefix.
        limit = network.last.number - network.network - 1
        held = numbers.find(pool, key)
        if held is not None and held > limit:  # the prefix was a wider one
            numbers.free(pool, key)
        try:
            numbers.get(pool, key, limit)
        except CommandFailed as full:
            raise _used_up(shared, network, path, shared in edits) from full


def _used_up(shared: Path, network: Prefix, path: Path, by_owner: bool) -> CommandFailed:
    """Neither side is told more of the other than it knows: of users no names, of the shared domain no prefix."""
    where, same = path_text(shared), shared[1] == path[1]
    whom = f"vport {vport_name(path)}" if same or not by_owner else "a vport of another enterprise"
    if same or by_owner:
        what = f"its access-prefix {network} has no address left for {whom}"
        return CommandFailed(where, what, "set a wider access-prefix")
    return CommandFailed(where, f"it has no address left for {whom}", "ask those who have it for more")


def _used(view: Configuration, domain: Path) -> dict[Path, Domain]:
    body = view.get(domain)
    names = body.use if isinstance(body, Domain) else ()
    found = {path: view.get(path) for path in map(used_path, names)}
    return {path: shared for path, shared in found.items() if isinstance(shared, Domain)}


def _vports(view: Configuration, old: Configuration, domain: Path) -> set[Path]:
    names = {*view.children(domain, "vport"), *old.children(domain, "vport")}
    return {(*domain, "vport", name) for name in names}


def _wanted(
    view: Configuration, path: Path, shared: Mapping[Path, Domain]
) -> dict[tuple[str, str], tuple[Path, Prefix]]:
    """(pool, key) of each access address of a vport -> the shared domain and the prefix it is taken from."""
    vport = view.get(path)
    if not isinstance(vport, Vport):
        return {}
    return {
        (_pool(body, network), f"{vport.uuid} {ip}"): (where, network)
        for where, body in shared.items()
        for ip in map(address, vport.address)
        if (network := _networks(body).get(ip.version)) is not None
    }
