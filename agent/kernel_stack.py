"""Keeping the kernel's own stack off interfaces that belong to Open vSwitch.

The kernel datapath takes every packet of its ports, but the userspace datapath only gets a copy: the kernel's
stack sees the packet too, and would answer VXLAN with "port unreachable", ARP a second time, and a workload that
addresses the host (Open vSwitch's userspace.rst, "Firewall Rules", does it with iptables).  Strict reverse path
filtering drops all of it, because no route points to such an interface (kernel's ip-sysctl.rst).
"""

from collections.abc import Mapping
from pathlib import Path

DEAF = {"ipv4/rp_filter": "1", "ipv4/arp_ignore": "8"}  # strict; answer no ARP
MUTE = {**DEAF, "ipv6/disable_ipv6": "1"}  # nor router solicitations and listener reports into a workload


def read(interface: str, settings: Mapping[str, str]) -> dict[str, str]:
    """What these settings of an interface are now; those the kernel does not have are left out."""
    return {key: file.read_text().strip() for key in settings if (file := _file(interface, key)).exists()}


def write(interface: str, settings: Mapping[str, str]) -> None:
    """Set them, in the namespace of the calling thread."""
    for key, value in settings.items():
        if (file := _file(interface, key)).exists():
            file.write_text(value)


def _file(interface: str, key: str) -> Path:
    family, name = key.split("/")
    return Path("/proc/sys/net") / family / "conf" / interface / name
