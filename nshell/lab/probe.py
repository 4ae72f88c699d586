"""The tool that runs inside a virtual machine of the lab: sends real packets and says what became of them.

It is run as a script (`python -I -S probe.py COMMAND …`), so it imports the standard library alone and starts
in 15 ms.  It prints JSON lines: one `{"ready": true}` when a listener or stream is really under way, and at
the end one object with the result.  What runs on ends when standard input is closed, so it never outlives the
program that started it.
"""

import argparse
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

GRACE = 0.5  # seconds that a ping stream waits for its last answers


def say(what: dict[str, Any]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(what), flush=True)


def closed() -> bool:
    """Whether whoever started us wants us to end."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def family(address: str) -> int:
    """The address family that an address is of."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serving(kind: int, address: str, port: int) -> socket.socket:
    """A bound socket: of one address, or of all, which both families reach."""
    if address:
        server = socket.socket(family(address), kind)
    else:
        server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address or "::", port))
    return server


def plain(peer: tuple[Any, ...]) -> tuple[str, int]:
    """A peer's address and port; one of IPv4 that came in by a socket of both families as what it is."""
    return str(peer[0]).removeprefix("::ffff:"), int(peer[1])


def tcp_connect(options: argparse.Namespace) -> None:
    """Connect, send a line, expect it back: connected, refused, timeout or unreachable; `echoed` says data passed."""
    began = time.monotonic()
    with socket.socket(family(options.address)) as link:
        link.settimeout(options.timeout)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.source_port:
            link.bind(("", options.source_port))
        try:
            link.connect((options.address, options.port))
            result = "connected"
        except ConnectionRefusedError:
            result = "refused"
        except TimeoutError:
            result = "timeout"
        except OSError as problem:
            result = "unreachable" if problem.errno in (101, 113) else str(problem)
        taken = time.monotonic() - began
        echoed = False
        if result == "connected":
            try:
                link.sendall(b"nshell\n")
                echoed = link.recv(64) == b"nshell\n"
            except OSError:
                echoed = False
    say({"result": result, "echoed": echoed, "milliseconds": round(taken * 1000, 2)})


def tcp_serve(options: argparse.Namespace) -> None:
    """Accept connections and echo what they send, until standard input is closed."""
    server = serving(socket.SOCK_STREAM, options.bind, options.port)
    server.listen(64)
    say({"ready": True})
    peers: list[list[object]] = []
    links: list[socket.socket] = []
    received = 0
    while True:
        readable: list[object] = list(select.select([server, sys.stdin, *links], [], [])[0])
        if sys.stdin in readable:
            break
        if server in readable:
            link, peer = server.accept()
            links.append(link)
            peers.append(list(plain(peer)))
        for one in [link for link in links if link in readable]:
            try:
                data = one.recv(1 << 16)
            except OSError:
                data = b""
            received += len(data)
            if data:
                one.sendall(data)
            else:
                links.remove(one)
                one.close()
    say({"accepted": len(peers), "peers": peers, "bytes": received})


def tcp_stream(options: argparse.Namespace) -> None:
    """One long connection that sends a line at a rate and counts echoes, until standard input is closed."""
    with socket.create_connection((options.address, options.port), timeout=options.timeout) as link:
        say({"ready": True})
        sent, echoed, last, gap = 0, 0, time.monotonic(), 0.0
        error = ""
        link.settimeout(options.timeout)
        while not closed():
            try:
                link.sendall(b"x")
                sent += 1
                if not link.recv(1):
                    error = "closed by the other side"
                    break
            except OSError as problem:
                error = str(problem)
                break
            echoed += 1
            now = time.monotonic()
            gap, last = max(gap, now - last), now
            time.sleep(1 / options.rate)
    say({"sent": sent, "echoed": echoed, "longest_gap": round(gap, 4), "error": error})


def udp_serve(options: argparse.Namespace) -> None:
    """Count datagrams and send each back, until standard input is closed."""
    server = serving(socket.SOCK_DGRAM, options.bind, options.port)
    say({"ready": True})
    peers, received = set(), 0
    while True:
        readable, _, _ = select.select([server, sys.stdin], [], [])
        if sys.stdin in readable:
            break
        data, peer = server.recvfrom(1 << 16)
        received += 1
        peers.add(plain(peer))
        if not options.silent:
            server.sendto(data, peer)
    say({"received": received, "peers": sorted(map(list, peers))})


