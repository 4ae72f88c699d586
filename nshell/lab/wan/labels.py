"""The label switch: what FRR's bgpd decided for the VRFs, as flows of Open vSwitch. Run by pe.py as a process.

    python -m nshell.lab.wan.labels INSTANCE RUNDIR CUSTOMER …

It reads bgpd's tables five times a second and changes the flows that are different, so the data plane follows the
control plane and nothing else:

- a route that a VRF imported: packets to its prefix get its label, and go by GRE to its next hop, when zebra has a
  route to that;
- a route that a VRF exports: what arrives with the label bgpd allotted goes into that VRF, unlabelled.

bgpd itself calls imported routes invalid here, since nothing allots transport labels: GRE is the transport, and the
next hop's reachability is what counts.
"""

import ipaddress
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent import namespaces
from agent.host import Ovs, OvsLocation, run
from data.errors import CommandFailed
from nshell.lab.wan.frr import Frr
from nshell.lab.wan.plan import loopback

BRIDGE = "br-label"
GRE_PORT = 200  # OpenFlow port of the GRE tunnel in br-label; customers have 1, 2 …
INTERVAL = 0.2  # seconds
STALE = 120.0  # seconds, FRR's own restart time
_FAMILIES = ("ipv4Vpn", "ipv6Vpn")
IN_VRF, TO_VRF = 0, 1  # tables
ETHERNET = {"ipv4": "0x0800", "ipv6": "0x86dd"}
MATCH = {"ipv4": ("ip", "nw_dst"), "ipv6": ("ipv6", "ipv6_dst")}
ROUTER_MAC = "02:0f:00:00:00:fe"  # br-label as customers' VRFs see it
VRF_MAC = "02:0f:00:00:00:01"  # a VRF as br-label sees it

log = logging.getLogger("labels")


@dataclass(frozen=True, slots=True, order=True)
class Imported:
    """One path of a route that a VRF imported; the smallest is the best."""

    preference: int  # negated LOCAL_PREF
    hops: int  # of the AS path
    metric: int
    next_hop: str
    label: int


class LabelSwitch:
    """Turns the tables of one FRR instance into the flows of one bridge."""

    def __init__(self, frr: Frr, customers: Iterable[str]) -> None:
        self._frr = frr
        self._ports = {name: number for number, name in enumerate(customers, 1)}

    def told_everything(self) -> bool:
        """Whether every session is up and its peer has told all that it has (RFC 4724 section 4.1); CommandFailed."""
        known = [one for one in self._frr.show("show bgp neighbors json").values() if isinstance(one, dict)]
        return bool(known) and all(  # none at first: it is still reading its configuration
            one.get("bgpState") == "Established" and all(_ended(one, family) for family in _FAMILIES) for one in known
        )

    def flows(self) -> set[str]:
        """The flows that bgpd's tables ask for; CommandFailed when it does not answer."""
        known = self._frr.show("show bgp vrfs json")["vrfs"]
        wanted = set()
        for name, port in self._ports.items():
            wanted.add(
                f"table={TO_VRF},priority=1,metadata={port},actions=set_field:{ROUTER_MAC}->eth_src,"
                f"set_field:{VRF_MAC}->eth_dst,output:{port}"
            )
            if name in known:
                for family in ETHERNET:
                    table = self._frr.show(f"show bgp vrf {name} {family} unicast json detail").get("routes", {})
                    wanted |= set(self._of_vrf(name, port, family, table))
        return wanted

    def _of_vrf(self, vrf: str, port: int, family: str, table: Mapping[str, Any]) -> Iterator[str]:
        for prefix, entries in table.items():
            paths = [one for one in entries if "nexthops" in one]
            if any(one.get("nhVrfName") is None for one in paths):
                yield from self._exported(vrf, port, family, prefix)
                continue
            best = min(self._reachable(paths), default=None)
            if best is not None:
                kind, field = MATCH[family]
                length = int(prefix.partition("/")[2])
                yield (
                    f"table={IN_VRF},priority={100 + length},in_port={port},{kind},{field}={prefix},"
                    f"actions=push_mpls:0x8847,set_field:{best.label}->mpls_label,"
                    f"set_field:{loopback('pe')}->tun_src,set_field:{best.next_hop}->tun_dst,output:{GRE_PORT}"
                )

    def _exported(self, vrf: str, port: int, family: str, prefix: str) -> Iterator[str]:
        for route in self._frr.show(f"show bgp {family} vpn {prefix} json").values():
            for path in route.get("paths", ()):
                if path.get("nhVrfName") == vrf and path.get("sourced") and "remoteLabel" in path:
                    yield (
                        f"table={IN_VRF},priority=50,in_port={GRE_PORT},mpls,mpls_label={path['remoteLabel']},"
                        f"actions=pop_mpls:{ETHERNET[family]},set_field:{port}->metadata,resubmit(,{TO_VRF})"
                    )

    def _reachable(self, paths: Iterable[Mapping[str, Any]]) -> Iterator[Imported]:
        for path in paths:
            label = path.get("remoteLabel")
            for hop in path["nexthops"]:
                address = ipaddress.ip_address(hop["ip"])
                if isinstance(address, ipaddress.IPv6Address):  # of VPNv6 over IPv4: RFC 4659 section 3.2.1.2
                    if address.ipv4_mapped is None:
                        continue
                    address = address.ipv4_mapped
                if label is not None and self._frr.show(f"show ip route {address} json"):
                    length, metric = path["aspath"]["length"], path.get("metric", 0)
                    yield Imported(-path.get("locPrf", 100), length, metric, str(address), label)


