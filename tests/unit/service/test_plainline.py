"""Lines read from a terminal that only shows characters: keys in, echo out."""

from __future__ import annotations

import asyncio

import pytest

from nshell.terminal.plainline import PlainLine


class Screen:
    """A plain line with what it wrote."""

    def __init__(self) -> None:
        self.text = ""
        self.line = PlainLine(self.write, self.explain, self.complete)

    def write(self, text: str) -> None:
        self.text += text

    def explain(self, text: str) -> list[str] | None:
        return None if '"' in text else ["  help"]

    def complete(self, text: str) -> tuple[str, list[str]]:
        return ("ow ", []) if text == "sh" else ("", ["  list"])

    async def read(self, keys: bytes, prompt: str = "> ", echo: bool = True) -> tuple[str, bytes]:
        """The line that these keys make, and those behind it."""
        data = bytearray(keys)
        asyncio.get_running_loop().call_soon(self.line.feed, data)
        return await self.line.read(prompt, echo), bytes(data)


@pytest.fixture
async def screen() -> Screen:
    return Screen()


async def test_what_is_typed_is_echoed_and_keys_behind_the_line_stay(screen: Screen) -> None:
    assert await screen.read(b"show version\nshow", "[edit]\n# ") == ("show version", b"show")
    assert screen.text == "[edit]\r\n# show version\r\n"


async def test_a_return_with_a_line_feed_is_one(screen: Screen) -> None:
    assert await screen.read(b"a\r\nb\r") == ("a", b"\nb\r")
    assert await screen.read(b"\nb\r") == ("b", b"")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"ab\x7fc\r", "ac"),
        (b"\x7f\x08x\r", "x"),
        (b"ab\x15c\r", "c"),
        (b"one two\x17three\r", "one three"),
        (b"a\x1b[Cb\x1b[3~c\r", "abc"),
        ("gr\u00fc\u00df\r".encode(), "gr\u00fc\u00df"),
        (b"a\x00\x01b\r", "ab"),
        (b"sh\tversion\r", "show version"),
        (b'match "a?"\r', 'match "a?"'),
    ],
)
async def test_keys_that_edit(screen: Screen, keys: bytes, line: str) -> None:
    assert (await screen.read(keys))[0] == line


async def test_a_character_may_come_in_pieces(screen: Screen) -> None:
    reading = asyncio.ensure_future(screen.line.read("> "))
    await asyncio.sleep(0)
    for piece in ("\u00fc".encode()[:1], "\u00fc".encode()[1:], b"\r"):
        screen.line.feed(bytearray(piece))
    assert await reading == "\u00fc"


async def test_help_and_lists_leave_the_line_as_it_was(screen: Screen) -> None:
    assert (await screen.read(b"show ?\t\r", "[edit]\n# "))[0] == "show "
    assert screen.text == "[edit]\r\n# show ?\r\n  help\r\n# show \r\n  list\r\n# show \r\n"


async def test_up_and_down_walk_the_lines_of_the_session(screen: Screen) -> None:
    for line in (b"one\r", b"two\r"):
        await screen.read(line)
    assert (await screen.read(b"\x1b[A\x1b[A\r"))[0] == "one"
    assert (await screen.read(b"\x10\x10\x0e\r"))[0] == "one"
    assert (await screen.read(b"\x1bOA\x1bOB\r"))[0] == ""


async def test_a_secret_is_neither_shown_nor_kept(screen: Screen) -> None:
    assert (await screen.read(b"hunter2?\r", "password: ", echo=False))[0] == "hunter2?"
    assert "hunter2" not in screen.text
    assert (await screen.read(b"\x10\r"))[0] == ""


async def test_ctrl_c_and_ctrl_d(screen: Screen) -> None:
    with pytest.raises(KeyboardInterrupt):
        await screen.read(b"half\x03")
    with pytest.raises(EOFError):
        await screen.read(b"\x04")
    assert (await screen.read(b"x\x04y\r"))[0] == "xy"
