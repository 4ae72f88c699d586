"""Types of the values in a grammar: how a word is checked and which words could stand there now.

Every list of the schema is a type by its keyword (<enterprise>, <vport>): its live values are the names in the
configuration, below the values the line has already given. The others are declared here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from commands.times import moment, past
from data.path import Path, vport_name
from data.schema.objects import KINDS
from data.schema.types import MAC, NAME, PREFIX, PROTOCOL, BadValue, ValueType, integer

if TYPE_CHECKING:
    from commands.context import Context
    from data.configuration import Configuration

Live: TypeAlias = "Callable[[Context, Mapping[str, str], str], Iterable[tuple[str, str]]]"

IN_BOTH = ("vport", "qos", "mirror")
"""Lists whose objects are found by name in domains and l2-domains alike."""
UNBOUNDED = 2**31 - 1
"""The highest number where no smaller one is a limit: that is not worth to be shown."""
LIVE_LIMIT = 1000
"""Live values looked at for one completion; nobody reads more, and 100,000 must not cost a key press."""


@dataclass(frozen=True, slots=True)
class ArgumentType:
    """A type: its hint and help for `?`, `check` (raises BadValue), and its live values when it has any.

    `live(context, values given so far, what is typed)` gives (word, help) of those that begin with what is typed.
    """

    name: str
    hint: str
    help: str
    check: Callable[[str], object]
    live: Live | None = None


def chain(keyword: str) -> tuple[str, ...]:
    """The list keywords from the top down to this one: ('enterprise', 'domain', 'zone', 'subnet')."""
    above = next(kind.declared.under[0] for kind in KINDS if kind.declared.keyword == keyword)
    return (*chain(above), keyword) if above else (keyword,)


def paths(configuration: Configuration, keyword: str, values: Mapping[str, str], prefix: str = "") -> Iterator[Path]:
    """The paths of the objects of a list whose name begins with `prefix`, confined to the names given in `values`."""

    def below(path: Path, rest: tuple[str, ...]) -> Iterator[Path]:
        if len(rest) == 1:
            for name in configuration.search(path, keyword, prefix, LIVE_LIMIT):
                yield (*path, keyword, name)
            return
        given = values.get(rest[0])
        for name in [given] if given is not None else configuration.children(path, rest[0]):
            yield from below((*path, rest[0], name), rest[1:])

    yield from below((), chain(keyword))
    if keyword in IN_BOTH and "domain" not in values:
        yield from below((), ("enterprise", "l2-domain", keyword))


def _names(keyword: str) -> Live:
    def live(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        for path in islice(paths(context.configuration, keyword, values, prefix), LIVE_LIMIT):
            if path[-1] not in seen:
                seen.add(path[-1])
                thing = context.configuration.get(path)
                yield path[-1], (thing.description or "") if thing is not None else ""

    return live


def _hypervisors(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """Those that the user may name (commands/lookup.py)."""
    if not context.access.confined:
        yield from _names("dvrs")(context, values, prefix)
        return
    from commands.show.dvrs import attachments

    found = {where.dvrs for _, _, where in islice(attachments(context.fabric), LIVE_LIMIT) if where is not None}
    yield from ((name, "hosts vports of yours") for name in sorted(found) if name.startswith(prefix))


def _vports(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    if "domain" in values:
        for path in islice(paths(context.configuration, "vport", values, prefix), LIVE_LIMIT):
            yield path[-1], ""
        return
    *above, last = prefix.split("/")
    given = dict(values)
    if len(above) == 2:
        given |= {"enterprise": above[0], "domain": above[1]}
    for path in islice(paths(context.configuration, "vport", given, last if len(above) == 2 else ""), LIVE_LIMIT):
        name = vport_name(path)
        if name.startswith(prefix):
            yield name, ""
    if not above and prefix:
        # A short name is understood, too, where only one vport has it.
        for path in islice(paths(context.configuration, "vport", values, prefix), LIVE_LIMIT):
            yield path[-1], vport_name(path)


def _anywhere(keyword: str, form: str) -> ArgumentType:
    """Objects of a list by their name, or by that in full as tables and events write it (telemetry/naming.py)."""

    def live(context: Context, values: Mapping[str, str], prefix: str) -> Iterable[tuple[str, str]]:
        from controller.telemetry.naming import name_at

        above = prefix.split("/")[:-1]
        if not above:
            return _names(keyword)(context, values, prefix)
        given = dict(zip(("enterprise", "domain"), above, strict=False))
        found = map(name_at, islice(paths(context.configuration, keyword, {**values, **given}), LIVE_LIMIT))
        return ((name, "") for name in found if name.startswith(prefix))

    return ArgumentType(f"{keyword}-anywhere", f"<{keyword}>", f"a {keyword}: its name, or {form}", _full_name, live)


def _full_name(word: str) -> object:
    for part in word.split("/"):
        NAME.parse(part)
    return word


def _anything(word: str) -> object:
    if not word:
        raise BadValue("the text is empty", "write at least one character")
    return word


def _address(word: str) -> object:
    try:
        found = ip_address(word)
    except ValueError:
        raise BadValue(f"'{word}' is not an address", "write one like 10.0.0.1 or 2001:db8::1") from None
    if "%" in word:  # a zone (RFC 4007 section 11), which is an interface of some machine
        raise BadValue(f"'{word}' names an interface, too", "write the address alone, without '%' and what follows")
    return found


def _destination(word: str) -> object:
    """An address or a vport's name: no name has a colon, and digits and dots alone are an address."""
    bare = word.replace(".", "")
    return _address(word) if ":" in word or bare.isdecimal() else _full_name(word)


