"""A disk that is full, read-only or damaged: said with path, cause and remedy; nothing changes until it is mended."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import cannot_run
from tests.system.network import Network
from tests.transcripts.shell import Shell

BASE = "enterprise acme domain prod"
EDIT = f"set {BASE} egress-policy tight entry 10 to zone app protocol tcp destination-port 80 action allow stateful"
ZONE = f"set {BASE} zone app"
TMPFS = ("-t", "tmpfs", "-o", "size=12m,mode=0755", "nshell-test")
FAULT = "/sys/fs/ext4/{}/trigger_fs_error"


@contextmanager
def mounted(place: Path, *what: str) -> Iterator[Path]:
    """A small file system of its own, unmounted afterwards."""
    subprocess.run(["mount", *what, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with mounted(tmp_path_factory.mktemp("disk"), *TMPFS) as disk:
        network = Network(tmp_path_factory.mktemp("hostile"), "tdsk", agents=False, state=disk / "state")
        try:
            yield network
        finally:
            network.close()


@pytest.fixture
def alike(network: Network) -> Iterator[None]:
    """Configuration and flows are afterwards as before, and commits work again."""
    configuration, flows = network.run("show configuration"), network.all_flows()
    yield
    assert network.run("show configuration") == configuration
    assert network.all_flows() == flows
    network.run(EDIT, "commit")
    assert network.all_flows() != flows
    network.run("configure", "rollback 1", "commit")
    assert network.all_flows() == flows
    assert "Traceback" not in network.shell.log()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A daemon without hypervisors on a small disk of its own; afterwards it starts, and commits work."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, *TMPFS):
        shell = Shell(tmp_path, state=disk / "state")
        try:
            assert shell.commands(ZONE).returncode == 0
            yield shell
            compared = shell.commands("configure", "compare")
            assert "zone app" in compared.stdout, compared
            assert shell.commands("configure", "commit").returncode == 0
            assert "Traceback" not in shell.log()
        finally:
            shell.end()


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not one byte is free meanwhile."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 1):
            try:
                while file.write(b"x" * size):
                    continue
            except OSError:
                continue
    try:
        yield
    finally:
        ballast.unlink()


def refusal(shell: Shell, *lines: str, code: int = 1) -> str:
    """What a command that must fail says: path, cause and remedy; with --json the same as one document."""
    plain = shell.commands(*lines)
    said = plain.stdout + plain.stderr
    assert plain.returncode == code and said.count("error:") == 1 and len(said.splitlines()) >= 2, said
    done = shell.run("--json", *(word for line in lines for word in ("-c", line)))
    assert done.returncode == code and "error" not in done.stderr
    document = json.loads(done.stdout.splitlines()[-1])["error"]
    assert document["cause"] and document["remedy"] and document["exit_code"] == code
    return said


def refused_to_serve(shell: Shell) -> str:
    """What `nshell serve` says when it cannot start."""
    served = shell.run("serve", "--state", str(shell.state))
    assert served.returncode == 1 and served.stderr.startswith("error:") and "Traceback" not in served.stderr
    return served.stderr


def test_on_a_full_disk_an_edit_is_refused_and_the_candidate_is_as_it_was(network: Network, alike: None) -> None:
    database = network.shell.state / "nshell.db"
    with full(network.shell.state.parent):
        said = refusal(network.shell, EDIT)
        assert str(database) in said and "the disk is full" in said and "free space" in said
        assert "no difference" in network.run("configure", "compare")
        network.run("show vports")
    assert "no difference" in network.run("configure", "compare")


def test_on_a_full_disk_a_commit_is_refused_and_the_candidate_kept(network: Network, alike: None) -> None:
    network.run(EDIT)
    before = network.all_flows()
    with full(network.shell.state.parent):
        said = refusal(network.shell, "configure", "commit")
        assert "the disk is full" in said and "your candidate is kept" in said
        assert network.all_flows() == before
        assert "tight" in network.run("configure", "compare")
    network.run("configure", "discard")


def test_a_daemon_that_finds_no_space_says_so_and_starts_when_there_is_some(shell: Shell) -> None:
    shell.end()
    with full(shell.state.parent):
        said = refusal(shell, "show version", code=5)
        assert "the daemon did not start" in said and str(shell.state) in said and "free space" in said
        assert "free space" in refused_to_serve(shell)


def test_a_killed_daemon_comes_back_on_a_full_disk_and_shows_what_there_is(shell: Shell) -> None:
    shell.end(signal.SIGKILL)
    with full(shell.state.parent):
        assert shell.commands("show version", "show dvrs").returncode == 0
        assert "the disk is full" in refusal(shell, "set enterprise umbrella")
        shell.end()


def test_a_daemon_on_a_read_only_disk_says_so_and_starts_when_it_is_writable(shell: Shell) -> None:
    shell.end()
    disk = shell.state.parent
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        said = refusal(shell, "show version", code=5)
        assert "ead-only" in said and str(shell.state) in said
        assert "ead-only" in refused_to_serve(shell)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


def test_a_disk_that_turns_read_only_refuses_edits_and_commits_and_loses_nothing(tmp_path: Path) -> None:
    # No mount whose files are open for writing can be remounted read-only (EBUSY), a tmpfs neither: only a file system
    # with an error of its own turns so under a running program, and that takes a block device.
    if not Path("/dev/loop-control").exists():
        cannot_run("a disk that turns read-only needs loop devices")
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    with mounted(disk, "-o", "loop,errors=remount-ro", str(image)):
        shell = Shell(tmp_path, state=disk / "state")
        try:
            assert shell.commands(ZONE).returncode == 0
            device = subprocess.run(["findmnt", "-no", "SOURCE", disk], check=True, capture_output=True, text=True)
            Path(FAULT.format(Path(device.stdout.strip()).name)).write_text("1")
            said = refusal(shell, "set enterprise umbrella")
            assert "nshell.db" in said and ("read-only" in said or "disk reports" in said), said
            said = refusal(shell, "configure", "commit")
            assert "your candidate is kept" in said
            kept = shell.commands("configure", "compare").stdout
            assert "zone app" in kept and "umbrella" not in kept
        finally:
            shell.end()
    with mounted(disk, "-o", "loop", str(image)):
        try:
            kept = shell.commands("configure", "compare").stdout
            assert "zone app" in kept and "umbrella" not in kept
        finally:
            shell.end()


@pytest.mark.parametrize("place", [0, 4096 + 8])
def test_a_damaged_database_is_named_and_left_as_it_is(shell: Shell, place: int) -> None:
    shell.end()
    database = shell.state / "nshell.db"
    sound = database.read_bytes()
    assert len(sound) > place + 4000
    damaged = sound[:place] + b"\xa5" * 4000 + sound[place + 4000 :]
    database.write_bytes(damaged)
    try:
        said = refusal(shell, "show version", code=5)
        assert str(database) in said and "restore a backup" in said
        refused_to_serve(shell)
        assert database.read_bytes() == damaged
    finally:
        database.write_bytes(sound)
