"""Frames of text beside a test: what a graph looks like stands in a file that a reviewer can look at.

`pytest tests/unit/statistics --update-frames` is not there on purpose: a frame is drawn anew by deleting its file and
running the test, which then writes it, and fails once.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "frames"


def assert_looks_like(name: str, lines: list[str]) -> None:
    """Compares with the frame of this name; one that is not there is written, to be looked at."""
    file = FOLDER / f"{name}.txt"
    text = "".join(f"{line}\n" for line in lines)
    if not file.exists():
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
        raise AssertionError(f"{file} is new: look at it, and run the test again")
    assert text == file.read_text(), f"drawn was:\n{text}"
