"""Cutting two controllers apart that are in the same namespace: their session runs over its loopback interface.

Filters on lo send what goes between the two labs' controller addresses, and nothing else, to an interface that is down.
Their preferences are made of the lab's subnet, so that whoever takes the lab down finds them.
"""

import json

from agent.host import run
from nshell.lab.underlay import Names, machine_wide_lock

PREFERENCE = 20000  # plus twice the X of the first lab's 169.254.X.0/24


def cut(one: Names, other: Names) -> None:
    """Drop everything between the two controllers' addresses: established sessions become half open."""
    nowhere = f"{one.prefix}-m0"  # named like a port of the management bridge, so `down` removes it
    with machine_wide_lock():
        _forget(one.subnet)
        if "clsact" not in run(["tc", "qdisc", "show", "dev", "lo"]):
            run(["tc", "qdisc", "add", "dev", "lo", "clsact"])
        if not any(link["ifname"] == nowhere for link in json.loads(run(["ip", "-json", "link", "show"]))):
            run(["ip", "link", "add", "name", nowhere, "type", "bridge"])
        # not every kernel has the action `drop`; a packet redirected to an interface that is down is dropped as well
        for preference, (source, target) in zip(_preferences(one.subnet), ((one, other), (other, one)), strict=True):
            run(
                ["tc", "filter", "add", "dev", "lo", "egress", "protocol", "ip", "pref", preference, "u32",
                 "match", "ip", "src", f"{source.controller_address}/32",
                 "match", "ip", "dst", f"{target.controller_address}/32",
                 "action", "mirred", "egress", "redirect", "dev", nowhere]
            )  # fmt: skip


def mend(subnet: int) -> None:
    """Undo what the lab with that management subnet cut, if it did."""
    with machine_wide_lock():
        _forget(subnet)


def _forget(subnet: int) -> None:
    if "clsact" not in run(["tc", "qdisc", "show", "dev", "lo"]):
        return
    for preference in _preferences(subnet):
        if f"pref {preference} " in run(["tc", "filter", "show", "dev", "lo", "egress"]):
            run(["tc", "filter", "del", "dev", "lo", "egress", "pref", preference])
    if not run(["tc", "filter", "show", "dev", "lo", "egress"]).strip():
        run(["tc", "qdisc", "del", "dev", "lo", "clsact"])


def _preferences(subnet: int) -> tuple[str, str]:
    return str(PREFERENCE + 2 * subnet), str(PREFERENCE + 2 * subnet + 1)
