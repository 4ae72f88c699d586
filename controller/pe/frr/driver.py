"""FrrDriver: NAPALM's interface to FRRouting. Each method asks (router.py) and hands the answer to a pure reader."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import napalm.base.constants as c  # type: ignore[import-untyped]
import netaddr  # type: ignore[import-untyped]
from napalm.base.base import NetworkDriver  # type: ignore[import-untyped]
from napalm.base.exceptions import (  # type: ignore[import-untyped]
    CommandErrorException,
    CommandTimeoutException,
    ConnectionException,
    MergeConfigException,
    ReplaceConfigException,
)

from . import bgp, interfaces, routes, system
from .candidate import without_secrets
from .configuration import Configuration
from .router import configured

DMI = "cat /sys/class/dmi/id/product_name 2>/dev/null || echo; cat /sys/class/dmi/id/product_serial 2>/dev/null || :"
NAMES = "hostname; hostname -f 2>/dev/null || :"
PROTOCOLS = frozenset(
    "babel bgp connected eigrp isis kernel nhrp ospf ospf6 pbr pim rip ripng sharp static table vnc".split()
)
_HOST = re.compile(r"[A-Za-z0-9_:%][A-Za-z0-9_.:%-]{0,254}")


class FrrDriver(NetworkDriver):  # type: ignore[misc]
    """FRRouting 8.4 or newer, on this machine or over SSH. README.md tells the optional arguments."""

    def __init__(
        self,
        hostname: str,
        username: str,
        password: str,
        timeout: int = 60,
        optional_args: dict[str, Any] | None = None,
    ) -> None:
        self.hostname = hostname
        self.username = username
        self.password = password
        self.timeout = timeout
        self.platform = "frr"
        self.profile = ["frr"]
        self._access = configured(hostname, username, password, timeout, optional_args or {})
        self._configuration = Configuration(self._access)

    # --- the connection

    def open(self) -> None:
        self._access.transport.open()
        try:
            self._access.show("show daemons")
        except BaseException:
            self._access.transport.close()
            raise

    def close(self) -> None:
        # a connection that broke cannot clean up; what is left on the router goes after a day
        with contextlib.suppress(ConnectionException):
            if self._access.transport.alive():
                self._configuration.discard()
        self._access.transport.close()

    def is_alive(self) -> dict[str, bool]:
        if not self._access.transport.alive():
            return {"is_alive": False}
        try:
            return {"is_alive": bool(self._access.show("show daemons").split())}
        except (ConnectionException, CommandErrorException, CommandTimeoutException):
            return {"is_alive": False}

    # --- configuration

    def load_replace_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        self._configuration.load("replace", _given(filename, config, ReplaceConfigException))

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        self._configuration.load("merge", _given(filename, config, MergeConfigException))

    def compare_config(self) -> str:
        return self._configuration.compare()

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        self._configuration.commit(message, revert_in)

    def confirm_commit(self) -> None:
        self._configuration.confirm()

    def has_pending_commit(self) -> bool:
        return self._configuration.pending()

    def discard_config(self) -> None:
        self._configuration.discard()

    def rollback(self) -> None:
        self._configuration.roll_back()

    def get_config(
        self, retrieve: str = "all", full: bool = False, sanitized: bool = False, format: str = "text"
    ) -> dict[str, str]:
        """`full` adds nothing: vtysh does not show defaults. Raises ValueError for another format than text."""
        if format != "text":
            raise ValueError(f"FRR has its configuration as text only, not as {format}")
        found = {"running": "", "startup": "", "candidate": ""}
        if retrieve in ("all", "running"):
            found["running"] = self._access.running()
        if retrieve in ("all", "startup"):
            done = self._access.shell('[ ! -e "$1" ] || cat "$1"', self._access.startup_file)
            if done.code != 0:
                raise CommandErrorException(f"{self._access.startup_file}: {done.said}")
            found["startup"] = done.output
        if retrieve in ("all", "candidate"):
            found["candidate"] = self._configuration.text
        return {name: without_secrets(text) for name, text in found.items()} if sanitized else found

    # --- the router and its interfaces

    def get_facts(self) -> dict[str, Any]:
        uptime, names, hardware = (self._access.shell(one).output for one in ("cat /proc/uptime", NAMES, DMI))
        return interfaces.facts(self._access.show("show version"), uptime, names, hardware, self._interfaces())

    def get_interfaces(self) -> dict[str, Any]:
        now = self._access.run(["date", f"+{interfaces.ZEBRA_TIME}"]).output
        return interfaces.interfaces(self._interfaces(), now)

    def get_interfaces_ip(self) -> dict[str, Any]:
        return interfaces.addresses(self._interfaces())

    def get_interfaces_counters(self) -> dict[str, Any]:
        """Those of VRFs that are network namespaces (`zebra -n`) too, where they may be entered."""
        found = interfaces.counters(self._access.kernel_json("ip", "-json", "-statistics", "link", "show"))
        for vrf in interfaces.vrf_namespaces(self._access.show("show vrf")):
            for name, counters in interfaces.counters(self._access.links_of_vrf(vrf)).items():
                found.setdefault(name, counters)
        return found

    def get_environment(self) -> dict[str, Any]:
        done = self._access.shell(system.ENVIRONMENT)
        if done.code != 0:
            raise CommandErrorException(f"the router's environment cannot be read: {done.said}")
        return system.environment(done.output)

    def get_arp_table(self, vrf: str = "") -> list[dict[str, Any]]:
        words = ["vrf", _name(vrf)] if vrf and vrf not in ("default", "global") else []
        found = self._access.kernel_json("ip", "-json", "-statistics", "-4", "neighbor", "show", *words)
        return interfaces.neighbours(found, states=False)

    def get_ipv6_neighbors_table(self) -> list[dict[str, Any]]:
        found = self._access.kernel_json("ip", "-json", "-statistics", "-6", "neighbor", "show")
        return interfaces.neighbours(found, states=True)

    def get_mac_address_table(self) -> list[dict[str, Any]]:
        return interfaces.mac_addresses(self._access.kernel_json("bridge", "-json", "fdb", "show"))

    def get_network_instances(self, name: str = "") -> dict[str, Any]:
        vrfs = interfaces.vrf_names(self._access.show("show vrf"))
        distinguishers = bgp.distinguishers(self._access.running())
        # a VRF may be bgpd's alone, without a device: enough to exchange its routes
        names = dict.fromkeys([*vrfs, *(one for one in self._bgp_instances() if one != "default")])
        found = interfaces.network_instances(names, distinguishers, self._interfaces())
        return {one: found[one] for one in found if not name or one == name}

    # --- routing

    def get_bgp_neighbors(self) -> dict[str, Any]:
        router_ids = {vrf: one.get("routerId", "") for vrf, one in self._bgp_instances().items()}
        return bgp.neighbors(self._bgp_neighbors(), router_ids)

    def get_bgp_neighbors_detail(self, neighbor_address: str = "") -> dict[str, Any]:
        return bgp.neighbors_detail(self._bgp_neighbors(), neighbor_address)

    def get_bgp_config(self, group: str = "", neighbor: str = "") -> dict[str, Any]:
        return bgp.configuration(self._access.running(), group, neighbor)

    def get_route_to(self, destination: str = "", protocol: str = "", longer: bool = False) -> dict[str, Any]:
        """Of the default VRF and every other; BGP's attributes for the first 64 prefixes."""
        words, version = _destination(destination)
        if protocol and protocol.lower() not in PROTOCOLS:
            raise ValueError(f"FRR knows no protocol {protocol!r}: there are {', '.join(sorted(PROTOCOLS))}")
        found: dict[str, Any] = {}
        for family in (version,) if version else (4, 6):
            family_word = "ip" if family == 4 else "ipv6"
            # vtysh takes either a protocol or an exact prefix; with both, the protocol is looked at here
            parts = [*words, "longer-prefixes"] if longer and words else words or [protocol.lower()]
            for vrf in ("default", *interfaces.vrf_names(self._access.show("show vrf"))):
                command = " ".join(["show", family_word, "route", "vrf", vrf, *(one for one in parts if one), "json"])
                for prefix, entries in self._access.json(command).items():
                    kept = [one for one in entries if not protocol or one["protocol"] == protocol.lower()]
                    if kept:
                        found.setdefault(prefix, []).extend(kept)
        paths = self._paths(found)
        local_as = routes.local_as_of(self._bgp_neighbors(), "default") if paths else 0
        return routes.routes(found, paths, local_as)

    # --- asking the router to do something

    def cli(self, commands: list[str], encoding: str = "text") -> dict[str, Any]:
        """Each command in a vtysh of its own. Raises CommandErrorException, NotImplementedError for an encoding."""
        if encoding != "text":
            raise NotImplementedError(f"{encoding} is not an encoding of vtysh: end a command with `json` instead")
        return {command: self._access.show(command) for command in commands}

    def ping(
        self,
        destination: str,
        source: str = c.PING_SOURCE,
        ttl: int = c.PING_TTL,
        timeout: int = c.PING_TIMEOUT,
        size: int = c.PING_SIZE,
        count: int = c.PING_COUNT,
        vrf: str = c.PING_VRF,
        source_interface: str = c.PING_SOURCE_INTERFACE,
    ) -> dict[str, Any]:
        words = [
            "ping",
            "-n",
            "-c",
            str(int(count)),
            "-s",
            str(int(size)),
            "-t",
            str(int(ttl)),
            "-W",
            str(int(timeout)),
        ]
        chosen = source_interface or source
        words += ["-I", _host(chosen)] if chosen else []
        waited = self.timeout + int(count) * (1 + int(timeout))
        done = self._access.kernel(*_in_vrf(vrf), *words, "--", _host(destination), timeout=waited)
        return system.ping(done.output or done.errors)

    def traceroute(
        self,
        destination: str,
        source: str = c.TRACEROUTE_SOURCE,
        ttl: int = c.TRACEROUTE_TTL,
        timeout: int = c.TRACEROUTE_TIMEOUT,
        vrf: str = c.TRACEROUTE_VRF,
    ) -> dict[str, Any]:
        words = ["traceroute", "-n", "-m", str(int(ttl)), "-w", str(int(timeout))]
        words += ["-s", _host(source)] if source else []
        waited = self.timeout + min(int(ttl), 255) * 3 * int(timeout)
        done = self._access.kernel(*_in_vrf(vrf), *words, _host(destination), timeout=waited)
        return system.traceroute(done.output if done.code == 0 else done.said)

    # --- what several getters ask

    def _interfaces(self) -> dict[str, Any]:
        found: dict[str, Any] = self._access.json("show interface vrf all json")
        return found

    def _bgp_neighbors(self) -> dict[str, Any]:
        found: dict[str, Any] = self._access.json("show bgp vrf all neighbors json") if self._has("bgpd") else {}
        return found

    def _bgp_instances(self) -> dict[str, Any]:
        found: dict[str, Any] = self._access.json("show bgp vrfs json") if self._has("bgpd") else {}
        vrfs: dict[str, Any] = found.get("vrfs", {})
        return vrfs

    def _has(self, daemon: str) -> bool:
        return daemon in self._access.show("show daemons").split()

    def _paths(self, found: Mapping[str, Any]) -> dict[str, list[Any]]:
        """BGP's paths to the prefixes of the default VRF that came by BGP."""
        asked = [
            prefix
            for prefix, entries in found.items()
            if any(one["protocol"] == "bgp" and one.get("vrfName", "default") == "default" for one in entries)
        ]
        paths = {}
        for prefix in asked[: routes.ASKED_LIMIT]:
            family = "ipv6" if ":" in prefix else "ipv4"
            paths[prefix] = self._access.json(f"show bgp {family} unicast {prefix} json").get("paths", [])
        return paths


def _given(filename: str | None, config: str | None, refused: type[Exception]) -> str:
    """The candidate's text; a file takes precedence, as NAPALM defines."""
    if filename is None:
        return config or ""
    try:
        return Path(filename).read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise refused(f"{filename}: {problem}") from None


def _destination(destination: str) -> tuple[list[str], int | None]:
    if not destination:
        return [], None
    try:
        network = netaddr.IPNetwork(destination)
    except (netaddr.AddrFormatError, ValueError):
        raise ValueError(f"{destination!r} is neither an address nor a prefix") from None
    return [str(network) if "/" in destination else str(network.ip)], int(network.version)


def _name(name: str) -> str:
    """A VRF or host name that a command line can hold without meaning anything else."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", name):
        raise ValueError(f"{name!r} is not a name")
    return name


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is neither an address nor a name")
    return host


def _in_vrf(vrf: str) -> list[str]:
    return ["ip", "vrf", "exec", _name(vrf)] if vrf and vrf not in ("default", "global") else []
