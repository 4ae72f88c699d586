"""A collector on the lab's underlay: a namespace with no part in the fabric, which sees what hypervisors send it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.network import Network

COLLECTOR = "172.31.0.200"


@contextmanager
def collector(network: Network) -> Iterator[str]:
    """A namespace on the underlay, by name."""
    prefix = network.lab.prefix
    name, fabric = f"{prefix}-collector", f"{prefix}-fabric"
    for words in (
        f"netns add {name}",
        f"-n {fabric} link add name collector type veth peer name eth0 netns {name}",
        f"-n {fabric} link set dev collector master fabric up",
        f"-n {name} address add {COLLECTOR}/24 dev eth0",
        f"-n {name} link set dev eth0 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
