"""A small network for questions about its policy: committed, compiled, resolved, and no switch behind it."""

from __future__ import annotations

from controller.events import Events
from controller.network import Network
from controller.numbers import Numbers
from controller.topology import Interface
from data.access import EVERYTHING, Access
from data.acting import Acting, acting_edits
from data.candidate import Candidate
from data.configuration import Overlay, Running
from data.path import Path
from data.rules import check

PROD: Path = ("enterprise", "acme", "domain", "prod")
LINES = """
set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod zone app subnet app1 prefix 10.1.2.0/24
set enterprise acme domain prod zone db subnet db1 prefix 10.1.3.0/24
set enterprise acme domain prod policy-group front
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11 policy-group front
set enterprise acme domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12
set enterprise acme domain prod vport app-1 subnet app1 mac 02:00:0a:01:02:0b address 10.1.2.11
set enterprise acme domain prod vport db-1 subnet db1 mac 02:00:0a:01:03:0b address 10.1.3.11
"""
PLACES = {"web-1": ("hv1", 1), "web-2": ("hv2", 1), "app-1": ("hv1", 2), "db-1": ("hv2", 2)}


def configured(lines: str) -> Running:
    """These set lines as a committed configuration. Raises AssertionError for one that the check refuses."""
    running = Running()
    candidate = Candidate(running, "test")
    candidate.apply_batch(lines.strip().splitlines(), "test")
    edits, acting = candidate.edits(), Acting(running)
    acts = acting_edits(acting, edits)
    problems = check(Overlay(running, acts), acts, acting, Overlay(running, edits))
    assert not problems, problems
    running.apply(edits, 1)
    return running


def network(lines: str = "", places: dict[str, tuple[str, int]] | None = None) -> Network:
    """The network of LINES and these; `places` by short name in acme/prod, or by full name."""
    found = {name if "/" in name else f"acme/prod/{name}": at for name, at in (places or PLACES).items()}
    interfaces = [
        Interface(dvrs, f"tap{order}", name, port, 0.0, order)
        for order, (name, (dvrs, port)) in enumerate(found.items())
    ]
    return Network(configured(LINES + lines), Numbers(), interfaces, Events())


def vport(name: str) -> Path:
    """The path of a vport of acme/prod."""
    return (*PROD, "vport", name)


def tenant(*permissions: str) -> Access:
    """Somebody who is confined to acme."""
    return Access("anna", "acme-admins", frozenset(permissions or ("show", "configure", "commit")), frozenset({"acme"}))


OPERATOR = EVERYTHING
