"""Random questions in a network that uses every edge service at once: real packets go where trace says.

The network is that of `tests/unit/compile/service_lines.py`: NAT, load balancers, redirects, shared domains, virtual
and floating IPs, limits, mirrors, in both IP versions; everybody is somewhere else for each seed. Copies of mirrors are
left out of account, and where a hash decides the packet must go one of the ways.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from controller.compile import Location, State
from controller.trace import Compiled, Question, Trace, Verdict, trace
from data.addresses import address
from data.path import Path
from data.schema.objects import Vport
from data.steps import at_once
from tests.system.random_policies import HYPERVISORS, PORTS
from tests.system.real_packets import RealPackets, wired
from tests.system.trace.answered import compiled, path_of, program, really
from tests.unit.compile.service_lines import everything

DOMAINS = ("infra/svc", "acme/prod", "bolt/prod")
VPORTS = ("v0", "v1", "v2", "v3", "v4", "s0")
GETS_COPIES = "v4"
QUESTIONS = 12  # for each seed
FEW, MANY = 3, 40
OWN = {"infra": ("172.16.0.", "fd00:16::"), "acme": ("10.1.1.", "fd00:1::"), "bolt": ("10.1.1.", "fd00:1::")}
ENDS = (1, 66, 100, 200, 210, 220)  # gateway, nobody, load balancer, virtual IP, floating IP, source NAT
OUTSIDE = {
    4: ("172.16.0.10", "172.16.0.100", "172.16.0.210", "198.51.100.13", "203.0.113.9", "8.8.8.8"),
    6: ("fd00:16::10", "fd00:16::100", "2001:db8::7"),
}
ARRIVES = (Verdict.DELIVERED, Verdict.LEFT)


def placed(dice: random.Random) -> dict[str, Location]:
    """Most of them somewhere."""
    where: dict[str, Location] = {}
    used = Counter[str]()
    for name in (f"{domain}/{vport}" for domain in DOMAINS for vport in (*VPORTS, "b0")):
        hypervisor = dice.choice(HYPERVISORS)
        if dice.random() < 0.93 and used[hypervisor] < PORTS:
            used[hypervisor] += 1
            where[name] = Location(hypervisor, used[hypervisor])
    return where


def asked(dice: random.Random, state: State, source: Path) -> Question:
    """A question about a packet of a vport, with all that a real one needs."""
    vport = state.view.get(source)
    assert isinstance(vport, Vport)
    version = dice.choice((4, 4, 6))
    own = next(ip for ip in map(address, vport.address) if ip.version == version)
    others = [
        text
        for _, body in state.view.objects(Vport, source[:4])
        for text in body.address
        if address(text).version == version and address(text) != own
    ]
    services = [f"{OWN[source[1]][version == 6]}{end}" for end in ENDS]
    to = dice.choice(others if dice.random() < 0.5 else [*services, *OUTSIDE[version]])
    protocol, port = dice.choice((("6", 80), ("6", 443), ("17", 80), (None, None), (None, None)))
    return Question(
        source, address(to), source_address=own, protocol=protocol or ("1" if version == 4 else "58"),
        source_port=dice.randrange(20000, 60000), destination_port=port, icmp_type=8 if version == 4 else 128,
        reply=True,
    )  # fmt: skip


def difference(
    state: State, where: dict[str, Location], told: Trace, out: list[Location], back: list[Location]
) -> str | None:
    """What trace said otherwise, in words; None when it was right."""

    def place(path: Path | None) -> Location:
        found = None if path is None else state.place(path)
        assert found is not None
        return found.location

    expected = {place(way.receiver) for way in told.ways if way.receiver and way.verdict in ARRIVES}
    if told.verdict is Verdict.ANSWERED:
        expected = {place(told.question.source)}
    replies = [way.reply for way in told.ways if way.reply is not None and way.reply.verdict is Verdict.DELIVERED]
    answered = {place(reply.receiver) for reply in replies if reply.receiver}
    copies = {location for name, location in where.items() if name.endswith(GETS_COPIES)}
    came, returned = ({one for one in places if one in due or one not in copies}
                      for places, due in ((out, expected), (back, answered)))  # fmt: skip
    right = came <= expected and bool(came) == bool(expected) and returned <= answered
    if right and (bool(returned) == bool(answered) or Verdict.LEFT in {way.verdict for way in told.ways}):
        return None
    hops = "\n".join(f"  {hop.dvrs} {hop.table} {hop.words}" for way in told.ways for hop in way.hops)
    return f"{told.packet}: {told.verdict} {told.reason}; came to {out}, {back}, not {expected}, {answered}\n{hops}"


async def decide(seeds: range) -> None:
    """Fails with everything that trace said otherwise."""
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    lines = [line for line in everything() if "flow-export" not in line and "l2-domain" not in line]
    async with wired() as real:
        for seed in seeds:
            dice = random.Random(seed)
            where = placed(dice)
            state = compiled(lines, where)
            await program(real, state)
            senders = [name for name in where if not name.endswith("b0")]
            for _ in range(QUESTIONS):
                question = asked(dice, state, path_of(state.view, dice.choice(senders)))
                told = at_once(trace(state, question, Compiled(state, question.source[:4])))
                counted[str(told.verdict)] += 1
                words = await _tried(real, state, where, question, told)
                if words is not None:
                    wrong.append(f"seed {seed}: {words}")
    print(f"seeds {seeds}: {dict(counted)}")
    assert not wrong, "\n\n".join(wrong[:4])
    assert counted["delivered"] > len(seeds) * QUESTIONS / 3, "packets are delivered"


async def _tried(
    real: RealPackets, state: State, where: dict[str, Location], question: Question, told: Trace
) -> str | None:
    out, back = await really(real, state, question)
    return difference(state, where, told, out, back)


async def test_packets_through_every_service_at_once_go_where_trace_says() -> None:
    await decide(range(FEW))


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_480_more_do_so_too() -> None:
    await decide(range(FEW, FEW + MANY))
