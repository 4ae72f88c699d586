"""Graphs as pictures: drawn by a process of its own, saved at the operator's end, nice enough for a report."""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from commands.language.lexer import lex, split_pipes
from commands.pipes import Output, run_pipe
from commands.statistics import pictures
from commands.statistics.pictures import picture
from data.errors import CommandFailed
from tests.unit.shell.pretend import PretendContext
from views.chart import HEIGHT, WIDTH
from views.graph import Graph, Line
from views.json import document

GRAPH = Graph(
    "Throughput of vport acme/prod/web$1 <&> \N{GREEK SMALL LETTER MU}",
    "bit/s",
    1_795_437_000.0,
    30.0,
    (Line("sends", [3e6, 4e6, None, 5e6, None, None, 2e6]), Line("gets", [1e6] * 7)),
    "2026-11-23 14:00 - 14:04",
)


@pytest.fixture
def context(tmp_path: Path) -> PretendContext:
    return PretendContext(state_directory=str(tmp_path))


async def saved(context: PretendContext, line: str, graph: Graph = GRAPH) -> Output:
    output = Output(graph)
    for pipe in split_pipes(lex(line).words)[1:]:
        output = await run_pipe(pipe, context, output, False)  # type: ignore[arg-type]
    return output


def pixels(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, all of whose chunks are whole (ISO/IEC 15948)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, kinds = 8, []
    while at < len(png):
        (length,) = struct.unpack_from("!I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from("!I", png, at + 8 + length)[0]
        kinds.append(kind)
        at += 12 + length
    assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND"
    width, height = struct.unpack_from("!II", png, 16)
    return width, height


async def test_a_graph_is_saved_as_png_of_the_stated_size(context: PretendContext) -> None:
    output = await saved(context, "graph | save load.png")
    assert output.lines(None) == ["PNG saved to load.png"]  # type: ignore[arg-type]
    assert pixels(context.files["load.png"]) == (WIDTH, HEIGHT)


async def test_the_text_of_an_svg_is_text(context: PretendContext) -> None:
    await saved(context, "graph | save load.SVG")
    root = ElementTree.fromstring(context.files["load.SVG"])
    assert root.tag.endswith("svg") and root.get("viewBox") == "0 0 720 324"  # points: 1000 x 450 at 100 dots per inch
    texts = {"".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {GRAPH.title, GRAPH.note, "Mbit/s", "sends", "gets", "0", "5"} <= texts


async def test_the_same_graph_is_the_same_picture(context: PretendContext) -> None:
    await saved(context, "graph | save one.svg")
    await saved(context, "graph | save two.svg")
    assert context.files["one.svg"] == context.files["two.svg"]


async def test_any_other_name_gets_the_text_and_json_stays_json(context: PretendContext) -> None:
    await saved(context, "graph | save load.txt")
    assert "Mbit/s" in context.files["load.txt"]
    await saved(context, "graph | json | save load.svg")
    assert json.loads(context.files["load.svg"]) == document(GRAPH)


async def test_of_nothing_there_is_a_picture_too(context: PretendContext) -> None:
    empty = Graph("Drops", "packet/s", 0.0, 10.0, (Line("denied", [None] * 5),))
    await saved(context, "graph | save empty.png", empty)
    assert pixels(context.files["empty.png"]) == (WIDTH, HEIGHT)


async def test_a_picture_that_takes_too_long_is_given_up_and_its_process_ended(
    context: PretendContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def slow(*command: str, **how: object) -> asyncio.subprocess.Process:
        process = await start("sleep", "600", **how)  # type: ignore[arg-type]
        started.append(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
    monkeypatch.setattr(pictures, "PATIENCE", 0.2)
    with pytest.raises(CommandFailed, match="not drawn within"):
        await picture(context, GRAPH, "png")  # type: ignore[arg-type]
    assert started[0].returncode is not None


def test_what_cannot_be_drawn_is_said_in_a_sentence() -> None:
    for asked, word in (("{", "JSONDecodeError"), ('{"form": "exe"}', "no form"), ('{"form": "png"}', "KeyError")):
        done = subprocess.run(
            [sys.executable, "-m", "views.chart"], input=asked.encode(), capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (1, b"")
        assert word in done.stderr.decode() and "Traceback" not in done.stderr.decode()