def _ended(neighbour: Mapping[str, Any], family: str) -> bool:
    """Whether the end-of-RIB of a family came, where the session carries it."""
    carried = neighbour.get("addressFamilyInfo", {})
    return family not in carried or bool(neighbour.get("gracefulRestartInfo", {}).get("endOfRibRecv", {}).get(family))


def _match(flow: str) -> str:
    return flow.partition("actions=")[0]


def follow(switch: LabelSwitch, ovs: Ovs) -> None:
    """Make the bridge's flows those that are asked for, for ever.

    While bgpd is away they stay as they are, and none is taken away before its peers have told it everything, STALE
    seconds at most: forwarding state is preserved over a restart, as its F bit says.
    """
    there: set[str] | None = None
    away = False
    kept_until = 0.0
    while True:
        try:
            wanted = switch.flows()
            if away:
                kept_until = time.monotonic() + STALE
            if there and time.monotonic() < kept_until:
                if switch.told_everything():
                    kept_until = 0.0
                    wanted = switch.flows()
                else:
                    again = {_match(one) for one in wanted}
                    wanted |= {one for one in there if _match(one) not in again}
            if wanted != there:
                _replace(ovs, wanted)
                log.info("%d flows, %d before", len(wanted), len(there or ()))
                there = wanted
            away = False
        except CommandFailed as problem:
            if not away:
                log.warning("%s", problem)
            away = True
        time.sleep(INTERVAL)


def _replace(ovs: Ovs, flows: Iterable[str]) -> None:
    """Exactly these flows, in one bundle."""
    file = ovs.location.rundir / "flows"
    file.write_text("".join(f"{one}\n" for one in sorted(flows)))
    target = f"unix:{ovs.location.rundir}/{BRIDGE}.mgmt"
    run(["ovs-ofctl", "-O", "OpenFlow14", "--bundle", "replace-flows", target, str(file)])


def main(argv: list[str]) -> int:
    """Follow one instance until killed."""
    instance, rundir, *customers = argv
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    switch = LabelSwitch(Frr(instance, namespaces.of_name(instance)), customers)
    follow(switch, Ovs(OvsLocation.choose(rundir, environ={})))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
