"""One state in the switches of `real_packets.py`, and one question put to them: ARP, the packet, the answer to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.compile import Location, Placement, State, compile_all, start
from controller.compile.layered import Layered
from controller.numbers import Numbers
from controller.openflow import meters
from controller.trace import Question
from data.acting import Acting, acting_edits
from data.candidate import Candidate
from data.configuration import Configuration, Overlay, Running
from data.path import Path, vport_paths
from data.rules import check
from data.schema.objects import Vport
from data.steps import at_once
from tests.system.frames import Tagged, answer_to, ask_for, frame_of, heard
from tests.system.random_policies import HYPERVISORS
from tests.system.real_packets import RealPackets
from tests.system.traced import TUNNEL_PORT


def compiled(lines: Sequence[str], where: Mapping[str, Location]) -> State:
    """The state of set lines, with vports where they are, by full name."""
    running = Running()
    candidate = Candidate(running, "test")
    candidate.apply_batch(lines, "test")
    edits, acting = candidate.edits(), Acting(running)
    acts = acting_edits(acting, edits)
    problems = check(Overlay(acting, acts), acts, acting, Overlay(running, edits))
    assert not problems, problems
    acting.apply(edits, acts, 1)
    places = {}
    for name, location in where.items():
        body = acting.get(path_of(acting, name))
        assert isinstance(body, Vport)
        places[body.uuid] = location
    placement = Placement(dict.fromkeys(HYPERVISORS, TUNNEL_PORT), Layered(places))
    return at_once(start(acting, placement, Numbers()))


def path_of(view: Configuration, name: str) -> Path:
    full = name if "/" in name else f"acme/prod/{name}"
    return next(path for path in vport_paths(full) if view.get(path) is not None)


async def program(real: RealPackets, state: State) -> None:
    """Every switch with what it must hold; meters do not go into bundles, they come first."""
    for name, hypervisor in real.hypervisors.items():
        contents = at_once(compile_all(state, name))
        await hypervisor.switch.send([message for message in contents.values() if meters.is_meter(message)])
        await hypervisor.program({key: message for key, message in contents.items() if not meters.is_meter(message)})


async def really(real: RealPackets, state: State, question: Question) -> tuple[list[Location], list[Location]]:
    """Where the packet of a question comes out, and where the answers to it do; copies of mirrors left out."""
    place = state.place(question.source)
    assert place is not None
    real.forget()
    came = await real.send([(place.location, ask_for(state, question.source, question))])
    to = heard(state, question.source, question, came.get(place.location, []))
    if to is None:
        return [], []
    frame = frame_of(state, question.source, question, to, 1)
    out = Tagged(await real.send([(place.location, frame)])).frames(1)
    answers = [(where, answer) for where, sent in out if where != place.location and (answer := answer_to(sent))]
    back = Tagged(await real.send(answers))
    return [where for where, _ in out], list(back.places(1))
