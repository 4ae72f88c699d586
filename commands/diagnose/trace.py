"""trace: where a packet would go, table by table, and who decided so; without a packet.

    trace from web-1 to db-1 protocol tcp destination-port 5432
     1  hv1  classify     in from web-1 (acme/prod, subnet web1)
     2  hv3  egress_acl   entry db/20 allows (zone web -> zone db, tcp/5432), stateful, revision 7 by ops
    delivered to db-1

`controller/trace/` finds it out from the flows. Here: what is asked, and how the answer reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from commands.context import Context
from commands.diagnose.question import ENDS, FRAGMENTS, TRANSPORT, packet_question, unready
from commands.language.registry import Arguments, command
from commands.show.configuration import exists
from controller.flow_words import flow_text, object_name
from controller.openflow.packed import flow_key, instructions, priority_of
from controller.trace import Hop, Trace, Verdict, Way
from data.acting import inherited_from
from data.errors import CommandFailed
from data.path import Path, vport_name
from views.models import Lines

__all__ = ["trace"]

WORDS = {
    "from": "the vport that sends",
    "to": "whom it sends to",
    "source": "another address than the vport's own",
    "protocol": "without it: a ping",
    "source-port": "49152 when it is not said",
    "destination-port": "of TCP, UDP or SCTP",
    "icmp-type": "an echo request when it is not said",
    "dscp": "0 when it is not said",
    "at": "by a configuration of the past, with the places of now",
    "live": "by the flows that the switches hold now, and not by what they should hold",
    "reply": "and the answer to it",
    "detail": "every table, and the flows themselves",
    "connection": "what it is to connection tracking; new when it is not said",
    "new": "it begins a connection",
    "established": "it is of the side that began one, which was answered",
    "answer": "it is an answer in one that the other side began",
    "related": "it is an ICMP error about a packet of one",
    **FRAGMENTS,
}
_DECIDES = ("entry", "redirect", "domain", "l2-domain")
"""Kinds of objects whose last change is told where they decide; those of services are told always."""
_PLACES = ("vport", "subnet", "zone", "domain", "l2-domain")

Changes = Mapping[Path, tuple[int, str]]


@command(
    f"trace {ENDS} [source <address>] {TRANSPORT} [dscp <dscp>] [connection {{new|established|answer|related}}]"
    " [at revision <revision>] [live] [reply] [detail]",
    help="where a packet would go, table by table, and who decided so",
    words=WORDS,
    confined=True,
)
async def trace(context: Context, arguments: Arguments) -> Lines:
    """Each hop that decided something; with `detail` every table."""
    fabric, revision = context.fabric, arguments.get("revision")
    live = arguments.has("live")
    if live and revision is not None:
        raise CommandFailed("trace", "switches hold the flows of now alone", "leave 'live' or 'at revision' away")
    if revision is not None:
        exists(context, int(revision))
    question = packet_question(context, arguments, "trace")
    answer = await fabric.tracing.trace(question, revision=None if revision is None else int(revision), live=live)
    known = await _changes(context, answer)
    notes = list(_notes(context, answer, revision, live))
    lines = [*notes, *_told(answer, known, arguments.has("detail"), revision)]
    return Lines(lines, _document(answer, known, notes))


# Who changed it last ----------------------------------------------------------------------------------------------


async def _changes(context: Context, answer: Trace) -> Changes:
    """The last change of each object that decided; of what a template gives, that of the template's."""
    fabric = context.fabric
    stored: dict[Path, Path] = {}
    for path in dict.fromkeys(_deciding(answer)):
        stored[path] = path if fabric.running.get(path) is not None else inherited_from(fabric.running, path) or path
    changes = await fabric.last_changes(dict.fromkeys(stored.values()))
    return {path: changes[where] for path, where in stored.items() if where in changes}


def _deciding(answer: Trace) -> Iterator[Path]:
    for way in answer.ways:
        for one in (way, way.reply) if way.reply else (way,):
            for hop in one.hops:
                if hop.object is not None and _decides(hop):
                    yield hop.object
            if one.at is not None:
                yield one.at


