"""QoS, mirrors and virtual IPs as flows, and that every change touches what it should."""

from __future__ import annotations

import random

import msgspec
import pytest

from controller.compile import Location, Observed
from controller.compile.services.limits import burst
from controller.compile.services.virtual_ip import holder
from controller.openflow import meters
from controller.openflow.messages import METERS
from controller.openflow.text import describe
from controller.pipeline import Table
from data.path import Path
from data.schema.objects import Domain, Dvrs, L2Domain, Object, Subnet, Vport
from data.schema.services import Mirror, Qos, VirtualIp
from tests.unit.compile import model_bridging, model_shared
from tests.unit.compile.fabric_model import PROD, WEB, IngressPolicy, Model, PolicyGroup, base, entry, vport
from tests.unit.compile.test_incremental import agree, random_edit

PLACES = (("a", 11, "hv1"), ("b", 12, "hv2"), ("c", 13, "hv3"))


def network() -> Model:
    """a on hv1, b on hv2 and c on hv3, in one subnet; the slot is the last byte of the address."""
    model = Model()
    edits = base(model)
    places: dict[str, Location | None] = {}
    for name, nth, dvrs in PLACES:
        edits[(*PROD, "vport", name)] = body = vport(model, nth)
        places[body.uuid] = Location(dvrs, nth)
    model.commit(edits, places)
    return model


def given(model: Model, path: Path, **leaves: object) -> None:
    body = model.running.get(path)
    assert body is not None
    model.commit({path: msgspec.structs.replace(body, **leaves)})
    agree(model)


def limits(model: Model, dvrs: str) -> dict[int, tuple[int, int]]:
    """Number of a meter -> rate and burst."""
    held = [one for at, one in model.held[dvrs].items() if at[0] == METERS]
    return {meters.number(one): (int.from_bytes(one[20:24], "big"), int.from_bytes(one[24:28], "big")) for one in held}


def flows(model: Model, dvrs: str, table: Table, word: str = "") -> list[str]:
    """The flows of a table that have the word in them, as text."""
    found = [describe(one) for at, one in model.held[dvrs].items() if at[0] == int(table)]
    return sorted(one for one in found if word in one)


def uuid(model: Model, name: str) -> str:
    body = model.running.get((*PROD, "vport", name))
    assert body is not None
    return body.uuid


# QoS


def test_a_vport_has_its_own_qos_else_that_of_its_subnet_else_that_of_its_domain() -> None:
    model = network()
    rates = {"own": 1000, "net": 2000, "all": 3000}
    model.commit({(*PROD, "qos", name): Qos(uuid=model.uuid(), ingress_rate=rate) for name, rate in rates.items()})
    given(model, PROD, default_qos="all")
    assert [limits(model, dvrs) for dvrs in ("hv1", "hv2", "hv3")] == [{2 * n: (3000, 750)} for n in (11, 12, 13)]
    given(model, WEB, qos="net")
    given(model, (*PROD, "vport", "b"), qos="own")
    assert [limits(model, dvrs) for dvrs in ("hv1", "hv2")] == [{22: (2000, 500)}, {24: (1000, 250)}]
    given(model, WEB, qos=None)
    given(model, PROD, default_qos=None)
    assert [limits(model, dvrs) for dvrs in ("hv1", "hv2", "hv3")] == [{}, {24: (1000, 250)}, {}]


def test_meters_are_where_the_vport_is_and_its_flows_name_them() -> None:
    model = network()
    both = Qos(uuid=model.uuid(), ingress_rate=8000, ingress_burst=77, egress_rate=9000)
    model.commit({(*PROD, "qos", "both"): both})
    given(model, (*PROD, "vport", "a"), qos="both")
    assert limits(model, "hv1") == {22: (8000, 77), 23: (9000, 2250)}
    assert not limits(model, "hv2") and not limits(model, "hv3")
    (enters,) = flows(model, "hv1", Table.CLASSIFY, "meter:")
    assert "in_port=11" in enters and "actions=meter:22," in enters
    (limited,) = flows(model, "hv1", Table.LIMITED)
    assert "meter:23" in limited
    (delivered,) = flows(model, "hv1", Table.DELIVER, "cookie=0x6e0408")
    assert delivered.endswith("actions=clone(resubmit(,31),output(port=11,max_len=4294967295))")
    model.move({uuid(model, "a"): Location("hv3", 7)})
    agree(model)
    assert not limits(model, "hv1") and not flows(model, "hv1", Table.LIMITED)
    assert limits(model, "hv3") == {14: (8000, 77), 15: (9000, 2250)}


