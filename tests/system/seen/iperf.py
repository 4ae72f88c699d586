"""iperf3 between two machines of a lab, at a rate that the datapath in user space copes with."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack

from nshell.lab import Lab
from nshell.lab.probing import wait_until

__all__ = ["Iperf"]

PATIENCE = 20.0  # seconds until the server listens
LONGEST = "600"  # seconds that it runs unless it is stopped


class Iperf:
    """A stream from one machine to another until `stop`: of TCP, or UDP with payloads of `udp` bytes. `rate` is that
    of the payload in bits per second, as iperf3 writes it ("4M").
    """

    def __init__(self, lab: Lab, source: str, destination: str, rate: str, *, port: int = 5201, udp: int = 0) -> None:
        kind = ["-u", "-l", str(udp)] if udp else []
        with ExitStack() as stack:
            self._server = _inside(lab, destination, ["iperf3", "-s", "-1", "-p", str(port)])
            stack.callback(_end, self._server)
            assert wait_until(
                lambda: f":{port} " in lab.exec(destination, ["ss", "-Hltn"]).stdout + " ", PATIENCE, 0.05
            )
            words = ["iperf3", "-c", lab.address(destination), "-p", str(port), "-b", rate, "-t", LONGEST, *kind]
            self._client = _inside(lab, source, words)
            stack.callback(_end, self._client)
            self._stack = stack.pop_all()

    def stop(self) -> None:
        """End both, at once."""
        self._stack.close()


def _inside(lab: Lab, name: str, words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["ip", "netns", "exec", lab.namespace(name), *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()
