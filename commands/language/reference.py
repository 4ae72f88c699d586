"""The command reference: `python -m commands.language.reference` writes docs/commands.md; a test fails when stale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from commands.language.levels import FROM_TOP
from commands.language.registry import Command, Mode, commands
from commands.language.types import types

FILE = Path(__file__).parents[2] / "docs" / "commands.md"

MODES = {
    Mode.OPERATIONAL: ("Operational commands", "Understood at `user@host>`, and behind `run` in configure mode."),
    Mode.CONFIGURE: (
        "Configure mode",
        "Understood at `user@host#`. `<statement>`, `<target>`, `<place>` and `<part>` are words of the configuration, "
        "relative to the edit level.",
    ),
    Mode.PIPE: (
        "Pipes",
        "Behind any command: `show vports | match web | count`. On tables they act on rows, else on lines.",
    ),
}

PREFACE = """\
# Commands

Generated from the command registry by `python -m commands.language.reference`; do not edit.

A word stands for itself, `<value>` for a value of that type, `[ ]` may be left out (neighbours in any order), one of
`{ | }` must be there. `?` shows at any place what may follow, Tab completes, and unique abbreviations are understood
interactively (files are exact). Text with spaces stands in double quotes; `#` begins a comment.

From the system's shell: `nshell` is interactive; `nshell -c COMMAND` (repeat `-c` for several), `nshell run FILE` and
`nshell < FILE` run a batch in one session; `--json` prints one JSON document per command, errors too; a batch stops
at its first error, saying file, line and cause, unless `--keep-going`. In a batch, configuration lines (`set`, `commit`
...) need no `configure`, and nothing is applied until it says `commit`. After an error the candidate is what it was
before the batch; when it is the commit that is refused, the candidate is kept.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the command failed |
| 2 | bad syntax |
| 3 | the commit was rejected: not valid, or in conflict with somebody else's |
| 4 | partly applied and reverted |
| 5 | no daemon |
| 6 | not permitted |
"""


def reference() -> str:
    """The whole reference as Markdown."""
    return "\n".join([PREFACE, *lines()]) + "\n"


def lines() -> Iterator[str]:
    """The chapters."""
    for mode, (title, text) in MODES.items():
        yield from (f"## {title}", "", text, "", "| command | what it does |", "|---|---|")
        own = [each for each in commands(mode) if each.grammar.split()[0] not in ("run", "top")]
        for each in sorted(own, key=lambda each: (each.grammar.split("[")[0].split("<")[0], each.grammar)):
            yield row(each)
        if mode is Mode.CONFIGURE:
            yield "| `run <command...>` | an operational command |"
            yield "| `top` | to the top of the configuration |"
            yield f"| `top <command...>` | one of {', '.join(sorted(FROM_TOP))}, from the top, for that line |"
        yield ""
    yield from ("## Values", "", "| value | what it is |", "|---|---|")
    for name, kind in sorted(types().items()):
        yield f"| `<{name}>` | {cell(kind.help)} |"


def row(each: Command) -> str:
    """One command with its grammar, help and the help of those of its words that are in it."""
    there = set(re.findall(r"[^\s\[\]{}|<>]+", re.sub(r"<[^>]*>", "", each.grammar)))
    words = "".join(
        f"<br>`{word}`: {cell(help)}" for word, help in each.words.items() if word in there and help != each.help
    )
    grammar = re.sub(r"<([^:>]+):[^>]+>", r"<\1>", each.grammar)
    return f"| `{cell(grammar)}` | {cell(each.help)}{words} |"


def cell(text: str) -> str:
    """Text inside a Markdown table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(reference())
