"""This nshell itself, and its controller: where hypervisors dial in, and what all of them share."""

from __future__ import annotations

from typing import Annotated, ClassVar

from data.schema.base import Object
from data.schema.declaration import Kind, Leaf
from data.schema.types import HOSTNAME, LISTEN_ADDRESS, MAC, TEXT, choice, integer

_PORT = integer(1, 65535, "a TCP port")
_DRIFT = Leaf(
    "what is done about flows that somebody else changed",
    choice(("repair", "they are put right, and told"), ("report", "they are told, and stay as they are")),
)
_DRIFT_INTERVAL = Leaf(
    "time between two comparisons of everything; what a switch tells by itself is looked at at once",
    integer(10, 86400, "seconds", units="seconds"),
)


class System(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("system", "this nshell itself")
    hostname: Annotated[str, Leaf("name shown in the prompt", HOSTNAME)] = "nshell"
    contact: Annotated[str | None, Leaf("who to call about it", TEXT)] = None
    location: Annotated[str | None, Leaf("where it stands", TEXT)] = None
    banner: Annotated[str | None, Leaf("shown before anybody logs in over SSH", TEXT)] = None
    idle_timeout: Annotated[
        int,
        Leaf("an interactive session that is not used ends; 0 is never", integer(0, 1440, "minutes", units="minutes")),
    ] = 30


class Controller(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("controller", "where hypervisors dial in, and what all of them share")
    listen_address: Annotated[str, Leaf("address that hypervisors dial", LISTEN_ADDRESS)] = "127.0.0.1"
    openflow_port: Annotated[int, Leaf("TCP port for OpenFlow", _PORT)] = 6653
    ovsdb_port: Annotated[int, Leaf("TCP port for OVSDB", _PORT)] = 6640
    agent_port: Annotated[int, Leaf("TCP port for nshell agents", _PORT)] = 6641
    probe_interval: Annotated[
        int, Leaf("silence after which a connection is probed", integer(1, 3600, "seconds", units="seconds"))
    ] = 5
    anycast_gateway_mac: Annotated[str, Leaf("MAC address of every gateway", MAC)] = "00:00:5e:00:01:01"
    drift: Annotated[str, _DRIFT] = "repair"
    drift_interval: Annotated[int, _DRIFT_INTERVAL] = 300
