"""Bridge vports and l2-domains as flows: what may come in, where learned addresses lead, what costs nothing."""

from __future__ import annotations

from controller.compile import Location, Observed
from controller.openflow.packed import table_of
from controller.openflow.text import describe
from controller.pipeline import Table
from data.path import Path
from data.schema.objects import EgressPolicy, L2Domain, Object, PolicyGroup, Subnet, Vport
from tests.unit.compile.fabric_model import APP, PROD, WEB, Model, base, entry, vport
from tests.unit.compile.model_bridging import LAN

DOOR = (*PROD, "vport", "door")
PRINTER = "02:0e:00:00:00:01"


def bridged(**leaves: object) -> Model:
    """A vport in each of two subnets, on hv1 and hv2, and a bridge vport of the first on hv1."""
    model = Model()
    edits = base(model)
    door = Vport(uuid=model.uuid(), type="bridge", subnet="web1", uplink="wan", vlan=100, **leaves)  # type: ignore[arg-type]
    web, app = vport(model, 11), vport(model, 12, "app1")
    model.commit(edits)
    added: dict[Path, Object | None] = {
        DOOR: door, (*PROD, "vport", "web-11"): web, (*PROD, "vport", "app-12"): app,
    }  # fmt: skip
    model.commit(added, {door.uuid: Location("hv1", 9), web.uuid: Location("hv1", 5), app.uuid: Location("hv2", 6)})
    return model


def learn(model: Model, path: Path, learned: dict[str, tuple[str, ...]] | None) -> None:
    body = model.running.get(path)
    assert body is not None
    model.move({}, Observed({body.uuid: learned}))


def flows(model: Model, dvrs: str, table: Table, *words: str) -> list[str]:
    """The flows of a table that have all these words."""
    texts = [describe(flow) for flow in model.held[dvrs].values() if table_of(flow) == table]
    return [text for text in texts if all(word in text for word in words)]


def test_a_stranger_is_copied_to_the_controller_and_goes_on_until_there_are_too_many() -> None:
    model = bridged(mac_limit=1)
    (stranger,) = flows(model, "hv1", Table.SPOOF_GUARD, "priority=10,", "reg1=0x5001")
    assert "CONTROLLER" in stranger.upper() and "goto_table" in stranger
    learn(model, DOOR, {PRINTER: ("10.1.1.50",)})
    (stranger,) = flows(model, "hv1", Table.SPOOF_GUARD, "priority=10,", "reg1=0x5001")
    assert "CONTROLLER" not in stranger.upper() and "goto_table" not in stranger
    (known,) = flows(model, "hv1", Table.SPOOF_GUARD, "priority=300,", PRINTER)
    assert "goto_table" in known
    learn(model, DOOR, None)
    assert not flows(model, "hv1", Table.SPOOF_GUARD, PRINTER)


def test_what_was_learned_is_switched_and_routed_to_on_every_hypervisor_of_the_domain_and_no_other() -> None:
    model = bridged()
    before = {dvrs: dict(held) for dvrs, held in model.held.items()}
    learn(model, DOOR, {PRINTER: ("10.1.1.50",)})
    assert len(flows(model, "hv1", Table.SWITCH, PRINTER, "0x5001")) == 1
    assert len(flows(model, "hv2", Table.SWITCH, PRINTER, "172.31.0.1")) == 1
    for dvrs in ("hv1", "hv2"):
        assert len(flows(model, dvrs, Table.ROUTE, "10.1.1.50", PRINTER)) == 1
    assert model.held["hv3"] == before["hv3"]
    assert not flows(model, "hv2", Table.RESPONDER, "10.1.1.50"), "it has nobody of the subnet"
    answer, unanswered = sorted(flows(model, "hv1", Table.RESPONDER, "10.1.1.50"), key=len, reverse=True)
    assert PRINTER in answer and "reg1=0x5001" in unanswered
    learn(model, DOOR, None)
    assert model.held == before


def test_nobody_behind_a_bridge_has_the_addresses_of_a_vport_or_of_the_gateway() -> None:
    model = bridged()
    drops = flows(model, "hv1", Table.SPOOF_GUARD, "reg1=0x5001")
    for lie in ("dl_src=02:00:0a:01:01:0b", "dl_src=00:00:5e:00:01:01", "nw_src=10.1.1.11", "arp_spa=10.1.1.11",
                "nw_src=10.1.1.1", "arp_spa=10.1.1.1", "nw_src=10.1.2.0/24"):  # fmt: skip
        found = [text for text in drops if any(word.strip(" ") == lie for word in text.replace(" ", ",").split(","))]
        assert found and not any("goto_table" in text for text in found), lie
    model.commit({(*PROD, "vport", "web-12"): vport(model, 12)})
    assert flows(model, "hv1", Table.SPOOF_GUARD, "reg1=0x5001", "02:00:0a:01:01:0c"), "also while it is nowhere"


