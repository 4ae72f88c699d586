"""What `why not` offers for random packets under random policies, judged by the reference and not by our own trace."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.analysis.allowed import why_not
from controller.events import Events
from controller.network import Network
from controller.numbers import Numbers
from controller.topology import Interface
from controller.trace.question import Question, Verdict
from data.access import EVERYTHING
from data.acting import Acting, acting_edits
from data.candidate import Candidate
from data.configuration import Configuration, Overlay
from data.errors import CommandFailed
from data.path import Path, vport_name
from data.schema.objects import Vport
from tests.system.random_policies import Case, case
from tests.system.reference import PROTOCOLS, Packet, Reference
from tests.system.traced import InvalidCase, compiled
from tests.unit.analysis.office import configured

EXAMPLES = 30


def built(made: Case) -> Network:
    interfaces = [
        Interface(where.dvrs, f"tap{n}", f"{enterprise}/prod/{name}", where.port, 0.0, n)
        for n, ((enterprise, name), where) in enumerate(made.places.items())
    ]
    return Network(configured("\n".join(made.lines)), Numbers(), interfaces, Events())


def opened(where: Network, lines: tuple[str, ...]) -> Configuration:
    """What acts once these lines are committed."""
    candidate = Candidate(where.configured, "test")
    candidate.apply_batch(lines, "test")
    return Overlay(where.running, acting_edits(Acting(where.configured), candidate.edits()))


def arrives(view: Configuration, resolved: list[Path], sender: Path, packet: Packet) -> Path | None:
    return Reference(view, sender[:4], resolved).fate(sender, packet)


@given(st.integers(0, 10_000), st.sampled_from(["tcp", "udp", "sctp", "47"]), st.sampled_from([22, 80, 5432, 65535]))
@settings(max_examples=EXAMPLES, deadline=None)
async def test_what_is_offered_lets_through_what_was_stopped(seed: int, protocol: str, port: int) -> None:
    made = case(seed)
    try:
        compiled(made)
    except InvalidCase:
        return
    where = built(made)
    resolved = [("enterprise", tenant, "domain", "prod", "vport", name) for tenant, name in made.places]
    own = [path for path in resolved if path[1] == "acme" and isinstance(where.running.get(path), Vport)]
    if len(own) < 2:
        return
    sender, receiver = own[seed % len(own)], own[(seed + 1) % len(own)]
    ports = {} if protocol == "47" else {"source_port": 40000, "destination_port": port}
    try:
        answer = await why_not(where, Question(sender, receiver, protocol=protocol, **ports), "vport", EVERYTHING)
    except CommandFailed:
        return  # no family in common
    one, other = (where.running.get(path) for path in (sender, receiver))
    assert isinstance(one, Vport) and isinstance(other, Vport) and one.mac is not None
    pair = next((a, b) for a in one.address for b in other.address if (":" in a) == (":" in b))
    number = PROTOCOLS.get(protocol) or int(protocol)
    packet = Packet(one.mac, *pair, number, ports.get("source_port"), ports.get("destination_port"))
    came = arrives(where.running, resolved, sender, packet)
    if answer.stopped is None or answer.stopped.verdict is Verdict.DELIVERED:
        assert came == receiver
    else:
        assert came is None
    if answer.offer is not None:
        assert arrives(opened(where, answer.offer.lines), resolved, sender, packet) == receiver, vport_name(sender)
    else:
        assert answer.stopped is None, (answer.refused, answer.left)
