"""Commands, declared once next to their handlers, and the token tree of each mode.

    @command("show vports [enterprise <enterprise>] [detail]", help="virtual ports and where they are")
    async def show_vports(context: Context, arguments: Arguments) -> Model: ...

Configure mode has its own verbs, some of them behind `top` as well, and, behind `run`, every operational command.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from commands.language.automaton import Automaton
from commands.language.grammar import Literal, Sequence, compile_grammar
from commands.language.levels import FROM_TOP, MOVES, TOP, at_top
from data.access import SESSION

if TYPE_CHECKING:
    from commands.context import Context
    from commands.language.lexer import Word
    from data.access import Access
    from views.models import Model


class Mode(Enum):
    """Where a command is understood."""

    OPERATIONAL = "operational"
    CONFIGURE = "configure"
    PIPE = "pipe"


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a line gave a command: values by name, the fixed words that were typed, and a tail's words.

    `tail_start` is the index of the tail's first word in the line, for the place of an error in it.
    """

    values: Mapping[str, str]
    words: frozenset[str]
    tail: tuple[Word, ...] = ()
    tail_start: int = 0
    interactive: bool = False

    def get(self, name: str) -> str | None:
        """The value of that name, None when it was left out."""
        return self.values.get(name)

    def has(self, word: str) -> bool:
        """Whether this fixed word was typed."""
        return word in self.words


Handler: TypeAlias = "Callable[[Context, Arguments], Awaitable[Model | None]]"
AnyHandler = TypeVar("AnyHandler", bound=Callable[..., Awaitable[object]])


@dataclass(frozen=True, eq=False, slots=True)
class Command:
    """One command. `words` adds help for single words of its grammar; `permission` is the verb a login class
    must allow; `confined` says that it may be used by those whose class is confined to tenants; `audited` that a line
    of it is an act of its user, and not of a program that helps to type one.
    """

    grammar: str
    help: str
    permission: str
    mode: Mode
    handler: Callable[..., Awaitable[Any]]
    words: Mapping[str, str]
    nodes: Sequence
    confined: bool = False
    audited: bool = True

    def permitted(self, access: Access) -> bool:
        """Whether somebody with this access may use it at all."""
        return access.permits(self.permission) and (self.confined or not access.confined)


_declared: list[Command] = []

FAMILIES = (
    "show.version",
    "show.dvrs",
    "show.policy",
    "show.rules",
    "show.vport_policy",
    "show.templates",
    "show.vports",
    "show.qos",
    "show.mirror",
    "show.flow_export",
    "show.virtual_ip",
    "show.routes",
    "show.bridging",
    "show.health",
    "show.forwarding",
    "show.load_balancer",
    "show.translation",
    "show.flows",
    "show.flows_top",
    "statistics.show",
    "show.fabric",
    "show.topology",
    "statistics.graph",
    "statistics.clear",
    "show.system",
    "show.commit",
    "show.events",
    "show.drift",
    "show.syslog",
    "show.audit",
    "show.web",
    "show.bgp",
    "show.circuits",
    "show.dhcp",
    "show.underlay",
    "show.pe",
    "show.configuration",
    "show.compare",
    "show.vswitch_controller",
    "session.aliases",
    "diagnose.why_not",
    "diagnose.tools",
    "statistics.monitor",
    "session.dashboard",
    "diagnose.ping",
    "diagnose.trace",
    "diagnose.why",
    "session.screen",
    "session.operational",
    "session.completion",
    "session.help",
    "session.disconnect",
    "request_dvrs",
    "configure.rescue",
    "configure.mode",
    "configure.edit",
    "configure.commit",
    "configure.files",
    "configure.schedule",
    "pipes",
    "streams",
)
"""The modules that declare commands, imported when a tree is first asked for."""


def command(
    grammar: str,
    *,
    help: str,
    permission: str = "show",
    mode: Mode = Mode.OPERATIONAL,
    words: Mapping[str, str] | None = None,
    confined: bool = False,
    audited: bool = True,
) -> Callable[[AnyHandler], AnyHandler]:
    """Declare a command with this grammar (grammar.py) for the decorated handler.

    `confined` promises that the handler asks nothing but what the context confines: `running`, `configuration`,
    `fabric` (a facade then), `sessions()`. Without it nobody who is confined to tenants can use the command, or see it.
    """
    nodes = compile_grammar(grammar)

    if mode is Mode.PIPE or permission == SESSION:
        permission, confined = SESSION, True  # a pipe sees nothing but a result that its user was given

    def declare(handler: AnyHandler) -> AnyHandler:
        _declared.append(Command(grammar, help, permission, mode, handler, dict(words or {}), nodes, confined, audited))
        return handler

    return declare


@cache
def commands(mode: Mode) -> tuple[Command, ...]:
    """All commands of a mode, in the order of declaration."""
    for family in FAMILIES:
        importlib.import_module(f"commands.{family}")
    found = [entry for entry in _declared if entry.mode is mode]
    if mode is Mode.CONFIGURE:
        for entry in commands(Mode.OPERATIONAL):
            if entry.grammar.split()[0] in NOT_BEHIND_RUN:
                continue
            nodes = Sequence((Literal("run"), *entry.nodes.items))
            found.append(replace(entry, grammar="run " + entry.grammar, mode=mode, nodes=nodes))
        for entry in tuple(found):
            if (verb := entry.grammar.split()[0]) in FROM_TOP:
                handler = at_top(entry.handler, verb == MOVES)
                nodes = Sequence((Literal(TOP), *entry.nodes.items))
                found.append(replace(entry, grammar=f"{TOP} {entry.grammar}", nodes=nodes, handler=handler))
    return tuple(found)


NOT_BEHIND_RUN = {"configure", "exit", "help", "quit", "set"}
"""Verbs about the session's own mode."""


@cache
def automaton(mode: Mode) -> Automaton:
    """The token tree of a mode."""
    return Automaton(commands(mode))
