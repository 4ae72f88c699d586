"""What is measured, told and shown of the network: telemetry, thresholds, syslog, flow export, the web listener.

telemetry                   how often counters are read
threshold NAME              a measure that is told as an event when it is too high
syslog-server NAME          who else is told events
flow-export NAME            an IPFIX collector; a subnet says `flow-export NAME`
web                         HTTPS: dashboards in a browser, /metrics for a Prometheus
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from data.schema.base import Object
from data.schema.declaration import EVERYWHERE, Kind, Leaf
from data.schema.secret import SHARED_KEY
from data.schema.types import ADDRESS, FLAG, LISTEN_ADDRESS, NAME, SERVER_ADDRESS, TEXT, choice, integer

_PORT = integer(1, 65535, "a port")

SEVERITIES: tuple[tuple[str, str], ...] = (
    ("critical", "the network does not do what it should"),
    ("error", "something failed and was not put right by itself"),
    ("warning", "something is not as it should be, or soon will not be"),
    ("notice", "something that an operator wants to know of"),
    ("info", "everything else that happens"),
)
"""How bad an event is, the worst first (RFC 5424 section 6.2.1 has two more at each end)."""

MEASURED: tuple[tuple[str, str], ...] = (
    ("vport", "virtual ports"),
    ("subnet", "subnets"),
    ("zone", "zones"),
    ("domain", "domains, and l2-domains"),
    ("enterprise", "tenants"),
    ("dvrs", "hypervisors"),
    ("rule", "policy entries"),
    ("tunnel", "tunnels between hypervisors, and to PE routers and VTEPs"),
    ("bgp-neighbor", "BGP neighbors"),
    ("pe", "PE routers"),
)
"""What counters are added up for."""

MEASURES: tuple[tuple[str, str], ...] = (
    ("sends", "bits per second from it into the network"),
    ("gets", "bits per second from the network to it"),
    ("sends-packets", "packets per second from it"),
    ("gets-packets", "packets per second to it"),
    ("dropped", "packets per second that were refused: spoofed, denied, over a limit"),
)
"""What a threshold can watch."""


class Telemetry(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("telemetry", "how counters are read")
    polling_interval: Annotated[
        int, Leaf("time between two reads of a switch's counters", integer(1, 300, "seconds", units="seconds"))
    ] = 10
    pe_interval: Annotated[
        int,
        Leaf("time between two reads of a PE router's counters", integer(1, 3600, "seconds", units="seconds")),
    ] = 60
    disabled: Annotated[bool, Leaf("no counters are read", FLAG)] = False


class Threshold(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("threshold", "tells when a measure is too high", key=NAME)
    of: Annotated[str, Leaf("what is looked at", choice(*MEASURED), mandatory=True)] = ""
    name: Annotated[
        str | None, Leaf("of these alone: a name or full name, * is any part of one", TEXT, default_text="all of them")
    ] = None
    measure: Annotated[str, Leaf("what is measured", choice(*MEASURES), mandatory=True)] = ""
    above: Annotated[
        int | None,
        Leaf("more than this is too high, per second", integer(0, 10**15, "per second"), mandatory=True),
    ] = None
    for_: Annotated[int, Leaf("only when it lasts so long", integer(0, 86400, "seconds", units="seconds"))] = 0
    severity: Annotated[str, Leaf("severity of the event", choice(*SEVERITIES))] = "warning"


class SyslogServer(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("syslog-server", "is told events (RFC 5424)", key=NAME)
    address: Annotated[str | None, Leaf("its address", SERVER_ADDRESS, mandatory=True)] = None
    port: Annotated[int | None, Leaf("its port", _PORT, default_text="514; 6514 with tls")] = None
    protocol: Annotated[
        str,
        Leaf(
            "how it is told",
            choice(
                ("udp", "a datagram each (RFC 5426)"),
                ("tcp", "over TCP, counted (RFC 6587)"),
                ("tls", "over TLS (RFC 5425)"),
            ),
        ),
    ] = "udp"
    certificate: Annotated[
        str | None,
        Leaf(
            "file on this machine with the authorities that its certificate is checked against",
            TEXT,
            default_text="the authorities of this machine",
        ),
    ] = None
    severity: Annotated[str, Leaf("what is less severe is not told", choice(*SEVERITIES))] = "info"
    facility: Annotated[
        str, Leaf("facility of the messages", choice(*((f"local{n}", f"local use {n}") for n in range(8))))
    ] = "local0"
    enterprise_number: Annotated[
        int,
        Leaf(
            "private enterprise number of the site (IANA), under which facts are named; 32473 is for examples",
            integer(1, 2**32 - 2, "a private enterprise number"),  # both ends are reserved (RFC 9371, section 3)
        ),
    ] = 32473


class FlowExport(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "flow-export",
        "an IPFIX collector (RFC 7011) that hypervisors tell which packets a subnet's vports send",
        key=NAME,
        reference_scope=EVERYWHERE,
    )
    collector: Annotated[str | None, Leaf("its address, in the underlay", ADDRESS, mandatory=True)] = None
    port: Annotated[int, Leaf("its UDP port", _PORT)] = 4739
    sampling: Annotated[int, Leaf("one packet of so many", integer(1, 65535, "packets"))] = 100


class Web(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("web", "HTTPS for browsers and for a Prometheus")
    listen_address: Annotated[
        str | None, Leaf("address that they dial", LISTEN_ADDRESS, default_text="there is no web server")
    ] = None
    port: Annotated[int, Leaf("TCP port", _PORT)] = 8443
    certificate: Annotated[
        str | None,
        Leaf(
            "file on this machine with certificate, chain and key (PEM)",
            TEXT,
            default_text="one that the controller's own authority signs",
        ),
    ] = None
    max_sessions: Annotated[int, Leaf("most dashboards in browsers at a time", integer(1, 64, "sessions"))] = 16
    sessions_per_user: Annotated[int, Leaf("most of them of one user", integer(1, 64, "sessions"))] = 4
    metrics_token: Annotated[
        str | None,
        Leaf("what a Prometheus must present as bearer token to read /metrics", SHARED_KEY,
             default_text="/metrics is not served"),
    ] = None  # fmt: skip


FLOW_EXPORT = Leaf(
    "IPFIX collector that is told which packets its vports send",
    NAME,
    reference="flow-export",
    default_text="nobody is told",
    provider=True,
)
