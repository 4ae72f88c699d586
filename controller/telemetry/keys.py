"""What counters are kept of, and which: the words that the collector, the archive, commands and dashboards share.

    level          name of a key                       measures
    vport .. rule  UUID of the object                  traffic of vports, added up; hits of a rule
    dvrs           name of the hypervisor              the sum of its vports, and its uplinks
    tunnel         "hv1>hv2", "hv1>192.0.2.1"          what was sent into it
    bgp-neighbor   name                                messages, routes
    pe             "pe1/eth0": router and interface    its interface's counters

A key is an object's UUID where there is one, so that a series goes on when the object moves, or gets another name.
All counters are kept as what was counted between two times; only gauges are values of their own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["GAUGES", "MEASURES_OF", "Level", "Measure", "SeriesKey"]


class Level(StrEnum):
    """What a series is about."""

    VPORT = "vport"
    SUBNET = "subnet"
    ZONE = "zone"
    DOMAIN = "domain"  # and l2-domains
    ENTERPRISE = "enterprise"
    DVRS = "dvrs"
    RULE = "rule"
    TUNNEL = "tunnel"
    BGP = "bgp-neighbor"
    PE = "pe"


class Measure(StrEnum):
    """What is counted. Of a vport (and all that it is part of), sends is from it into the network."""

    SENDS_BYTES = "sends-bytes"
    SENDS_PACKETS = "sends-packets"
    GETS_BYTES = "gets-bytes"
    GETS_PACKETS = "gets-packets"
    SPOOFED_PACKETS = "spoofed-packets"  # refused before policy: another's address, VLAN tags, DHCP answers
    DENIED_PACKETS = "denied-packets"  # by policy, in either direction
    LIMITED_PACKETS = "limited-packets"  # over a rate limit
    HIT_PACKETS = "hit-packets"  # that a rule matched
    HIT_BYTES = "hit-bytes"
    FLOWS = "flows"  # gauge: flows in a hypervisor's switch
    UPLINK_RECEIVED_BYTES = "uplink-received-bytes"  # of the ports of a hypervisor that lead into the underlay
    UPLINK_SENT_BYTES = "uplink-sent-bytes"
    MESSAGES_RECEIVED = "messages-received"
    MESSAGES_SENT = "messages-sent"
    ROUTES_RECEIVED = "routes-received"  # gauge
    ROUTES_SENT = "routes-sent"  # gauge


GAUGES = frozenset({Measure.FLOWS, Measure.ROUTES_RECEIVED, Measure.ROUTES_SENT})
"""Measures whose value is what is true at a time; of others it is what was counted between two times."""

_TRAFFIC = (
    Measure.SENDS_BYTES, Measure.SENDS_PACKETS, Measure.GETS_BYTES, Measure.GETS_PACKETS,
    Measure.SPOOFED_PACKETS, Measure.DENIED_PACKETS, Measure.LIMITED_PACKETS,
)  # fmt: skip

MEASURES_OF: dict[Level, tuple[Measure, ...]] = {
    Level.VPORT: _TRAFFIC,
    Level.SUBNET: _TRAFFIC,
    Level.ZONE: _TRAFFIC,
    Level.DOMAIN: _TRAFFIC,
    Level.ENTERPRISE: _TRAFFIC,
    Level.DVRS: (*_TRAFFIC, Measure.FLOWS, Measure.UPLINK_RECEIVED_BYTES, Measure.UPLINK_SENT_BYTES),
    Level.RULE: (Measure.HIT_PACKETS, Measure.HIT_BYTES),
    Level.TUNNEL: (Measure.SENDS_BYTES, Measure.SENDS_PACKETS),
    Level.BGP: (
        Measure.MESSAGES_RECEIVED,
        Measure.MESSAGES_SENT,
        Measure.ROUTES_RECEIVED,
        Measure.ROUTES_SENT,
    ),
    Level.PE: (Measure.SENDS_BYTES, Measure.SENDS_PACKETS, Measure.GETS_BYTES, Measure.GETS_PACKETS),
}


class SeriesKey(NamedTuple):
    """What one series is about, see the module."""

    level: Level
    name: str
