"""Bytes from strangers through every decoder (targets.py): by hypothesis everywhere, by atheris where it can be had.

atheris sees which branches bytes reach. It instruments what it imports, so it runs in a process of its own; with
CI=true on a CPython that it has a wheel for it must be there.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import cannot_run
from tests.fuzz.runs import LONGER, SIZES, bounded, soon
from tests.fuzz.targets import SEEDS, TARGETS

ROOT = Path(__file__).parents[2]
RUNS = {"openflow": 2000, "ovsdb": 1000, "agent": 750, "agent-lines": 1250, "frames": 1250, "grammar": 750}
"""Runs of atheris in the ordinary test, about a second each; of others OTHERS."""
OTHERS = 2000
SEED = 20031


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A valid beginning with bytes changed, put in, left out or repeated."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.integers(0, 3))
        if how == 0 and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif how == 1:
            data[at:at] = draw(
                st.binary(max_size=8) | st.sampled_from([b"\xff\xff", b"\0\0\0\0", b"[[", b"null", b'"', b"1e999"])
            )
        elif how == 2:
            del data[at : at + draw(st.integers(1, 8))]
        else:
            data += draw(st.sampled_from(seeds))[1:][: draw(st.integers(0, 64))]
    return bytes(data)


@pytest.mark.parametrize("longer", SIZES)
@pytest.mark.parametrize("name", TARGETS)
def test_a_decoder_takes_any_bytes(name: str, longer: int) -> None:
    def check(data: bytes) -> None:
        with soon():
            TARGETS[name](data)

    drawn = mutated(SEEDS[name]) | mutated(SEEDS[name]) | st.binary(max_size=200)
    bounded(150 * longer)(given(drawn)(check))()


@pytest.mark.parametrize("longer", SIZES)
@pytest.mark.parametrize("name", TARGETS)
def test_a_decoder_takes_what_coverage_leads_to(name: str, longer: int, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        if sys.version_info < (3, 14) and os.uname().machine == "x86_64":
            cannot_run("atheris is not installed")
        pytest.skip("atheris has no wheel for this machine; hypothesis has tried the same decoders")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed{number}").write_bytes(seed)
    runs = RUNS.get(name, OTHERS) * (1 if longer < LONGER else 100)
    words = [
        f"-runs={runs}",
        f"-seed={SEED}",
        "-max_len=1024",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=0",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.atheris_run", name, *words, f"-artifact_prefix={tmp_path}/", str(corpus)],
        capture_output=True, text=True, cwd=ROOT, timeout=3500, check=False, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
