"""A router that is a directory of answers: what FRR 8.4.4 and its system said to each command, recorded once.

The answers of every test are in answers/, one file per command, named by its words; a file NAME.code beside it holds
an exit code that is not 0. NAPALM's tests compare with mocked_data/TEST/CASE/expected_result.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napalm.base.exceptions import ConnectionClosedException
from napalm.base.test.double import BaseTestDouble

from controller.pe.frr import FrrDriver
from controller.pe.frr.transport import Done, Transport

HERE = Path(__file__).parent
ANSWERS = HERE / "answers"


def name_of(argv: Sequence[str]) -> str:
    """The file of a command: its words, and for a long one (a script) a digest of it."""
    text = " ".join(argv)
    clean = "".join(letter if letter.isalnum() else "_" for letter in text)
    return clean if len(clean) < 100 else f"{clean[:60]}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class RecordedTransport(BaseTestDouble):  # type: ignore[misc]
    """Answers from files; a command that nobody recorded is a failure of the test."""

    def __init__(self) -> None:
        super().__init__()
        self._open = False

    def find_file(self, filename: str) -> str:
        return str(HERE / "mocked_data" / self.current_test / self.current_test_case / filename)

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        self._open = False

    def alive(self) -> bool:
        return self._open

    def run(self, argv: Sequence[str], given: str = "", timeout: float = 60.0) -> Done:
        if not self._open:
            raise ConnectionClosedException("closed")
        file = ANSWERS / f"{name_of(argv)}.txt"
        assert file.exists(), f"no recorded answer to {list(argv)}: {file.name}"
        code = file.with_suffix(".code")
        return Done(int(code.read_text()) if code.exists() else 0, file.read_text(), "")


class PatchedFrrDriver(FrrDriver):
    """The driver with the recorded router behind it, as NAPALM's tests want it."""

    def __init__(
        self,
        hostname: str,
        username: str,
        password: str,
        timeout: int = 60,
        optional_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(hostname, username, password, timeout, optional_args)
        self.patched_attrs = ["device"]
        self.device: RecordedTransport = RecordedTransport()
        transport: Transport = self.device
        self._access.transport = transport
