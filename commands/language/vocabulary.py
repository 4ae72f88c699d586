"""Help for words that several commands share; a word of one command alone shows that command's own help.

Keywords of the schema (enterprise, domain ...) bring their help from there.
"""

from __future__ import annotations

from functools import cache

from data.schema.objects import KINDS

SHARED = {
    "show": "what is configured and what the network does",
    "tools": "diagnostics on a hypervisor",
    "monitor": "what happens while you look, until ctrl-c",
    "request": "do something to the system",
    "clear": "forget something",
    "configure": "change the configuration in your private candidate",
    "top": "to the top of the configuration; before a verb: from there, for that line",
    "exit": "leave the edit level, then configure mode, then the session",
    "statistics": "what passed: in all, per second, and in the past",
    "system": "this nshell: commits, events",
    "configuration": "the running configuration, or an earlier one",
    "policy": "policy as the network sees it",
    "detail": "every attribute",
    "commit": "make the candidate the running configuration",
    "compare": "what differs",
    "load": "take configuration from a file or the terminal",
    "run": "an operational command from configure mode",
    "name": "one by its name",
    "type": "vm, host, bridge or container",
    "dvrs": "one hypervisor",
    "to": "the revision to compare with",
    "revision": "a committed state",
    "display": "another form of the configuration",
    "limit": "the latest only",
    "terminal": "lines typed here, ended by ctrl-d",
    "merge": "add to the candidate",
    "replace": "replace what the file names",
    "override": "replace the whole candidate",
    "set": "set and delete lines",
}


@cache
def schema_help() -> dict[str, str]:
    """The help of the schema's keywords."""
    return {kind.declared.keyword: kind.declared.help for kind in KINDS}


def shared_help(word: str) -> str:
    """Help for a word that several commands share; empty when there is none."""
    return SHARED.get(word) or schema_help().get(word, "")
