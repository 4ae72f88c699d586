"""Random policies in a real switch decide every packet as the plain reference does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controller.compile import Location
from controller.openflow.connection import Switch
from controller.openflow.packed import cookie, flow_key, instructions
from controller.openflow.server import OpenFlowServer
from data.path import Path
from data.schema.objects import Domain, Vport
from tests.system.ovs import RealOvs
from tests.unit.compile.fabric_model import PROD, TUNNEL_PORT, Model, base, vport
from tests.unit.compile.test_incremental import random_edit
from tests.unit.compile.verdicts import Packet, allowed

PORTS = 30
CHANGES = 100  # random commits and moves before a policy is put to the test
PACKETS = 40


@asynccontextmanager
async def loaded(ovs: RealOvs, model: Model) -> AsyncIterator[None]:
    """The switch with what hv1 must hold, seen to come back unchanged. Open vSwitch drops all flows when its last
    controller is taken from its configuration, so the connection stays for as long as they are looked at.
    """
    arrived: asyncio.Future[Switch] = asyncio.get_running_loop().create_future()

    async def connected(switch: Switch) -> None:
        arrived.set_result(switch)

    server = OpenFlowServer(connected)
    port = await server.start("127.0.0.1", 0)
    try:
        ovs.vsctl("set-controller", "br-nsh", f"tcp:127.0.0.1:{port}")
        switch = await asyncio.wait_for(arrived, 10)
        flows = model.fresh("hv1")
        ovs.ofctl("del-flows")
        bundle = switch.bundle()
        await bundle.open()
        await bundle.add(flows.values())
        await bundle.close()
        await bundle.commit()
        held = {entry.key: (entry.cookie, entry.instructions) for entry in await switch.flows()}
        assert held == {flow_key(flow): (cookie(flow), instructions(flow)) for flow in flows.values()}
        yield
    finally:
        await server.close()


def random_model(seed: int) -> Model:
    model, dice = Model(seed), random.Random(seed)
    model.commit(base(model))
    for _ in range(CHANGES):
        edits, places = random_edit(model, dice)
        if edits:
            model.commit(edits, places)
        elif places:
            model.move(places)
    for subnet in ("web1", "app1"):  # whatever chance made of the others, somebody is there to send
        body = vport(model, 251, subnet)
        model.commit({(*PROD, "vport", f"{subnet}-251"): body}, {body.uuid: Location("hv1", model.port())})
    if seed % 2:
        domain = model.running.get(PROD)
        assert domain is not None
        model.commit({PROD: Domain(uuid=domain.uuid, ingress_default="allow", egress_default="allow")})
    places = {}
    for name in model.running.children(PROD, "vport"):
        body = model.running.get((*PROD, "vport", name))
        assert body is not None
        location = model.state.placement.location(body.uuid)
        if location is not None and location.dvrs == "hv1":
            places[body.uuid] = Location("hv1", len(places) + 1) if len(places) < PORTS else None
    model.move(places)
    return model


def trace(ovs: RealOvs, model: Model, source: Path, target: Path, packet: Packet) -> str:
    sender, receiver = model.running.get(source), model.running.get(target)
    assert isinstance(sender, Vport) and isinstance(receiver, Vport)
    location = model.state.placement.location(sender.uuid)
    assert location is not None
    name = {1: "icmp", 6: "tcp", 17: "udp", 47: "ip"}[packet.protocol]
    transport = f"{name}_src={packet.source_port},{name}_dst={packet.destination_port}"
    hardware = receiver.mac if sender.subnet == receiver.subnet else model.state.gateway_mac().hex(":")
    flow = (
        f"in_port={location.port},{name},dl_src={sender.mac},dl_dst={hardware},nw_src={sender.address[0]},"
        f"nw_dst={receiver.address[0]},"
        + {1: f"icmp_type={packet.icmp_type}", 47: "nw_proto=47"}.get(packet.protocol, transport)
        + f",nw_tos={packet.dscp << 2},nw_ttl=64"
    )
    return ovs.appctl("ofproto/trace", "br-nsh", flow, "--ct-next", "trk,new", "--ct-next", "trk,new")


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(n, marks=pytest.mark.soak) for n in range(6, 60))])
async def test_a_random_policy_decides_each_packet_as_the_reference_does(seed: int) -> None:
    model, dice = random_model(seed), random.Random(seed)
    placed: dict[Path, Location] = {}
    for name in model.running.children(PROD, "vport"):
        body = model.running.get((*PROD, "vport", name))
        location = model.state.placement.location(body.uuid) if body is not None else None
        if location is not None:
            placed[(*PROD, "vport", name)] = location
    here = [path for path, location in placed.items() if location.dvrs == "hv1"]
    assert here, "the seed leaves no vport to send from"
    with RealOvs() as ovs:
        ovs.add_bridge(ports=PORTS)
        ovs.vsctl(
            "add-port", "br-nsh", "nsh-vxlan", "--", "set", "Interface", "nsh-vxlan", "type=vxlan",
            "options:remote_ip=flow", "options:key=flow", f"ofport_request={TUNNEL_PORT}",
        )  # fmt: skip
        async with loaded(ovs, model):
            for _ in range(PACKETS):
                source, target = dice.choice(here), dice.choice(list(placed))
                if source == target:
                    continue
                packet = Packet(
                    protocol=dice.choice((1, 6, 17, 47)),
                    source_port=dice.choice((80, 443, 1024, 5000)),
                    destination_port=dice.choice((80, 443, 8005, 8011, 22)),
                    icmp_type=dice.choice((8, 3, 13)),
                    dscp=dice.choice((0, 46)),
                )
                local = placed[target].dvrs == "hv1"
                expected = allowed(model.running, "ingress", source, target, packet)
                if local and expected:
                    expected = allowed(model.running, "egress", source, target, packet)
                told = trace(ovs, model, source, target, packet)
                port = placed[target].port if local else TUNNEL_PORT
                arrived = f"output:{port}\n" in told
                assert arrived == expected, f"{source} -> {target} {packet}: expected {expected}\n{told}"
