"""A graph as SVG or PNG for a report, drawn by matplotlib in a process of its own: `python -m views.chart`.

    standard input   one JSON document: {"form": "svg" | "png", "graph": what views/json.py says of a Graph}
    standard output  the picture: 1000 x 450 pixels; text of an SVG stays text
    exit code        0, or 1 with a sentence on standard error

Why a process: matplotlib takes half a second and 60 MB to import, and keeps them; drawing holds the interpreter for a
quarter of a second, in which no keepalive would be answered. commands/statistics/pictures.py starts it.
"""

from __future__ import annotations

import io
import json
import math
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from views.axes import highest, scale, times

FORMS = ("svg", "png")
WIDTH, HEIGHT = 1000, 450
"""Pixels of a picture."""
DOTS = 100
"""Pixels per inch."""
SECONDS = 30
"""Of processor time; 2 are enough on a slow machine, and the first picture makes a list of the fonts."""
MEMORY = 2 << 30
"""Bytes of address space, of which matplotlib with its libraries takes half a gigabyte."""
COLORS = ("#1f77b4", "#d95f02", "#7570b3", "#1b9e77", "#e7298a", "#666666")
"""Told apart also by those who do not see all colours (ColorBrewer, Dark2)."""
STYLES = ("-", "--", "-.", ":")
"""Told apart also on a printer without colours."""
TICKS = 8
"""Of time, at most."""


def draw(graph: Mapping[str, Any], form: str) -> bytes:
    """The picture of a graph, as views/json.py says it."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["text.parse_math"] = False  # a name may have a dollar
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "nshell"  # the same graph gives the same file
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / DOTS, HEIGHT / DOTS), dpi=DOTS, facecolor="white", layout="constrained")
    place = figure.add_subplot()
    since = datetime.fromisoformat(graph["since"]).timestamp()
    step = float(graph["step"])
    lines: Sequence[Mapping[str, Any]] = graph["lines"]
    count = max((len(line["values"]) for line in lines), default=1)
    axis = scale(max((highest(line["values"]) for line in lines), default=0.0), graph["unit"], 6)
    middles = [since + (at + 0.5) * step for at in range(count)]
    for number, line in enumerate(lines):
        values = [math.nan if value is None else value / axis.factor for value in line["values"]]
        color = COLORS[number % len(COLORS)]
        place.plot(middles[: len(values)], values, STYLES[number % len(STYLES)], color=color, label=line["label"],
                   linewidth=1.6, marker="." if _lonely(line["values"]) else None)  # fmt: skip
        if len(lines) == 1:
            place.fill_between(middles[: len(values)], values, color=color, alpha=0.15, linewidth=0)
    place.set_title(graph["title"], loc="left", fontsize=12, fontweight="bold")
    place.set_title(graph["note"], loc="right", fontsize=9, color="#555555")
    place.set_ylabel(axis.unit)
    place.set_ylim(0, axis.top / axis.factor)
    place.set_yticks([tick / axis.factor for tick in axis.ticks], axis.labels)
    ticks = times(since, since + count * step, TICKS)
    place.set_xlim(since, since + count * step)
    place.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    place.grid(color="#dddddd", linewidth=0.6)
    place.spines[["top", "right"]].set_visible(False)
    if len(lines) > 1:
        place.legend(loc="upper right", fontsize=9, framealpha=0.9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, metadata={"Date": None} if form == "svg" else None)
    return buffer.getvalue()


def _lonely(values: Sequence[float | None]) -> bool:
    """Whether a value stands between two that are not known: a line would not show it."""
    known = [value is not None for value in values]
    return any(
        here and not before and not after
        for before, here, after in zip([False, *known], known, [*known[1:], False], strict=False)
    )


def main() -> int:
    """Draw what standard input asks for."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.environ.setdefault("MPLBACKEND", "agg")
    try:
        asked = json.load(sys.stdin)
        if asked["form"] not in FORMS:
            raise ValueError(f"there is no form {asked['form']}")
        sys.stdout.buffer.write(draw(asked["graph"], asked["form"]))
    except (ImportError, KeyError, MemoryError, OSError, TypeError, ValueError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
