"""VRFs where the kernel has no VRF device: FRR takes a network namespace for one (`zebra -n`).

zebra finds them in /run/netns, by name.  So the daemons of such a router run in a mount namespace of their own where
nothing but their VRFs is there, under the names that the router's configuration has for them.
"""

from collections.abc import Mapping
from pathlib import Path

_MOUNTS = """\
set -e
hold=$1; shift
mount --make-rprivate /
mkdir -p "$hold"
mount --rbind /run/netns "$hold"
mount -t tmpfs none /run/netns
while [ "$1" != -- ]; do touch "/run/netns/$2"; mount --bind "$hold/$1" "/run/netns/$2"; shift 2; done
shift
umount -l "$hold"
exec "$@"
"""


def space_of(prefix: str, node: str, vrf: str) -> str:
    """The namespace that is a VRF of a node."""
    return f"{prefix}-vrf-{node}-{vrf}"


def wrapper(rundir: Path, spaces: Mapping[str, str]) -> tuple[str, ...]:
    """The command line that starts a daemon for which these namespaces, by VRF, are all that there are.

    `rundir` is a directory of the router's; an empty one, `netns`, is made in it.
    """
    pairs = [word for vrf, space in spaces.items() for word in (space, vrf)]
    return ("unshare", "--mount", "sh", "-c", _MOUNTS, "sh", str(rundir / "netns"), *pairs, "--")
