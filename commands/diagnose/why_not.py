"""why not: why a packet does not come through, and the smallest change after which it does, as set lines.

Nothing is applied. With `candidate` the lines go into the own candidate, ready for `commit check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from commands.context import Context
from commands.diagnose.question import ENDS, FRAGMENTS, TRANSPORT, packet_question, unready
from commands.language.registry import Arguments, command
from commands.show.policy import entry_match
from controller.trace.question import Question, Verdict, Way
from data.addresses import Ip
from data.errors import CommandFailed, NotPermitted, NshellError
from data.path import Path, path_text, vport_name
from data.schema.objects import Entry, Vport
from data.templates import source_of, template_of
from views.models import Lines

if TYPE_CHECKING:
    from controller.analysis.allowed import Answer
    from controller.analysis.changes import By

PACKET = f"{ENDS} {TRANSPORT} [by {{vport|policy-group|subnet|zone}}]"
WORDS = {
    "from": "the vport that sends",
    "to": "the vport or address that should get it",
    "protocol": "tcp, udp, sctp, icmp or a number; a ping without it",
    "source-port": "from which port; without it from any",
    "destination-port": "to which port",
    "icmp-type": "which ICMP message; without it an echo request",
    "by": "what the offered entries name at their ends (vport)",
    "candidate": "put the lines into your candidate",
    "policy-group": "the groups of both vports",
    "subnet": "the subnets of both vports",
    "zone": "the zones of both vports",
    **FRAGMENTS,
}
_ASK = "ask whoever runs the network"


@command(
    f"why not {PACKET}",
    help="why a packet does not come through, and the smallest change after which it does",
    words=WORDS,
    confined=True,
)
async def why_not(context: Context, arguments: Arguments) -> Lines:
    """The denial in words, and the lines; with what else they would let through."""
    _, lines, facts = await _answer(context, arguments)
    return Lines(lines, facts)


@command(
    f"why not {PACKET} candidate",
    help="the same, with the change put into your candidate",
    permission="configure",
    words=WORDS,
    confined=True,
)
async def why_not_candidate(context: Context, arguments: Arguments) -> Lines:
    """The answer; its lines are in the candidate then. Raises CommandFailed when there is no change to make."""
    answer, lines, facts = await _answer(context, arguments)
    if answer.stopped is None:
        return Lines(lines, facts)
    if answer.offer is None:
        raise CommandFailed(
            "why not",
            f"{facts['packet']}: {facts['verdict']}",
            "no change of the configuration that you may make helps",
        )
    candidate = await context.candidate()
    for path in map(_made, answer.offer.lines):
        if path is not None and candidate.view.get(path) is not None:
            raise CommandFailed(path_text(path), "your candidate has this already", "commit or discard it first")
    candidate.apply_batch(answer.offer.lines, "why not")
    await context.save_candidate()
    said = "1 line is" if len(answer.offer.lines) == 1 else f"{len(answer.offer.lines)} lines are"
    lines = [*lines, f"{said} in your candidate: 'commit check' shows what a commit would change"]
    return Lines(lines, {**facts, "candidate": True})


def _made(line: str) -> Path | None:
    """The entry that a set line makes."""
    words = line.split()
    return tuple(words[1:9]) if words[0] == "set" and words[7:8] == ["entry"] else None


async def _answer(context: Context, arguments: Arguments) -> tuple[Answer, list[str], dict[str, object]]:
    question = packet_question(context, arguments, "why not")
    by = cast("By", arguments.get("by") or "vport")
    answer = await context.fabric.analysis.why_not(question, by, context.access)
    way = answer.stopped
    packet = _packet(question)
    notes = list(unready(context, answer.trace.visited))
    if way is None:
        verdict, reason = answer.trace.verdict.value, answer.trace.reason
        also = ", and so is its answer" if answer.trace.ways[0].reply is not None else ""
        facts: dict[str, object] = {
            "packet": packet,
            "verdict": verdict,
            "because": [reason],
            "lines": [],
            "notes": notes,
        }
        came = f"{verdict} {reason}" if answer.trace.verdict is Verdict.DELIVERED else f"{verdict}: {reason}"
        return answer, [*notes, f"{packet}: {came}{also}; nothing {'else ' if notes else ''}is in the way"], facts
    where, said = await _reason(context, way)
    lines = [*notes, f"{packet}: {where}", *(f"  {line}" for line in said)]
    facts = {"packet": packet, "verdict": where, "because": said, "lines": [], "notes": notes}
    if answer.offer is not None:
        reached = [" ".join(line.split()) for line in answer.offer.reach]
        lines += ["this would let it through:", *(f"  {line}" for line in answer.offer.lines)]
        if reached:
            lines += ["and this is who reaches whom then:", *(f"  {line}" for line in answer.offer.reach)]
        facts |= {"lines": list(answer.offer.lines), "reach": reached}
        return answer, lines, facts
    rest = list(_rest(context, answer.refused)) if answer.refused is not None else []
    if answer.absent is not None and context.access.reads(answer.absent):
        name = vport_name(answer.absent)
        rest += [f"{name} is on no hypervisor: no entry holds for it until it is", f"{_start(name)}, and ask again"]
    elif answer.refused is None and answer.left is not None:
        if answer.left is not way:
            where, said = await _reason(context, answer.left)
            rest += [f"what can be changed does not suffice: it is then {where}", *(f"  {line}" for line in said)]
        rest.append(_remedy(context, question, answer.left))
    facts["remedy"] = rest
    return answer, [*lines, *rest], facts


def _start(name: str) -> str:
    """What is to be done about a vport that is on no hypervisor."""
    return f"start {name}, or plug its interface in with external_ids:iface-id={name}: 'show vport {name}'"


def _packet(question: Question) -> str:
    to = question.destination
    near = isinstance(to, tuple) and not isinstance(to, Ip) and to[:4] == question.source[:4]
    target = str(to) if isinstance(to, Ip) else to[-1] if near else vport_name(to)
    what = question.protocol or "ping"
    port = "" if question.destination_port is None else f"/{question.destination_port}"
    return f"{question.source[-1]} -> {target} {what}{port}"


async def _reason(context: Context, way: Way) -> tuple[str, list[str]]:
    """What stops it, in words; below that the entry with its revision and author."""
    answered = way.reply is not None and way.verdict in (Verdict.DELIVERED, Verdict.LEFT, Verdict.ANSWERED)
    at = way.reply if answered and way.reply is not None else way
    head = f"{way.verdict.value}, but its answer is {at.verdict.value}" if answered else at.verdict.value
    where = f"{head} {at.reason}" if at.verdict is Verdict.DENIED else f"{head}: {at.reason}"
    if at.verdict is Verdict.UNRESOLVED and not answered:
        where = at.reason
    if at.at is None:
        return where, []
    acting = context.fabric.acting
    item, origin = acting.get(at.at), at.at
    template = template_of(acting.get(at.at[:4])) if len(at.at) >= 4 else None
    if item is not None and item.inherited and template is not None and context.running.get(at.at) is None:
        origin = source_of(at.at, template) or at.at
    changes = await context.fabric.last_changes([origin])
    said = f"from {item.from_} to {item.to} {entry_match(item)} action {item.action}" if isinstance(item, Entry) else ""
    place = path_text(origin)
    revision, author = changes.get(origin, (None, None))
    by = "" if revision is None else f", revision {revision} by {author}"
    return where, [f"{place}{': ' if said else ''}{said}{by}"]


def _remedy(context: Context, question: Question, way: Way) -> str:
    """What somebody can do about what no line of the configuration does away with."""
    if way.verdict is Verdict.UNRESOLVED:
        path = way.at if way.at is not None else question.source
        if context.access.reads(path) and isinstance(context.fabric.acting.get(path), Vport):
            return _start(vport_name(path))
        return f"{_ASK} to start it"
    to, own = question.destination, question.source[:4]
    if way.verdict is Verdict.DROPPED and not isinstance(to, Ip) and to[:4] != own:
        domains = f"{own[1]}/{own[3]} and {to[1]}/{to[3]}"
        return f"{domains} do not reach each other: only a domain that is shared is reached by those that use it"
    if way.verdict is Verdict.DENIED and way.at is None:
        return f"{_ASK} to let it through"
    if way.verdict is Verdict.DROPPED and way.at == question.source and way.reason.endswith("its own address"):
        return "a machine keeps what it sends to itself"
    if way.verdict is Verdict.DROPPED and isinstance(to, Ip):
        return f"'show routes enterprise {own[1]} domain {own[3]}' tells what leads where"
    return "no line of the configuration changes this"


def _rest(context: Context, refused: NshellError) -> list[str]:
    if isinstance(refused, NotPermitted):
        return [f"what would let it through is not yours to change: {refused.where}", f"  {refused.remedy}"]
    return ["what would let it through is refused by the check:", *(f"  {line}" for line in str(refused).splitlines())]
