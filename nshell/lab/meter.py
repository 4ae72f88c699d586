"""The tool that measures inside a virtual machine of the lab: throughput, many flows, a stream that must not stall.

Run as probe.py is, with the standard library alone: `python -I -S meter.py COMMAND …`.  It prints JSON lines: one
`{"ready": true}`, progress where it says so, and at the end one object with the result.  What has no end of its own
ends when standard input is closed.
"""

import argparse
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

BIN = 0.1  # seconds of one entry of a receiver's `bins`
CHUNK = 1 << 16  # bytes of one write to a stream
PROGRESS = 0.2  # seconds between two lines of progress
IP_TOS, IPV6_TCLASS = 1, 67  # linux/in.h, linux/in6.h


def say(what: dict[str, Any]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(what), flush=True)


def closed() -> bool:
    """Whether whoever started us wants us to end."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def opened(options: argparse.Namespace, kind: int) -> socket.socket:
    """A socket of the address's family, with the DSCP that is asked for."""
    six = ":" in options.address
    link = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind)
    if options.dscp:
        level, name = (socket.IPPROTO_IPV6, IPV6_TCLASS) if six else (socket.IPPROTO_IP, IP_TOS)
        link.setsockopt(level, name, options.dscp << 2)
    return link


def bound(kind: int, port: int) -> socket.socket:
    """A socket that both families reach, on every address."""
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", port))
    return server


class Bins:
    """Bytes received, by BIN seconds since the first."""

    def __init__(self) -> None:
        self.bins: list[int] = []
        self.began = 0.0

    def add(self, size: int) -> None:
        now = time.monotonic()
        self.began = self.began or now
        number = int((now - self.began) / BIN)
        self.bins.extend([0] * (number + 1 - len(self.bins)))
        self.bins[number] += size


def tcp_sink(options: argparse.Namespace) -> None:
    """Take whatever connections send, and say when how much came."""
    server = bound(socket.SOCK_STREAM, options.port)
    server.listen(64)
    say({"ready": True})
    links: list[socket.socket] = []
    bins, buffer = Bins(), bytearray(1 << 20)
    while True:
        readable: list[Any] = list(select.select([server, sys.stdin, *links], [], [])[0])
        if sys.stdin in readable:
            break
        for one in readable:
            if one is server:
                links.append(server.accept()[0])
                continue
            try:
                size = one.recv_into(buffer)
            except OSError:
                size = 0
            if size:
                bins.add(size)
            else:
                links.remove(one)
                one.close()
    say({"bytes": sum(bins.bins), "bins": bins.bins, "bin": BIN})


def tcp_source(options: argparse.Namespace) -> None:
    """Send as fast as the other side takes it, for so many seconds."""
    with opened(options, socket.SOCK_STREAM) as link:
        if options.congestion:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, options.congestion.encode())
        link.settimeout(options.timeout)
        link.connect((options.address, options.port))
        say({"ready": True})
        sent, end, error, block = 0, time.monotonic() + options.seconds, "", bytes(CHUNK)
        try:
            while time.monotonic() < end:
                sent += link.send(block)
        except OSError as problem:
            error = str(problem)
    say({"bytes": sent, "error": error})


def udp_sink(options: argparse.Namespace) -> None:
    """Take datagrams, and say when how much came, headers included that the wire carries from IP upwards."""
    server = bound(socket.SOCK_DGRAM, options.port)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    say({"ready": True})
    bins, buffer = Bins(), bytearray(1 << 16)
    while True:
        readable = select.select([server, sys.stdin], [], [])[0]
        if sys.stdin in readable:
            break
        size, peer = server.recvfrom_into(buffer)
        bins.add(size + 8 + (20 if peer[0].startswith("::ffff:") else 40))
    say({"bytes": sum(bins.bins), "bins": bins.bins, "bin": BIN})


def udp_source(options: argparse.Namespace) -> None:
    """Send datagrams at so many bits a second, counted from IP upwards, for so many seconds."""
    payload = bytes(options.size - (48 if ":" in options.address else 28))
    gap = options.size * 8 / options.bits
    with opened(options, socket.SOCK_DGRAM) as link:
        link.connect((options.address, options.port))
        say({"ready": True})
        sent, failed, began = 0, 0, time.monotonic()
        while (now := time.monotonic() - began) < options.seconds:
            while sent * gap <= now:  # those that fell due while we slept
                try:
                    link.send(payload)
                except OSError:
                    failed += 1
                sent += 1
            time.sleep(max(0.0, min(sent * gap - now, 0.01)))
    say({"bytes": sent * options.size, "packets": sent, "failed": failed})


