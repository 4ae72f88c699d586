"""What a one-shot command costs: nshell -c "show version" with a daemon running, beside Python doing nothing.

Both are whole processes, from fork to exit, alternating. The peer is `.venv/bin/python -c pass`: the
interpreter that the console script itself runs on, so that the ratio is nshell's doing alone. `python3 -c
pass` as found on PATH is shown for information; a version manager's shim makes it slower than it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.fabric import seed
from tests.bench.measure import Row, Unavailable, median, processes, run, timed, wait_until

NAME = "start"
ABOUT = 'nshell -c "show version" beside python -c pass'
ROUNDS = 60
MOST = 3.0  # times the peer


def measure() -> Iterator[Row]:
    script = Path(sys.executable).with_name("nshell")
    if not script.exists():
        raise Unavailable(f"{script} is not installed (make bench installs it)")
    with processes() as started:
        state = started.directory / "state"
        seed(state)
        env = dict(os.environ, NSHELL_STATE=str(state))
        daemon = started.start(str(script), "serve", env=env)

        def listening() -> bool:
            if daemon.poll() is not None:
                raise RuntimeError(f"nshell serve ended: {started.output(daemon).strip()[-1000:]}")
            return (state / "nshell.sock").exists()

        wait_until(listening, "the daemon's socket")
        commands = {
            "ours": [str(script), "-c", "show version"],
            "peer": [sys.executable, "-c", "pass"],
            "path": ["python3", "-c", "pass"],
        }
        run(*commands["ours"], env=env)
        samples: dict[str, list[float]] = {side: [] for side in commands}
        for _ in range(ROUNDS):
            for side, argv in commands.items():
                samples[side].append(
                    timed(
                        lambda argv=argv: subprocess.run(
                            argv,
                            env=env,
                            stdin=subprocess.DEVNULL,  # type: ignore[misc]
                            stdout=subprocess.DEVNULL,
                            check=True,
                        )
                    )
                )
    ours, peer, path = (median(samples[side]) * 1000 for side in ("ours", "peer", "path"))
    yield Row(
        'nshell -c "show version"',
        ours,
        peer,
        MOST,
        "ms",
        "whole process, fork to exit, daemon running; peer: the same interpreter with -c pass",
        samples,
    )
    yield Row("  info: python3 on PATH -c pass", path, None, None, "ms", "whole process, fork to exit")
