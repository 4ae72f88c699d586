"""A router as the driver sees it: its options, and the questions one can put to it.

Everything else in this package asks through `Access`; nothing but this module knows how vtysh, frr-reload.py and the
kernel's own programs are called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napalm.base.exceptions import (  # type: ignore[import-untyped]
    CommandErrorException,
    ConnectionException,
)

from .candidate import message_without_secrets
from .transaction import Router
from .transport import Done, LocalTransport, SshSettings, SshTransport, Transport

NO_DAEMONS = "failed to connect to any daemons"  # vtysh
REFUSED = ("% Unknown command", "% Ambiguous command", "% Command incomplete", "% There is no matched command")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_LINKS_OF_VRF = """pid=$(cat "$1") && exec nsenter --target "$pid" --mount ip -n "$2" -json -statistics link show"""

OPTIONS: Mapping[str, str] = {
    "transport": "ssh (default), or local: the router is this machine",
    "instance": "FRR's pathspace, as daemons take it with -N",
    "netns": "network namespace that the kernel is asked in",
    "sudo": "True: run everything by `sudo -n`",
    "vtysh": "path of vtysh",
    "frr_reload": "path of frr-reload.py",
    "config_directory": "where frr.conf is (/etc/frr)",
    "state_directory": "where commits are written down (/run/napalm-frr); a reboot should empty it",
    "save_on_commit": "False: a final commit does not write the startup configuration",
    "commit_timeout": "seconds a commit may take on the router (300)",
    "port": "of the SSH server (22)",
    "key_file": "private key",
    "passphrase": "of the private key",
    "use_keys": "False: do not look for keys in ~/.ssh",
    "allow_agent": "True: ask the SSH agent",
    "ssh_strict": "False: take unknown host keys",
    "system_host_keys": "False: do not read ~/.ssh/known_hosts",
    "alt_host_keys": "True: read alt_key_file too",
    "alt_key_file": "a file of known host keys",
}
"""Optional arguments; those of SSH are named as NAPALM's other drivers name them."""


def configured(hostname: str, username: str, password: str, timeout: int, options: Mapping[str, Any]) -> Access:
    """The access that the driver's arguments describe. Raises ValueError for options that cannot be meant."""
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise ValueError(f"unknown optional argument {', '.join(unknown)}: there are {', '.join(OPTIONS)}")
    for name in ("instance", "netns"):
        if options.get(name) and not _NAME.fullmatch(str(options[name])):
            raise ValueError(f"{name} {options[name]!r} is not a name")
    prefix = ("sudo", "-n") if options.get("sudo") else ()
    transport: Transport
    match options.get("transport", "ssh"):
        case "local":
            transport = LocalTransport(prefix)
        case "ssh":
            transport = SshTransport(
                SshSettings(
                    host=hostname,
                    username=username,
                    password=password,
                    timeout=timeout,
                    port=int(options.get("port", 22)),
                    key_file=options.get("key_file"),
                    passphrase=options.get("passphrase"),
                    use_keys=bool(options.get("use_keys", True)),
                    allow_agent=bool(options.get("allow_agent", False)),
                    strict=bool(options.get("ssh_strict", True)),
                    system_host_keys=bool(options.get("system_host_keys", True)),
                    host_keys_file=options.get("alt_key_file") if options.get("alt_host_keys") else None,
                    prefix=prefix,
                )
            )
        case other:
            raise ValueError(f"transport {other!r} is neither ssh nor local")
    return Access(transport, options, timeout)


