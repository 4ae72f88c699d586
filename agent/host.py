"""How the agent reaches the host: one Open vSwitch, by explicit argument lists, never through a shell.

Several hypervisors may live on one machine (the lab does that), so nothing here assumes the system's own
instance: `OvsLocation` names the run directory and the database, and network commands act in the network
namespace of the calling thread (see namespaces.py).
"""

import errno
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import unixctl
from data.errors import CommandFailed

COMMAND_TIMEOUT = 30.0  # seconds
VSCTL_TIMEOUT = 10  # seconds that ovs-vsctl waits for vswitchd to carry a change out
DEFAULT_RUNDIR = Path("/var/run/openvswitch")

_INSTALL = {
    "ovs-vsctl": "apt install openvswitch-switch",
    "ovs-ofctl": "apt install openvswitch-switch",
    "ip": "apt install iproute2",
    "ethtool": "apt install ethtool",
    "tcpdump": "apt install tcpdump",
}


def run(argv: Sequence[str], *, timeout: float = COMMAND_TIMEOUT) -> str:
    """Run one command, give its standard output; raise CommandFailed with its own words when it fails."""
    where = " ".join(argv[:1])
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError:
        raise CommandFailed(where, f"{argv[0]} is not installed", _INSTALL.get(argv[0], "install it")) from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(
            where,
            f"no answer within {timeout:g} s: {' '.join(argv)}",
            "see whether the host is overloaded, then try again",
        ) from None
    if done.returncode != 0 or "Error detected while setting up" in done.stderr:
        cause = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise CommandFailed(where, f"{cause} (from: {' '.join(argv)})", "repair the cause and try again")
    return done.stdout


@dataclass(frozen=True, slots=True)
class OvsLocation:
    """Where one Open vSwitch instance lives: its run directory and its database socket (`unix:PATH`)."""

    rundir: Path
    database: str

    @classmethod
    def choose(
        cls, rundir: str | None = None, database: str | None = None, environ: Mapping[str, str] = os.environ
    ) -> "OvsLocation":
        """From options first, then $OVS_RUNDIR, then the distribution's default place."""
        place = Path(rundir or environ.get("OVS_RUNDIR") or DEFAULT_RUNDIR)
        return cls(place, database or f"unix:{place}/db.sock")

    @property
    def is_system_default(self) -> bool:
        """Whether this is the instance that the distribution's start script looks after."""
        return self.rundir.resolve() == DEFAULT_RUNDIR.resolve()


class Ovs:
    """One Open vSwitch instance: its database through ovs-vsctl, its daemon through the control socket."""

    def __init__(self, location: OvsLocation) -> None:
        self.location = location

    def vsctl(self, *args: str) -> str:
        """Run one ovs-vsctl transaction and wait until vswitchd has carried it out."""
        try:
            return run(["ovs-vsctl", f"--timeout={VSCTL_TIMEOUT}", f"--db={self.location.database}", *args])
        except CommandFailed as problem:
            raise self._explained(problem) from None

    def _explained(self, problem: CommandFailed) -> CommandFailed:
        """What ovs-vsctl could not do, in words for whoever must repair it, when it reached no Open vSwitch."""
        database = self.location.database
        start, restart = "start it: systemctl start openvswitch-switch", "systemctl restart openvswitch-switch"
        if not self.location.is_system_default:
            start = restart = f"start the instance of {self.location.rundir}"
        failed = re.search(r"database connection failed \((.*?)\)", problem.cause)
        if failed is not None and failed[1] == os.strerror(errno.EACCES):
            return CommandFailed("Open vSwitch", f"its database {database} is not for you", "run it as root")
        if failed is not None:
            return CommandFailed(
                "Open vSwitch",
                f"it does not run: its database does not answer at {database} ({failed[1]})",
                f"{start}; or name another with --rundir",
            )
        if "Alarm clock" in problem.cause:
            return CommandFailed(
                "Open vSwitch",
                f"no answer within {VSCTL_TIMEOUT} s: ovsdb-server at {database} hangs, or ovs-vswitchd does not run",
                restart,
            )
        return problem

    def rows(self, table: str, *columns: str) -> list[dict[str, Any]]:
        """All rows of a table as plain Python values: sets become lists, maps dicts, UUIDs strings."""
        args = ["--format=json", f"--columns={','.join(columns)}"] if columns else ["--format=json"]
        answer = json.loads(self.vsctl(*args, "list", table))
        return [dict(zip(answer["headings"], map(_plain, row), strict=True)) for row in answer["data"]]

    def root(self) -> dict[str, Any]:
        """The Open_vSwitch row."""
        found = self.rows("Open_vSwitch", "_uuid", "external_ids", "manager_options", "ovs_version", "datapath_types")
        if not found:
            raise CommandFailed(
                "ovs-vsctl",
                f"the database {self.location.database} is empty",
                "run 'ovs-vsctl init', or start openvswitch-switch",
            )
        return found[0]

    def bridges(self) -> list[str]:
        """Names of the bridges in the database."""
        return self.vsctl("list-br").split()

    def control(self, command: str, *args: str, timeout: float = 10.0) -> str:
        """Ask vswitchd itself, as ovs-appctl does; raise CommandFailed when it refuses or is not running."""
        return unixctl.ask(unixctl.socket_of(self.location.rundir, "ovs-vswitchd"), command, args, timeout=timeout)


def quoted(value: str) -> str:
    """A value as ovs-vsctl's database syntax wants it, whatever characters it holds."""
    return json.dumps(value)


def _plain(value: Any) -> Any:
    """A value of OVSDB's JSON notation (RFC 7047 section 5.1) as a plain Python value."""
    if isinstance(value, list) and len(value) == 2:
        kind, content = value
        if kind == "set":
            return [_plain(one) for one in content]
        if kind == "map":
            return {_plain(key): _plain(one) for key, one in content}
        if kind in ("uuid", "named-uuid"):
            return content
    return value


def as_list(value: Any) -> list[Any]:
    """An OVSDB set: a set of exactly one element is written as the element itself."""
    return value if isinstance(value, list) else [value]
