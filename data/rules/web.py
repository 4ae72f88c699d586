"""The web server: a port that nothing else of this nshell listens on, a token that nobody guesses."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, problem, rule
from data.schema.accounts import Ssh
from data.schema.objects import Controller
from data.schema.seen import Web

_ALL = ("0.0.0.0", "::")
TOKEN_SHORTEST = 16
"""Characters of a metrics token: guesses are slow for one source, and who has many sources could try few for ever."""


@rule(Web)
def the_web_server_has_a_port_of_its_own(check: Check, path: Path, web: Web) -> Iterator[Problem]:
    yield from _clash(check, path)


@rule(Web)
def a_metrics_token_cannot_be_guessed(check: Check, path: Path, web: Web) -> Iterator[Problem]:
    if web.metrics_token is not None and len(web.metrics_token) < TOKEN_SHORTEST:
        cause = f"the token has fewer than {TOKEN_SHORTEST} characters"
        yield problem(
            path, "metrics-token", cause, "set web metrics-token, and paste what 'openssl rand -hex 24' prints"
        )


@rule(Ssh)
def the_ssh_server_leaves_the_web_server_its_port(check: Check, path: Path, ssh: Ssh) -> Iterator[Problem]:
    yield from _clash(check, path)


@rule(Controller)
def the_controller_leaves_the_web_server_its_port(check: Check, path: Path, item: Controller) -> Iterator[Problem]:
    yield from _clash(check, path)


def _clash(check: Check, path: Path) -> Iterator[Problem]:
    """The problem once, at the port that is edited."""
    web, ssh, controller = check.view.settings(Web), check.view.settings(Ssh), check.view.settings(Controller)
    if web.listen_address is None:
        return
    others = [
        ("ssh", "port", ssh.listen_address, ssh.port),
        ("controller", "openflow-port", controller.listen_address, controller.openflow_port),
        ("controller", "ovsdb-port", controller.listen_address, controller.ovsdb_port),
        ("controller", "agent-port", controller.listen_address, controller.agent_port),
    ]
    for kind, leaf, address, port in others:
        if port != web.port or address is None or not _overlap(address, web.listen_address):
            continue
        mine, other = ("port", f"{kind} {leaf}") if path == ("web",) else (leaf, "web port")
        if path in (("web",), (kind,)) and check.first_time(("web port", kind, leaf)):
            yield problem(path, mine, f"{port} is already the {other}", "choose another port")


def _overlap(one: str, other: str) -> bool:
    """Whether two listeners on the same port would be in each other's way."""
    family = [6 if ":" in address else 4 for address in (one, other)]
    return one == other or (family[0] == family[1] and (one in _ALL or other in _ALL))
