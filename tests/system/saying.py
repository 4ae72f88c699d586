"""What `trace` says at a command line, and packets as they arrive elsewhere, to compare it with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from nshell.lab import Lab
from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network


@dataclass(frozen=True, slots=True)
class Said:
    """The end of a trace, and what each table decided."""

    end: str
    words: tuple[str, ...]
    reply: Said | None = None

    @property
    def ttl(self) -> int:
        """What is left of 64."""
        return min(
            (int(one.rpartition("ttl ")[2].split(" -> ")[1]) for one in self.words if "ttl 6" in one), default=64
        )


def said(network: Network, line: str) -> Said:
    """What trace says, by the flows that should be there; those that the switches hold must say the same."""
    by_intent, live = (_asked(network, f"{line}{more}") for more in ("", " live"))
    assert by_intent == live, f"{line}\n{by_intent}\n{live}"
    return by_intent


def _asked(network: Network, line: str) -> Said:
    answer: dict[str, Any] = json.loads(network.shell.run("--json", "-c", line).stdout)
    (way,) = answer["ways"]
    return _way(way)


def _way(way: Mapping[str, Any]) -> Said:
    words = tuple(hop["words"] for hop in way["hops"] if hop["decides"])
    reply = _way(way["reply"]) if "reply" in way else None
    return Said(f"{way['verdict']}: {way['reason']}", words, reply)


@contextmanager
def arriving(lab: Lab, place: str, nics: Iterable[str], expression: str, least: int = 1) -> Iterator[list[str]]:
    """The packets that are meanwhile seen on interfaces of a place, one line each; waits for so many."""
    lines: list[str] = []
    with ExitStack() as stack:
        captures = [stack.enter_context(lab.capture(place, expression, nic)) for nic in nics]
        yield lines
        wait_until(lambda: sum(len(one.read()) for one in captures) >= least, PATIENCE, 0.1)
    lines += [line for one in captures for line in one.lines]


def tunnel(line: str, here: str) -> str:
    """How a packet that a hypervisor sent arrived, in the words of trace: 'PE 172.31.255.11, MPLS label 16'."""
    gre = re.search(
        rf"{here} > ([0-9.]+): GREv0, .*proto MPLS unicast \(0x8847\).*MPLS \(label (\d+), tc 0, \[S\]", line
    )
    vxlan = re.search(rf"{here}\.\d+ > ([0-9.]+)\.4789: VXLAN, .*vni (\d+)", line)
    found = gre or vxlan
    assert found is not None, line
    return f"PE {found[1]}, MPLS label {found[2]}" if gre else f"VTEP {found[1]}, VXLAN vni {found[2]}"
