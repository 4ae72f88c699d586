"""The tool that puts raw frames on a virtual machine's wire and reads them there, whatever its kernel would do.

Run as probe.py is, with the standard library alone (`python -I -S wire.py COMMAND …`); it prints JSON lines as that
does.
"""

import argparse
import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

ETH_P_ALL = 3
ETH_P_ARP = 0x0806
ETH_P_IPV6 = 0x86DD
PACKET_OUTGOING = 4  # sockaddr_ll packet type of what the machine itself sent
FRAMES_MAX = 10_000  # frames that `watch` keeps


def say(what: dict[str, Any]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(what), flush=True)


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

    def answerer(frame: bytes) -> bytes | None:
        return frame[22:28] if len(frame) >= 42 and frame[20:22] == b"\0\2" and frame[28:32] == target else None

    say_answers(link, options, answerer)


def nd(options: argparse.Namespace) -> None:
    """Ask for an IPv6 address on the wire (RFC 4861 section 4.3); every MAC that answered within the time."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6))
    link.bind((options.interface, ETH_P_IPV6))
    mine: bytes = link.getsockname()[4]
    source, target = (socket.inet_pton(socket.AF_INET6, one) for one in (options.source, options.address))
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\1\1" + mine
    total = sum(struct.unpack(f"!{(len(body) + 40) // 2}H", source + group + struct.pack("!II", len(body), 58) + body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group
    link.send(b"\x33\x33" + group[12:] + mine + struct.pack("!H", ETH_P_IPV6) + head + body)

    def answerer(frame: bytes) -> bytes | None:
        if len(frame) < 78 or frame[20] != 58 or frame[54] != 136 or frame[62:78] != target:
            return None
        return frame[80:86] if frame[78:80] == b"\2\1" else frame[6:12]

    say_answers(link, options, answerer)


def say_answers(link: socket.socket, options: argparse.Namespace, answerer: Callable[[bytes], bytes | None]) -> None:
    """Says which MAC addresses answered within the time; `answerer` gives that of a frame which is an answer."""
    answers = set()
    deadline = time.monotonic() + options.timeout
    while (left := deadline - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            hardware = answerer(link.recv(2048))
        except TimeoutError:
            break
        if hardware is not None:
            answers.add(hardware.hex(":"))
            if not options.all:
                break
    say({"answers": sorted(answers)})


def watch(options: argparse.Namespace) -> None:
    """What arrives on the interface, frame by frame, until standard input is closed; a line asks what came so far."""
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
        else:
            asked = sys.stdin.readline()
            say({"count": count, "frames": seen})
            if not asked:
                break


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
    elif ethertype == ETH_P_IPV6 and len(frame) >= 54:
        protocol, start = frame[20], 54
        what.update(
            kind={6: "tcp", 17: "udp", 58: "icmp6"}.get(protocol, str(protocol)),
            ttl=frame[21],
            dscp=(struct.unpack("!H", frame[14:16])[0] >> 6) & 63,
            source=socket.inet_ntop(socket.AF_INET6, frame[22:38]),
            destination=socket.inet_ntop(socket.AF_INET6, frame[38:54]),
        )
        if protocol in (6, 17) and len(frame) >= start + 4:
            what["source_port"], what["destination_port"] = struct.unpack("!HH", frame[start : start + 4])
        if protocol == 6 and len(frame) >= start + 14:
            what["flags"] = frame[start + 13]
        if protocol == 58 and len(frame) > start:
            what["icmp_type"] = frame[start]
    else:
        what["kind"] = f"0x{ethertype:04x}"
    return what


def main() -> None:
    parser = argparse.ArgumentParser(prog="wire", description="send and see raw frames inside a virtual machine")
    commands = parser.add_subparsers(required=True)

    def command(name: str, work: Callable[[argparse.Namespace], None], *positional: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=(work.__doc__ or "").splitlines()[0])
        one.set_defaults(work=work)
        for argument in positional:
            one.add_argument(argument)
        one.add_argument("--timeout", type=float, default=1.0)
        one.add_argument("--interval", type=float, default=0.0)
        one.add_argument("--count", type=int, default=1)
        one.add_argument("--interface", default="eth0")
        return one

    command("frames", frames).add_argument("frame", nargs="+")
    for asking in (command("arp", arp, "address"), command("nd", nd, "address")):
        asking.add_argument("--source", required=True)
        asking.add_argument("--all", action="store_true")
    command("watch", watch)
    options = parser.parse_args()
    options.work(options)


if __name__ == "__main__":
    main()