def _schema_type(keyword: str, key: ValueType, help: str) -> ArgumentType:
    if keyword == "vport":
        help = "a virtual port: its name, or enterprise/domain/name"
        return ArgumentType("vport", "<vport>", help, _full_name, _vports)
    live = _hypervisors if keyword == "dvrs" else _names(keyword)
    return ArgumentType(keyword, f"<{keyword}>", help, key.parse, live)


def _revisions(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    latest = context.fabric.running.revision
    for number in range(latest, max(-1, latest - 10), -1):
        if str(number).startswith(prefix):
            yield str(number), "running" if number == latest else ""


def _back(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    latest = context.fabric.running.revision
    for back in range(min(latest, 9) + 1):
        if str(back).startswith(prefix):
            yield str(back), f"revision {latest - back}"


def _tables(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    from controller.pipeline import TABLE_NAMES

    for name in TABLE_NAMES.values():
        if name.startswith(prefix):
            yield name, ""


def _places(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    from commands.show.underlay_paths import places

    for name, what in places(context.fabric.underlay):
        if name.startswith(prefix):
            yield name, what


def _number(name: str, low: int, high: int, help: str, live: Live | None = None) -> ArgumentType:
    hint = f"<{name}>" if high == UNBOUNDED else f"<{low}..{high}>"
    return ArgumentType(name, hint, help, integer(low, high, help).parse, live)


def _rules(context: Context, values: Mapping[str, str], prefix: str) -> Iterable[tuple[str, str]]:
    from commands.statistics.measured import rule_names

    return rule_names(context, values, prefix)


def _counted(level: str) -> Live:
    def live(context: Context, values: Mapping[str, str], prefix: str) -> Iterable[tuple[str, str]]:
        from commands.statistics.measured import counted_names
        from controller.telemetry.keys import Level

        return counted_names(Level(level), context, prefix)

    return live


def _sessions(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    for session in sorted(context.sessions(), key=lambda session: session.number):
        if str(session.number).startswith(prefix):
            yield str(session.number), f"{session.user}, {session.origin}"


def _scheduled(context: Context, values: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    for row in context.schedule.rows():
        own = row.user == context.user or not context.access.confined
        if own and str(row.id).startswith(prefix):
            yield str(row.id), f"{row.user}, {row.comment}" if row.comment else row.user


def _time(word: str) -> object:
    return moment(word, 0.0)


def _past(word: str) -> object:
    return past(word, time.time())


OTHERS = (
    ArgumentType("since", "<since>", "how long ago (30m, 2h, 7d) or when (14:00, 2030-12-31)", _past),
    ArgumentType("name", "<name>", "the name of a user, who may be gone", NAME.parse),
    _number("revision", 0, UNBOUNDED, "a revision's number", _revisions),
    _number("minutes", 1, 1440, "minutes until it returns by itself"),
    _number("number", 1, 1_000_000, "how many"),
    _number("back", 0, UNBOUNDED, "commits back from the running revision", _back),
    _number("levels", 1, 100, "how many places up"),
    _number("seconds", 1, 86_400, "seconds"),
    _number("times", 1, 1_000_000, "how often; without it until ctrl-c"),
    _number("columns", 0, 65_535, "characters; 0 is without limit"),
    _number("rows", 0, 65_535, "lines of a page; 0 is all at once"),
    _number("session", 1, UNBOUNDED, "a session's number", _sessions),
    _number("scheduled", 1, UNBOUNDED, "a scheduled commit's number", _scheduled),
    _anywhere("domain", "enterprise/name"),
    _anywhere("subnet", "enterprise/domain/name"),
    _anywhere("zone", "enterprise/domain/name"),
    ArgumentType("policy-entry", "<rule>", "a policy entry: acme/prod/ingress/base/10, or base/10", _anything, _rules),
    ArgumentType("tunnel", "<tunnel>", "a tunnel: hv1>hv2, hv1>192.0.2.1", _anything, _counted("tunnel")),
    ArgumentType("pe-interface", "<pe>", "a PE router, or an interface of one: pe1/eth0", _anything, _counted("pe")),
    ArgumentType("time", "<time>", "HH:MM[:SS] today or tomorrow, or 2030-12-31T23:30", _time),
    ArgumentType("address", "<address>", "an IPv4 or IPv6 address", _address),
    ArgumentType("destination", "<address-or-vport>", "an address, or a virtual port's name", _destination, _vports),
    ArgumentType("protocol", "<protocol>", "tcp, udp, sctp, icmp, icmpv6 or an IP protocol number", PROTOCOL.parse),
    _number("port", 0, 65535, "a port"),
    _number("icmp-type", 0, 255, "an ICMP type"),
    _number("dscp", 0, 63, "a DSCP"),
    ArgumentType("cookie", "<cookie>", "a flow's cookie: 0x6e...", _anything),
    ArgumentType("prefix", "<prefix>", "an IPv4 or IPv6 prefix", PREFIX.parse),
    ArgumentType("mac", "<mac>", "a MAC address", MAC.parse),
    ArgumentType("new-name", "<name>", "the new name", _anything),
    ArgumentType(
        "underlay-place",
        "<place>",
        "a router of the underlay, a tunnel endpoint, or an address there",
        _anything,
        _places,
    ),
    ArgumentType("column", "<column>", "a column's title, or its name in JSON", _anything),
    ArgumentType("table", "<table>", "a table of the pipeline", _anything, _tables),
    ArgumentType("text", "<text>", "text, in quotes when it has spaces", _anything),
    ArgumentType("remark", '"<remark>"', 'a remark in quotes; "" takes it away', str),
    ArgumentType("line", '"<line>"', "a command line in quotes", str),
    ArgumentType("pattern", "<pattern>", "a regular expression", _anything),
    ArgumentType("file", "<file>", "a file at your end of the session", _anything),
    ArgumentType("flow", "<flow>", "a packet in ovs-ofctl's words: in_port=1,icmp,...", _anything),
    ArgumentType("command", "<command>", "a command of ovs-appctl and its arguments", _anything),
)


@cache
def types() -> Mapping[str, ArgumentType]:
    """All types by name."""
    found = {
        kind.declared.keyword: _schema_type(kind.declared.keyword, kind.declared.key, kind.declared.help)
        for kind in KINDS
        if kind.declared.key is not None
    }
    return found | {other.name: other for other in OTHERS}
