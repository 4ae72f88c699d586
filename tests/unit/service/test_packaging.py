"""What is installed: units that systemd accepts, a program that runs from where it was put, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import cannot_run

ROOT = Path(__file__).parents[3]
UNITS = ("nshell.service", "nshell-agent.service")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed below a prefix of its own."""
    place = tmp_path_factory.mktemp("installed")
    work("--prefix", f"{place}/usr", "--sysconfdir", f"{place}/etc")
    return place


def work(*arguments: str) -> None:
    script = [sys.executable, "packaging/install.py", "--files-only", *arguments]
    subprocess.run(script, cwd=ROOT, check=True, capture_output=True)


def needed(program: str) -> str:
    """A program's path; the test fails in CI and is skipped elsewhere without it."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        cannot_run(f"{program} is not installed: ./bootstrap.sh packages")
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_units(prefix: Path, unit: str) -> None:
    file = prefix / "usr/lib/systemd/system" / unit
    done = subprocess.run(
        [needed("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # Other units of this machine are none of our business.
    ours = [line for line in done.stderr.splitlines() if unit in line or str(file) in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    assert "/usr/local" not in file.read_text()


def test_systemd_finds_the_controller_well_confined(prefix: Path) -> None:
    """0 is a service that may do nothing, 10 one that may do everything; above 4 systemd says 'medium'."""
    done = subprocess.run(
        [needed("systemd-analyze"), "security", "--offline=yes", "--threshold=40", "--no-pager",
         str(prefix / "usr/lib/systemd/system/nshell.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-600:] + done.stderr


def test_logrotate_accepts_its_settings(prefix: Path, tmp_path: Path) -> None:
    text = (prefix / "etc/logrotate.d/nshell").read_text()
    file = tmp_path / "nshell"
    file.write_text(text.replace("nshell nshell", "root root") if os.geteuid() == 0 else text)
    done = subprocess.run(
        [needed("logrotate"), "--debug", "--state", str(tmp_path / "state"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower()


def test_the_installed_program_serves_and_answers_without_the_tree(prefix: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NSHELL_STATE": str(tmp_path / "state")}
    command = str(prefix / "usr/bin/nshell")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    version = run("--version")
    assert version.stdout.startswith("nshell "), version.stderr
    try:
        done = run("-c", "show version")
        assert done.returncode == 0, done.stdout + done.stderr
        pid = int((tmp_path / "state/lock").read_text())
        loaded = Path(f"/proc/{pid}/environ").read_text().split("\0")
        assert f"PYTHONPATH={prefix}/usr/lib/nshell" in loaded
    finally:
        if (tmp_path / "state/lock").exists():
            os.kill(int((tmp_path / "state/lock").read_text()), 15)


def test_installing_again_keeps_edited_settings_and_drops_former_files(tmp_path: Path) -> None:
    where = ("--prefix", f"{tmp_path}/usr", "--sysconfdir", f"{tmp_path}/etc")
    work(*where)
    settings = tmp_path / "etc/nshell/nshell.conf"
    settings.write_text("log-level = debug\n")
    former = tmp_path / "usr/lib/nshell/nshell/former.py"
    former.write_text("")
    work(*where)
    assert settings.read_text() == "log-level = debug\n"
    assert not former.exists()
    work(*where, "--uninstall")
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["etc/nshell/nshell.conf"]


def test_a_package_is_made_below_destdir_and_names_the_prefix(tmp_path: Path) -> None:
    work("--prefix", "/opt/nshell", "--destdir", str(tmp_path))
    assert "/opt/nshell/bin/nshell serve" in (tmp_path / "opt/nshell/lib/systemd/system/nshell.service").read_text()
    assert "'/opt/nshell/lib/nshell'" in (tmp_path / "opt/nshell/bin/nshell").read_text()
    assert (tmp_path / "etc/nshell/nshell.conf").exists()


def test_the_units_name_the_places_that_the_program_uses() -> None:
    unit = (ROOT / "packaging/systemd/nshell.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    assert settings["ExecStart"].endswith("nshell serve --state /var/lib/nshell")
    for name in ("StateDirectory", "RuntimeDirectory", "LogsDirectory", "ConfigurationDirectory"):
        assert settings[name] == "nshell"
    assert (settings["Type"], settings["NoNewPrivileges"], settings["ProtectSystem"]) == ("notify", "yes", "strict")
