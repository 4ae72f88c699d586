"""Carrying a machine's interface to another hypervisor while the machine runs on: its sockets notice nothing.

cold   the interface vanishes here, then appears there: the same veth is taken along
live   it appears there first, as a virtual machine's does when its memory has been copied; for a while both are there

```
  live, in the machine's namespace          before: eth0 ══ tap-web-1 on hv1
  eth0 ══ park        (keeps the carrier)   tc on eth0, egress: redirect to leg1     atomic, one netlink message
  leg1 ══ tap-web-1 on hv2                  tc on leg1, ingress: redirect to eth0    there before the port is
```
So eth0 stays the very device that sockets, addresses, routes and neighbours are bound to; frames leave by the leg.
"""

import json
from functools import partial

from agent import attach, namespaces, offload
from agent.host import run
from nshell.lab.hypervisor import Hypervisor
from nshell.lab.machines import Machine
from nshell.lab.spaces import set_kernel

PARK = "park"  # the other end of eth0 once it leads nowhere
EVERYTHING = ["u32", "match", "u32", "0", "0"]  # matchall is not in every kernel
HANDLE = ["protocol", "all", "pref", "1", "handle", "800::1"]  # the one filter of its hook: replaced, never added to


def leg(number: int) -> str:
    """The name of a machine's leg after so many live moves."""
    return f"leg{number}"


def steady(space: str) -> None:
    """Spare eth0 a new duplicate address detection, a second without IPv6, when its carrier comes back."""
    namespaces.inside(namespaces.of_name(space), partial(set_kernel, "net/ipv6/conf/eth0/accept_dad", "0"))


def appear(machine: Machine, space: str, there: Hypervisor, number: int) -> None:
    """A second interface on another hypervisor: what it receives reaches eth0; eth0 still sends by the first."""
    name, mine = leg(number), namespaces.of_name(space)

    def make() -> None:
        run(
            ["ip", "link", "add", "name", machine.port, "type", "veth", "peer", "name", name, "mtu", str(machine.mtu),
             "address", machine.mac, "netns", space]
        )  # fmt: skip

    def set_leg() -> None:
        _silence(name)
        _redirect(name, "ingress", "eth0")
        offload.switch_off(name)
        run(["ip", "link", "set", "dev", name, "up"])

    steady(space)
    there.inside(make)
    namespaces.inside(mine, set_leg)
    workload = attach.Workload("netns", space)
    interface = attach.Interface("eth0", machine.mac, mtu=machine.mtu)
    there.inside(partial(attach.attach, there.ovs, workload, machine.vport, interface, machine.port, keep_link=True))


def switch_over(space: str, number: int) -> None:
    """From now on eth0 sends by this leg."""
    namespaces.inside(namespaces.of_name(space), partial(_redirect, "eth0", "egress", leg(number)))


def vanish(machine: Machine, space: str, here: Hypervisor, number: int) -> None:
    """Take the interface away that the machine had before leg `number`."""
    if number > 1:  # it was a leg itself, and goes with its other end
        here.inside(partial(attach.detach, here.ovs, machine.vport))
        return

    def give_back() -> None:
        attach.detach(here.ovs, machine.vport, keep_link=True)
        run(["ip", "link", "set", "dev", machine.port, "netns", space, "name", PARK])

    def park() -> None:
        _silence(PARK)
        run(["ip", "link", "set", "dev", PARK, "up"])

    here.inside(give_back)
    namespaces.inside(namespaces.of_name(space), park)


def forget(space: str) -> None:
    """Delete eth0 of a machine whose leg is gone, so that it can be plugged in as a new one."""

    def drop() -> None:
        if any(one["ifname"] == "eth0" for one in json.loads(run(["ip", "-json", "link", "show"]))):
            run(["ip", "link", "del", "dev", "eth0"])

    namespaces.inside(namespaces.of_name(space), drop)


def carry(machine: Machine, space: str, here: Hypervisor, there: Hypervisor) -> None:
    """Take the end in the bridge along to another hypervisor's namespace; it must not be a port any more."""
    steady(space)
    here.inside(lambda: run(["ip", "link", "set", "dev", machine.port, "netns", there.namespace]))


def _silence(interface: str) -> None:
    """Keep the machine's own stack off an interface, of which it must know nothing."""
    set_kernel(f"net/ipv6/conf/{interface}/disable_ipv6", "1")
    set_kernel(f"net/ipv4/conf/{interface}/arp_ignore", "8")


def _redirect(interface: str, hook: str, target: str) -> None:
    """All frames at one hook of an interface go to another interface, in the same direction."""
    if "clsact" not in run(["tc", "qdisc", "show", "dev", interface]):
        run(["tc", "qdisc", "add", "dev", interface, "clsact"])
    action = ["action", "mirred", hook, "redirect", "dev", target]
    run(["tc", "filter", "replace", "dev", interface, hook, *HANDLE, *EVERYTHING, *action])
