"""500 random policies on real switches decide packets as the reference does that was written from their definition.

Read `random_policies.py` for what is random, `reference.py` for the definition, `traced.py` for what the switches say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from controller.compile import Location, State
from data.errors import NshellError
from data.path import Path
from data.schema.objects import Vport
from tests.system.random_policies import Case, case, packets
from tests.system.reference import Packet, Reference
from tests.system.traced import Hypervisor, InvalidCase, Journey, compiled, fabric, program

FORMER = (2, 18, 127, 137, 146, 180, 239, 276, 308, 330, 345, 365, 366, 404, 417, 451, 474)
"""Seeds of cases that the switches once decided otherwise than the reference; they always run first."""
_NETWORK = """
set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set enterprise acme domain prod zone z0 subnet s0 prefix 10.1.1.0/24
set enterprise acme domain prod vport v0 subnet s0 mac 02:00:00:00:00:10 address 10.1.1.2
set enterprise acme domain prod vport v1 subnet s0 mac 02:00:00:00:00:11 address 10.1.1.3
"""
_V0 = Packet("02:00:00:00:00:10", "10.1.1.2", "10.1.1.3", 6)
FORMER_CASES = {
    "a deny of one DSCP refused all replies": (
        "egress-default deny",
        "ingress-policy p entry 1 dscp 46 action deny",
        "ingress-policy p entry 2 to vport v0 action allow stateful",
        "ingress-policy p entry 3 action allow",
        replace(_V0, source_port=80, destination_port=4000, ingress="new", egress="reply"),
    ),
    "a stateless entry with a DSCP took replies from the stateful one behind it": (
        "ingress-default deny",
        "egress-policy p entry 1 protocol tcp destination-port 80 dscp 46 action allow",
        "egress-policy p entry 2 protocol tcp destination-port 80 action allow stateful",
        "egress-policy p entry 3 from vport v0 action allow",
        replace(_V0, source_port=80, destination_port=4000, ingress="reply", egress="new"),
    ),
    "a deny of one ICMP code refused the replies to all others": (
        "ingress-default deny",
        "egress-policy p entry 1 protocol icmp icmp-type 8 icmp-code 1 action deny",
        "egress-policy p entry 2 protocol icmp action allow stateful",
        replace(_V0, protocol=1, icmp_type=0, icmp_code=0, ingress="reply", egress="new"),
    ),
    "an ICMP code without a type stood for every code": (
        "ingress-policy p entry 1 protocol icmp icmp-code 1 action deny",
        "ingress-policy p entry 2 action allow",
        replace(_V0, protocol=1, icmp_type=3, icmp_code=0),
    ),
    "an entry for echo replies met fragments of any ICMP message": (
        "ingress-policy p entry 1 protocol icmp icmp-type 0 action deny",
        "ingress-policy p entry 2 action allow",
        replace(_V0, protocol=1, fragment="later"),
    ),
}
"""The same, each made as small as it gets by hand: what a seed makes changes with the generator."""
POLICIES = 500
MANY = 5000
TOLD = 3  # disagreements that are told in full


def disagreement(
    hypervisors: Mapping[str, Hypervisor], state: State, sender: Path, packet: Packet
) -> tuple[str | None, bool]:
    """What the switches say of a packet that the reference does not, in words; None when both agree. And whether
    somebody gets it, as the reference says."""
    resolved = {path for path, _ in state.view.objects(Vport) if state.place(path) is not None}
    receiver = Reference(state.view, sender[:4], resolved).fate(sender, packet)
    place = None if receiver is None else state.place(receiver)
    journey = Journey(hypervisors, state, sender, packet)
    if journey.arrived == ([] if place is None else [place.location]):
        return None, place is not None
    where = "nobody" if receiver is None else receiver[-1]
    return (
        f"{sender[-1]} sends {packet}\nto {where}, says the reference; it came to {journey.arrived}\n{journey.told}",
        place is not None,
    )


async def smaller(hypervisors: Mapping[str, Hypervisor], made: Case, sender: Path, packet: Packet) -> list[str]:
    """The lines of a case without those that the disagreement does not need."""
    needed = made.lines
    for line in reversed(made.lines):
        fewer = Case(made.seed, [each for each in needed if each is not line], made.places, made.domains)
        try:
            state = compiled(fewer)
        except (InvalidCase, NshellError):
            continue  # others name what the line makes
        if state.place(sender) is None:
            continue
        await program(hypervisors, state)
        if disagreement(hypervisors, state, sender, packet)[0]:
            needed = fewer.lines
    return needed


async def decide(seeds: Iterable[int]) -> None:
    """Run the cases of these seeds; fails at the end, naming all seeds of disagreements."""
    wrong: dict[int, str] = {}
    policies = traced = delivered = 0
    async with fabric() as hypervisors:
        for seed in dict.fromkeys(seeds):
            made = case(seed)
            state = compiled(made)
            await program(hypervisors, state)
            policies += 1
            for sender, packet in packets(made, state.view):
                traced += 1
                told, arrived = disagreement(hypervisors, state, sender, packet)
                delivered += arrived
                if told is None:
                    continue
                if len(wrong) < TOLD:
                    told = f"seed {seed}:\n" + "\n".join(await smaller(hypervisors, made, sender, packet)) + f"\n{told}"
                wrong[seed] = told
                break
    print(f"{policies} policies, {traced} packets, {delivered} of them delivered")
    assert not wrong, f"seeds {list(wrong)}\n\n" + "\n\n".join(list(wrong.values())[:TOLD])
    assert traced / 5 < delivered < traced * 4 / 5, "neither verdict is rare"


async def test_what_was_once_decided_otherwise_is_decided_by_definition() -> None:
    prod = ("enterprise", "acme", "domain", "prod")
    places = {("acme", "v0"): Location("hv1", 1), ("acme", "v1"): Location("hv2", 1)}
    async with fabric() as hypervisors:
        for what, (*entries, packet) in FORMER_CASES.items():
            lines = [*_NETWORK.split("\n"), *(f"set enterprise acme domain prod {entry}" for entry in entries)]
            state = compiled(Case(0, [line for line in lines if line], places, [prod]))
            await program(hypervisors, state)
            assert isinstance(packet, Packet)
            told, _ = disagreement(hypervisors, state, (*prod, "vport", "v0"), packet)
            assert told is None, f"{what}: {told}"


@pytest.mark.fuzz
async def test_500_random_policies_decide_packets_as_their_definition_does() -> None:
    await decide([*FORMER, *range(POLICIES)])


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_5000_more_random_policies_do_so_too() -> None:
    await decide(range(POLICIES, POLICIES + MANY))
