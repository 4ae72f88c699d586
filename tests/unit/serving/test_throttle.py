"""Guessing becomes slow, for the guesser most of all; time heals; memory stays small."""

from __future__ import annotations

from nshell.serving.throttle import BY_ADDRESS, BY_USER, HALF_LIFE, KEPT, Throttle, source


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def failing(throttle: Throttle, count: int, address: str = "192.0.2.1", user: str = "bob") -> float:
    """The delay after so many failures."""
    for _ in range(count):
        throttle.failed(address, user)
    return throttle.delay(address, user)


def test_delays_grow_with_failures_up_to_a_limit() -> None:
    assert [failing(Throttle(Clock()), count) for count in range(8)] == [0, 0, 0, 1, 2, 4, 8, 8]
    assert failing(Throttle(Clock()), 100_000) == BY_ADDRESS


def test_a_user_waits_little_for_what_others_tried_elsewhere_and_other_users_not_at_all() -> None:
    throttle = Throttle(Clock())
    for number in range(50):
        throttle.failed(f"192.0.2.{number}", "bob")
    assert throttle.delay("198.51.100.1", "bob") == BY_USER
    assert throttle.delay("198.51.100.1", "alice") == 0
    assert failing(throttle, 10, "192.0.2.99", "eve") == BY_ADDRESS
    assert throttle.delay("192.0.2.99", "alice") == BY_ADDRESS, "other names from the same place wait"


def test_time_heals() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    failing(throttle, 8)
    delays = []
    for _ in range(4):
        clock.now += HALF_LIFE
        delays.append(throttle.delay("192.0.2.1", "bob"))
    assert delays == [2, 0, 0, 0]


def test_an_attacker_with_many_addresses_is_forgotten_oldest_first() -> None:
    throttle = Throttle(Clock())
    for number in range(3 * KEPT):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"user{number}")
    assert len(throttle._addresses._failures) == len(throttle._users._failures) == KEPT


def test_a_host_has_a_whole_network_of_ipv6_addresses() -> None:
    assert source("2001:db8::1") == source("2001:db8::ffff:1") != source("2001:db8:0:1::1")
    assert source("fe80::1%eth0") == "fe80::/64" and source("192.0.2.1") == "192.0.2.1"
