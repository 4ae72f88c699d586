"""A hundred domains made from one template, two of them with machines: its edits block and allow real connections in
all of them, what a domain says itself stays, and going back goes back everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nshell.lab import Machine
from tests.system.network import Network

DOMAINS = 100
PORT, OTHER = 8443, 8080
TEMPLATE = f"""
set domain-template office zone web subnet web1 prefix 10.1.1.0/24
set domain-template office zone app subnet app1 prefix 10.1.2.0/24
set domain-template office policy-group clients
set domain-template office ingress-policy base entry 10 from policy-group clients protocol tcp \
destination-port {PORT} action allow stateful
set domain-template office egress-default allow
set enterprise acme domain d1 ingress-policy own priority 1 entry 10 from zone web protocol tcp \
destination-port {OTHER} action allow stateful
"""
FACES = {"client": ("hv1", 1, "web1"), "server": ("hv2", 2, "app1")}


def machines() -> Iterator[Machine]:
    """A client and a server in each of two domains, with the same addresses in both."""
    for domain in (1, 2):
        for name, (hypervisor, net, _) in FACES.items():
            yield Machine(
                name=f"{name}{domain}", hypervisor=hypervisor, vport=f"acme/d{domain}/{name}",
                mac=f"02:00:0a:{domain:02x}:{net:02x}:0b", address=(f"10.1.{net}.11/24",), gateway=f"10.1.{net}.1",
            )  # fmt: skip


def policy() -> Iterator[str]:
    """The template, its domains, and the vports of their machines."""
    yield TEMPLATE
    for number in range(1, DOMAINS + 1):
        yield f"set enterprise acme domain d{number} template office"
    for machine in machines():
        group = " policy-group clients" if machine.name.startswith("client") else ""
        domain, name = machine.vport.split("/")[1:]
        yield (
            f"set enterprise acme domain {domain} vport {name} subnet {FACES[name][2]} mac {machine.mac} "
            f"address {machine.address[0].partition('/')[0]}{group}"
        )


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("templates")
    network = Network(folder, "t4", machines=machines(), policy=policy(), hypervisors=2)
    yield network
    network.close()


def passes(network: Network, domain: int, port: int) -> bool:
    """Whether a TCP connection from the client of a domain to its server is made, and carries data."""
    with network.lab.tcp_server(f"server{domain}", port):
        return bool(network.lab.tcp(f"client{domain}", f"server{domain}", port, timeout=1.0).echoed)


def verdicts(network: Network) -> dict[tuple[int, int], bool]:
    return {(domain, port): passes(network, domain, port) for domain in (1, 2) for port in (PORT, OTHER)}


USUAL = {(1, PORT): True, (2, PORT): True, (1, OTHER): True, (2, OTHER): False}
BLOCK = (
    "domain-template office ingress-policy base entry 5 from zone web protocol tcp destination-port 8000-9000 "
    "action deny"
)


def test_what_a_template_says_holds_in_all_domains_before_what_they_say_themselves(network: Network) -> None:
    assert verdicts(network) == USUAL
    before = network.all_flows()
    network.run("configure", f"set {BLOCK}", "commit")
    try:
        assert not any(verdicts(network).values()), "also what d1 allows itself, at priority 1"
    finally:
        network.run("configure", "rollback 1", "commit")
    assert verdicts(network) == USUAL
    assert network.all_flows() == before, "flows are left, or lost"


def test_what_a_domain_says_over_its_template_stays_when_the_template_is_edited(network: Network) -> None:
    own = "enterprise acme domain d2 ingress-policy base entry 10"
    network.run("configure", f"set {own} action deny", "commit")
    assert verdicts(network) == {**USUAL, (2, PORT): False}
    network.run("configure", "set domain-template office ingress-policy base entry 10 destination-port 8444", "commit")
    assert verdicts(network) == {**USUAL, (2, PORT): False}
    assert passes(network, 1, 8444) and not passes(network, 2, 8444)
    network.run("configure", "rollback 2", "commit")
    assert verdicts(network) == USUAL and not passes(network, 1, 8444)


def test_the_check_of_a_template_names_what_it_touches_and_a_vport_what_it_is_subject_to(network: Network) -> None:
    said = network.run("configure", f"set {BLOCK}", "commit check", "discard")
    assert "100 domains: 2 vports on hv1" in said
    assert "acme/d1: 1 vport on hv1 (client)" in said and "and 84 more" in said
    whole = network.run("configure", f"set {BLOCK}", "commit check detail", "discard")
    assert all(f"acme/d{number}: " in whole for number in range(1, DOMAINS + 1))
    said = network.run("show vport acme/d1/client policy")
    assert said.index("base/10") < said.index("own/10") and "template office" in said
    counted = network.rows("show policies enterprise acme domain d1 counters")
    assert {row["entry"]: row["packets"] > 0 for row in counted if row["direction"] == "ingress"}["base/10"], counted
    assert "ingress-policy acme/d1/base/10" in network.run("show flows dvrs hv1")
    (row,) = network.rows("show domain-template")
    assert row["domains"] == DOMAINS


def test_a_template_gives_the_same_after_the_controller_was_killed_and_a_machine_moved(network: Network) -> None:
    before = network.all_flows()
    network.restart_controller()
    after = network.all_flows()
    for name, flows in before.items():
        assert not flows ^ after[name], "numbers of what is inherited changed over the restart"
    network.lab.move("client1", "hv2")
    network.ready()
    assert verdicts(network) == USUAL
    network.run("configure", f"set {BLOCK}", "commit")
    assert not any(verdicts(network).values())
    network.run("configure", "rollback 1", "commit")
    network.lab.move("client1", "hv1")
    network.ready()
    assert verdicts(network) == USUAL


def test_what_machines_use_is_not_taken_from_under_them(network: Network) -> None:
    said = network.run("configure", "delete domain-template office zone app subnet app1", "commit", code=3)
    assert "in acme/d1 vport server; in acme/d2 vport server still name it" in said
    network.run("configure", "discard")
    assert verdicts(network) == USUAL