@dataclass(slots=True)
class Access:
    """One router's questions and answers; `timeout` in seconds for each of them."""

    transport: Transport
    options: Mapping[str, Any]
    timeout: float

    @property
    def instance(self) -> str:
        return str(self.options.get("instance") or "")

    @property
    def startup_file(self) -> str:
        """Where FRR's integrated startup configuration is."""
        directory = str(self.options.get("config_directory") or "/etc/frr").rstrip("/")
        return f"{directory}/{self.instance}/frr.conf" if self.instance else f"{directory}/frr.conf"

    @property
    def router(self) -> Router:
        """The same as the commit script needs it."""
        named = ("-N", self.instance) if self.instance else ()
        state = str(self.options.get("state_directory") or "/run/napalm-frr").rstrip("/")
        return Router(
            state=f"{state}/{f'instance.{self.instance}' if self.instance else 'main'}",
            vtysh=self._vtysh(),
            # nothing but errors, and those to us: its log file would hold the configuration, passwords and all
            reload=(
                str(self.options.get("frr_reload") or "/usr/lib/frr/frr-reload.py"),
                "--log-level", "error", "--stdout", *named,
            ),
            instance=self.instance,
            vtysh_conf=f"{self.startup_file.rpartition('/')[0]}/vtysh.conf",
            save=bool(self.options.get("save_on_commit", True)),
        )  # fmt: skip

    def _vtysh(self) -> tuple[str, ...]:
        named = ("-N", self.instance) if self.instance else ()
        return (str(self.options.get("vtysh") or "vtysh"), *named)

    def run(self, argv: Sequence[str], given: str = "", timeout: float | None = None) -> Done:
        """Any program on the router."""
        return self.transport.run(argv, given, timeout if timeout is not None else self.timeout)

    def shell(self, script: str, *words: str, given: str = "", timeout: float | None = None) -> Done:
        """A POSIX shell script on the router; `words` are its $1, $2 …."""
        return self.run(["sh", "-c", script, "napalm-frr", *words], given, timeout)

    def vtysh(self, *words: str) -> Done:
        """vtysh with these arguments. Raises ConnectionException when no daemon of FRR answers it."""
        done = self.run([*self._vtysh(), *words])
        if NO_DAEMONS in done.said or done.code in (126, 127):
            raise ConnectionException(f"FRR does not answer: {done.said}")
        return done

    def show(self, command: str) -> str:
        """What a command of vtysh prints. Raises CommandErrorException when FRR does not know it."""
        if not command.isprintable():
            raise CommandErrorException(f"a command is one line of printable characters, not {command!r}")
        done = self.vtysh("-c", command)
        if done.code != 0 or done.output.lstrip().startswith(REFUSED):
            # a `show` of what is not configured ends with code 1 and says why after a %
            raise CommandErrorException(f"{command}: {message_without_secrets(done.said) or f'code {done.code}'}")
        return done.output

    def json(self, command: str) -> Any:
        """What a `show … json` says, decoded; {} when FRR says that there is nothing of the kind."""
        try:
            text = self.show(command)
        except CommandErrorException as problem:
            if any(word in str(problem) for word in REFUSED):
                raise
            return {}
        if not text.strip() or text.lstrip().startswith("%"):
            return {}
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise CommandErrorException(f"{command}: the answer is not JSON: {text.strip()[:200]}") from None

    def links_of_vrf(self, vrf: str) -> list[dict[str, Any]]:
        """`ip -json -statistics link` of a VRF that is a network namespace, by the name that zebra has for it, among
        the mounts that zebra sees; nothing when the user may not enter it."""
        run = f"/var/run/frr/{self.instance}" if self.instance else "/var/run/frr"
        done = self.shell(_LINKS_OF_VRF, f"{run}/zebra.pid", vrf)
        return [one for one in json.loads(done.output or "[]") if one] if done.code == 0 else []

    def running(self) -> str:
        """The running configuration of all daemons."""
        return self.show("show running-config no-header")

    def kernel(self, *argv: str, timeout: float | None = None) -> Done:
        """A program of the router's system, in the network namespace that FRR works in."""
        netns = self.options.get("netns")
        words = ["ip", "netns", "exec", str(netns), *argv] if netns else list(argv)
        return self.run(words, timeout=timeout)

    def kernel_json(self, *argv: str) -> list[dict[str, Any]]:
        """The same for iproute2's JSON. Raises CommandErrorException."""
        done = self.kernel(*argv)
        if done.code != 0:
            raise CommandErrorException(f"{' '.join(argv)}: {done.said}")
        found = json.loads(done.output or "[]")
        return [one for one in found if one]
