"""The packet that trace and why not are asked about: `from web-1 to db-1 protocol tcp destination-port 5432`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from commands.context import Context
from commands.language.registry import Arguments
from commands.lookup import named
from controller.topology import Standing
from controller.trace.question import Connection, Fragment, Question
from data.addresses import Ip, address
from data.errors import CommandFailed
from data.path import Path, vport_name
from data.schema.types import PROTOCOL

__all__ = ["ENDS", "FRAGMENTS", "TRANSPORT", "packet_question", "unready"]

ENDS = "from <source:vport> to <destination>"
TRANSPORT = (
    "[protocol <protocol>] [source-port <source-port:port>] [destination-port <destination-port:port>]"
    " [icmp-type <icmp-type>] [fragment {first|later}]"
)
"""Grammar of what a packet is. A line may also have `source <address>`, `dscp <dscp>`, `connection ...` and `reply`."""
FRAGMENTS = {
    "fragment": "one that was cut up, and which part of it",
    "first": "the part that shows ports and ICMP type",
    "later": "any other part",
}
"""Help for the words of it."""
_WITH_PORTS = ("tcp", "udp", "sctp")
_WITH_TYPES = (None, "icmp", "icmpv6")  # None: a ping
_NAMES = 4  # vports of one name that an error lists


def packet_question(context: Context, arguments: Arguments, verb: str) -> Question:
    """What is asked; `verb` stands above what is wrong with it. Raises NothingThere, CommandFailed."""
    source = _vport(context, arguments, arguments.values["source"])
    word = arguments.get("protocol")
    protocol = None if word is None else str(PROTOCOL.parse(word))
    sport, dport, kind = (_number(arguments, name) for name in ("source-port", "destination-port", "icmp-type"))
    if protocol in _WITH_PORTS and dport is None:
        raise CommandFailed(verb, f"{protocol} has ports, and rules look at them", "say a 'destination-port'")
    if protocol in _WITH_PORTS and sport is None and arguments.get("connection") == Connection.ANSWER:
        raise CommandFailed(verb, "an answer comes from the port that was asked", "say a 'source-port'")
    if protocol not in _WITH_PORTS and (sport is not None or dport is not None):
        raise CommandFailed(verb, "ports need a protocol that has them", "add 'protocol tcp', udp or sctp")
    if protocol not in _WITH_TYPES and kind is not None:
        raise CommandFailed(verb, "icmp-type needs protocol icmp or icmpv6", "leave it out")
    sender, fragment = arguments.get("address"), arguments.get("fragment")
    return Question(
        source,
        _destination(context, arguments, source),
        source_address=None if sender is None else address(sender),
        protocol=protocol,
        source_port=sport,
        destination_port=dport,
        icmp_type=kind,
        dscp=_number(arguments, "dscp") or 0,
        reply=arguments.has("reply"),
        connection=Connection(arguments.get("connection") or Connection.NEW),
        fragment=None if fragment is None else Fragment(fragment),
    )


def unready(context: Context, visited: Iterable[str]) -> Iterator[str]:
    """Of hypervisors that packets came to by what they are to hold: those of which it is not known that they do."""
    topology = context.fabric.topology.hypervisors
    for name in visited:
        known = topology.get(name)
        if known is not None and known.state is not Standing.READY:
            why = f" ({known.reason})" if known.reason and not context.access.confined else ""
            yield f"{name} is {known.state}{why}: this is what it is to hold"


def _number(arguments: Arguments, name: str) -> int | None:
    text = arguments.get(name)
    return None if text is None else int(text)


def _destination(context: Context, arguments: Arguments, source: Path) -> Ip | Path:
    """An address, or a vport: of several with the name the one in the sender's domain is meant."""
    word = arguments.values["destination"]
    if ":" in word or word.replace(".", "").isdecimal():
        return address(word)
    own = (*source[:4], "vport", word)
    return own if context.fabric.acting.get(own) is not None else _vport(context, arguments, word)


def _vport(context: Context, arguments: Arguments, word: str) -> Path:
    """The vport of this name. Raises NothingThere, and CommandFailed when several have it."""
    found = list(named(context.fabric.acting, "vport", word, arguments))
    if len(found) > 1:
        names = ", ".join(map(vport_name, found[:_NAMES]))
        raise CommandFailed(f"vport {word}", f"{len(found)} vports have this name: {names}", "write the full name")
    return found[0]
