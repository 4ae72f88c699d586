"""A session's context without a daemon: a real configuration and candidate, everything else as small as it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

from commands.language.registry import Mode
from controller.events import Events
from controller.numbers import Numbers
from controller.topology import Topology
from controller.underlay.service import Underlay
from data.access import EVERYTHING, Access
from data.candidate import Candidate
from data.configuration import Configuration, Running
from data.path import Path
from data.steps import Steps, at_once
from tests.unit.statistics.fake_telemetry import FakeTelemetry

T = TypeVar("T")

LINES = """
set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod zone app subnet app1 prefix 10.1.2.0/24
set enterprise acme domain prod policy-group frontends
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11 policy-group frontends
set enterprise acme domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12
set enterprise acme domain prod ingress-policy base entry 10 from policy-group frontends to zone app protocol tcp destination-port 8443 action allow stateful
set enterprise umbrella domain lab zone z subnet s prefix 10.1.1.0/24
set enterprise umbrella domain lab vport web-1 subnet s mac 02:00:0a:01:01:0b address 10.1.1.11 type host
"""  # noqa: E501


def running(text: str = LINES) -> Running:
    """A committed configuration of these set lines, revision 1."""
    state = Running()
    candidate = Candidate(state, "test")
    candidate.apply_batch(text.strip().splitlines(), "test")
    state.apply(candidate.edits(), 1)
    return state


class PretendFabric:
    """The parts of the fabric that show commands ask."""

    def __init__(self, state: Running) -> None:
        self.running = self.acting = state
        self.events = Events()
        self.topology = Topology(self.events)
        self.numbers = Numbers()
        self.underlay = Underlay(self.events, lambda: state)
        self.telemetry = FakeTelemetry(by_uuid=state.by_uuid)
        self.pe = SimpleNamespace(all=list)
        self.bgp = None
        self.drift = SimpleNamespace(standing=lambda name: SimpleNamespace(differs=(), more=0, repaired=0))
        self.waiting = None
        for name in state.children((), "dvrs"):
            self.topology.configure(name, name, getattr(state.get(("dvrs", name)), "tunnel_address", ""))

    def health(self) -> list[Any]:
        return []

    def sharing(self, path: Path) -> list[Any]:
        return []

    def elsewhere(self, path: Path) -> Any:
        return None

    def remote_routes(self, domain: Path) -> Iterator[Any]:
        return iter(())

    async def circuits(self) -> list[Any]:
        return []

    def learned(self) -> dict[Path, Any]:
        return {}

    async def history(self, limit: int, number: int | None = None) -> list[Any]:
        return []


@dataclass
class PretendContext:
    """A Context (commands/context.py) for handlers, parsing and completion."""

    running: Running = field(default_factory=running)
    user: str = "ops"
    interactive: bool = False
    mode: Mode = Mode.OPERATIONAL
    level: Path = ()
    entered: list[Path] = field(default_factory=list)
    version: str = "0"
    state_directory: str = "/nowhere"
    files: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    access: Access = EVERYTHING
    origin: str = "test"

    def __post_init__(self) -> None:
        self.fabric = PretendFabric(self.running)
        self.own = Candidate(self.running, self.user)
        self.schedule = SimpleNamespace(rows=lambda: ())

    async def read_secret(self, prompt: str) -> str:
        return self.files["secret"]

    @property
    def configuration(self) -> Configuration:
        return self.own.view if self.mode is Mode.CONFIGURE else self.running

    async def candidate(self) -> Candidate:
        return self.own

    async def save_candidate(self) -> None:
        self.own.saved(self.own.unsaved())

    async def change_candidate(self, work: Callable[[Candidate], Steps[T]]) -> T:
        copy = at_once(self.own.copied())
        result = at_once(work(copy))
        self.own = copy
        return result

    async def enter_configure(self) -> list[str]:
        self.mode = Mode.CONFIGURE
        return []

    def leave_configure(self) -> None:
        self.mode = Mode.OPERATIONAL

    def end(self) -> None:
        self.notes.append("end")

    def note(self, text: str) -> None:
        self.notes.append(text)

    def sessions(self) -> list[SimpleNamespace]:
        return []

    def editors(self) -> list[str]:
        return [self.user] if self.own.differs else []

    async def read_file(self, name: str) -> str:
        return self.files[name]

    async def write_file(self, name: str, contents: str | bytes) -> None:
        self.files[name] = contents

    async def read_terminal(self, prompt: str) -> str:
        return ""
