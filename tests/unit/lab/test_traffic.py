"""What the system tests measure by, measured itself."""

from __future__ import annotations

import random
import struct

import pytest

from nshell.lab import packets
from nshell.lab.wire import describe
from tests.system.traffic import _chi_square_tail, _rate, chi_square


@pytest.mark.parametrize(
    ("statistic", "degrees"), [(3.841, 1), (5.991, 2), (7.815, 3), (9.488, 4), (18.307, 10), (43.773, 30)]
)
def test_the_chi_square_tail_is_that_of_the_tables(statistic: float, degrees: int) -> None:
    assert _chi_square_tail(statistic, degrees) == pytest.approx(0.05, abs=2e-5)
    assert _chi_square_tail(0.0, degrees) == 1.0


def test_fair_dice_pass_and_loaded_ones_do_not() -> None:
    dice = random.Random(7)
    fair = [dice.randrange(2) for _ in range(1000)]
    assert chi_square({"a": fair.count(0), "b": fair.count(1)}) > 0.001
    assert chi_square({"a": 600, "b": 400}) < 1e-9
    assert chi_square({"a": 750, "b": 250}, {"a": 3, "b": 1}) == 1.0
    with pytest.raises(ValueError, match="nothing to test"):
        chi_square({"a": 0, "b": 0})


def test_a_rate_leaves_the_burst_and_what_came_late_out() -> None:
    report = {"bin": 0.1, "bins": [10_000_000] * 10 + [12_500] * 20 + [9_999_999] * 5}
    assert _rate(report, 3.0, 1.0) == pytest.approx(1.0)
    assert _rate({"bin": 0.1, "bins": []}, 3.0, 1.0) == 0.0


def test_announcements_of_both_families_are_whole_frames() -> None:
    seen = describe(packets.announcement("02:00:00:00:00:01", "10.0.0.1"))
    assert (seen["kind"], seen["source"], seen["destination"]) == ("arp", "10.0.0.1", "10.0.0.1")
    frame = packets.announcement("02:00:00:00:00:01", "2001:db8::1")
    seen = describe(frame)
    assert (seen["kind"], seen["icmp_type"], seen["ttl"], seen["source"]) == ("icmp6", 136, 255, "2001:db8::1")
    body = frame[54:]
    assert packets.checksum(frame[22:54] + struct.pack("!II", len(body), 58) + body) == 0


def test_a_frame_of_ipv6_is_described_with_its_ports_and_dscp() -> None:
    segment = packets.tcp("2001:db8::1", "2001:db8::2", 40000, 443)
    packet = packets.ipv6("2001:db8::1", "2001:db8::2", 6, segment, 9)
    marked = struct.pack("!I", 6 << 28 | 46 << 22) + packet[4:]
    seen = describe(packets.ethernet("02:00:00:00:00:02", "02:00:00:00:00:01", packets.ETHERTYPE_IPV6, marked))
    assert (seen["kind"], seen["dscp"], seen["ttl"]) == ("tcp", 46, 9)
    assert (seen["source_port"], seen["destination_port"], seen["flags"]) == (40000, 443, 2)
    pseudo = packet[8:40] + struct.pack("!II", len(segment), 6)
    assert packets.checksum(pseudo + segment) == 0
