"""The host's diagnostics, for the controller: read-only questions to Open vSwitch, each argument checked.

Nothing here builds a command line: questions go over the daemon's control socket, or to ovs-vsctl as an
argument list.  A question is refused unless its command is on the list and every argument has its form.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.attach import attached
from agent.host import Ovs
from data.errors import CommandFailed

OUTPUT_LIMIT = 256 * 1024  # characters of an answer; what is beyond is cut, and said to be
FLOW_LIMIT = 2000  # characters of a flow to trace

_BRIDGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_FLOW = re.compile(r"[a-z][A-Za-z0-9_=,./:()\[\]+|-]*")  # ovs-fields(7); no space, no leading dash: never an option
_ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@=,+-]{0,199}")

APPCTL = {
    # command -> most arguments it takes
    "bfd/show": 1,
    "bond/show": 1,
    "cfm/show": 1,
    "coverage/show": 0,
    "dpctl/ct-stats-show": 3,
    "dpctl/dump-flows": 3,
    "dpctl/show": 1,
    "dpif/dump-dps": 0,
    "dpif/dump-flows": 2,
    "dpif/show": 0,
    "fdb/show": 1,
    "fdb/stats-show": 1,
    "lacp/show": 1,
    "list-commands": 0,
    "memory/show": 0,
    "ofproto/list": 0,
    "ofproto/list-tunnels": 0,
    "ovs/route/show": 0,
    "tnl/neigh/show": 0,
    "tnl/ports/show": 0,
    "upcall/show": 0,
    "version": 0,
    "vlog/list": 0,
}

TABLES = {
    "Open_vSwitch": ("_uuid", "external_ids", "other_config", "ovs_version", "datapath_types", "bridges"),
    "Bridge": (
        "name",
        "datapath_id",
        "datapath_type",
        "fail_mode",
        "protocols",
        "external_ids",
        "other_config",
        "ports",
    ),
    "Port": ("name", "interfaces", "tag", "external_ids"),
    "Interface": (
        "name",
        "type",
        "ofport",
        "admin_state",
        "link_state",
        "mac_in_use",
        "mtu",
        "error",
        "options",
        "external_ids",
        "statistics",
    ),
    "Controller": ("target", "is_connected", "role", "status"),
    "Manager": ("target", "is_connected", "status"),
}


class Diagnostics:
    """Answers for one Open vSwitch; every method blocks and raises CommandFailed."""

    def __init__(self, ovs: Ovs) -> None:
        self._ovs = ovs

    def trace(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """ofproto/trace of `flow` (ovs-fields(7) notation) through `bridge`, without changing anything."""
        bridge = _text(params, "bridge", _BRIDGE, "br-nsh")
        flow = _text(params, "flow", _FLOW)
        if len(flow) > FLOW_LIMIT:
            raise CommandFailed("flow", f"{len(flow)} characters", f"send at most {FLOW_LIMIT}")
        return _capped(self._ovs.control("ofproto/trace", bridge, flow))

    def conntrack(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The connections tracked, of one `zone` or of all."""
        zone = params.get("zone")
        if zone is None:
            return _capped(self._ovs.control("dpctl/dump-conntrack"))
        if not isinstance(zone, int) or isinstance(zone, bool) or not 0 <= zone <= 65535:
            raise CommandFailed("zone", f"{zone!r} is not a zone", "send a number from 0 to 65535")
        return _capped(self._ovs.control("dpctl/dump-conntrack", f"zone={zone}"))

    def appctl(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """One command of ovs-appctl that is on the list, as a list of words."""
        words = params.get("command")
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise CommandFailed("appctl", "the command is not a list of words", 'send {"command": ["dpif/show"]}')
        command, *arguments = words
        if command not in APPCTL:
            raise CommandFailed(
                "appctl", f"{command[:40]!r} is not allowed", f"choose one of {', '.join(sorted(APPCTL))}"
            )
        if len(arguments) > APPCTL[command]:
            raise CommandFailed(f"appctl {command}", f"{len(arguments)} arguments", f"give at most {APPCTL[command]}")
        for argument in arguments:
            if not _ARGUMENT.fullmatch(argument):
                raise CommandFailed(f"appctl {command}", f"{argument[:40]!r} cannot be an argument", "use plain words")
        return _capped(self._ovs.control(command, *arguments))

    def ovs(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The switch's database, the tables that matter, and what is attached."""
        tables = {name: self._ovs.rows(name, *columns) for name, columns in TABLES.items()}
        found: dict[str, Any] = {
            "tables": tables,
            "attached": [
                {"vport": one.vport, "port": one.port, "kind": one.kind, "workload": one.workload}
                for one in attached(self._ovs)
            ],
        }
        if len(json.dumps(found)) > 3 * OUTPUT_LIMIT:
            del tables["Interface"], tables["Port"]
            found["truncated"] = True
        return found


def _text(params: Mapping[str, Any], key: str, form: "re.Pattern[str]", default: str | None = None) -> str:
    value = params.get(key, default)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise CommandFailed(key, f"{str(value)[:60]!r} cannot be a {key}", "see ovs-fields(7)")
    return value


def _capped(text: str) -> dict[str, Any]:
    return {"output": text[:OUTPUT_LIMIT], "truncated": len(text) > OUTPUT_LIMIT}