def test_an_edit_of_a_qos_touches_the_hypervisors_of_its_vports_alone() -> None:
    model = network()
    gold = Qos(uuid=model.uuid(), ingress_rate=8000, dscp=46)
    model.commit({(*PROD, "qos", "gold"): gold})
    assert not model.touched
    given(model, (*PROD, "vport", "b"), qos="gold")
    given(model, (*PROD, "qos", "gold"), ingress_rate=9000)
    assert {name: len(sent) for name, sent in model.touched.items()} == {"hv2": 1}
    assert meters.command(model.touched["hv2"][0]) == meters.MODIFY


@pytest.mark.parametrize(
    ("leaves", "marked"), [({"dscp": 46}, 46), ({"dscp": 10, "trust": True}, 10), ({"trust": True}, None), ({}, 0)]
)
def test_packets_get_the_code_point_keep_a_trusted_one_and_lose_any_other(
    leaves: dict[str, object], marked: int | None
) -> None:
    model = network()
    assert not flows(model, "hv1", Table.MARK, "reg1=")
    model.commit({(*PROD, "qos", "q"): Qos(uuid=model.uuid(), **leaves)})  # type: ignore[arg-type]
    given(model, (*PROD, "vport", "a"), qos="q")
    found = flows(model, "hv1", Table.MARK, "reg1=")
    assert len(found) == (0 if marked is None else 2)
    assert all(f"set_field:{marked}->nw_tos_shifted" in one or f"set_field:{marked}->ip_dscp" in one for one in found)
    assert not flows(model, "hv2", Table.MARK, "reg1=")


def test_a_burst_is_what_is_set_or_a_quarter_second_of_the_rate_and_ten_packets_at_least() -> None:
    assert [burst(rate, None) for rate in (64, 480, 10_000, 100_000_000)] == [120, 120, 2500, 10_000_000]
    assert burst(10_000, 1) == 1


# Mirrors


def test_copies_go_to_a_vport_here_by_its_port_and_elsewhere_by_the_vni_of_the_mirror() -> None:
    model = network()
    path = (*PROD, "mirror", "m")
    model.commit({path: Mirror(uuid=model.uuid(), vport=("a",), to="c", direction="ingress")})
    agree(model)
    vni = model.state.vni(path)
    (enters,) = flows(model, "hv1", Table.CLASSIFY, "in_port=11,vlan_tci=0x0000")
    copy = f"set_field:0x{vni:x}->tun_id,set_field:172.31.0.3->tun_dst,output:65000"
    assert f"actions=clone(load:0->OXM_OF_IN_PORT[],{copy}),set_field" in enters
    assert "clone" not in flows(model, "hv1", Table.DELIVER, "cookie=0x6e0408")[0]
    (arrives,) = flows(model, "hv3", Table.CLASSIFY, f"0x{vni:x}")
    assert arrives.endswith("actions=output:13")
    assert not flows(model, "hv2", Table.CLASSIFY, f"0x{vni:x}")
    model.move({uuid(model, "c"): Location("hv1", 31)})
    agree(model)
    (enters,) = flows(model, "hv1", Table.CLASSIFY, "in_port=11,vlan_tci=0x0000")
    assert "output:31" in enters and "output:65000" not in enters
    assert not flows(model, "hv3", Table.CLASSIFY, f"0x{vni:x}")
    model.move({uuid(model, "c"): None})
    agree(model)
    assert "clone" not in flows(model, "hv1", Table.CLASSIFY, "in_port=11")[0]


@pytest.mark.parametrize(("encapsulation", "port"), [("gre", 65001), ("erspan", 65002)])
def test_copies_go_to_a_collector_with_the_session_as_key(encapsulation: str, port: int) -> None:
    model = network()
    body = Mirror(
        uuid=model.uuid(), vport=("b",), collector="172.31.0.200", direction="egress", session=77,
        encapsulation=encapsulation,
    )  # fmt: skip
    model.commit({(*PROD, "mirror", "m"): body})
    agree(model)
    (delivers,) = flows(model, "hv2", Table.DELIVER, "cookie=0x6e0408")
    assert "set_field:0x4d->" in delivers and "172.31.0.200" in delivers and f"output:{port})" in delivers
    assert delivers.endswith(",output:12")
    assert "clone" not in "".join(flows(model, "hv2", Table.CLASSIFY))


