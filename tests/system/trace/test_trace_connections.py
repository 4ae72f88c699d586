"""What trace says of fragments, and of packets in the middle of a connection, is what they do.

Fragments: packets of random policies are cut in two and both parts sent, each with a tag of its own. Connections: they
begin, with real packets, while everything is allowed; then the random policy comes, and each goes on: a packet of the
side that began, an answer, an ICMP error about it. All of them must come out where trace says. And once more with
ofproto/trace, which believes what it is told of connections.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from controller.compile import Location, State
from controller.compile.addresses import mac
from controller.trace import Compiled, Connection, Fragment, Question, Trace, Verdict, trace
from data.addresses import address
from data.path import Path
from data.schema.objects import Vport
from data.steps import at_once
from tests.system import random_policies
from tests.system.frames import Tagged, answer_to, ask_for, asks, complaint_about, cut, frame_of, heard
from tests.system.random_policies import Case
from tests.system.real_packets import RealPackets, wired
from tests.system.reference import Packet
from tests.system.traced import Journey, compiled, fabric, program

FRAGMENTS = 60  # packets that are cut up
CONNECTIONS = 40
TOLD = 120  # packets that ofproto/trace is asked about
ECHO = {1: 8, 58: 128}
POLICY = ("ingress-policy", "egress-policy", "ingress-default", "egress-default")
STATES = {
    "new": Connection.NEW, "established": Connection.ESTABLISHED, "reply": Connection.ANSWER,
    "related": Connection.RELATED,
}  # fmt: skip


@dataclass(slots=True)
class Going:
    """A packet that is sent, what trace says of it, and where it came out."""

    tag: int
    told: Trace
    frame: bytes
    where: Location
    came: tuple[Location, ...] = ()


def whole(state: State, case: Case) -> Iterator[tuple[Path, Question]]:
    """Packets of a case that begin a connection, each one of its own, to vports."""
    seen: set[tuple[object, ...]] = set()
    for source, packet in random_policies.packets(case, state.view):
        vport = body(state, source)
        ends = (source[1], packet.protocol, frozenset((packet.source, packet.destination)))
        if packet.mac != vport.mac or packet.source == packet.destination or ends in seen:
            continue
        seen.add(ends)
        icmp = packet.protocol in ECHO
        if icmp and ECHO[packet.protocol] != (128 if ":" in packet.source else 8):
            continue
        ports = packet.protocol in (6, 17, 132)
        yield source, Question(
            source,
            address(packet.destination),
            source_address=address(packet.source),
            protocol=str(packet.protocol),
            source_port=(packet.source_port or 40000) if ports else None,
            destination_port=(packet.destination_port or 80) if ports else None,
            icmp_type=ECHO[packet.protocol] if icmp else None,
            dscp=packet.dscp or 0,
        )  # fmt: skip


def body(state: State, path: Path) -> Vport:
    found = state.view.get(path)
    assert isinstance(found, Vport) and found.mac is not None
    return found


def say(state: State, question: Question) -> Trace:
    return at_once(trace(state, question, Compiled(state, question.source[:4])))


def expected(state: State, told: Trace) -> tuple[Location, ...]:
    """Where trace says that a packet comes out."""
    way = told.ways[0]
    place = None
    if told.verdict is Verdict.ANSWERED:
        place = state.place(told.question.source)
    elif told.verdict is Verdict.DELIVERED and way.receiver is not None:
        place = state.place(way.receiver)
    return () if place is None else (place.location,)


def wrong(state: State, going: Going) -> str | None:
    """What trace said otherwise, in words."""
    if going.came == expected(state, going.told):
        return None
    way = going.told.ways[0]
    hops = "\n".join(f"  {hop.dvrs} {hop.table} {hop.words}" for hop in way.hops)
    return f"{going.told.packet} from {going.where} came out at {going.came}\n{hops}\n  {way.verdict}: {way.reason}"


async def neighbours(real: RealPackets, state: State, found: list[tuple[Path, Question]]) -> list[bytes | None]:
    """The MAC address that each packet is sent to."""
    real.forget()
    asked = [one for one in found if asks(state, *one)]
    came = await real.send([(place(state, source), ask_for(state, source, question)) for source, question in asked])
    return [heard(state, source, question, came.get(place(state, source), [])) for source, question in found]


def place(state: State, path: Path) -> Location:
    found = state.place(path)
    assert found is not None
    return found.location


async def send(real: RealPackets, going: list[Going]) -> None:
    came = Tagged(await real.send([(one.where, one.frame) for one in going]))
    for one in going:
        one.came = came.places(one.tag)


# Fragments --------------------------------------------------------------------------------------------------------


async def fragments_of(real: RealPackets, seed: int, counted: Counter[str]) -> list[str]:
    case = random_policies.case(seed)
    state = compiled(case)
    await program(real.hypervisors, state)
    found = list(whole(state, case))
    known = await neighbours(real, state, found)
    real.forget()
    going: list[Going] = []
    for nth, ((source, question), to) in enumerate(zip(found, known, strict=True)):
        if to is None:
            continue
        tags = (2 * nth, 2 * nth + 1)
        for tag, part, frame in zip(tags, Fragment, cut(state, source, question, to, tags), strict=True):
            told = say(state, replace(question, fragment=part))
            going.append(Going(tag, told, frame, place(state, source)))
    await send(real, going)
    counted["fragments"] += len(going)
    counted["arrived"] += sum(bool(one.came) for one in going)
    counted["waited"] += sum("waits" in one.told.reason for one in going)
    counted["policies"] += 1
    return [words for one in going if (words := wrong(state, one))]


async def test_fragments_come_out_where_trace_says() -> None:
    counted: Counter[str] = Counter()
    found: dict[int, list[str]] = {}
    seed = 20_000
    async with wired() as real:
        while counted["fragments"] < 2 * FRAGMENTS:
            if differ := await fragments_of(real, seed, counted):
                found[seed] = differ
            seed += 1
    print(dict(counted))
    assert not found, "\n".join(f"seed {seed}: {told}" for seed, each in found.items() for told in each[:3])
    assert counted["arrived"] > FRAGMENTS / 4 and counted["waited"]


# The middle of a connection ---------------------------------------------------------------------------------------


def open_case(case: Case) -> Case:
    """The same network in which everybody may talk to everybody."""
    lines = [line for line in case.lines if not any(word in line.split() for word in POLICY)]
    for domain in case.domains:
        for side in ("ingress", "egress"):
            lines.append(f"set {' '.join(domain)} {side}-policy all entry 1 action allow stateful")
    return replace(case, lines=lines)


async def connections_of(real: RealPackets, seed: int, counted: Counter[str]) -> list[str]:
    case = random_policies.case(seed)
    state = compiled(case)
    opened = compiled(open_case(case))
    await program(real.hypervisors, opened)
    found = [one for one in whole(opened, case) if str(one[1].source_address) in body(opened, one[0]).address]
    known = await neighbours(real, opened, found)
    real.forget()
    began = [(nth, *one, to) for nth, (one, to) in enumerate(zip(found, known, strict=True)) if to is not None]
    frames = [
        (place(opened, source), frame_of(opened, source, question, to, nth)) for nth, source, question, to in began
    ]
    came = Tagged(await real.send(frames))
    answers = [(where, answer) for nth, *_ in began for where, sent in came.frames(nth) if (answer := answer_to(sent))]
    back = Tagged(await real.send(answers))
    await program(real.hypervisors, state)
    for name in real.hypervisors:
        real.ask(name, "revalidator/purge")
    going: list[Going] = []
    vports = {place(state, path): path for path, _ in state.view.objects(Vport) if state.place(path) is not None}
    for nth, source, question, to in began:
        if not back.places(nth):
            continue
        counted["connections"] += 1
        ((where, sent),) = came.frames(nth)
        for tag, (sender, asked) in enumerate(after(source, vports[where], question), 1000 + 3 * nth):
            hardware = to if sender == source else sent[6:12]
            if asked.connection is Connection.RELATED:
                frame = complaint_about(sent, mac(body(state, sender).mac or ""), tag)
            else:
                frame = frame_of(state, sender, asked, hardware, tag, about=nth)
            going.append(Going(tag, say(state, asked), frame, place(state, sender)))
    await send(real, going)
    for one in going:
        counted[f"{one.told.question.connection} {one.told.verdict}"] += 1
    return [words for one in going if (words := wrong(state, one))]


def after(source: Path, receiver: Path, question: Question) -> Iterator[tuple[Path, Question]]:
    """What a connection goes on with."""
    assert isinstance(question.destination, type(question.source_address)) and question.source_address is not None
    yield source, replace(question, connection=Connection.ESTABLISHED)
    answer = replace(
        question, source=receiver, destination=question.source_address, source_address=question.destination,
        source_port=question.destination_port, destination_port=question.source_port,
        icmp_type=None if question.icmp_type is None else {8: 0, 128: 129}[question.icmp_type],
        connection=Connection.ANSWER,
    )  # fmt: skip
    yield receiver, answer
    kind = "58" if question.source_address.version == 6 else "1"
    yield receiver, replace(
        answer, protocol=kind, icmp_type=None, source_port=None, destination_port=None, dscp=0,
        connection=Connection.RELATED,
    )  # fmt: skip


async def test_a_connection_that_there_is_goes_on_under_another_policy_as_trace_says() -> None:
    counted: Counter[str] = Counter()
    found: dict[int, list[str]] = {}
    seed = 30_000
    async with wired() as real:
        while counted["connections"] < CONNECTIONS:
            if differ := await connections_of(real, seed, counted):
                found[seed] = differ
            seed += 1
    print(dict(counted))
    assert not found, "\n".join(f"seed {seed}: {told}" for seed, each in found.items() for told in each[:3])
    for said in ("established", "answer"):
        assert counted[f"{said} delivered"] and counted[f"{said} denied"]


# As ofproto/trace says it -----------------------------------------------------------------------------------------


async def test_ofproto_trace_says_the_same_of_connections_and_fragments() -> None:
    found, counted = [], Counter[str]()
    dice = random.Random(7)
    async with fabric() as hypervisors:
        seed = 40_000
        while counted["packets"] < TOLD:
            case = random_policies.case(seed)
            state = compiled(case)
            await program(hypervisors, state)
            for source, question in whole(state, case):
                word = dice.choice(list(STATES))
                part = dice.choice((None, None, *Fragment))
                if word == "related":
                    kind = "58" if question.source_address and question.source_address.version == 6 else "1"
                    question = replace(question, protocol=kind, source_port=None, destination_port=None, icmp_type=None)
                question = replace(question, connection=STATES[word], fragment=part, icmp_type=None)
                told = say(state, question)
                journey = Journey(hypervisors, state, source, as_told(state, question, word))
                counted["packets"] += 1
                counted[f"{word} {part or 'whole'}"] += 1
                if "waits" in told.reason:  # ofproto/trace waits for nothing
                    counted["waits"] += 1
                elif tuple(journey.arrived) != expected(state, told):
                    found.append(
                        f"seed {seed}: {told.packet}: {told.reason}, and not {journey.arrived}\n{journey.told}"
                    )
            seed += 1
    print(dict(counted))
    assert not found, "\n\n".join(found[:3])


def as_told(state: State, question: Question, word: str) -> Packet:
    """The packet of a question for ofproto/trace."""
    protocol = int(question.protocol or 0)
    kind = {"related": {1: 3, 58: 1}, "reply": {1: 0, 58: 129}}.get(word, ECHO).get(protocol)
    later = question.fragment is Fragment.LATER
    if later and ":" in str(question.destination):
        protocol = 44  # the fragment header: `test_fragments_come_out_where_trace_says` sends real ones
    return Packet(
        body(state, question.source).mac or "", str(question.source_address), str(question.destination), protocol,
        source_port=None if later else question.source_port,
        destination_port=None if later else question.destination_port,
        icmp_type=None if later else kind, icmp_code=None if later or kind is None else 0, dscp=question.dscp,
        fragment=str(question.fragment or "no"), ingress=word, egress=word,
    )  # fmt: skip
