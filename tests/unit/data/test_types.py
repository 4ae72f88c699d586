"""Values of both address families: canonical texts, and what is no address of one host."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.addresses import Ip, address, prefix
from data.networks import network, networks
from data.schema.objects import Subnet
from data.schema.types import (
    ADDRESS,
    ADDRESS_4,
    ADDRESS_6,
    DOMAIN_NAME,
    LISTEN_ADDRESS,
    PREFIX,
    SUBNET_PREFIX,
    SUBNET_PREFIX_6,
    BadValue,
    ValueType,
)

any_address = st.ip_addresses()


@given(any_address)
def test_an_address_is_the_number_that_the_standard_library_makes(ip: ipaddress.IPv4Address) -> None:
    assert address(str(ip)) == Ip(ip.version, int(ip))
    assert ipaddress.ip_address(str(Ip(ip.version, int(ip)))) == ip
    assert Ip(ip.version, int(ip)).packed == ip.packed


@given(any_address, any_address, st.data())
def test_prefixes_hold_what_the_standard_library_says(
    ip: ipaddress.IPv4Address, other: ipaddress.IPv4Address, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, ip.max_prefixlen))
    known = ipaddress.ip_network(f"{ip}/{length}", strict=False)
    mine = prefix(f"{ip}/{length}")
    assert ipaddress.ip_network(str(mine)) == known
    assert mine.length == known.prefixlen and mine.covers(address(str(ip)))
    assert (mine.first.number, mine.last.number) == (int(known[0]), int(known[-1]))
    assert mine.covers(address(str(other))) == (other in known)
    longer = data.draw(st.integers(0, other.max_prefixlen))
    second = ipaddress.ip_network(f"{other}/{longer}", strict=False)
    inside = second.version == known.version and second.subnet_of(known)  # type: ignore[arg-type]
    assert mine.holds(prefix(str(second))) == inside


@pytest.mark.parametrize(
    ("type", "word", "value"),
    [
        (ADDRESS, "2001:DB8:0:0::11", "2001:db8::11"),
        (ADDRESS, "10.1.1.11", "10.1.1.11"),
        (ADDRESS_6, "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        (LISTEN_ADDRESS, "::", "::"),
        (LISTEN_ADDRESS, "0:0::1", "::1"),
        (PREFIX, "2001:DB8::/032", "2001:db8::/32"),
        (PREFIX, "::/0", "::/0"),
        (SUBNET_PREFIX_6, "2001:db8:0:1::/64", "2001:db8:0:1::/64"),
        (DOMAIN_NAME, "ops/dns", "ops/dns"),
    ],
)
def test_words_become_canonical(type: ValueType, word: str, value: str) -> None:
    assert type.parse(word) == value == type.parse(value)


@pytest.mark.parametrize(
    ("type", "word", "cause"),
    [
        (ADDRESS, "10.1.1.256", "not an IPv4 or IPv6 address"),
        (ADDRESS, "2001:db8::g", "not an IPv4 or IPv6 address"),
        (ADDRESS, "2001:db8::1%eth0", "not an IPv4 or IPv6 address"),
        (ADDRESS, "010.1.1.1", "not an IPv4 or IPv6 address"),
        (ADDRESS, "1\0.2.3.4", "not an IPv4 or IPv6 address"),
        (ADDRESS, "ff02::1", "not the address of one host"),
        (ADDRESS, "::", "not the address of one host"),
        (ADDRESS, "::ffff:10.1.1.1", "not the address of one host"),
        (ADDRESS, "fe80::1", "link-local"),
        (ADDRESS, "febf::1", "link-local"),
        (ADDRESS_4, "2001:db8::1", "not an IPv4 address"),
        (ADDRESS_6, "10.1.1.1", "not an IPv6 address"),
        (PREFIX, "2001:db8::1/64", "bits set behind the prefix length"),
        (PREFIX, "2001:db8::/129", "not an IPv4 or IPv6 prefix"),
        (PREFIX, "10.0.0.0/33", "not an IPv4 or IPv6 prefix"),
        (SUBNET_PREFIX, "2001:db8::/64", "not an IPv4 prefix"),
        (SUBNET_PREFIX_6, "10.0.0.0/24", "not an IPv6 prefix"),
        (SUBNET_PREFIX_6, "2001:db8::/127", "no room for a gateway and a vport"),
        (SUBNET_PREFIX_6, "ff00::/64", "not unicast"),
        (LISTEN_ADDRESS, "ff02::1", "not an address to listen on"),
        (DOMAIN_NAME, "dns", "not the full name of a domain"),
        (DOMAIN_NAME, "ops/dns/x", "not the full name of a domain"),
        (DOMAIN_NAME, "ops/", "not a name"),
    ],
)
def test_what_is_no_such_value_says_why(type: ValueType, word: str, cause: str) -> None:
    with pytest.raises(BadValue) as refused:
        type.parse(word)
    assert cause in refused.value.cause and refused.value.remedy


def test_a_subnet_keeps_two_addresses_of_ipv4_and_one_of_ipv6() -> None:
    subnet = Subnet(uuid="", prefix="10.1.1.0/29", ipv6_prefix="2001:db8::/64", ipv6_gateway="2001:db8::fe")
    four, six = networks(subnet)
    assert (str(four.gateway), str(four.low), str(four.high)) == ("10.1.1.1", "10.1.1.1", "10.1.1.6")
    assert (str(six.gateway), str(six.low)) == ("2001:db8::fe", "2001:db8::1")
    assert str(six.high) == "2001:db8::ffff:ffff:ffff:ffff"
    kept = [four.taken_for(address(f"10.1.1.{last}")) for last in (0, 3, 7)]
    assert kept == ["network", "", "broadcast"]
    assert six.taken_for(address("2001:db8::")) == "subnet-router anycast"
    assert network(subnet, 6) == six and network(Subnet(uuid=""), 4) is None
