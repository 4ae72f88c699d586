"""The WAN's namespaces, its wires, and the addresses on them; nothing of what runs inside."""

import re
from collections.abc import Iterable
from functools import partial

from agent import kernel_stack, namespaces, offload
from nshell.lab import spaces
from nshell.lab.spaces import Ipv6, batch, set_kernel
from nshell.lab.underlay import GATEWAY, Names
from nshell.lab.wan import plan
from nshell.lab.wan.plan import SITES, UNDERLAY_MTU, Wan


def space_of(prefix: str, name: str) -> str:
    """The namespace of a node, or of a host behind one."""
    return f"{prefix}-wan-{name}"


def is_of_wan(prefix: str, space: str) -> bool:
    """Whether a namespace is one of these."""
    return re.fullmatch(rf"{prefix}-(wan|vrf)-[a-z0-9-]+", space) is not None


def make(names: Names, wan: Wan, sites: dict[int, Names]) -> None:
    """Namespaces, wires and addresses; `sites` are the labs whose fabric is joined. Nothing of it may be there yet."""
    spaces.ensure({space_of(names.prefix, node): (Ipv6.OFF, True) for node in wan.nodes})
    for site, lab in sites.items():
        # what is left of an earlier WAN goes with its namespace, but later, in the background
        unplug = partial(batch, [f"link del dev {SITES[site]}"], force=True)
        namespaces.inside(namespaces.of_name(lab.fabric), unplug)
    batch(_links(names, wan, sites))
    for site, lab in sites.items():
        _into_fabric(lab, SITES[site])
    batch(f"link set dev {plan.management_port(names.prefix, node)} master {names.management} up" for node in wan.nodes)
    for node in wan.nodes:
        port = plan.management_port(names.prefix, node)
        set_kernel(f"net/ipv6/conf/{port}/disable_ipv6", "1")
        inside(names.prefix, node, _addresses(names, wan, node, sites))
        wired = [neighbour for neighbour, _ in plan.ends(wan, node)]
        wired += ["lan"] if node in {SITES[site] for site in sites} else []
        switch_off_offloads(space_of(names.prefix, node), wired)


def switch_off_offloads(space: str, interfaces: Iterable[str]) -> None:
    """Let a namespace compute checksums itself: what is on the other end, in the end, is Open vSwitch in userspace."""

    def work() -> None:
        for interface in interfaces:
            offload.switch_off(interface)

    namespaces.inside(namespaces.of_name(space), work)


def inside(prefix: str, node: str, lines: list[str]) -> None:
    """Run `ip` commands in a node's namespace."""
    namespaces.inside(namespaces.of_name(space_of(prefix, node)), lambda: batch(lines))


def _links(names: Names, wan: Wan, sites: dict[int, Names]) -> list[str]:
    prefix = names.prefix
    text = [
        f"link add name {second} mtu {UNDERLAY_MTU} netns {space_of(prefix, first)} type veth"
        f" peer name {first} mtu {UNDERLAY_MTU} netns {space_of(prefix, second)}"
        for first, second in wan.links
    ]
    text += [
        f"link add name {plan.management_port(prefix, node)} type veth peer name mgmt0 netns {space_of(prefix, node)}"
        for node in wan.nodes
    ]
    return text + [
        f"link add name lan mtu {UNDERLAY_MTU} netns {space_of(prefix, SITES[site])} type veth"
        f" peer name {SITES[site]} mtu {UNDERLAY_MTU} netns {lab.fabric}"
        for site, lab in sites.items()
    ]


def _into_fabric(lab: Names, router: str) -> None:
    lines = [f"link set dev {router} master fabric up"]
    namespaces.inside(namespaces.of_name(lab.fabric), lambda: batch(lines))


def _addresses(names: Names, wan: Wan, node: str, sites: dict[int, Names]) -> list[str]:
    text = [
        f"address replace {plan.management_address(names.subnet, node)}/24 dev mgmt0",
        "link set dev mgmt0 up",
        f"address replace {plan.loopback(node)}/32 dev lo",
    ]
    # the other site's controller is on another management bridge of the same root namespace
    text += [
        f"route replace 169.254.{lab.subnet}.0/24 via {names.controller_address}"
        for lab in sites.values()
        if lab.subnet != names.subnet
    ]
    for site, router in SITES.items():
        if router == node and site in sites:
            network = sites[site].tunnel_address(GATEWAY)
            text += [f"address replace {network}/24 dev lan", "link set dev lan up"]
    if node == "pe":
        return text  # its wires are ports of Open vSwitch
    for neighbour, address in plan.ends(wan, node):
        text += [f"address replace {address}/30 dev {neighbour}", f"link set dev {neighbour} up"]
    return text


def mute(interface: str) -> None:
    """Keep the kernel's own stack off a wire that Open vSwitch has; in the namespace of the calling thread."""
    kernel_stack.write(interface, kernel_stack.MUTE)
    offload.switch_off(interface)
