"""Ways that a packet or a commit must not find: from tenant to tenant through a domain that both use, past the rules by
a link-local address or in pieces, and two objects that say different things about one flow."""

from __future__ import annotations

import pytest

from controller.compile.access import access_address, used_path
from data.addresses import Ip, address
from data.addresses import prefix as as_prefix
from data.errors import CommandFailed
from data.schema.objects import Vport
from tests.unit.compile.committed import Committed

SERVICES = "set enterprise infra domain services"
NETWORK = (
    "set dvrs hv1 tunnel-address 172.31.0.1",
    "set dvrs hv2 tunnel-address 172.31.0.2",
    f"{SERVICES} shared access-prefix 100.64.0.0/24",
    f"{SERVICES} zone svc subnet svc prefix 172.16.0.0/24",
    f"{SERVICES} vport dns subnet svc mac 02:00:ac:10:00:0a address 172.16.0.10",
    *(
        line
        for name in ("acme", "bolt")
        for line in (
            f"set enterprise {name} domain prod use infra/services",
            f"set enterprise {name} domain prod zone web subnet web1 prefix 10.1.1.0/24",
            f"set enterprise {name} domain prod vport web subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11",
        )
    ),
)


@pytest.fixture
def model() -> Committed:
    """Two tenants and the service that both use; acme and the service are on one hypervisor."""
    made = Committed()
    made.commit(*NETWORK)
    for name, dvrs in (("infra/services/dns", "hv1"), ("acme/prod/web", "hv1"), ("bolt/prod/web", "hv2")):
        made.place(name, dvrs, made.port())
    made.agree()
    return made


def access(model: Committed, tenant: str, vport: str = "web") -> Ip:
    """By which address the service knows a vport."""
    body = model.acting.get(("enterprise", tenant, "domain", "prod", "vport", vport))
    assert isinstance(body, Vport)
    known = access_address(model.acting, model.numbers, used_path("infra/services"), body, address(body.address[0]))
    assert known is not None
    return known


def of_table(model: Committed, dvrs: str, table: str) -> list[str]:
    return [flow for flow in model.flows(dvrs) if f"table={table}," in flow or f"table={table} " in flow]


def priority(flow: str) -> int:
    return int(flow.partition("priority=")[2].split(",")[0].split()[0])


def test_what_a_user_sends_to_an_access_address_is_dropped_though_a_default_route_leads_into_the_service(
    model: Committed,
) -> None:
    model.commit(f"{SERVICES} static-route 0.0.0.0/0 blackhole")
    model.agree()
    number = model.state.number(used_path("infra/services"))
    flows = [flow for flow in of_table(model, "hv1", "17") if "100.64.0.0/24" in flow]
    assert len(flows) == 1, flows
    assert f"reg11=0x{number:x}" in flows[0] and f"metadata=0x{number:x}" in flows[0]
    assert "drop" in flows[0]
    back = [flow for flow in model.flows("hv1") if f"nw_dst={access(model, 'bolt')}" in flow]
    assert back and all(priority(flow) < priority(flows[0]) for flow in back)


def test_a_subnet_of_a_user_goes_before_a_static_route_of_the_service_to_the_same_prefix(model: Committed) -> None:
    model.commit(f"{SERVICES} static-route 10.1.1.0/24 blackhole")
    model.agree()
    model.commit("delete enterprise infra domain services static-route 10.1.1.0/24")
    model.agree()


def test_a_narrower_access_prefix_gives_every_user_an_address_inside_or_is_refused(model: Committed) -> None:
    model.commit(
        *(
            f"set enterprise acme domain prod vport w{n} subnet web1 mac 02:00:0a:01:02:{n:02x} address 10.1.1.{n}"
            for n in range(20, 28)
        )
    )
    narrow = f"{SERVICES} access-prefix 100.65.0.0/29"
    with pytest.raises(CommandFailed) as refused:
        model.commit(narrow, "delete enterprise infra domain services access-prefix 100.64.0.0/24")
    assert "acme" not in str(refused.value), "who has the service is not told the names of its users"
    model.commit(*(f"delete enterprise acme domain prod vport w{n}" for n in range(20, 25)))
    model.commit(narrow, "delete enterprise infra domain services access-prefix 100.64.0.0/24")
    model.agree()
    known = {access(model, "acme"), access(model, "bolt"), *(access(model, "acme", f"w{n}") for n in range(25, 28))}
    assert len(known) == 5
    assert all(as_prefix("100.65.0.0/29").covers(ip) for ip in known)


def test_a_user_is_told_that_no_access_address_is_left_and_nothing_of_the_prefix(model: Committed) -> None:
    model.commit(
        f"{SERVICES} access-prefix 100.65.0.0/30",
        "delete enterprise infra domain services access-prefix 100.64.0.0/24",
    )
    with pytest.raises(CommandFailed) as refused:
        model.commit("set enterprise bolt domain prod vport w subnet web1 mac 02:00:0a:01:02:02 address 10.1.1.22")
    assert "bolt/prod/w" in str(refused.value)
    assert "100.65" not in str(refused.value)


@pytest.mark.parametrize("what", ["enterprise acme to ltd", "enterprise acme domain prod to live"])
def test_the_rules_of_a_renamed_domain_keep_their_places(model: Committed, what: str) -> None:
    model.commit(
        *(f"set enterprise acme domain prod ingress-policy base entry {n} action allow" for n in (10, 20)),
        "set enterprise acme domain prod egress-policy base entry 10 action allow",
    )
    before = {key: at for key, at in model.numbers.items() if key[0].startswith("priority/")}
    model.commit(f"rename {what}")
    model.agree()
    assert {key: at for key, at in model.numbers.items() if key[0].startswith("priority/")} == before
    model.commit("rename " + " ".join([*what.split()[:-3], what.split()[-1], "to", what.split()[-3]]))
    model.agree()


def test_a_link_local_address_is_the_vports_own_to_every_rule_and_is_never_routed(model: Committed) -> None:
    model.commit(
        "set enterprise acme domain prod zone web subnet web1 ipv6-prefix fd00:1::/64",
        "set enterprise acme domain prod vport web address fd00:1::11",
        "set enterprise acme domain prod ingress-default allow",
        "set enterprise acme domain prod ingress-policy base entry 10 from vport web action deny",
    )
    model.agree()
    identities = {
        ip: {flow.partition("actions=")[2] for flow in of_table(model, "hv1", "5") if f"_src={ip} " in flow}
        for ip in ("10.1.1.11", "fd00:1::11", "fe80::aff:fe01:10b")
    }
    assert all(len(found) == 1 for found in identities.values()), identities
    assert len(set().union(*identities.values())) == 1, identities
    unrouted = [flow for flow in model.flows("hv1") if "fe80::/10" in flow]
    assert len(unrouted) == 2 and all("drop" in flow for flow in unrouted)


def test_a_first_fragment_without_its_transport_header_goes_nowhere(model: Committed) -> None:
    pieces = [flow for flow in model.flows("hv2") if "nw_frag=first" in flow and "drop" in flow]
    assert len(pieces) == 7, pieces  # TCP, UDP and SCTP of both families, ICMPv6
