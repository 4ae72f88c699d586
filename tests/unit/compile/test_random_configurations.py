"""Random typing, renaming, turning off and rolling back in three enterprises that use and share domains made from
templates: whatever the check lets through leaves on every switch what a compilation from nothing makes, and the way
back undoes it.

`test_incremental.py` does the same below the rules, with edits made by hand.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from data.errors import NshellError
from tests.unit.compile.committed import Committed

STEPS = 70
ENTERPRISES = ("infra", "acme", "bolt")
DOMAINS = ("prod", "prod", "svc")
BASE = (
    *(f"set dvrs hv{n} tunnel-address 172.31.0.{n}" for n in (1, 2, 3)),
    "set domain-template office zone web subnet web1 prefix 10.1.1.0/24",
    "set domain-template office policy-group front",
    "set domain-template lab zone web subnet web1 ipv6-prefix fd00:1::/64",
    "set domain-template lab zone app",
    *(f"set enterprise {name} domain prod" for name in ENTERPRISES),
    *(f"set enterprise {name} network-macro wan prefix 192.0.2.0/24" for name in ENTERPRISES),
)
PREFIXES = {"10.1.1.0/24": "10.1.1", "10.1.2.0/24": "10.1.2", "10.1.0.0/16": "10.1.7", "172.16.0.0/24": "172.16.0"}
NAMES = ("app", "web", "front", "base", "own", "v0", "v1", "v2", "svc", "prod", "app1", "web1", "other")


def random_line(dice: random.Random) -> str:
    """One set, delete, deactivate, activate, rename or copy line that may make sense."""
    pick = dice.choice
    domain = f"enterprise {pick(ENTERPRISES)} domain {pick(DOMAINS)}"
    host = pick((domain, domain, f"domain-template {pick(('office', 'lab'))}"))
    zone, vport = f"{host} zone {pick(('web', 'app'))}", f"{domain} vport v{dice.randrange(3)}"
    name = pick(("web1", "app1"))
    prefix, prefix6 = pick(tuple(PREFIXES)), pick(("fd00:1::", "fd00:2::"))
    policy = f"{host} {pick(('ingress', 'egress'))}-policy {pick(('base', 'own'))}"
    end = pick(("policy-group front", "zone web", "subnet web1", "network-macro wan", "any"))
    workload = f"{vport} subnet {name} mac 02:00:00:00:00:0{dice.randrange(1, 6)}"
    ip, ip6 = f"{PREFIXES[prefix]}.{dice.randrange(2, 9)}", f"{prefix6}{dice.randrange(2, 9)}"
    some = pick((
        host, zone, f"{zone} subnet {name}", vport, f"{host} policy-group front", policy, f"{policy} entry 10",
        f"{domain} floating-ip 100.64.0.3", f"{host} static-route 10.1.1.0/24", f"{domain} source-nat out",
        f"{host} qos gold", f"dvrs hv{dice.randrange(1, 4)}", " ".join(domain.split()[:2]),
    ))  # fmt: skip
    leaf = pick((f"{domain} template", f"{domain} use {pick(ENTERPRISES)}/prod", f"{domain} shared",
                 f"{domain} access-prefix", f"{zone} subnet {name} prefix", f"{host} default-qos"))  # fmt: skip
    lines: tuple[Callable[[], str], ...] = (
        lambda: f"set {domain} template {pick(('office', 'lab'))}",
        lambda: f"set {domain} shared access-prefix {pick(('100.64.0.0/24', '100.64.0.0/29', '100.65.0.0/28'))}",
        lambda: f"set {domain} shared access-prefix fd00:64::/96",
        lambda: f"set {domain} use {pick(ENTERPRISES)}/{pick(DOMAINS)}",
        lambda: f"set {domain} use {pick(ENTERPRISES)}/{pick(DOMAINS)}",
        lambda: f"set {zone} subnet {name} prefix {prefix}",
        lambda: f"set {zone} subnet {name} ipv6-prefix {prefix6}/64",
        lambda: f"set {workload} address {ip}",
        lambda: f"set {workload} address {ip}",
        lambda: f"set {workload} address [ {ip} {ip6} ]",
        lambda: f"set {vport} type bridge subnet {name} uplink wan{dice.randrange(2)} vlan {dice.randrange(1, 4)}",
        lambda: f"set {vport} policy-group front",
        lambda: f"set {host} policy-group front",
        lambda: f"set {policy} entry {pick((10, 20))} from {end} action allow {pick(('', 'stateful'))}",
        lambda: f"set {policy} entry {pick((10, 20))} from {end} action deny protocol tcp destination-port 80",
        lambda: f"set {host} {pick(('ingress', 'egress'))}-default allow",
        lambda: f"set {domain} floating-ip {pick(('100.64.0.3', '10.1.1.200', 'fd00:1::77'))} vport v0",
        lambda: f"set {domain} source-nat out address {PREFIXES[prefix]}.201 from {pick(('any', 'subnet web1'))}",
        lambda: f"set {host} static-route {pick(('10.1.1.0/24', '0.0.0.0/0', '::/0', '100.64.0.0/24'))} blackhole",
        lambda: f"set {host} qos gold ingress-rate {pick((1000, 2000))} egress-rate 3000",
        lambda: f"set {host} default-qos gold",
        lambda: f"delete {some}",
        lambda: f"delete {leaf}",
        lambda: f"deactivate {some}",
        lambda: f"activate {some}",
        lambda: f"rename {some} to {pick(NAMES)}",
        lambda: f"copy {some} to {pick(NAMES)}",
    )
    return pick(lines)()


def random_change(model: Committed, dice: random.Random) -> None:
    """An interface somewhere else, a rollback, or a commit of some lines. Raises NshellError when it is refused."""
    what = dice.random()
    if what < 0.25:
        name = f"{dice.choice(ENTERPRISES)}/{dice.choice(DOMAINS)}/v{dice.randrange(3)}"
        model.place(name, dice.choice(("", "hv1", "hv2", "hv3")), model.port())
        return
    candidate = model.candidate()
    if what < 0.32:
        candidate.rollback_to(dice.choice(model.history[-5:]))
    else:
        for _ in range(dice.choice((1, 1, 1, 2, 3, 4))):
            try:
                candidate.apply_batch([random_line(dice)], "test")
            except NshellError:
                model.refused += 1
    model.merge(candidate)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_committed_leaves_what_a_compilation_from_nothing_makes(seed: int) -> None:
    model, dice = Committed(), random.Random(seed)
    model.commit(*BASE)
    for _ in range(STEPS):
        try:
            random_change(model, dice)
        except NshellError:
            model.refused += 1
        model.agree()
    assert model.configured.revision > STEPS // 8, "nearly everything was refused, so this shows little"
