"""A vport on its own hypervisor: what it may send (anti-spoofing) and where it enters and leaves the pipeline.

Every packet must bear the vport's MAC and one of its addresses, ARP and neighbour discovery inside and out; what does
not is dropped and counted by kind (`show vports NAME detail`), and nothing with a VLAN tag enters, so a double tag gets
nowhere either. An ARP probe from 0.0.0.0 is let through (RFC 5227 section 2.1.1), and so is what an interface must send
before it has an address (RFC 4861, RFC 4862); the vport's own address is never answered. Nobody but the gateway is a
router: router advertisements and redirects are spoofed by definition.

What policy denies it, in either direction, ends in a flow of its own (`telemetry/purposes.py`). Flows that count are
told by the switch when they go.

Behind an uplink a vport is a VLAN of the port, and its packets are told apart by their slot. What may be behind a
bridge vport is learned (`bridging.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile import responder
from controller.compile.addresses import FAMILIES, Family, address, link_local, mac, value
from controller.compile.fragments import Kind, own, vport_host
from controller.compile.services import copies, exported, limits
from controller.compile.state import BRIDGE, State
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, Verdict, cookie
from data.path import Path
from data.schema.objects import Vport

__all__ = ["PORT", "flows"]

_PORT, _COOKIE, _MAC, _IP = Field("port"), Field("cookie"), Field("mac"), Field("address")
_ITS = match.reg(Register.FROM_PORT, Field("slot"))
_FROM = [_ITS, match.eth_src(_MAC)]
_ARP = match.eth_type(wire.ETH_ARP)
_IPV6 = match.eth_type(wire.ETH_IPV6)
_ICMPV6 = [_IPV6, match.ip_proto(wire.IP_ICMPV6)]
_VLAN_PRESENT = 0x1000  # OFPVID_PRESENT (ONF TS-012, 7.2.3.7)
_CHECKED = Priority.HIGHEST + 1
_FIRST = Priority.HIGHEST + 99  # whatever else is to be said of a packet
_ROUTER_SOLICITATION, _ADVERTISED, _SOLICITATION, _ADVERTISEMENT, _REDIRECT = 133, 134, 135, 136, 137  # RFC 4861
_LISTENER_REPORT = 143  # RFC 3810


def _guard(priority: int, matches: list[Match], *, passes: bool, fields: tuple[str, ...]) -> Template:
    return Template(
        table=Table.SPOOF_GUARD,
        priority=priority,
        cookie=_COOKIE,
        match=matches,
        goto=Table.RESPONDER if passes else None,
        fields=("cookie", *fields),
        told=not passes,
    )


def _sends(family: Family) -> Template:
    matches = [*_FROM, family.is_ip, match.field(family.source, _IP)]
    return _guard(Priority.HIGH, matches, passes=True, fields=("slot", "mac", "address"))


def _discovers(kind: int, fields: list[Match], *, address: bool = True) -> Template:
    names = ("slot", "mac", "address") if address else ("slot", "mac")
    matches = [*_FROM, *_ICMPV6, match.icmpv6_type(kind), *fields]
    return _guard(_CHECKED, matches, passes=True, fields=names)


_SENDS_IP = {family.version: _sends(family).pack for family in FAMILIES.values()}
_SENDS_ARP = _guard(
    Priority.HIGH,
    [*_FROM, _ARP, match.arp_spa(_IP), match.arp_sha(_MAC)],
    passes=True,
    fields=("slot", "mac", "address"),
)
# The source link-layer address of a solicitation and the target's of an advertisement are true or left out.
_SOLICITS = tuple(
    _discovers(_SOLICITATION, [match.ipv6_src(_IP), match.nd_sll(hardware)]) for hardware in (_MAC, bytes(6))
)
_ADVERTISES = tuple(
    _discovers(_ADVERTISEMENT, [match.nd_target(_IP), match.nd_tll(hardware)]) for hardware in (_MAC, bytes(6))
)
_BEGINS = tuple(
    _discovers(kind, [match.ipv6_src(bytes(16))], address=False) for kind in (_ROUTER_SOLICITATION, _LISTENER_REPORT)
)
_PROBES = _discovers(_SOLICITATION, [match.ipv6_src(bytes(16)), match.nd_sll(bytes(6))], address=False)
_SPOOFED_ND = tuple(
    _guard(Priority.HIGHEST, [*_FROM, *_ICMPV6, match.icmpv6_type(kind)], passes=False, fields=("slot", "mac"))
    for kind in (_SOLICITATION, _ADVERTISEMENT, _ADVERTISED, _REDIRECT)
)
_SPOOFED_IP = {
    family.version: _guard(Priority.NORMAL, [*_FROM, family.is_ip], passes=False, fields=("slot", "mac")).pack
    for family in FAMILIES.values()
}
_SPOOFED_ARP = _guard(Priority.NORMAL, [*_FROM, _ARP], passes=False, fields=("slot", "mac"))
_OTHER_PROTOCOL = _guard(Priority.LOW, _FROM, passes=False, fields=("slot", "mac"))
_ITS_MAC = _guard(Priority.NORMAL, _FROM, passes=True, fields=("slot", "mac"))
_ANYTHING = _guard(Priority.NORMAL, [_ITS], passes=True, fields=("slot",))
_SPOOFED_MAC = _guard(Priority.MISS, [_ITS], passes=False, fields=("slot",))
_TAGGED = Template(
    table=Table.CLASSIFY,
    priority=Priority.LOW,
    cookie=_COOKIE,
    match=[match.in_port(_PORT)],
    fields=("cookie", "port"),
    told=True,
)
_STILL_TAGGED = Template(
    table=Table.SPOOF_GUARD,
    priority=_FIRST,
    cookie=_COOKIE,
    match=[_ITS, match.vlan_vid(_VLAN_PRESENT, _VLAN_PRESENT)],
    fields=("cookie", "slot"),
    told=True,
)
_TAG_INSIDE = Template(
    table=Table.SPOOF_GUARD,
    priority=_FIRST,
    cookie=_COOKIE,
    match=[_ITS, match.eth_type(Field("tag"))],
    fields=("cookie", "slot", "tag"),
    told=True,
)
_INVALID = tuple(
    Template(
        table=table,
        priority=Priority.HIGHEST + 1,
        cookie=_COOKIE,
        match=[
            match.reg(register, Field("slot")),
            match.ct_state(wire.CT_INVALID | wire.CT_TRACKED, wire.CT_INVALID | wire.CT_TRACKED),
            match.reg(Register.VERDICT, Verdict.ALLOW_STATEFUL),
        ],
        fields=("cookie", "slot"),
        told=True,
    )
    for table, register in (
        (Table.INGRESS_VERDICT, Register.FROM_PORT),
        (Table.EGRESS_VERDICT, Register.TO_PORT),
    )
)
"""As skeleton.py drops it for everybody: part of no connection. The vport's own flow counts it for the vport."""
_DENIED = tuple(
    Template(
        table=table,
        priority=Priority.MISS,
        cookie=_COOKIE,
        match=[match.reg(register, Field("slot"))],
        fields=("cookie", "slot"),
        told=True,
    )
    for table, register in (
        (Table.INGRESS_VERDICT, Register.FROM_PORT),
        (Table.EGRESS_VERDICT, Register.TO_PORT),
    )
)
_TAGS = (0x8100, 0x88A8)  # customer and service tags (IEEE 802.1Q)