def udp_flows(options: argparse.Namespace) -> None:
    """One datagram, or several, from each of so many source ports."""
    failed = 0
    for number in range(options.flows):
        with opened(options, socket.SOCK_DGRAM) as link:
            link.bind(("", options.first_port + number))
            for _ in range(options.count):
                try:
                    link.sendto(b"flow %d" % number, (options.address, options.port))
                except OSError:
                    failed += 1
        time.sleep(options.interval)
    say({"flows": options.flows, "failed": failed})


def tcp_flows(options: argparse.Namespace) -> None:
    """So many connections, one after the other: what became of each, and whether data went there and back."""
    results: dict[str, int] = {}
    for number in range(options.flows):
        with opened(options, socket.SOCK_STREAM) as link:
            link.settimeout(options.timeout)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                if options.first_port:
                    link.bind(("", options.first_port + number))
                link.connect((options.address, options.port))
                link.sendall(b"flow\n")
                result = "echoed" if link.recv(64) else "closed"
            except ConnectionRefusedError:
                result = "refused"
            except TimeoutError:
                result = "timeout"
            except OSError as problem:
                result = str(problem)
        results[result] = results.get(result, 0) + 1
        time.sleep(options.interval)
    say({"results": results})


def stream(options: argparse.Namespace) -> None:
    """A connection that sends a line every so often and takes its echo; progress meanwhile, until told to end."""
    with opened(options, socket.SOCK_STREAM) as link:
        link.settimeout(options.timeout)
        link.connect((options.address, options.port))
        say({"ready": True})
        link.setblocking(False)
        sent = received = 0
        gap, error, now = 0.0, "", time.monotonic()
        last, due, told = now, now, now
        block = bytes(options.size)
        while not closed() and not error:
            now = time.monotonic()
            if now >= due:
                due = now + options.interval
                try:
                    if sent - received < options.window:
                        sent += link.send(block)
                except BlockingIOError:
                    error = ""  # the kernel's buffer is full: the stall is counted by what comes back
                except OSError as problem:
                    error = str(problem)
            if now - told >= PROGRESS:
                told = now
                say({"sent": sent, "received": received, "silent": round(now - last, 3)})
            if select.select([link], [], [], max(0.0, min(due - now, PROGRESS)))[0]:
                try:
                    data = link.recv(CHUNK)
                except OSError as problem:
                    error = str(problem)
                    continue
                if not data:
                    error = "closed by the other side"
                received += len(data)
                now = time.monotonic()
                gap, last = max(gap, now - last), now
        gap = max(gap, time.monotonic() - last)
    say({"sent": sent, "received": received, "longest_gap": round(gap, 4), "error": error})


def main() -> None:
    parser = argparse.ArgumentParser(prog="meter", description="measure inside a virtual machine")
    commands = parser.add_subparsers(required=True)

    def command(name: str, work: Callable[[argparse.Namespace], None], *positional: str) -> None:
        one = commands.add_parser(name, help=(work.__doc__ or "").splitlines()[0])
        one.set_defaults(work=work)
        for argument in positional:
            one.add_argument(argument, type=int if argument == "port" else str)
        one.add_argument("--timeout", type=float, default=2.0)
        one.add_argument("--seconds", type=float, default=3.0)
        one.add_argument("--interval", type=float, default=0.0)
        one.add_argument("--bits", type=float, default=10e6, help="a second")
        one.add_argument("--size", type=int, default=1400, help="bytes of a packet or a line")
        one.add_argument("--window", type=int, default=1 << 20, help="bytes that may be on their way")
        one.add_argument("--flows", type=int, default=1)
        one.add_argument("--first-port", type=int, default=0)
        one.add_argument("--count", type=int, default=1)
        one.add_argument("--dscp", type=int, default=0)
        one.add_argument("--congestion", default="", help="congestion control of TCP, if not the kernel's default")

    command("tcp-sink", tcp_sink, "port")
    command("tcp-source", tcp_source, "address", "port")
    command("udp-sink", udp_sink, "port")
    command("udp-source", udp_source, "address", "port")
    command("udp-flows", udp_flows, "address", "port")
    command("tcp-flows", tcp_flows, "address", "port")
    command("stream", stream, "address", "port")
    options = parser.parse_args()
    options.work(options)


if __name__ == "__main__":
    main()
