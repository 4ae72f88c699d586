"""`make demo` itself: every line it prints is a packet test, and it works twice in a row."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from nshell.lab.demo import COLUMNS

ROOT = Path(__file__).parents[3]
PREFIX = "tdemo"
PROGRAM = [sys.executable, "-m", "nshell.lab.demo", "--prefix", PREFIX]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


def looked_at(said: str) -> None:
    """What it shows of the world outside (the plan of a commit, its receipts, sessions, circuits), and of traffic and
    health; all in 80 columns."""
    for neighbor in ("pe", "vtep"):
        assert re.search(rf"^bgp-neighbor {neighbor} +\+[1-9]\d* -0$", said, re.MULTILINE), said
        assert re.search(rf"^ *bgp-neighbor {neighbor} +\+[1-9]\d* -0   verified in", said, re.MULTILINE), said
        assert re.search(rf"^{neighbor} +169\.254\.\d+\.\d+ .* established", said, re.MULTILINE), said
    assert re.search(r"^acme/prod +172\.31\.255\.11 +up +\d+", said, re.MULTILINE), said
    seen = said[said.index("nshell> show fabric") :]
    assert re.search(r"^  dvrs +3 up +0 away", seen, re.MULTILINE), seen
    assert re.search(r"^  bgp +2 up +0 down", seen, re.MULTILINE), seen
    assert re.search(r"^acme/prod/web-1 .* [kM]B ", seen, re.MULTILINE), seen
    assert "\ndelivered to app-2\n" in seen, seen
    assert "by GRE with MPLS label" in said and "by VXLAN with VNI 10101" in said
    assert max(map(len, said.splitlines())) <= COLUMNS, said


def test_the_demo_shows_what_it_promises_twice_and_leaves_nothing() -> None:
    stages = tomllib.loads((ROOT / "examples/demo/expectations.toml").read_text())["stage"]
    promised = sum(len(stage["test"]) for stage in stages)
    try:
        for _ in range(2):
            done = run()
            assert done.returncode == 0, done.stdout + done.stderr
            assert sum(line.startswith("ok ") for line in done.stdout.splitlines()) == promised
            assert "FAILED" not in done.stdout
            looked_at(done.stdout)
    finally:
        down = run("down")
    assert down.returncode == 0, down.stdout + down.stderr
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in spaces.splitlines() if line.startswith(f"{PREFIX}-")]
