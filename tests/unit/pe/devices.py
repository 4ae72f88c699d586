"""A router that is a text, with a fault on demand at any step: what the sessions' and the commits' tests break.

It speaks as a NAPALM driver does, and is one of NAPALM's own mock (napalm.base.mock), so that what its users may call
is what drivers have.
"""

from __future__ import annotations

import difflib
import threading
from typing import Any

from napalm.base.exceptions import CommitError, ConnectionException, MergeConfigException
from napalm.base.mock import MockDriver

REFUSE, LOSE, HANG = "refuse", "lose", "hang"


class Device:
    """One router. `fail[step]` is what the next call of that step does, `log` what was called."""

    def __init__(self) -> None:
        self.lines: list[str] = []  # candidates that were merged and stand
        self.former: list[str] | None = None  # what an unconfirmed commit goes back to
        self.fail: dict[str, str] = {}
        self.log: list[str] = []
        self.there = True
        self.opened = 0
        self.hold = threading.Event()
        self.epoch = 0  # one more ends all connections, as when their process is killed

    def driver(self, place: Any) -> FakeDriver:
        """A driver for it, as drivers.driver_of gives one."""
        return FakeDriver(self)

    def step(self, name: str) -> None:
        self.log.append(name)
        fault = self.fail.pop(name, None)
        if fault == HANG:
            self.hold.wait(30)
        if fault == LOSE or not self.there:
            raise ConnectionException(f"lost, password hunter2, at {name}")
        if fault == REFUSE:
            raise (CommitError if "commit" in name else MergeConfigException)(f"{name}: no, password hunter2")

    def time_passes(self) -> None:
        """The revert timer ends."""
        if self.former is not None:
            self.lines, self.former = self.former, None


class FakeDriver(MockDriver):  # type: ignore[misc]
    """See the module."""

    def __init__(self, device: Device) -> None:
        super().__init__("device", "user", "hunter2", optional_args={"path": "/nonexistent", "profile": ["fake"]})
        self._device = device
        self._epoch = device.epoch
        self._candidate: str | None = None

    def _step(self, name: str) -> None:
        if self._epoch != self._device.epoch:
            raise ConnectionException("this process is dead")
        self._device.step(name)

    def open(self) -> None:
        self._step("open")
        self._device.opened += 1
        super().open()

    def close(self) -> None:
        if self.opened:
            self._device.opened -= 1
        self._device.log.append("close")
        super().close()

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        self._raise_if_closed()
        self._step("load")
        self._candidate = config

    def compare_config(self) -> str:
        self._step("compare")
        wanted = self._after()
        return "\n".join(list(difflib.unified_diff(self._device.lines, wanted, lineterm="", n=0))[2:])

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        if self._device.former is not None:
            raise CommitError("another one waits")
        if self._device.fail.get("commit") == LOSE:  # the worst of it: carried out, and nobody hears of it
            self._apply(revert_in)
        self._step("commit")
        self._apply(revert_in)

    def confirm_commit(self) -> None:
        self._step("confirm")
        if self._device.former is None:
            raise CommitError("nothing waits")
        self._device.former = None

    def has_pending_commit(self) -> bool:
        self._step("pending")
        return self._device.former is not None

    def discard_config(self) -> None:
        self._step("discard")
        self._candidate = None

    def rollback(self) -> None:
        self._step("rollback")
        self._device.time_passes()

    def get_config(self, *args: Any, **options: Any) -> dict[str, str]:
        self._step("running")
        return {"running": "\n".join(self._device.lines) + "\n"}

    def get_facts(self) -> dict[str, Any]:
        self._step("facts")
        return {"vendor": "Fake", "uptime": -1.0, "interface_list": ["e0", "e1"]}

    def __getattribute__(self, name: str) -> Any:
        # MockDriver gives every getter from a file; ours are methods
        return object.__getattribute__(self, name)

    def _apply(self, revert_in: int | None) -> None:
        device = self._device
        before, device.lines = device.lines, self._after()
        device.former = before if revert_in is not None else None
        self._candidate = None

    def _after(self) -> list[str]:
        """As Junos: `delete` and `set` statements, so that a text can be carried out by a few lines."""
        lines = list(self._device.lines)
        for line in (self._candidate or "").splitlines():
            verb, _, rest = line.partition(" ")
            if verb == "delete":
                lines = [one for one in lines if one != rest and not one.startswith(f"{rest} ")]
            elif rest not in lines:
                lines.append(rest)
        return sorted(lines)
