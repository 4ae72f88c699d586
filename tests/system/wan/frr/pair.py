"""Two FRR routers in namespaces that speak BGP to each other, and NAPALM drivers for the first of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from agent import namespaces
from controller.pe.frr import FrrDriver
from nshell.lab import spaces
from nshell.lab.wan.frr import Frr

PATIENCE = 120  # seconds; a commit takes half a second on an idle machine
RELOAD = Path("/usr/lib/frr/frr-reload.py")
SECRET = "opensesame"

OURS = """
interface wire
 ip address 10.9.0.1/24
 ipv6 address 2001:db8:9::1/64
exit
ip route 10.77.0.0/16 Null0
router bgp 65000
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor UP peer-group
 neighbor UP remote-as 65001
 neighbor 10.9.0.2 peer-group UP
 neighbor 10.9.0.2 description far end
 neighbor 10.9.0.9 remote-as 65009
 neighbor 10.9.0.9 shutdown
 address-family ipv4 unicast
  neighbor 10.9.0.2 maximum-prefix 1000 80
 exit-address-family
exit
router bgp 65000 vrf RED
 address-family ipv4 unicast
  rd vpn export 65000:100
  rt vpn both 65000:100
  label vpn export auto
  export vpn
  import vpn
 exit-address-family
exit
"""
THEIRS = """
interface lo
 ip address 8.8.8.8/32
exit
interface wire
 ip address 10.9.0.2/24
 ipv6 address 2001:db8:9::2/64
exit
ip route 1.0.4.0/24 Null0
ip route 1.0.4.128/25 Null0
router bgp 65001
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 neighbor 10.9.0.1 remote-as 65000
 address-family ipv4 unicast
  network 1.0.4.0/24
  network 1.0.4.128/25
  network 8.8.8.8/32
 exit-address-family
exit
"""


class Pair:
    """Our router, whose driver is tested, and the neighbour it has a wire to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        stem = f"nf{os.getpid()}"
        self.names = (f"{stem}a", f"{stem}b")
        self.routers = [Frr(name, namespaces.of_name(name)) for name in self.names]

    def start(self) -> None:
        spaces.ensure(dict.fromkeys(self.names, (spaces.Ipv6.STATIC, True)))
        first, second = self.names
        spaces.batch([
            f"link add wire netns {first} type veth peer name wire netns {second}",
        ])  # fmt: skip
        for name in self.names:
            subprocess.run(["ip", "-n", name, "link", "set", "wire", "up"], check=True)
        for router, text in zip(self.routers, (OURS, THEIRS), strict=True):
            router.start(["frr defaults traditional", "service integrated-vtysh-config", *text.splitlines()])
        self.routers[0].save()

    def close(self) -> None:
        for router in self.routers:
            router.stop()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def options(self, **more: Any) -> dict[str, Any]:
        first = self.names[0]
        return {"transport": "local", "instance": first, "netns": first,
                "state_directory": str(self.folder / "state"), **more}  # fmt: skip

    def driver(self, **more: Any) -> FrrDriver:
        driver = FrrDriver("", "", "", optional_args=self.options(**more))
        driver.open()
        return driver

    @property
    def state(self) -> Path:
        return self.folder / "state" / f"instance.{self.names[0]}"

    def idle(self) -> bool:
        """Whether no commit is under way or waits."""
        taken = subprocess.run(["flock", "-n", str(self.state / "lock"), "true"], check=False).returncode
        return taken == 0 and not (self.state / "changing").exists() and not (self.state / "pending").exists()


def running(driver: FrrDriver) -> str:
    text: str = driver.get_config("running")["running"]
    return text


def startup(driver: FrrDriver) -> str:
    text: str = driver.get_config("startup")["startup"]
    return text


def described(text: str, words: str) -> str:
    """The configuration with another description of the neighbour."""
    assert "description far end" in text
    return text.replace("description far end", f"description {words}")


def merge(words: str, *, neighbor: str = "10.9.0.2") -> str:
    return f"router bgp 65000\n neighbor {neighbor} description {words}\nexit\n"