def _decides(hop: Hop) -> bool:
    """Whether it matters who changed the object of a hop last: not of those that only say where something is."""
    if hop.object is None or hop.plain:
        return False
    return hop.object[-2] not in _PLACES or (hop.table.endswith("_acl") and hop.object[-2] in _DECIDES)


# How it reads -----------------------------------------------------------------------------------------------------


def _notes(context: Context, answer: Trace, revision: str | None, live: bool) -> Iterator[str]:
    if revision is not None:
        yield f"by revision {revision}, with every vport where it is now"
    if live:
        yield "by the flows that the switches hold now"
    else:
        yield from unready(context, answer.visited)


def _told(answer: Trace, known: Changes, detail: bool, revision: str | None) -> Iterator[str]:
    yield answer.packet
    for number, way in enumerate(answer.ways, 1):
        if len(answer.ways) > 1:
            yield f"way {number} of {len(answer.ways)}, for {way.share:.0%} of all flows:"
        yield from _way(way, known, detail, revision)
        if way.reply is not None:
            yield "the answer:"
            yield from _way(way.reply, known, detail, revision)
    if answer.verdict is Verdict.DIVIDED:
        yield str(Verdict.DIVIDED)


def _way(way: Way, known: Changes, detail: bool, revision: str | None) -> Iterator[str]:
    shown = [hop for hop in way.hops if detail or not hop.plain]
    dvrs = max((len(hop.dvrs) for hop in shown), default=0)
    table = max((len(hop.table) for hop in shown), default=0)
    for number, hop in enumerate(shown, 1):
        words = hop.words + (_by(hop.object, known, revision) if _decides(hop) else "")
        yield f"{number:>2}  {hop.dvrs.ljust(dvrs)}  {hop.table.ljust(table)}  {'copy: ' if hop.copy else ''}{words}"
        if detail and hop.flow is not None:
            yield f"    {' ' * dvrs}  {' ' * table}    {_flow(hop.flow)}"
    joined = way.verdict in (Verdict.DELIVERED, Verdict.DENIED)
    yield f"{way.verdict}{' ' if joined else ': '}{way.reason}"


def _by(path: Path | None, known: Changes, revision: str | None) -> str:
    """', revision 214 by ops'; of a former revision only what was changed until then is known."""
    found = None if path is None else known.get(path)
    if found is None:
        return ""
    if revision is not None and found[0] > int(revision):
        return f", changed since (revision {found[0]} by {found[1]})"
    return f", revision {found[0]} by {found[1]}"


def _flow(message: bytes) -> str:
    return flow_text(priority_of(message), flow_key(message)[3:], instructions(message))


def _document(answer: Trace, known: Changes, notes: Sequence[str]) -> dict[str, object]:
    """Every hop, also the plain ones, for programs."""
    return {
        "packet": answer.packet,
        "verdict": str(answer.verdict),
        "notes": list(notes),
        "hypervisors": list(answer.visited),
        "ways": [_way_document(way, known) for way in answer.ways],
    }


def _way_document(way: Way, known: Changes) -> dict[str, object]:
    found: dict[str, object] = {
        "verdict": str(way.verdict),
        "reason": way.reason,
        "at": None if way.at is None else object_name(way.at),
        "receiver": None if way.receiver is None else vport_name(way.receiver),
        "share": way.share,
        "hops": list(_hop_documents(way.hops, known)),
    }
    if way.reply is not None:
        found["reply"] = _way_document(way.reply, known)
    return found


def _hop_documents(hops: Iterable[Hop], known: Changes) -> Iterator[dict[str, object]]:
    for hop in hops:
        revision, author = (None, None) if hop.object is None else known.get(hop.object, (None, None))
        yield {
            "dvrs": hop.dvrs,
            "table": hop.table,
            "words": hop.words,
            "object": None if hop.object is None else object_name(hop.object),
            "revision": revision,
            "author": author,
            "decides": not hop.plain,
            "copy": hop.copy,
            "flow": None if hop.flow is None else _flow(hop.flow),
        }
