"""scrapli as it was before October 2026, another program under the same name: kept in a folder of its own, for tests.

Run as a script, with that folder on the path, it drives a daemon: PORT USER PASSWORD KEY LONG, a public key
longer than the screen is wide.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

VERSION = "2026.2.20"
FOLDER = Path(sys.prefix) / f"scrapli-{VERSION}"


def folder() -> Path:
    """Where to import it from, filled by pip at first; gives the test up where pip cannot."""
    if not (FOLDER / "scrapli" / "driver").exists():
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(FOLDER), f"scrapli=={VERSION}"],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode != 0:
            from tests.conftest import cannot_run

            cannot_run(f"scrapli {VERSION} cannot be installed: {done.stderr[-300:]}")
    return FOLDER


def drive(transport: str, long: str, how: dict[str, Any]) -> None:
    """Through the modes, with one transport."""
    from scrapli import Scrapli

    with Scrapli(platform="juniper_junos", transport=transport, **how) as shell:
        assert shell.get_prompt().endswith("@nshell>")
        assert shell.send_command("show vports | match web-99 | count").result == "Count: 1 virtual ports"
        assert shell.send_command("show configuration").result.count("vport web-") > 200
        assert shell.send_command("show nonsense").failed
        assert [each.failed for each in shell.send_commands(["show version", "nonsense"])] == [False, True]
        for level in ("configuration", "configuration_private", "configuration_exclusive"):
            typed = shell.send_config(f'set user eve class operator ssh-key "{long}"', privilege_level=level)
            assert not typed.failed, typed.result
            assert long in shell.send_config("compare", privilege_level=level).result
            refused = shell.send_configs(["set nonsense", "set x"], privilege_level=level, stop_on_failed=True)
            assert refused.failed and len(refused) == 1
            assert "commit complete" in shell.send_configs(["rollback 0", "commit"], privilege_level=level).result
            assert shell.send_command("show version").result.startswith("nshell")
        asked = shell.send_interactive(
            [
                ("configure", "#", False),
                ("set user eve class operator password", "new password: ", False),
                ("a.secret.word", "once more: ", True),
                ("a.secret.word", "#", True),
                ("rollback 0", "#", False),
                ("exit configuration-mode", ">", False),
            ]
        )
        assert "a.secret.word" not in asked.result, asked.result


async def drive_asyncio(how: dict[str, Any]) -> None:
    """The same in short, for asyncio."""
    from scrapli.driver.core import AsyncJunosDriver

    async with AsyncJunosDriver(transport="asyncssh", **how) as shell:
        answers = await shell.send_configs(["set enterprise later", "commit comment x", "delete enterprise later"])
        assert not answers.failed and "commit complete" in answers.result
        assert "commit complete" in (await shell.send_config("commit")).result
        assert (await shell.send_command("show version | match hostname")).result.split() == ["hostname", "nshell"]


def main(port: str, user: str, password: str, key: str, long: str) -> None:
    device = {"host": "127.0.0.1", "port": int(port), "auth_username": user, "auth_strict_key": False}
    with_password, with_key = {**device, "auth_password": password}, {**device, "auth_private_key": key}
    drive("system", long, with_password)
    drive("system", long, with_key)
    drive("paramiko", long, with_password)
    asyncio.run(drive_asyncio(with_password))
    asyncio.run(drive_asyncio(with_key))


if __name__ == "__main__":
    main(*sys.argv[1:])