def test_an_address_nobody_is_known_to_have_is_asked_for_instead_of_dropped() -> None:
    model = bridged()
    for dvrs in ("hv1", "hv2"):
        (glean,) = flows(model, dvrs, Table.ROUTE, "nw_dst=10.1.1.0/24", "CONTROLLER")
        assert "priority=197" in glean
    assert not flows(model, "hv1", Table.ROUTE, "nw_dst=10.1.2.0/24", "CONTROLLER"), "no bridge vport, no question"
    assert flows(model, "hv1", Table.RESPONDER, "priority=90,arp")
    assert not flows(model, "hv2", Table.RESPONDER, "priority=90,arp")
    body = model.running.get(DOOR)
    assert body is not None
    model.move({body.uuid: None})
    assert not flows(model, "hv1", Table.ROUTE, "CONTROLLER")


def test_rules_that_name_a_bridge_vport_or_its_group_match_who_is_behind_it() -> None:
    model = bridged(policy_group=("outside",))
    model.commit({(*PROD, "policy-group", "outside"): PolicyGroup(uuid=model.uuid())})
    learn(model, DOOR, {PRINTER: ("10.1.1.50",)})
    assert not flows(model, "hv1", Table.SOURCE, "10.1.1.50")
    policy = (*PROD, "egress-policy", "shut")
    model.commit({
        policy: EgressPolicy(uuid=model.uuid()),
        (*policy, "entry", "10"): entry(model, "policy-group outside", "any", action="deny"),
    })  # fmt: skip
    for dvrs in ("hv1", "hv2"):
        (identity,) = flows(model, dvrs, Table.SOURCE, "10.1.1.50")
        assert "->reg4" in identity
    model.commit({(*policy, "entry", "10"): None})
    assert not flows(model, "hv1", Table.SOURCE, "10.1.1.50")


def test_unknown_unicast_costs_a_flow_only_where_it_is_not_flooded() -> None:
    model = bridged()
    assert not flows(model, "hv1", Table.FLOOD, "dl_dst")
    web, app = model.running.get(WEB), model.running.get(APP)
    assert isinstance(web, Subnet) and isinstance(app, Subnet)
    model.commit({
        WEB: Subnet(uuid=web.uuid, prefix=web.prefix, unknown_unicast="bridge"),
        APP: Subnet(uuid=app.uuid, prefix=app.prefix, unknown_unicast="drop"),
    })  # fmt: skip
    assert all("0x5001" in text and "0x5->" not in text for text in flows(model, "hv1", Table.FLOOD, "dl_dst"))
    (dropped,) = flows(model, "hv2", Table.FLOOD, "dl_dst")
    assert "output" not in dropped and "resubmit" not in dropped


def test_a_domain_without_bridge_vports_has_no_flow_of_theirs_and_a_host_behind_an_uplink_is_guarded_by_its_slot() -> (
    None
):
    model = Model()
    model.commit(base(model))
    bare = {dvrs: len(held) for dvrs, held in model.held.items()}
    plain = vport(model, 11)
    model.commit({(*PROD, "vport", "web-11"): plain}, {plain.uuid: Location("hv1", 5)})
    there = len(model.held["hv1"]) - bare["hv1"]
    model.move({plain.uuid: None})
    host = Vport(
        uuid=model.uuid(), type="host", subnet="web1", uplink="wan", vlan=7, mac="02:00:0a:01:01:0c",
        address=("10.1.1.12",),
    )  # fmt: skip
    model.commit({(*PROD, "vport", "web-12"): host}, {host.uuid: Location("hv1", 5)})
    # Three flows for tags inside instead of one for any tag.
    assert len(model.held["hv1"]) - bare["hv1"] == there + 2
    assert flows(model, "hv1", Table.SPOOF_GUARD, "reg1=0x5001", "arp_spa=10.1.1.12")
    assert not flows(model, "hv1", Table.SPOOF_GUARD, "in_port")


def test_what_vlans_of_one_uplink_send_to_the_controller_queues_by_vport() -> None:
    model = bridged()
    (tagged,) = flows(model, "hv1", Table.CLASSIFY, "dl_vlan=100")
    assert "load:0x5001->OXM_OF_IN_PORT[]" in tagged, tagged
    assert not [text for text in flows(model, "hv1", Table.CLASSIFY, "IN_PORT[]") if "dl_vlan" not in text]


def test_an_l2_domain_lets_every_protocol_through_and_answers_for_whom_it_knows() -> None:
    model = Model()
    model.commit(base(model))
    one = Vport(uuid=model.uuid(), mac="02:00:0b:00:00:01")
    model.commit({LAN: L2Domain(uuid=model.uuid()), (*LAN, "vport", "one"): one}, {one.uuid: Location("hv1", 5)})
    (anything,) = [text for text in flows(model, "hv1", Table.RESPONDER, "priority=10,reg0=") if "ip" not in text]
    assert "goto_table:4" in anything
    assert not flows(model, "hv1", Table.ROUTE, "CONTROLLER")
