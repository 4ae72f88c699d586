"""What a command over SSH costs: `ssh host "show version"` here, beside OpenSSH's own server running `true`.

The same client, key and loopback for both, alternating; whole processes, from fork to exit. Most of it is the client's
and the key exchange's. 50 milliseconds are allowed on top of one and a half times the peer.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.fabric import seed
from tests.bench.measure import Processes, Row, Unavailable, free_ports, median, processes, run, timed, wait_until

NAME = "ssh"
ABOUT = 'ssh host "show version" beside OpenSSH\'s ssh host true'
ROUNDS = 30
MOST, ALLOWED = 1.5, 50.0  # times the peer, and milliseconds on top of that
SEPARATION = Path("/run/sshd")  # sshd does not start without its empty directory; Debian's unit makes it


def keys(folder: Path) -> tuple[Path, Path]:
    """A throwaway key for the client and one for the server."""
    made = folder / "client", folder / "server"
    for key in made:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    return made


def open_ssh(started: Processes, client: Path, server: Path, port: int) -> None:
    """OpenSSH's server with the same key exchange and cipher to choose from as ours, for the client's key alone."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
    if program is None:
        raise Unavailable("OpenSSH's server is not installed: ./bootstrap.sh packages")
    settings = started.directory / "sshd_config"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {server}\nAuthorizedKeysFile {client}.pub\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        # The login shell must not read its user's start files, which may take longer than all the rest.
        f"SetEnv HOME={started.directory}\n"
    )
    if os.geteuid() == 0:
        SEPARATION.mkdir(mode=0o755, exist_ok=True)
    started.start(program, "-D", "-e", "-f", str(settings))


def ours(started: Processes, client: Path, port: int) -> None:
    """A daemon that lets the client's key in."""
    state = started.directory / "state"
    seed(state)
    env = dict(os.environ, NSHELL_STATE=str(state))
    started.start(sys.executable, "-m", "nshell.main", "serve", env=env)
    wait_until((state / "nshell.sock").exists, "the daemon's socket")
    key = " ".join((client.with_suffix(".pub")).read_text().split()[:2])
    lines = (
        "configure", "set ssh listen-address 127.0.0.1", f"set ssh port {port}", "set user bench class super-user",
        f'set user bench ssh-key "{key}"', "commit",
    )  # fmt: skip
    run(sys.executable, "-m", "nshell.main", *(word for line in lines for word in ("-c", line)), env=env)


def measure() -> Iterator[Row]:
    if shutil.which("ssh") is None:
        raise Unavailable("OpenSSH's client is not installed: ./bootstrap.sh packages")
    with processes() as started:
        client, server = keys(started.directory)
        our_port, peer_port = free_ports(2)
        open_ssh(started, client, server, peer_port)
        ours(started, client, our_port)
        ssh = (
            "ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
            "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            # The client prefers the key exchange that resists quantum computers: 60 ms, and ours does not offer it.
            "-o", "KexAlgorithms=curve25519-sha256", "-i", str(client),
        )  # fmt: skip
        commands = {
            "ours": (*ssh, "-p", str(our_port), "bench@127.0.0.1", "show version"),
            "peer": (*ssh, "-p", str(peer_port), f"{getpass.getuser()}@127.0.0.1", "true"),
        }
        for command in commands.values():
            wait_until(lambda command=command: answers(command), command[-2], timeout=20)  # type: ignore[misc]
        samples: dict[str, list[float]] = {side: [] for side in commands}
        for _ in range(ROUNDS):
            for side, command in commands.items():
                samples[side].append(timed(lambda command=command: run(*command)))  # type: ignore[misc]
    mine, peer = (median(samples[side]) * 1000 for side in ("ours", "peer"))
    yield Row(
        'ssh host "show version" beside ssh host true',
        mine,
        peer,
        MOST + ALLOWED / peer,
        "ms",
        f"OpenSSH's client, fork to exit; at most {MOST:g} times the peer plus {ALLOWED:g} ms",
        samples,
    )


def answers(command: tuple[str, ...]) -> bool:
    """Whether a server lets this command run by now."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    return done.returncode == 0
