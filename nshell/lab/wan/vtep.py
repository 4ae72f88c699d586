"""The VTEP: the kernel's VXLAN and bridges, which FRR fills from EVPN, with a host behind it for every VNI.

```
  PREFIX-wan-vtep        vx10101 (local 172.31.255.12, no learning) ── br10101 ── web1 ── eth0 PREFIX-wan-vh-web1
  PREFIX-vrf-vtep-red    vx5000 ── br5000 (router MAC)   red ── eth0 PREFIX-wan-vt-red
```
FRR announces the MACs that a bridge learns (type 2), the VNI itself (type 3) and a tenant's prefixes (type 5); what it
hears becomes `extern_learn` entries of the VXLAN interface's forwarding table, `bridge fdb show dev vx10101`, and
routes of the tenant's VRF, which is a namespace (vrfs.py).  A VXLAN interface sends and receives where it was made,
wherever it is afterwards: so all are made in the VTEP's own namespace.
"""

from collections.abc import Iterable

from agent import namespaces
from agent.host import run
from nshell.lab import spaces
from nshell.lab.spaces import Ipv6, batch
from nshell.lab.wan import vrfs
from nshell.lab.wan.plan import Segment, Tenant, Wan, loopback
from nshell.lab.wan.wires import inside, space_of, switch_off_offloads

VXLAN_PORT = 4789  # RFC 7348
MTU = 1450  # bytes, of the hosts: 50 less than the underlay's


def vrf_spaces(prefix: str, wan: Wan) -> dict[str, str]:
    """The namespaces that are the tenants' VRFs."""
    return {one.name: vrfs.space_of(prefix, "vtep", one.name) for one in wan.tenants}


def make(prefix: str, wan: Wan) -> None:
    """VXLAN interfaces, bridges, VRFs and hosts; before FRR starts."""
    tenants = vrf_spaces(prefix, wan)
    spaces.ensure(dict.fromkeys(tenants.values(), (Ipv6.STATIC, True)))
    for tenant in wan.tenants:
        _tenant(prefix, tenants[tenant.name], tenant)
    for segment in wan.segments:
        _segment(prefix, tenants.get(segment.tenant, space_of(prefix, "vtep")), segment)


def _segment(prefix: str, space: str, segment: Segment) -> None:
    """A VNI of layer 2; its bridge is in the VTEP's own namespace, or in that of a tenant's VRF."""
    _vni(prefix, space, segment.vni)
    host = space_of(prefix, segment.host)
    _host(host, space, segment.name, segment.address, segment.gateway, segment.mac)
    bridge = f"br{segment.vni}"
    lines = [f"link set dev {segment.name} master {bridge}"]
    lines += [f"address replace {one} dev {bridge}{_dad(one)}" for one in segment.router]
    namespaces.inside(namespaces.of_name(space), lambda: batch(lines))


def _tenant(prefix: str, space: str, tenant: Tenant) -> None:
    """A VRF's own VNI, and a host on one of its interfaces."""
    _vni(prefix, space, tenant.vni)
    gateways = [one.partition("/")[0] for one in tenant.addresses(1)]
    _host(space_of(prefix, tenant.host), space, tenant.name, tenant.addresses(10), gateways)
    lines = [f"link set dev br{tenant.vni} address {tenant.router_mac}"]
    lines += [f"address replace {one} dev {tenant.name}{_dad(one)}" for one in tenant.addresses(1)]
    namespaces.inside(namespaces.of_name(space), lambda: batch(lines))


def _vni(prefix: str, space: str, vni: int) -> None:
    """A VXLAN interface in a bridge of its own, in that namespace."""
    vxlan, bridge = f"vx{vni}", f"br{vni}"
    made = f"link add name {vxlan} type vxlan id {vni} local {loopback('vtep')} dstport {VXLAN_PORT} nolearning"
    moved = [] if space == space_of(prefix, "vtep") else [f"link set dev {vxlan} netns {space}"]
    inside(prefix, "vtep", [made, *moved])

    def work() -> None:
        batch(
            [
                f"link add name {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                f"link set dev {vxlan} master {bridge} up",
                f"link set dev {bridge} up",
            ]
        )
        run(["bridge", "link", "set", "dev", vxlan, "neigh_suppress", "on", "learning", "off"])

    namespaces.inside(namespaces.of_name(space), work)


def _host(
    host: str, space: str, port: str, addresses: Iterable[str], gateways: Iterable[str], mac: str | None = None
) -> None:
    """A host whose wire ends in that namespace."""
    held = tuple(addresses)
    spaces.ensure({host: (Ipv6.STATIC if any(":" in one for one in held) else Ipv6.OFF, False)})
    own = f" address {mac}" if mac else ""
    batch([f"link add name eth0 netns {host}{own} type veth peer name {port} netns {space}"])
    lines = [f"link set dev eth0 mtu {MTU} up", *(f"address replace {one} dev eth0{_dad(one)}" for one in held)]
    lines += [f"route replace default via {one}" for one in gateways]
    namespaces.inside(namespaces.of_name(space), lambda: batch([f"link set dev {port} up"]))
    namespaces.inside(namespaces.of_name(host), lambda: batch(lines))
    switch_off_offloads(host, ["eth0"])


def _dad(address: str) -> str:
    return " nodad" if ":" in address else ""
