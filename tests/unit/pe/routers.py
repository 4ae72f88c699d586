"""A router's part of two domains, and the same with a later policy, for every driver."""

from __future__ import annotations

from dataclasses import replace

from controller.pe.intent import PeIntent, PeVrf

DRIVERS = ("eos", "frr", "ios", "iosxr", "junos", "nxos")
KEY = 'S3cr"et'
ACME = PeVrf(
    "nsh-acme", "65001:5", ("65000:1",), ("65000:1",), ("Ethernet5",), ("10.9.0.0/24", "2001:db8:9::/64")
)  # fmt: skip
RED = PeVrf("nsh-red", "65001:6", ("65000:2", "65000:9"), ("65000:2",))


def both(driver: str) -> PeIntent:
    """Two VRFs, all families, a key, two hypervisors."""
    return PeIntent(
        driver, 65001, "192.0.2.1", 65000, "192.0.2.11", ("vpnv4", "vpnv6", "evpn"), 90, 255, None, True,
        "192.0.2.11", ("172.31.0.1", "172.31.0.2"), (ACME, RED),
    )  # fmt: skip


def later(driver: str) -> PeIntent:
    """One VRF with another export target and without an interface; IPv4 alone; no key; another hold time and TTL."""
    acme = replace(ACME, exports=("65000:7",), interfaces=(), prefixes=("10.9.0.0/24",))
    return replace(
        both(driver), families=("vpnv4",), hold_time=30, ttl=3, locked=False, tunnels=("172.31.0.2",),
        vrfs=(acme,),
    )  # fmt: skip