def udp_send(options: argparse.Namespace) -> None:
    """Send datagrams and count what comes back from that address and port."""
    with socket.socket(family(options.address), socket.SOCK_DGRAM) as link:
        if options.source_port:
            link.bind(("", options.source_port))
        answers = 0
        for number in range(options.count):
            try:
                link.sendto(b"nshell %d" % number, (options.address, options.port))
            except OSError:
                continue  # an answer of "unreachable" to the one before
            answers += _answered(link, (options.address, options.port), options.timeout)
            if options.interval:
                time.sleep(options.interval)
    say({"sent": options.count, "answers": answers})


def _answered(link: socket.socket, peer: tuple[str, int], timeout: float) -> int:
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            _, source = link.recvfrom(1 << 16)
        except OSError:
            return 0
        if source[:2] == peer:
            return 1
    return 0


def ping(options: argparse.Namespace) -> None:
    """Echo requests at a rate: sent, received, lost, the longest time without an answer, TTLs seen.

    With a count it ends by itself, else when standard input is closed.
    """
    six = ":" in options.address
    if six:
        link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    else:
        link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    link.setblocking(False)
    link.connect((options.address, 0))
    identifier = (time.time_ns() ^ id(link)) & 0xFFFF
    say({"ready": True})
    sent, stopping, lasting, gap = 0, False, 0.0, 0.0
    answered: set[int] = set()
    ttls: set[int] = set()
    times: list[float] = []
    errors: set[str] = set()
    began = last = time.monotonic()
    while True:
        now = time.monotonic()
        if not stopping and (sent >= options.count if options.count else closed()):
            stopping, lasting = True, now + (options.timeout if options.count else GRACE)
        if stopping and (now >= lasting or len(answered) == sent):
            break
        due = began + sent / options.rate
        if not stopping and now >= due:
            sent += 1
            body = struct.pack("!BBHHHd", 128 if six else 8, 0, 0, identifier, sent & 0xFFFF, now)
            total = sum(struct.unpack(f"!{len(body) // 2}H", body))
            while total >> 16:
                total = (total & 0xFFFF) + (total >> 16)
            try:
                link.send(body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:])
            except OSError as problem:
                errors.add(str(problem))
            continue
        select.select([link], [], [], max(0.0, min((lasting if stopping else due) - now, 0.05)))
        while True:
            try:
                packet, extra, _, _ = link.recvmsg(2048, 64)
            except BlockingIOError:
                break
            except OSError as problem:
                errors.add(str(problem))
                break
            start = 0 if six else (packet[0] & 15) * 4  # a raw socket of IPv6 gives no header
            if len(packet) < start + 16 or packet[start] != (129 if six else 0):
                continue
            _, _, _, ident, sequence, stamp = struct.unpack("!BBHHHd", packet[start : start + 16])
            if ident != identifier or sequence in answered:
                continue
            now = time.monotonic()
            answered.add(sequence)
            ttls.add(struct.unpack("=i", extra[0][2])[0] if six else packet[8])
            times.append(now - stamp)
            gap, last = max(gap, now - last), now
    if len(answered) < sent:
        gap = max(gap, time.monotonic() - last - (GRACE if not options.count else options.timeout))
    say(
        {
            "sent": sent,
            "received": len(answered),
            "lost": sent - len(answered),
            "longest_gap": round(gap, 4),
            "ttl": sorted(ttls),
            "milliseconds": round(sum(times) / len(times) * 1000, 3) if times else None,
            "missing": sorted(set(range(1, min(sent, 65535) + 1)) - answered)[:100],
            "errors": sorted(errors),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="probe", description="send and receive real packets inside a virtual machine")
    commands = parser.add_subparsers(required=True)

    def command(name: str, work: Callable[[argparse.Namespace], None], *positional: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=(work.__doc__ or "").splitlines()[0])
        one.set_defaults(work=work)
        for argument in positional:
            one.add_argument(argument, type=int if argument == "port" else str)
        one.add_argument("--timeout", type=float, default=1.0)
        one.add_argument("--interval", type=float, default=0.0)
        one.add_argument("--source-port", type=int, default=0)
        one.add_argument("--count", type=int, default=1)
        one.add_argument("--rate", type=float, default=100.0)
        one.add_argument("--bind", default="", help="address to serve on [all]")
        return one

    command("tcp-connect", tcp_connect, "address", "port")
    command("tcp-serve", tcp_serve, "port")
    command("tcp-stream", tcp_stream, "address", "port")
    command("udp-serve", udp_serve, "port").add_argument("--silent", action="store_true")
    command("udp-send", udp_send, "address", "port")
    command("ping", ping, "address")
    options = parser.parse_args()
    options.work(options)


if __name__ == "__main__":
    main()
