"""The controller's configuration that goes with a lab's wide area network, as set lines."""

from nshell.lab.wan.wide import Wide

ENTERPRISE, DOMAIN, ZONE = "acme", "prod", "web"  # as in examples/demo/policy.nsh, which makes the domain


def lines(wan: Wide) -> list[str]:
    """BGP with the nodes, and what the tenant acme/prod shares with the PE's first customer and the VTEP's segment."""
    spec = wan.wan
    text = [f"set bgp autonomous-system {spec.autonomous_system}"]
    peers = {"rr": ("evpn", "vpnv4", "vpnv6")} if spec.reflector else {"pe": ("vpnv4", "vpnv6"), "vtep": ("evpn",)}
    for node, families in peers.items():
        if node not in spec.nodes:
            continue
        neighbor = f"set bgp-neighbor {node} address {wan.address(node)}"
        text.append(f"{neighbor} autonomous-system {spec.wan_autonomous_system} family [ {' '.join(families)} ]")
    domain = f"set enterprise {ENTERPRISE} domain {DOMAIN}"
    if spec.pe and spec.customers:
        text.append(f"{domain} route-target {spec.customers[0].route_target}")
    if spec.vtep and spec.segments:
        segment = spec.segments[0]
        target = segment.route_target or f"{spec.wan_autonomous_system}:{segment.vni}"
        text.append(f"{domain} zone {ZONE} subnet {segment.name} vni {segment.vni} route-target {target}")
    return [*text, 'commit comment "the wide area network of the lab"']
