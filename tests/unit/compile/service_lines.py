"""Random set lines about every edge service, and random facts that packets could tell about what is there.

Names are mostly of what is there, so that much is accepted: what is refused shows nothing. Read next:
`test_random_services.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from controller.compile import Observed
from controller.compile.catalogue import SERVICES
from controller.compile.remote import (
    MPLS,
    VXLAN,
    NextHop,
    Remote,
    RemoteFlood,
    RemoteKey,
    RemoteMac,
    RemotePrefix,
    Tunnel,
)
from controller.compile.services.probed import probes_in
from data.addresses import address, prefix
from data.networks import networks
from data.path import Path, path_text
from data.schema.objects import Domain, L2Domain, Subnet, Vport
from data.schema.services import VirtualIp
from tests.unit.compile.committed import Committed

DOMAINS = ("infra/svc", "acme/prod", "acme/prod", "bolt/prod")
HOSTS = ("hv1", "hv2", "hv3")
SUBNETS = {
    "infra/svc": {"pub": ("172.16.0", "fd00:16"), "out": ("198.51.100", "fd00:51")},
    "acme/prod": {"web1": ("10.1.1", "fd00:1"), "app1": ("10.1.2", "fd00:2")},
    "bolt/prod": {"web1": ("10.1.1", "fd00:1"), "app1": ("10.1.2", "fd00:2")},
}
VPORTS = ("v0", "v1", "v2", "v3", "v4", "s0", "s1")
BRIDGES = ("b0", "b1")
ROUTES = ("0.0.0.0/0", "::/0", "192.0.2.0/24", "10.1.1.128/25", "10.1.2.5/32", "fd00:9::/48", "fd00:1::5/128")
PROBE = ("none", "arp", "icmp")


def everything() -> list[str]:
    """A network in which every service is used, in both IP versions, and a shared domain with two users."""
    lines = [f"set dvrs hv{n} tunnel-address 172.31.0.{n}" for n in (1, 2, 3)]
    lines += [
        "set flow-export flows collector 172.31.0.250",
        "set domain-template office qos base ingress-rate 2000",
        "set domain-template office default-qos base",
        "set domain-template office static-route 203.0.113.0/24 blackhole",
        "set domain-template office policy-group front",
    ]
    for at, subnets in SUBNETS.items():
        enterprise, name = at.split("/")
        domain = f"enterprise {enterprise} domain {name}"
        if name == "prod":
            lines += [f"set {domain} template office", f"set {domain} use infra/svc"]
        else:
            lines.append(f"set {domain} shared access-prefix [ 100.64.0.0/24 fd00:64::/96 ]")
        for third, (subnet, (four, six)) in enumerate(subnets.items()):
            lines.append(f"set {domain} zone {subnet[:3]} subnet {subnet} prefix {four}.0/24 ipv6-prefix {six}::/64")
            for nth in (0, 1, 2):
                vport = f"{domain} vport v{3 * third + nth}" if 3 * third + nth < 5 else f"{domain} vport s0"
                end = 10 + 3 * third + nth
                lines.append(f"set {vport} subnet {subnet} mac 02:00:00:00:0{third}:{end:02x}")
                lines.append(f"set {vport} address [ {four}.{end} {six}::{end} ] anti-spoofing mac")
        first, (four, six) = next(iter(subnets.items()))
        third = "infra acme bolt".split().index(enterprise)
        lines += [
            f"set {domain} vport b0 type bridge subnet {first} uplink wan0 vlan {10 + third}",
            f"set {domain} static-route 0.0.0.0/0 next-hop [ {four}.10 {four}.66 ]",
            f"set {domain} static-route ::/0 next-hop [ {six}::10 {six}::66 ]",
            f"set {domain} redirection-target fw vport [ v0 v3 ]",
            f"set {domain} forwarding-policy chain redirect 10 protocol tcp destination-port 443 target fw",
            f"set {domain} load-balancer shop address {four}.100 port 80",
            f"set {domain} load-balancer shop backend v1 weight 3",
            f"set {domain} load-balancer shop6 address {six}::100 port 80 protocol udp health icmp",
            f"set {domain} load-balancer shop6 backend v2",
            f"set {domain} qos gold ingress-rate 1000 egress-rate 2000",
            f"set {domain} vport v1 qos gold",
            f"set {domain} mirror tap vport v0 to v4",
            f"set {domain} mirror far vport v1 collector 172.31.0.200 encapsulation erspan",
            f"set {domain} virtual-ip {four}.200 vport [ v0 v1 ]",
            f"set {domain} virtual-ip {six}::200 vport [ v0 v1 ] mac 00:00:5e:00:01:20",
            f"set {domain} floating-ip {four}.210 vport v3",
            f"set {domain} floating-ip {six}::210 vport v3",
            f"set {domain} source-nat everybody address {four}.220",
            f"set enterprise {enterprise} l2-domain lan vport v0 mac 02:00:00:00:07:01",
            f"set enterprise {enterprise} l2-domain lan vport b0 type bridge uplink wan1 vlan {20 + third}",
        ]
    return lines


def random_line(model: Committed, dice: random.Random) -> str:
    """One set, delete, deactivate, activate, rename or copy line that may make sense."""
    pick, view = dice.choice, model.acting
    at = pick(DOMAINS)
    enterprise, name = at.split("/")
    domain = f"enterprise {enterprise} domain {name}"
    lan = f"enterprise {enterprise} l2-domain lan"
    here: Path = tuple(domain.split())
    subnet = pick(tuple(SUBNETS[at]))
    four, six = SUBNETS[at][subnet]
    zone = f"{domain} zone {subnet[:3]}"
    vports = view.children(here, "vport") or VPORTS

    def some(names: Sequence[str], most: int = 3) -> str:
        return f"[ {' '.join(sorted(dice.sample(names, min(len(names), dice.randrange(1, most + 1)))))} ]"

    def ip() -> str:
        end = dice.randrange(2, 24) if dice.random() < 0.7 else pick((66, 100, 200, 210, 220))
        return f"{four}.{end}" if dice.random() < 0.6 else f"{six}::{end}"

    def hops(prefix: str) -> str:
        one = f"{six}::" if ":" in prefix else f"{four}."
        return some([f"{one}{end}" for end in (10, 11, 12, 13, 14, 66, 67, 200)], 4)

    vport, end = pick(VPORTS), dice.randrange(2, 24)
    policy = f"{pick((domain, 'domain-template office'))} forwarding-policy {pick(('chain', 'other'))}"
    objects = [path_text(path) for path, _ in model.configured.walk(here) if len(path) > 4]
    anything = pick([*objects, domain, lan, f"dvrs {pick(HOSTS)}", f"enterprise {enterprise}"])
    if dice.random() < 0.8 and objects:
        anything = pick(objects)
    ends = ("any", "any", f"subnet {subnet}", f"zone {subnet[:3]}", f"vport {pick(vports)}", "policy-group front")
    balancer, prefix, body = (
        f"{domain} load-balancer {pick(('shop', 'shop6', 'more'))}",
        pick(ROUTES),
        f"{domain} vport",
    )
    choices: tuple[Callable[[], str], ...] = (
        lambda: f"set {body} {vport} subnet {subnet} mac 02:00:00:00:00:{end:02x} address {four}.{end}",
        lambda: (
            f"set {body} {vport} subnet {subnet} mac 02:00:00:00:00:{end:02x} address [ {four}.{end} {six}::{end} ]"
        ),
        lambda: f"set {zone} subnet {subnet} flow-export flows",
        lambda: f"set flow-export flows collector 172.31.0.250 sampling {pick((1, 100, 65535))}",
        lambda: f"set {body} {pick(vports)} anti-spoofing {pick(('full', 'mac', 'off'))}",
        lambda: f"set {body} {pick(vports)} policy-group front",
        lambda: f"set {body} {pick(vports)} mac 02:00:00:00:00:{end:02x}",
        lambda: (
            f"set {body} {pick(BRIDGES)} type bridge subnet {subnet} uplink wan{dice.randrange(3)}"
            + pick(("", f" vlan {dice.randrange(1, 30)}"))
        ),
        lambda: (
            f"set {body} {vport} type host subnet {subnet} uplink wan{dice.randrange(3)} vlan {dice.randrange(1, 30)}"
        ),
        lambda: (
            f"set {lan} vport {pick(BRIDGES)} type bridge uplink wan{dice.randrange(3)} vlan {dice.randrange(1, 30)}"
        ),
        lambda: (
            f"set {lan} vport {pick(('v0', 'v1'))} mac 02:00:00:00:07:{end:02x}" + pick(("", f" address {four}.{end}"))
        ),
        lambda: f"set {lan} unknown-unicast {pick(('flood', 'bridge', 'drop'))}",
        lambda: f"set {lan} mirror tap vport v0 " + pick(("to v1", "to b0", "collector 172.31.0.201")),
        lambda: f"set {lan} qos thin egress-rate {pick((500, 700))}",
        lambda: f"set {lan} default-qos thin",
        lambda: f"set {domain} static-route {prefix} next-hop {hops(prefix)} health {pick(PROBE)}",
        lambda: f"set {domain} static-route {prefix} blackhole",
        lambda: (
            f"set {domain} redirection-target {pick(('fw', 'ids'))} vport {some(vports)} health {pick(PROBE)}"
            f" fail {pick(('open', 'closed'))}"
        ),
        lambda: (
            f"set {policy} redirect {pick((10, 20))} from {pick(ends)} to {pick(ends)}"
            f" {pick(('', 'protocol udp', 'protocol tcp destination-port 443'))} target {pick(('fw', 'ids'))}"
        ),
        lambda: f"set {policy} redirect {pick((10, 20))} from {pick(ends)} next-hop {ip()}",
        lambda: f"set {policy} priority {dice.randrange(3)}",
        lambda: (
            f"set {balancer} address {ip()} port {pick((80, 443))} protocol {pick(('tcp', 'udp'))}"
            f" health {pick(('none', 'icmp'))} affinity {pick(('none', 'source'))}"
        ),
        lambda: f"set {balancer} backend {pick(vports)} port {pick((80, 8080))} weight {dice.randrange(4)}",
        lambda: (
            f"set {pick((domain, 'domain-template office'))} qos {pick(('gold', 'base'))}"
            f" {pick(('ingress', 'egress'))}-rate {pick((1000, 5000))} dscp {pick((0, 46))}"
        ),
        lambda: f"set {body} {pick(vports)} qos {pick(('gold', 'base'))}",
        lambda: f"set {zone} subnet {subnet} qos {pick(('gold', 'base'))}",
        lambda: f"set {pick((domain, 'domain-template office'))} default-qos {pick(('gold', 'base'))}",
        lambda: (
            f"set {domain} mirror {pick(('tap', 'far'))} vport {some(vports)} direction"
            f" {pick(('ingress', 'egress', 'both'))} "
            + pick((f"to {pick(vports)}", f"collector 172.31.0.200 encapsulation {pick(('gre', 'erspan'))}"))
        ),
        lambda: (
            f"set {domain} virtual-ip {ip()} vport {some(vports)}"
            + pick(("", f" mac 00:00:5e:00:01:{dice.randrange(0x20, 0x24):02x}"))
        ),
        lambda: f"set {domain} floating-ip {ip()} vport {pick(vports)}",
        lambda: (
            f"set {domain} source-nat {pick(('everybody', 'else'))} address {ip()}"
            f" from {pick(('any', f'subnet {subnet}', f'vport {pick(vports)}'))}"
        ),
        lambda: f"set {zone} subnet {subnet} {pick(('dhcp', 'dns-proxy', 'mtu 1400', 'unknown-unicast drop'))}",
        lambda: f"set {zone} subnet {subnet} ipv6-addressing {pick(('slaac', 'dhcpv6', 'none'))}",
        lambda: f"set {zone} subnet {subnet} prefix {four}.0/24 ipv6-prefix {six}::/64",
        lambda: f"set {zone} subnet {subnet} gateway {four}.254",
        lambda: (
            f"set {domain} {pick(('ingress', 'egress'))}-policy base entry {pick((10, 20))} from {pick(ends)}"
            f" to {pick(ends)} action allow {pick(('', 'stateful'))}"
        ),
        lambda: f"set enterprise {pick(('acme', 'bolt'))} domain prod use infra/svc",
        lambda: f"set enterprise {pick(('acme', 'bolt'))} domain prod template office",
        lambda: f"delete enterprise {pick(('acme', 'bolt'))} domain prod {pick(('use infra/svc', 'template'))}",
        lambda: "set enterprise infra domain svc access-prefix 100.65.0.0/28",
        lambda: "delete enterprise infra domain svc access-prefix 100.64.0.0/24",
        lambda: f"set {domain} route-target {pick(('65000:1', '65000:2'))}",
        lambda: f"delete {domain} route-target",
        lambda: f"set {pick((f'{zone} subnet {subnet}', lan))} vni {pick((70, 71, 72, 5001))}",
        lambda: f"delete {pick((f'{zone} subnet {subnet}', lan))} vni",
        lambda: f"set dvrs {pick(HOSTS)} tunnel-address 172.31.{dice.randrange(2)}.{dice.randrange(1, 9)}",
        lambda: f"set controller anycast-gateway-mac 02:00:00:00:ff:0{dice.randrange(3)}",
    )
    others = (
        lambda: f"delete {anything}",
        lambda: f"delete {anything}",
        lambda: f"deactivate {anything}",
        lambda: f"activate {anything}",
        lambda: f"activate {anything}",
        lambda: f"rename {anything} to {pick((*VPORTS, *BRIDGES, 'fw', 'shop', 'gold', 'tap', 'x', f'{four}.{end}'))}",
        lambda: f"copy {anything} to {pick((*VPORTS, 'ids', 'more', 'x', f'{four}.{end}'))}",
    )
    return pick(choices)() if dice.random() < 0.7 else pick(others)()


def random_facts(model: Committed, dice: random.Random) -> Observed:
    """Something that is learned, claimed, probed or told by others, or forgotten again."""
    kind = dice.randrange(4)
    if kind == 3:
        return _told(model, dice)
    if kind == 0:
        return _learned(model, dice)
    if kind == 1:
        return _held(model, dice)
    probes = [
        probe.key(model.state)
        for domain in model.acting_domains()
        for probe in probes_in(SERVICES, model.state, domain)
    ]
    few = dice.sample(probes, min(len(probes), dice.randrange(1, 4)))
    return Observed(health={probe: dice.choice((True, False, False, None)) for probe in few})


def _told(model: Committed, dice: random.Random) -> Observed:
    """Machines and prefixes elsewhere, some with the MAC addresses and addresses of ours."""
    known = [key for key, _ in model.state.placement.all_remote()]
    if known and dice.random() < 0.3:
        return Observed(remote=dict.fromkeys(dice.sample(known, dice.randrange(1, len(known) + 1))))
    vports = [body for _, body in model.acting.objects(Vport) if body.mac is not None]
    owners = [*model.acting.objects(Subnet), *model.acting.objects(L2Domain)]
    domains = [body for _, body in model.acting.objects(Domain)]
    facts: dict[RemoteKey, Remote] = {}
    for _ in range(dice.randrange(1, 6)):
        endpoint = dice.choice((address("192.0.2.1"), address("192.0.2.2"), address("172.31.0.1")))
        if domains and dice.random() < 0.3:
            network = prefix(dice.choice(("0.0.0.0/0", "10.1.1.0/24", "10.1.1.67/32", "198.51.100.0/24", "::/0")))
            labels = [dice.randrange(16, 99) for _ in range(dice.choice((1, 2)))]
            hops = tuple(NextHop(Tunnel(endpoint, MPLS, label), None) for label in labels)
            facts[RemoteKey(dice.choice(domains).uuid, "prefix", network)] = RemotePrefix(hops)
        elif owners and vports:
            _, body = dice.choice(owners)
            one, tunnel = dice.choice(vports), Tunnel(endpoint, VXLAN, dice.randrange(1, 99))
            if dice.random() < 0.3:
                facts[RemoteKey(body.uuid, "flood", endpoint)] = RemoteFlood(tunnel)
                continue
            own = bytes.fromhex((one.mac or "").replace(":", ""))
            hardware = own if dice.random() < 0.6 else bytes((2, 9, 9, 9, 9, 9))
            known_as = tuple(map(address, one.address if dice.random() < 0.8 else ("10.1.1.1", "10.1.1.99")))
            facts[RemoteKey(body.uuid, "mac", hardware)] = RemoteMac(tunnel, known_as)
    return Observed(remote=facts)


def _held(model: Committed, dice: random.Random) -> Observed:
    shared = list(model.acting.objects(VirtualIp))
    if not shared:
        return Observed()
    path, one = dice.choice(shared)
    named = [model.acting.get((*path[:4], "vport", name)) for name in one.vport]
    holders = [body.uuid for body in named if body is not None]
    return Observed(holders={one.uuid: dice.choice((*holders, *holders, None, "a vport that is gone"))})


def _learned(model: Committed, dice: random.Random) -> Observed:
    """Each MAC address is behind one bridge of a segment, each address behind one of a domain; some of them are those
    of vports, as when one is configured that was a bridged host before."""
    bridges = [(path, body) for path, body in model.acting.objects(Vport) if body.type == "bridge"]
    if not bridges:
        return Observed()
    path, bridge = dice.choice(bridges)
    if dice.random() < 0.15:
        return Observed(learned={bridge.uuid: None})
    known = model.state.placement.learned
    beside = [known.get(body.uuid) or {} for other, body in bridges if other[:4] == path[:4] and other != path]
    taken = {hardware for one in beside for hardware in one}
    used = {ip for one in beside for held in one.values() for ip in held}
    segment = model.state.segment_of(path, bridge)
    body = None if segment is None else model.acting.get(segment)
    ends = [*range(2, 24), 66, 67, 100, 200, 210, 220]
    free: list[str] = []
    if isinstance(body, Subnet):
        starts = [str(own.prefix).partition("/")[0] for own in networks(body)]
        free = [f"{one[:-1] if '.' in one else one}{end}" for one in starts for end in ends]
    elif isinstance(body, L2Domain):
        free = [f"10.1.1.{end}" for end in ends] + [f"fd00:1::{end}" for end in ends]
    free = [ip for ip in free if ip not in used]
    dice.shuffle(free)
    found: dict[str, tuple[str, ...]] = {}
    for _ in range(dice.randrange(5)):
        hardware = f"02:00:00:00:00:{dice.randrange(2, 40):02x}"
        if hardware not in taken:
            found[hardware] = tuple(free.pop() for _ in range(dice.choice((0, 1, 2, 8))) if free)
    return Observed(learned={bridge.uuid: found or None})
