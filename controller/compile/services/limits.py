"""What a qos does to the packets of one vport, on its hypervisor: rates by meters, and the DSCP mark.

    classify   meter slot*2      what it sends, before anything else looks at it
    mark       ip_dscp           what it sends, behind the policies, which match the code point that the vport gave
    limited    meter slot*2 + 1  what it receives: looked up by `deliver` in a copy of the packet, because a datapath
                                 that drops at a meter drops for all who come behind in a flood, too

A rate is that of Ethernet frames without their checksum, the vport's VLAN tag not counted: a TCP stream with an MTU of
1450 bytes carries 95 % of it as payload, UDP packets of 1400 bytes 99 % of it as IP.

A meter drops; it does not queue. TCP waits at least 200 ms (its minimal retransmission timeout) when a whole window is
dropped, and what the bucket cannot save meanwhile is lost to it. Measured on Open vSwitch 3.1, userspace datapath,
round trip below 1 ms, a single TCP connection, frames in % of the rate:

                    burst    50 ms    100 ms   250 ms   500 ms
    10 Mbit/s   CUBIC, Reno  29 - 39  52 - 75  97-103   97-104
    50 Mbit/s   CUBIC, Reno  33 - 43  50 - 60  96- 99   94-100
    100 Mbit/s  CUBIC, Reno  31 - 38  54 - 65  101-106  96-104
    10, 50, 150 Mbit/s  BBR                    90-102   88-105

UDP above the rate passes at 98 to 100 % of it with any burst. So a burst that is not set is rate * DEFAULT_BURST; once
in a while a stream has as much at full speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from controller.compile.addresses import FAMILIES
from controller.compile.state import State
from controller.openflow import actions, match, meters
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie
from data.path import Path
from data.qos import effective
from data.schema.objects import Vport
from data.schema.services import Qos

__all__ = ["DEFAULT_BURST", "LEAST_BURST", "Meters", "burst", "flows", "meters_of"]

DEFAULT_BURST = 0.25  # seconds at the rate
LEAST_BURST = 120  # kbit: ten packets of 1,500 bytes
MOST_BURST = 10_000_000  # kbit, as the schema has it

_MARK = {
    family.version: Template(
        table=Table.MARK,
        priority=Priority.NORMAL,
        cookie=Field("cookie"),
        match=[match.reg(Register.FROM_PORT, Field("slot")), family.is_ip],
        actions=[actions.set_dscp(Field("dscp"))],
        goto=Table.SERVICE,
        fields=("cookie", "slot", "dscp"),
    )
    for family in FAMILIES.values()
}


class Meters(NamedTuple):
    """The numbers of the meters that a vport's packets pass; None where they are not limited."""

    ingress: int | None
    egress: int | None


def burst(rate: int, configured: int | None) -> int:
    """kbit that may pass at once, beyond a rate in kbit/s."""
    if configured is not None:
        return configured
    return min(max(round(rate * DEFAULT_BURST), LEAST_BURST), MOST_BURST)


def meters_of(qos: Qos | None, slot: int) -> Meters:
    """The meters of the vport that has this slot."""
    if qos is None:
        return Meters(None, None)
    return Meters(
        None if qos.ingress_rate is None else slot * 2,
        None if qos.egress_rate is None else slot * 2 + 1,
    )


def qos_of(state: State, path: Path, vport: Vport) -> Qos | None:
    """The qos that a vport has, its own or by default."""
    found = effective(state.view, path, vport)
    return None if found is None else found.qos


def flows(qos: Qos, number: int, slot: int) -> Iterator[bytes]:
    """The meters of a vport with this number and slot, the table `limited`, and its marks."""
    limits = meters_of(qos, slot)
    if qos.ingress_rate is not None and limits.ingress is not None:
        yield meters.meter_mod(meters.ADD, limits.ingress, qos.ingress_rate, burst(qos.ingress_rate, qos.ingress_burst))
    if qos.egress_rate is not None and limits.egress is not None:
        yield meters.meter_mod(meters.ADD, limits.egress, qos.egress_rate, burst(qos.egress_rate, qos.egress_burst))
        owner = cookie(Owner.VPORT, Feature.LIMITED, number)
        to = match.reg(Register.TO_PORT, slot)
        yield flow(Table.LIMITED, Priority.NORMAL, owner, [to], meter=limits.egress)
    if qos.dscp is None and qos.trust:
        return
    owner = cookie(Owner.VPORT, Feature.MARK, number)
    for template in _MARK.values():
        yield template.pack(owner, slot, qos.dscp or 0)
