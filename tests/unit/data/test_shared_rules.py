"""What a commit must not contain about mirrors and virtual IPs, beside what `test_service_rules.py` says."""

from __future__ import annotations

import pytest

from tests.unit.data.test_service_rules import HERE, problems

VIP = f"set {HERE} virtual-ip 10.1.1.101"
VIRTUAL = "00:00:5e:00:01:65"


@pytest.mark.parametrize(
    ("lines", "path", "cause"),
    [
        (
            [f"set {HERE} virtual-ip 10.1.1.100 vport [ web-1 lan ]"],
            f"{HERE} virtual-ip 10.1.1.100 vport",
            "lan is a bridge vport",
        ),
        (
            [f"set {HERE} virtual-ip 10.1.1.100 mac {VIRTUAL}", f"{VIP} vport web-1", f"{VIP} mac {VIRTUAL}"],
            f"{HERE} virtual-ip 10.1.1.101 mac",
            "already that of virtual-ip 10.1.1.100",
        ),
        (
            [f"set {HERE} virtual-ip 10.1.1.100 mac {VIRTUAL}", f"set {HERE} vport app-1 mac {VIRTUAL}"],
            f"{HERE} virtual-ip 10.1.1.100 mac",
            "already that of vport app-1",
        ),
        (
            ["set dvrs hv1 tunnel-address 172.31.0.1", f"delete {HERE} mirror tap to",
             f"set {HERE} mirror tap collector 2001:db8::9"],
            f"{HERE} mirror tap collector",
            "no IPv6 address in the underlay",
        ),
    ],
)  # fmt: skip
def test_a_problem_names_its_place_and_its_cause(lines: list[str], path: str, cause: str) -> None:
    found = problems(*lines)
    assert [(one.path_text, cause in one.cause) for one in found] == [(path, True)], found
    assert found[0].remedy


def test_a_collector_of_the_family_of_the_underlay_and_a_mac_of_its_own_are_right() -> None:
    lines = [
        "set dvrs hv1 tunnel-address 172.31.0.1", f"delete {HERE} mirror tap to",
        f"set {HERE} mirror tap collector 172.31.0.9", f"{VIP} vport web-1", f"{VIP} mac {VIRTUAL}",
    ]  # fmt: skip
    assert problems(*lines) == []
