"""The controller's process: whether it answers, its limits, its ports, its certificates, and who starts it."""

from __future__ import annotations

import re
import resource
import socket
import time
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from nshell import frames
from nshell.doctor.finding import Finding, missing, ok, warning
from nshell.doctor.machine import Listener, Machine
from nshell.places import SYSTEM_STATE

ANSWER = 5.0
"""Seconds to wait for an answer."""
SLOW_ANSWER = 0.5
DESCRIPTORS = 4096
"""Three connections for each of 1,000 hypervisors, and 256 sessions."""
SOON = 14
"""Days before the end of a certificate; it is renewed at a third of its life."""
SYSTEMD = "/run/systemd/system"


def answers(machine: Machine) -> Finding:
    """Whether the daemon takes commands, and how long one takes."""
    began = time.perf_counter()
    try:
        code = ask(machine.socket)
    except (FileNotFoundError, ConnectionRefusedError):
        by_service = machine.state == SYSTEM_STATE and machine.exists(SYSTEMD)
        remedy = "systemctl enable --now nshell" if by_service else f"nshell --state {machine.state}"
        return warning("daemon", "none runs", "hypervisors keep what they have, and nobody can change it", remedy)
    except PermissionError:
        return missing(
            "daemon",
            f"you may not open {machine.socket}",
            "you cannot use the shell here",
            f"sudo usermod -a -G nshell {machine.environ.get('USER', 'USER')}, then log in again",
        )
    except (OSError, ValueError) as problem:
        return missing(
            "daemon", f"it does not answer: {problem}", "nobody can use the shell", "systemctl restart nshell"
        )
    took = time.perf_counter() - began
    found = f"'show version' took {took * 1000:.0f} ms" + (f", exit code {code}" if code else "")
    if took > SLOW_ANSWER:
        return warning("daemon", found, "it is busy, or the machine is", "see its log, and 'top'")
    return ok("daemon", found)


def ask(path: str) -> int:
    """The exit code of `show version`. Raises OSError, and ValueError for what is not a daemon of ours."""
    hello = b"interactive=0\ncolumns=0\nrows=0\nterm=dumb\nunicode=1\njson=0\nkeep-going=0\n"
    work = ((frames.HELLO, hello), (frames.COMMAND, b"show version"), (frames.END, b""))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER)
        connection.connect(path)
        connection.sendall(b"".join(frames.pack(kind, payload) for kind, payload in work))
        stream = connection.makefile("rb")
        while len(head := stream.read(5)) == 5:
            size = int.from_bytes(head[1:], "big")
            if size > frames.MAXIMUM:
                break
            payload = stream.read(size)
            if head[:1] == frames.EXIT and payload:
                return payload[0]
    raise ValueError("it hung up without an exit code")


def service(machine: Machine) -> Finding | None:
    """Whether it comes back after a reboot."""
    if machine.state != SYSTEM_STATE or not machine.exists(SYSTEMD):
        return None
    _, enabled = machine.run("systemctl", "is-enabled", "nshell.service")
    _, active = machine.run("systemctl", "is-active", "nshell.service")
    first = enabled.partition("\n")[0]
    if first not in ("enabled", "disabled"):
        return warning("service", "not installed", "the daemon does not start with the machine", "sudo make install")
    found = f"{first}, {active}"
    if active == "failed":
        return missing("service", found, "nobody can use the shell", "journalctl -u nshell -n 50")
    if first == "disabled" or active != "active":
        remedy = "sudo systemctl enable --now nshell"
        return warning("service", found, "the daemon does not start with the machine", remedy)
    return ok("service", found)


def descriptors(machine: Machine) -> Finding:
    """How many connections it can hold."""
    pid = machine.daemon_pid()
    line = re.search(r"Max open files\s+(\d+)", machine.text(f"/proc/{pid}/limits")) if pid else None
    limit = int(line[1]) if line else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit < DESCRIPTORS:
        return warning(
            "open files",
            f"at most {limit}",
            f"about {max(0, limit - 320) // 3} hypervisors can connect",
            "systemctl edit nshell: [Service] LimitNOFILE=65536; without systemd: ulimit -Hn 65536",
        )
    return ok("open files", f"at most {limit}")


def ports(machine: Machine) -> Finding:
    """Whether the ports it wants are free, or its own."""
    controller, ssh = machine.configured()
    wanted = [
        (controller.listen_address, controller.openflow_port, "OpenFlow"),
        (controller.listen_address, controller.ovsdb_port, "OVSDB"),
        (controller.listen_address, controller.agent_port, "agents"),
    ]
    if ssh.listen_address is not None:
        wanted.append((ssh.listen_address, ssh.port, "SSH"))
    pid, listeners = machine.daemon_pid(), machine.listeners()
    for address, port, use in wanted:
        for other in listeners:
            if other.port == port and overlap(address, other) and not (pid and machine.holds(pid, other.inode)):
                place = "ssh" if use == "SSH" else "controller"
                return missing(
                    "ports",
                    f"{port} ({use}) is taken by another program",
                    f"no {use} on this machine",
                    f"see 'ss -ltnp sport = :{port}' and end that, or 'set {place} ...' another port",
                )
    listed = ", ".join(f"{port} {use}" for _, port, use in wanted)
    return ok("ports", f"{listed}: {'its own or free' if pid else 'free'}")


def overlap(address: str, other: Listener) -> bool:
    """Whether both cannot listen at once."""
    ours = ip_address(address)
    return ours.is_unspecified or other.address.is_unspecified or ours == other.address


def certificates(machine: Machine) -> Finding | None:
    """How long the controller's own certificates are good."""
    return expiry(
        machine, "certificates", sorted(Path(machine.state, "trust").glob("*.pem")), "systemctl restart nshell"
    )


def expiry(machine: Machine, check: str, files: list[Path], remedy: str) -> Finding | None:
    """The first of these certificates to end; None when there are none."""
    ends: list[tuple[datetime, str]] = []
    for file in files:
        text = machine.text(file)
        if not text and machine.exists(file):
            return warning(check, f"{file} is not for you", "not looked at", "sudo nshell doctor")
        if "BEGIN CERTIFICATE" in text:
            from cryptography import x509

            try:
                found = x509.load_pem_x509_certificates(text.encode())
            except ValueError as problem:
                return missing(check, f"{file}: {problem}", "no hypervisor can connect by TLS", remedy)
            ends += [(one.not_valid_after_utc, file.name) for one in found]
    if not ends:
        return None
    end, name = min(ends)
    days = (end - datetime.fromtimestamp(machine.now(), UTC)).days
    if days < 0:
        return missing(check, f"{name} ended on {end:%Y-%m-%d}", "no hypervisor can connect by TLS", remedy)
    if days < SOON:
        return warning(check, f"{name} ends on {end:%Y-%m-%d}", "then no hypervisor can connect by TLS", remedy)
    return ok(check, f"{len(ends)}, the first to end is {name} on {end:%Y-%m-%d}")
