"""Pictures of dashboards for the documentation, from a lab with traffic: SVG of what tmux has on its screen.

    sudo .venv/bin/python -m tests.system.seen.dashboard_pictures docs/images

Colours are those that the terminal was sent. Fonts are the reader's own: the files link to nothing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.system.network import Network
from tests.system.seen.test_dashboard import Screen, Way

PICTURES = {"overview": 160, "hypervisors": 120, "vports": 140, "topology": 160, "events": 120}
"""Screen -> columns of its picture."""
ROWS = 40
TRAFFIC = 110.0  # seconds: the graphs of the overview have something to show then
THEME = TerminalTheme((18, 18, 18), (208, 208, 208), [(0, 0, 0)] * 8, [(255, 255, 255)] * 8)
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def svg(ansi: str, title: str, columns: int) -> str:
    """A screen with its colours as a picture."""
    console = Console(record=True, width=columns, height=ROWS, file=open("/dev/null", "w"), force_terminal=True)
    for line in ansi.splitlines():
        console.print(Text.from_ansi(line.ljust(columns)), no_wrap=True, overflow="crop", soft_wrap=False)
    drawn = FONT.sub("", console.export_svg(title=title, theme=THEME))
    return drawn.replace("Fira Code", "monospace")


def traffic(network: Network) -> list[subprocess.Popen[bytes]]:
    """Pings between machines, each in a rhythm of its own; every process leads a group."""
    rhythms = (
        ("web-1", "10.1.1.12", 1400, 0.01, 900, 7), ("web-2", "10.1.2.12", 900, 0.02, 700, 3),
        ("app-1", "10.1.1.11", 600, 0.02, 300, 11), ("web-1", "10.1.2.12", 1200, 0.005, 500, 23),
    )  # fmt: skip
    return [
        subprocess.Popen(
            ["ip", "netns", "exec", f"{network.lab.prefix}-vm-{name}", "sh", "-c",
             f"while :; do ping -q -i {every} -s {size} -c {count} {address}; sleep {pause}; done"],
            stdout=subprocess.DEVNULL, start_new_session=True,
        )
        for name, address, size, every, count, pause in rhythms
    ]  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        network = Network(Path(place), "dbp")
        way, pings = None, []
        try:
            network.run("configure", "set telemetry polling-interval 5", "commit")
            way = Way(network, Path(place))
            pings = traffic(network)
            screen: Screen = way.user("ops", "super-user", 160, ROWS)
            time.sleep(TRAFFIC)
            for name, columns in PICTURES.items():
                screen.resize(columns, ROWS)
                screen.press(f"dashboard {name}", "Enter")
                screen.shows("q quit")
                time.sleep(8)
                ansi = screen._tmux("capture-pane", "-p", "-e", "-N")
                (folder / f"dashboard-{name}.svg").write_text(svg(ansi, f"dashboard {name}", columns))
                screen.press("q")
                screen.shows("ops@", without="q quit")
        finally:
            for ping in pings:
                os.killpg(ping.pid, signal.SIGTERM)
            if way is not None:
                way.close()
            network.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
