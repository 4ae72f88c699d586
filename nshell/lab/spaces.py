"""Network namespaces of the lab as their kernel is set: quiet ones for switches, and those of machines.

A namespace that says nothing of its own (no router solicitations, no listener reports) is what makes "this machine
received nothing" mean something; so IPv6 is off wherever it is not asked for.
"""

import enum
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from agent import namespaces
from agent.host import run
from data.errors import CommandFailed


class Ipv6(enum.Enum):
    """How a namespace's kernel does IPv6."""

    OFF = "off"
    STATIC = "static"  # addresses as given and link-local ones, usable at once; deaf to router advertisements
    LEARNED = "learned"  # as the kernel does by itself: duplicate address detection, router solicitations


COMMON = {
    # a live migration does not show the guest a lost carrier; the lab's does, for the time of the move
    "net/ipv4/conf/all/arp_evict_nocarrier": "0",
    "net/ipv4/conf/default/arp_evict_nocarrier": "0",
    "net/ipv6/conf/all/ndisc_evict_nocarrier": "0",
    "net/ipv6/conf/default/ndisc_evict_nocarrier": "0",
}
FAMILY: Mapping[Ipv6, Mapping[str, str]] = {
    Ipv6.OFF: {"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"},
    Ipv6.STATIC: {
        "net/ipv6/conf/all/disable_ipv6": "0",
        "net/ipv6/conf/default/disable_ipv6": "0",
        "net/ipv6/conf/default/accept_dad": "0",  # link-local addresses, too, are usable at once
        "net/ipv6/conf/default/dad_transmits": "0",
        "net/ipv6/conf/default/accept_ra": "0",
        "net/ipv6/conf/default/router_solicitations": "0",
    },
    Ipv6.LEARNED: {"net/ipv6/conf/all/disable_ipv6": "0", "net/ipv6/conf/default/disable_ipv6": "0"},
}
ROUTER = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/forwarding": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    # one leg in and out by the same wire: a redirect would send the next packet past it
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
}


def batch(lines: Iterable[str], *, force: bool = False) -> None:
    """Run many `ip` commands in one process; with `force` a failing line does not stop the others."""
    text = "".join(line + "\n" for line in lines)
    if not text:
        return
    argv = ["ip", *(["-force"] if force else []), "-batch", "-"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60)
    if done.returncode != 0 and not force:
        raise CommandFailed(
            "ip -batch", f"{done.stderr.strip()} (in: {text.strip()})", "nshell lab down, then up again"
        )


def ensure_namespaces(names: Sequence[str]) -> None:
    """Namespaces with IPv6 off and lo up; those that exist are set again."""
    ensure(dict.fromkeys(names, (Ipv6.OFF, False)))


def ensure(wanted: Mapping[str, tuple[Ipv6, bool]]) -> None:
    """Namespaces by name, each with how it does IPv6 and whether it forwards."""
    batch(f"netns add {name}" for name in wanted if not namespaces.of_name(name).exists())
    for name, (ipv6, forward) in wanted.items():
        settings = {**COMMON, **FAMILY[ipv6], **(ROUTER if forward else {})}
        namespaces.inside(namespaces.of_name(name), partial(_set, settings))


def _set(settings: Mapping[str, str]) -> None:
    for setting, value in settings.items():
        set_kernel(setting, value)
    run(["ip", "link", "set", "dev", "lo", "up"])


def set_kernel(setting: str, value: str) -> None:
    """One setting under /proc/sys of the calling thread's namespace; those the kernel does not have are left out."""
    file = Path("/proc/sys") / setting
    if file.exists():
        file.write_text(value)
