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

ETH_P_ALL = 3
ETH_P_ARP = 0x0806
PACKET_OUTGOING = 4  # sockaddr_ll packet type of what the machine itself sent
FRAMES_MAX = 10_000  # frames that `watch` keeps
GRACE = 0.5  # seconds that a ping stream waits for its last answers


def say(what: dict[str, Any]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(what), flush=True)


def closed() -> bool:
    """Whether whoever started us wants us to end."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def tcp_connect(options: argparse.Namespace) -> None:
    """Connect, send a line, expect it back: connected, refused, timeout or unreachable; `echoed` says data passed."""
    began = time.monotonic()
    with socket.socket() as link:
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
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("", options.port))
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
            peers.append(list(peer))
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
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", options.port))
    say({"ready": True})
    peers, received = set(), 0
    while True:
        readable, _, _ = select.select([server, sys.stdin], [], [])
        if sys.stdin in readable:
            break
        data, peer = server.recvfrom(1 << 16)
        received += 1
        peers.add(peer)
        if not options.silent:
            server.sendto(data, peer)
    say({"received": received, "peers": sorted(map(list, peers))})


def udp_send(options: argparse.Namespace) -> None:
    """Send datagrams and count what comes back from that address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
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
        if source == peer:
            return 1
    return 0


def ping(options: argparse.Namespace) -> None:
    """Echo requests at a rate: sent, received, lost, the longest time without an answer, TTLs seen.

    With a count it ends by itself, else when standard input is closed.
    """
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
            body = struct.pack("!BBHHHd", 8, 0, 0, identifier, sent & 0xFFFF, now)
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
                packet = link.recv(2048)
            except BlockingIOError:
                break
            except OSError as problem:
                errors.add(str(problem))
                break
            start = (packet[0] & 15) * 4
            if len(packet) < start + 16 or packet[start] != 0:
                continue
            _, _, _, ident, sequence, stamp = struct.unpack("!BBHHHd", packet[start : start + 16])
            if ident != identifier or sequence in answered:
                continue
            now = time.monotonic()
            answered.add(sequence)
            ttls.add(packet[8])
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


def frames(options: argparse.Namespace) -> None:
    """Send raw Ethernet frames, given as hexadecimal digits, whatever they claim."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((options.interface, 0))
    for _ in range(options.count):
        for text in options.frame:
            link.send(bytes.fromhex(text))
        if options.interval:
            time.sleep(options.interval)
    say({"sent": options.count * len(options.frame)})


def arp(options: argparse.Namespace) -> None:
    """Ask for an address on the wire; every MAC that answered within the time."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    link.bind((options.interface, ETH_P_ARP))
    mine = link.getsockname()[4]
    source = socket.inet_aton(options.source)
    target = socket.inet_aton(options.address)
    head = struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 1)
    link.send(b"\xff" * 6 + mine + head + mine + source + bytes(6) + target)
    answers = set()
    deadline = time.monotonic() + options.timeout
    while (left := deadline - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            frame = link.recv(2048)
        except TimeoutError:
            break
        if len(frame) >= 42 and frame[20:22] == b"\0\2" and frame[28:32] == target:
            answers.add(frame[22:28].hex(":"))
            if not options.all:
                break
    say({"answers": sorted(answers)})


def watch(options: argparse.Namespace) -> None:
    """What arrives on the interface, frame by frame, until standard input is closed."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    link.bind((options.interface, ETH_P_ALL))
    say({"ready": True})
    seen: list[dict[str, object]] = []
    count = 0
    while True:
        readable, _, _ = select.select([link, sys.stdin], [], [])
        if link in readable:
            frame, place = link.recvfrom(65535)
            if place[2] != PACKET_OUTGOING:
                count += 1
                if len(seen) < FRAMES_MAX:
                    seen.append(describe(frame))
        elif sys.stdin in readable:
            break
    say({"count": count, "frames": seen})


def describe(frame: bytes) -> dict[str, Any]:
    """A frame's headers as plain data."""
    ethertype = struct.unpack("!H", frame[12:14])[0]
    what: dict[str, Any] = {
        "destination_mac": frame[:6].hex(":"),
        "source_mac": frame[6:12].hex(":"),
        "ethertype": ethertype,
        "length": len(frame),
    }
    if ethertype == ETH_P_ARP and len(frame) >= 42:
        what.update(
            kind="arp",
            operation=struct.unpack("!H", frame[20:22])[0],
            source=socket.inet_ntoa(frame[28:32]),
            destination=socket.inet_ntoa(frame[38:42]),
            sender_mac=frame[22:28].hex(":"),
        )
    elif ethertype == 0x0800 and len(frame) >= 34:
        protocol, start = frame[23], 14 + (frame[14] & 15) * 4
        what.update(
            kind={1: "icmp", 6: "tcp", 17: "udp"}.get(protocol, str(protocol)),
            ttl=frame[22],
            dscp=frame[15] >> 2,
            source=socket.inet_ntoa(frame[26:30]),
            destination=socket.inet_ntoa(frame[30:34]),
        )
        if protocol in (6, 17) and len(frame) >= start + 4:
            what["source_port"], what["destination_port"] = struct.unpack("!HH", frame[start : start + 4])
        if protocol == 6 and len(frame) >= start + 14:
            what["flags"] = frame[start + 13]
        if protocol == 1 and len(frame) >= start + 2:
            what["icmp_type"] = frame[start]
    else:
        what["kind"] = f"0x{ethertype:04x}"
    return what


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
        one.add_argument("--interface", default="eth0")
        return one

    command("tcp-connect", tcp_connect, "address", "port")
    command("tcp-serve", tcp_serve, "port")
    command("tcp-stream", tcp_stream, "address", "port")
    command("udp-serve", udp_serve, "port").add_argument("--silent", action="store_true")
    command("udp-send", udp_send, "address", "port")
    command("ping", ping, "address")
    command("frames", frames).add_argument("frame", nargs="+")
    asking = command("arp", arp, "address")
    asking.add_argument("--source", required=True)
    asking.add_argument("--all", action="store_true")
    command("watch", watch)
    options = parser.parse_args()
    options.work(options)


if __name__ == "__main__":
    main()
