"""Seeing real packets: tcpdump on an interface of the lab, started for sure and read back.

with lab.capture("hv1", "udp port 4789") as seen:
    lab.ping("web-1", "web-2")
assert not seen.lines
"""

import re
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from agent import namespaces
from data.errors import CommandFailed

START_TIMEOUT = 10.0  # seconds until tcpdump says that it listens
SETTLE = 0.1  # seconds for the last packets to pass from the kernel's ring through tcpdump to the file

_BEGINS = re.compile(r"\d+\.\d+ ")  # the time, at the first of the lines that tcpdump writes for a packet


@dataclass(slots=True)
class Capture:
    """A running capture; after `stop` its `lines` are the packets as text, `pcap` the file."""

    pcap: Path
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, namespace: Path, nic: str, expression: str, directory: Path) -> "Capture":
        """Start tcpdump and wait until the kernel hands it packets."""
        with tempfile.NamedTemporaryFile(dir=directory, prefix=f"{nic}-", suffix=".pcap", delete=False) as file:
            pcap = Path(file.name)
        # -Z root: tcpdump would give up root and could then not write into the state directory
        argv = [
            "tcpdump",
            "-Z",
            "root",
            "--immediate-mode",
            "-U",
            "-n",
            "-i",
            nic,
            "-w",
            str(pcap),
            *expression.split(),
        ]
        try:
            process = namespaces.inside(
                namespace,
                lambda: subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                ),
            )
        except FileNotFoundError:
            raise CommandFailed("capture", "tcpdump is not installed", "apt-get install tcpdump") from None
        capture = cls(pcap, process)
        capture._wait_listening()
        return capture

    def _wait_listening(self) -> None:
        assert self.process.stderr is not None
        said = ""
        deadline = time.monotonic() + START_TIMEOUT
        while "listening on" not in said:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.process.stderr], [], [], left)[0]
            line = self.process.stderr.readline() if ready else ""
            if not line:
                self.process.kill()
                self.process.communicate()
                raise CommandFailed(
                    "capture", said.strip() or "tcpdump does not start", "correct the filter or the NIC"
                )
            said += line

    def stop(self) -> list[str]:
        """End the capture and give the packets, one line each with MAC addresses (`tcpdump -nn -e -v`)."""
        if self.process.poll() is None:
            time.sleep(SETTLE)
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=START_TIMEOUT)
        self.lines = self.read()
        return self.lines

    def read(self, expression: str = "") -> list[str]:
        """The captured packets that match a filter, one line each."""
        done = subprocess.run(
            ["tcpdump", "-nn", "-e", "-v", "-tt", "-r", str(self.pcap), *expression.split()],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise CommandFailed("capture", done.stderr.strip(), "correct the filter")
        packets: list[str] = []
        for line in done.stdout.splitlines():
            begun = _BEGINS.match(line)
            if begun:
                packets.append(line[begun.end() :])
            elif packets:
                packets[-1] += " " + line.strip()  # the rest of its headers, or what a tunnel carries
        return packets

    def __enter__(self) -> "Capture":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
