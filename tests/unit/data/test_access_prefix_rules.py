"""What the access-prefix of a shared domain must not hold, and that no advice fails on what names a subnet."""

from __future__ import annotations

import pytest

from data.rules import check
from tests.unit.data.examples import edited, running

DNS = "enterprise ops domain dns"
SHARED = f"""\
set {DNS} zone z subnet s prefix 10.99.0.0/24
set {DNS} vport a subnet s mac 02:00:00:00:00:0a address 10.99.0.2
set {DNS} shared access-prefix 198.18.0.0/16
set {DNS} floating-ip 192.0.2.10 vport a
set {DNS} source-nat out address 192.0.2.20 from subnet s
set {DNS} load-balancer www address 192.0.2.30 port 80
"""


def said(*lines: str) -> list[str]:
    before = running(SHARED)
    candidate = edited(before, *lines)
    return [f"{one.path_text}: {one.cause}" for one in check(candidate.view, candidate.merge(), before)]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (f"set {DNS} floating-ip 198.18.0.1 vport a", "floating-ip 198.18.0.1"),
        (f"set {DNS} source-nat out address 198.18.0.1", "source-nat out address"),
        (f"set {DNS} load-balancer www address 198.18.0.1", "load-balancer www address"),
    ],
)
def test_a_service_has_no_access_address(line: str, where: str) -> None:
    cause = "it lies in access-prefix 198.18.0.0/16 of its domain, where each address is that of a user"
    assert f"{DNS} {where}: {cause}" in said(line)


@pytest.mark.parametrize(
    ("address", "what"),
    [("192.0.2.10", "floating-ip 192.0.2.10"), ("192.0.2.20", "source-nat out"), ("192.0.2.30", "load-balancer www")],
)
def test_an_access_prefix_holds_no_address_of_a_service(address: str, what: str) -> None:
    prefix = f"{address.rpartition('.')[0]}.{int(address.rpartition('.')[2]) // 4 * 4}/30"
    assert said(f"set {DNS} access-prefix {prefix}") == [f"{DNS} access-prefix: {prefix} holds the address of {what}"]


def test_both_in_one_commit_are_told_once() -> None:
    lines = f"set {DNS} access-prefix 203.0.113.0/24", f"set {DNS} floating-ip 203.0.113.9 vport a"
    found = said(f"delete {DNS} floating-ip 192.0.2.10", *lines)
    assert [one.partition(":")[0] for one in found] == [f"{DNS} floating-ip 203.0.113.9"]


@pytest.mark.parametrize("prefix", ["203.0.113.7/32", "203.0.113.6/31", "fd00::7/128", "224.0.0.0/8", "ff00::/16"])
def test_an_access_prefix_has_addresses_of_hosts(prefix: str) -> None:
    found = said(f"set {DNS} access-prefix {prefix}")
    assert len(found) == 1 and found[0].startswith(f"{DNS} access-prefix: {prefix} "), found


def test_advice_of_a_free_address_passes_over_what_names_the_subnet_and_is_no_vport() -> None:
    found = said(f"set {DNS} vport b subnet s mac 02:00:00:00:00:0b address 10.98.0.2")
    assert found == [f"{DNS} vport b address: 10.98.0.2 is outside subnet s (10.99.0.0/24)"]
