"""docs/commands.md is generated; this fails when it is stale."""

from __future__ import annotations

from commands.language.reference import FILE, reference


def test_the_command_reference_is_what_the_registry_says() -> None:
    assert FILE.read_text() == reference(), "run: python -m commands.language.reference"