def test_a_hypervisor_at_another_address_gets_its_copies_there() -> None:
    model = network()
    model.commit({(*PROD, "mirror", "m"): Mirror(uuid=model.uuid(), vport=("a",), to="c")})
    before = model.running.get(("dvrs", "hv3"))
    assert isinstance(before, Dvrs)
    given(model, ("dvrs", "hv3"), tunnel_address="172.31.0.93")
    assert "172.31.0.93" in flows(model, "hv1", Table.DELIVER, "cookie=0x6e0408")[0]


def test_vports_of_an_l2_domain_are_limited_and_copied_as_others() -> None:
    model = network()
    lan = (*PROD[:2], "l2-domain", "lan")
    edits: dict[Path, Object | None] = {lan: L2Domain(uuid=model.uuid(), default_qos="slow")}
    places: dict[str, Location | None] = {}
    for nth, dvrs in ((51, "hv1"), (52, "hv2")):
        body = Vport(uuid=model.uuid(), mac=f"02:00:00:00:00:{nth:02x}")
        edits[(*lan, "vport", f"m-{nth}")] = body
        places[body.uuid] = Location(dvrs, nth)
    edits[(*lan, "qos", "slow")] = Qos(uuid=model.uuid(), egress_rate=1000)
    edits[(*lan, "mirror", "m")] = Mirror(uuid=model.uuid(), vport=("m-51",), to="m-52", direction="ingress")
    model.commit(edits, places)
    agree(model)
    assert limits(model, "hv1") == {103: (1000, 250)} and limits(model, "hv2") == {105: (1000, 250)}
    vni = f"0x{model.state.vni((*lan, 'mirror', 'm')):x}"
    (copied,) = flows(model, "hv1", Table.CLASSIFY, "clone(")
    assert "in_port=51" in copied and vni in copied
    assert flows(model, "hv2", Table.CLASSIFY, vni)[0].endswith("actions=output:52")
    given(model, lan, default_qos=None)
    assert not limits(model, "hv1")


# Virtual IPs

VIP = (*PROD, "virtual-ip", "10.1.1.100")


def test_the_holder_is_the_last_to_claim_else_the_first_that_is_resolved() -> None:
    model = network()
    shared = VirtualIp(uuid=model.uuid(), vport=("a", "b"))
    model.commit({VIP: shared})
    agree(model)
    assert holder(model.state, VIP) == (*PROD, "vport", "a")
    for name, claimed in (("b", uuid(model, "b")), ("a", uuid(model, "a")), ("a", uuid(model, "c")), ("a", None)):
        model.move({}, Observed(holders={shared.uuid: claimed}))
        agree(model)
        assert holder(model.state, VIP) == (*PROD, "vport", name)
        body = model.running.get((*PROD, "vport", name))
        assert isinstance(body, Vport) and body.mac
        for dvrs in ("hv1", "hv2", "hv3"):
            (route,) = flows(model, dvrs, Table.ROUTE, "10.1.1.100")
            assert body.mac in route
            assert any(body.mac in one for one in flows(model, dvrs, Table.RESPONDER, "arp_tpa=10.1.1.100,arp_op=1"))
    model.move({uuid(model, "a"): None})
    agree(model)
    assert holder(model.state, VIP) == (*PROD, "vport", "b")
    model.move({uuid(model, "b"): None})
    agree(model)
    assert holder(model.state, VIP) is None


def test_only_its_vports_may_send_from_it_and_their_claims_go_to_the_controller() -> None:
    model = network()
    model.commit({VIP: VirtualIp(uuid=model.uuid(), vport=("a", "b"))})
    for dvrs in ("hv1", "hv2"):
        guards = flows(model, dvrs, Table.SPOOF_GUARD, "10.1.1.100")
        announced = [one for one in guards if "arp_tpa=10.1.1.100" in one]
        assert len(announced) == 1 and announced[0].endswith("actions=CONTROLLER:128")
        assert len([one for one in guards if "CONTROLLER:128,goto_table" in one]) == 1
        assert len([one for one in guards if "nw_src=10.1.1.100" in one]) == 1
    assert not flows(model, "hv3", Table.SPOOF_GUARD, "10.1.1.100")