def flows(state: State, path: Path) -> Iterator[bytes]:
    """Entry, anti-spoofing and delivery of one resolved vport."""
    place = state.place(path)
    assert place is not None, f"{' '.join(path)} is not resolved"
    vport, number, port, slot = place.vport, state.number(path), place.location.port, state.slot(path)

    def of(feature: Feature) -> int:
        return cookie(Owner.VPORT, feature, number)

    qos = limits.qos_of(state, path, vport)
    meters = limits.meters_of(qos, slot)
    if qos is not None:
        yield from limits.flows(qos, number, slot)
    domain, copied = state.number(path[:4]), copies.copies(state, path)
    before = [*exported.sampled(state, path, place.subnet), *copied.ingress]
    yield _enter(of(Feature.RECEIVED), vport, port, slot, state.vni(place.subnet), domain, before, meters.ingress)
    if vport.uplink is None:
        yield _TAGGED.pack(of(Feature.VLAN_TAGGED), port)
    else:
        # Open vSwitch reads one tag or two (vlan-limit): what is under the first is a tag still, or an EtherType.
        yield _STILL_TAGGED.pack(of(Feature.VLAN_TAGGED), slot)
        for tag in _TAGS:
            yield _TAG_INSIDE.pack(of(Feature.VLAN_TAGGED), slot, tag)
    if vport.mac is not None and vport.type != BRIDGE:
        yield from _guards(vport, mac(vport.mac), slot, number)
    for invalid in _INVALID:
        yield invalid.pack(of(Feature.INVALID), slot)
    for denied in _DENIED:
        yield denied.pack(of(Feature.DENIED), slot)
    yield from _deliver(number, vport, port, slot, copied.egress, limited=meters.egress is not None)


