"""A real Open vSwitch for tests: ovsdb-server and ovs-vswitchd of its own in a temporary directory.

The dummy datapath needs no namespaces and no privileges beyond root's, and treats OpenFlow and OVSDB exactly
as any other. Everything it starts ends with ``stop``: processes by their own pid, files with the directory.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_START_LIMIT = 10.0  # seconds; 0.3 s usually
_RECEIVE_LIMIT = 20.0  # seconds


class RealOvs:
    """``with RealOvs() as ovs: ovs.vsctl("add-br", "br-nsh")``. ``directory`` is its OVS_RUNDIR."""

    def __init__(self, system_id: str = "hv1", *, tunnels: bool = False) -> None:
        """`tunnels`: tunnel ports are real ones, and not dummies that keep what they are given."""
        self.system_id = system_id
        self._dummy = ["--enable-dummy", "--disable-system-route"] if tunnels else ["--enable-dummy=override"]
        # Short: a unix socket's path has at most 107 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="ovs-"))
        names = ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR")
        self._environment = os.environ | {name: str(self.directory) for name in names}
        self._environment["PATH"] += ":/usr/sbin:/sbin"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> RealOvs:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start both daemons with an empty database."""
        try:
            self.run("ovsdb-tool", "create", str(self.directory / "conf.db"), SCHEMA)
            managers = "--remote=db:Open_vSwitch,Open_vSwitch,manager_options"
            database = str(self.directory / "conf.db")
            self._spawn("ovsdb-server", f"--remote=punix:{self._socket}", managers, database)
            self._wait_for(self.directory / "db.sock")
            self.vsctl(
                "--no-wait",
                "init",
                "--",
                "set",
                "Open_vSwitch",
                ".",
                f"external-ids:system-id={self.system_id}",
            )
            self.start_vswitchd()
        except BaseException:
            self.stop()
            raise

    def start_vswitchd(self) -> None:
        """Start the switch daemon over the database as it is."""
        log = f"--log-file={self.directory / 'vswitchd.log'}"
        self._spawn("ovs-vswitchd", "-vconsole:off", log, *self._dummy, "--disable-system", f"unix:{self._socket}")
        self._wait_for(self.directory / "ovs-vswitchd.ctl")

    def stop_vswitchd(self) -> None:
        """Kill the switch daemon: its flows are gone, the database stays."""
        self._end("ovs-vswitchd")
        (self.directory / "ovs-vswitchd.ctl").unlink(missing_ok=True)

    def stop(self) -> None:
        """End everything and remove the directory."""
        for name in list(self._processes)[::-1]:
            self._end(name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def add_bridge(self, name: str = "br-nsh", ports: int = 2) -> Path:
        """A bridge that speaks OpenFlow 1.4, with dummy ports p1, p2 …; returns its OpenFlow socket."""
        self.vsctl("add-br", name, "--", "set", "Bridge", name, "datapath_type=dummy", "fail_mode=secure",
                   "protocols=OpenFlow14")  # fmt: skip
        for n in range(1, ports + 1):
            self.vsctl("add-port", name, f"p{n}", "--", "set", "Interface", f"p{n}", "type=dummy",
                       f"ofport_request={n}")  # fmt: skip
        return self.directory / f"{name}.mgmt"

    def vsctl(self, *words: str) -> str:
        """Run ovs-vsctl; returns what it prints. Raises CalledProcessError."""
        return self.run("ovs-vsctl", f"--db=unix:{self._socket}", "--timeout=10", *words)

    def ofctl(self, *words: str, bridge: str = "br-nsh", stdin: str | None = None) -> str:
        """Run ``ovs-ofctl COMMAND BRIDGE WORDS…`` in OpenFlow 1.4; options may come first."""
        options = [word for word in words if word.startswith("-") and word != "-"]
        command, *rest = [word for word in words if word not in options]
        target = f"unix:{self.directory / bridge}.mgmt"
        return self.run("ovs-ofctl", "-OOpenFlow14", *options, command, target, *rest, stdin=stdin)

    def appctl(self, *words: str) -> str:
        """Run ovs-appctl against the switch daemon."""
        return self.run("ovs-appctl", f"--target={self.directory / 'ovs-vswitchd.ctl'}", "--timeout=10", *words)

    async def receive(self, port: str, packet: str, seen: Callable[[], object]) -> None:
        """Let a dummy port receive a packet (hexadecimal digits, or as ovs-dpctl writes it) until it is seen.

        A datapath flow that another packet made may outlive the OpenFlow flows it was made from. They are all removed
        before; a packet that meets one all the same is lost, so another follows each second. TimeoutError after 20.
        """
        self.appctl("revalidator/purge")
        async with asyncio.timeout(_RECEIVE_LIMIT):
            while True:
                self.appctl("netdev-dummy/receive", port, packet)
                for _ in range(20):
                    if seen():
                        return
                    await asyncio.sleep(0.05)

    def dump(self, bridge: str = "br-nsh") -> list[str]:
        """The flows as ovs-ofctl prints them, without counters, highest priority first."""
        lines = self.ofctl("--no-stats", "--no-names", "dump-flows", bridge=bridge).splitlines()
        return [line.strip() for line in lines if "actions=" in line]

    @property
    def pid(self) -> int:
        """Process id of ovs-vswitchd."""
        return self._processes["ovs-vswitchd"].pid

    def run(self, *argv: str, stdin: str | None = None) -> str:
        """Run a program in this Open vSwitch's environment. Raises CalledProcessError with its standard
        error.
        """
        done = subprocess.run(
            argv, env=self._environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, f"{argv}: {done.stderr}", done.stdout, done.stderr)
        return done.stdout

    @property
    def _socket(self) -> Path:
        return self.directory / "db.sock"

    def _spawn(self, program: str, *words: str) -> None:
        control = f"--unixctl={self.directory / program}.ctl"
        self._processes[program] = subprocess.Popen(
            [program, control, *words],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _end(self, program: str) -> None:
        process = self._processes.pop(program, None)
        if process is not None:
            process.kill()
            process.wait()

    def _wait_for(self, path: Path) -> None:
        limit = time.monotonic() + _START_LIMIT
        while not path.exists():
            for program, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{program} ended with code {process.returncode}")
            if time.monotonic() > limit:
                raise TimeoutError(f"{path.name} did not appear within {_START_LIMIT:g} s")
            time.sleep(0.01)