def test_a_virtual_mac_leads_to_the_holder_and_may_be_sent_from_by_its_vports_alone() -> None:
    model = network()
    hardware = "00:00:5e:00:01:07"
    shared = VirtualIp(uuid=model.uuid(), vport=("a", "b"), mac=hardware)
    model.commit({VIP: shared})
    assert "10" in flows(model, "hv1", Table.SWITCH, hardware)[0]
    (away,) = flows(model, "hv3", Table.SWITCH, hardware)
    assert "172.31.0.1" in away
    model.move({}, Observed(holders={shared.uuid: uuid(model, "b")}))
    agree(model)
    (away,) = flows(model, "hv3", Table.SWITCH, hardware)
    assert "172.31.0.2" in away
    assert flows(model, "hv1", Table.SPOOF_GUARD, hardware)
    assert not flows(model, "hv3", Table.SPOOF_GUARD, hardware)


def test_nobody_behind_a_bridge_vport_of_the_subnet_has_it() -> None:
    model = network()
    bridge = Vport(uuid=model.uuid(), type="bridge", subnet="web1", uplink="up1")
    model.commit({(*PROD, "vport", "lan"): bridge}, {bridge.uuid: Location("hv3", 40)})
    assert not flows(model, "hv3", Table.SPOOF_GUARD, "10.1.1.100")
    model.commit({VIP: VirtualIp(uuid=model.uuid(), vport=("a", "b"))})
    agree(model)
    dropped = flows(model, "hv3", Table.SPOOF_GUARD, "10.1.1.100")
    assert len(dropped) == 2 and all(one.endswith("actions=drop") for one in dropped), "IP and ARP"
    model.move({bridge.uuid: Location("hv1", 41)})
    agree(model)
    assert not flows(model, "hv3", Table.SPOOF_GUARD, "10.1.1.100")
    given(model, (*PROD, "vport", "lan"), anti_spoofing="off")
    assert not [one for one in flows(model, "hv1", Table.SPOOF_GUARD, "reg1=0x29") if "10.1.1.100" in one]


def test_to_the_policies_a_virtual_ip_is_an_address_of_its_holder() -> None:
    model = network()
    policy = (*PROD, "ingress-policy", "base")
    shared = VirtualIp(uuid=model.uuid(), vport=("a", "b"))
    model.commit({
        VIP: shared,
        (*PROD, "policy-group", "g"): PolicyGroup(uuid=model.uuid()),
        policy: IngressPolicy(uuid=model.uuid()),
        (*policy, "entry", "1"): entry(model, "policy-group g", "any"),
    })  # fmt: skip
    given(model, (*PROD, "vport", "b"), policy_group=("g",))
    assert not flows(model, "hv3", Table.SOURCE, "10.1.1.100")
    model.move({}, Observed(holders={shared.uuid: uuid(model, "b")}))
    agree(model)
    (of_it,), (of_b,) = (flows(model, "hv3", Table.SOURCE, word) for word in ("10.1.1.100", "10.1.1.12"))
    assert of_it.rpartition("actions=")[2] == of_b.rpartition("actions=")[2]


@pytest.mark.parametrize("seed", range(40))
def test_random_changes_leave_what_a_compilation_from_nothing_makes(seed: int) -> None:
    model = Model(seed)
    dice = random.Random(seed)
    model.commit(base(model))
    body = model.running.get(WEB)
    assert isinstance(body, Subnet) and isinstance(model.running.get(PROD), Domain)
    model.commit({WEB: msgspec.structs.replace(body, ipv6_prefix="2001:db8:1::/64")})
    for _ in range(80):
        observed = Observed()
        chance = dice.random()
        edits: dict[Path, Object | None]
        places: dict[str, Location | None]
        if chance < 0.4:
            edits, places = random_edit(model, dice)
            if any(item is None and not model_shared.forgets(model, path) for path, item in edits.items()):
                continue
        else:
            step = model_bridging.random_step if chance < 0.5 else model_shared.random_step
            edits, places, observed = step(model, dice)
        if edits:
            model.commit(edits, places)
        if observed or (places and not edits):
            model.move({} if edits else places, observed)
        agree(model)