def _enter(
    owner: int, vport: Vport, port: int, slot: int, vni: int, domain: int, before: list[Action], meter: int | None
) -> bytes:
    tag = match.vlan_vid(0 if vport.vlan is None else _VLAN_PRESENT | vport.vlan)
    acts = [] if vport.vlan is None else [actions.pop_vlan()]
    acts += [
        *before,
        actions.set_reg(Register.SUBNET, vni),
        actions.set_reg(Register.FROM_PORT, slot),
        actions.set_metadata(domain),
    ]
    if slot != port:  # Open vSwitch queues what goes to the controller by port: one VLAN does not crowd out the others
        acts.append(actions.load_in_port(slot))
    matches = [match.in_port(port), tag]
    return flow(Table.CLASSIFY, Priority.NORMAL, owner, matches, acts, Table.SPOOF_GUARD, meter, told=True)


def _guards(vport: Vport, hardware: bytes, slot: int, number: int) -> Iterator[bytes]:
    """What a vport with a MAC address of its own may send."""

    def of(feature: Feature) -> int:
        return cookie(Owner.VPORT, feature, number)

    forward = of(Feature.FORWARD)
    addresses = [address(text) for text in vport.address]
    for ip in addresses:
        yield responder.unanswered(number, slot, ip)
    if vport.anti_spoofing == "off":
        yield _ANYTHING.pack(forward, slot)
        return
    yield _SPOOFED_MAC.pack(of(Feature.SPOOFED_MAC), slot)
    if vport.anti_spoofing == "mac" or not addresses:
        yield _ITS_MAC.pack(forward, slot, hardware)
        return
    for ip in addresses:
        yield _SENDS_IP[ip.version](forward, slot, hardware, value(ip))
        if ip.version == 4:
            yield _SENDS_ARP.pack(forward, slot, hardware, ip.number)
    versions = {ip.version for ip in addresses}
    if 4 in versions:
        yield _SENDS_ARP.pack(forward, slot, hardware, 0)
        yield _SPOOFED_IP[4](of(Feature.SPOOFED_IP), slot, hardware)
        yield _SPOOFED_ARP.pack(of(Feature.SPOOFED_ARP), slot, hardware)
    if 6 in versions:
        own = link_local(hardware)
        yield _SENDS_IP[6](forward, slot, hardware, own)
        for ip6 in (*(ip.packed for ip in addresses if ip.version == 6), own):
            for template in (*_SOLICITS, *_ADVERTISES):
                yield template.pack(forward, slot, hardware, ip6)
        for template in (*_BEGINS, _PROBES):
            yield template.pack(forward, slot, hardware)
        for template in _SPOOFED_ND:
            yield template.pack(of(Feature.SPOOFED_ND), slot, hardware)
        yield _SPOOFED_IP[6](of(Feature.SPOOFED_IP), slot, hardware)
    yield _OTHER_PROTOCOL.pack(of(Feature.OTHER_PROTOCOL), slot, hardware)


def _deliver(
    number: int, vport: Vport, port: int, slot: int, copied: list[Action], *, limited: bool
) -> Iterator[bytes]:
    """What it sent itself, and what is flooded or balanced back to it, is not delivered and does not count as such."""
    owner = cookie(Owner.VPORT, Feature.DELIVERED, number)
    to = match.reg(Register.TO_PORT, slot)
    back = cookie(Owner.VPORT, Feature.FORWARD, number)
    yield flow(Table.DELIVER, Priority.HIGH, back, [to, match.reg(Register.FROM_PORT, slot)])
    if limited:
        copied = [actions.resubmit(Table.LIMITED), *copied]
    out = actions.output_alone(port) if limited else actions.output(port)
    if vport.uplink is None:
        acts = [*copied, out]
        acts = [actions.clone(acts)] if limited else acts
        yield flow(Table.DELIVER, Priority.NORMAL, owner, [to], acts, told=True)
        return
    # What came in by the same port may leave it again in another VLAN, but not where it came from. A copy of the packet
    # gets the tag: the one that is being flooded goes to others, too.
    acts = [*copied, actions.load_in_port(0)]
    if vport.vlan is not None:
        acts += [actions.push_vlan(), actions.set_field("vlan_vid", _VLAN_PRESENT | vport.vlan)]
    yield flow(Table.DELIVER, Priority.NORMAL, owner, [to], [actions.clone([*acts, out])], told=True)


PORT = Kind("port", vport_host, lambda state, path, dvrs: flows(state, path), own)
"""What a resolved vport has on its own hypervisor."""
