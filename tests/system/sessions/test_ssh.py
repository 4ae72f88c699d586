"""SSH as operators and their scripts use it, with OpenSSH's own client."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nshell.lab.probing import wait_until
from tests.system.openssh import OpenSsh, Site, SshServer, new_key, public
from tests.transcripts.shell import USER, free_ports


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("ssh"))
    try:
        yield made
        assert "Traceback" not in made.shell.log(), made.shell.log()
    finally:
        made.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    """A site of one test's own, whose configuration it changes."""
    made = Site(tmp_path)
    try:
        yield made
        assert "Traceback" not in made.shell.log(), made.shell.log()
    finally:
        made.close()


# Commands and batches ---------------------------------------------------------------------------------------------


def test_one_command_prints_its_result_and_nothing_else(site: Site) -> None:
    done = site.ssh.run("show version")
    assert done.returncode == 0 and done.stdout.startswith("nshell ") and not done.stderr


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("show enterprises", 0, ""),
        ("show dvrs nowhere", 1, ""),
        ("show nonsense", 2, "unknown word 'nonsense'"),
        ("set enterprise acme domain d vport v subnet missing\ncommit", 3, "missing"),
        ("--nonsense show version", 2, "unknown option '--nonsense'"),
    ],
)
def test_exit_codes_are_those_of_the_local_command_and_errors_go_to_standard_error(
    site: Site, command: str, code: int, says: str
) -> None:
    done = site.ssh.run("--", command)
    assert done.returncode == code, done
    assert says in done.stderr and (not says or says not in done.stdout)
    site.run("discard")


def test_what_a_class_does_not_allow_is_code_6(own: Site) -> None:
    bob = own.user("bob", "class read-only ssh-key", public(key := new_key(own.shell.folder, "bob")))
    bob.key = key
    assert bob.run("show version").returncode == 0
    assert bob.run("set enterprise acme").returncode == 6


def test_json_is_asked_for_by_option_or_environment(site: Site) -> None:
    for arguments, options in ((("--", "--json", "show version"), ()), (("show version",), ("SetEnv=NSHELL_JSON=1",))):
        done = site.ssh.run(*arguments, options=options)
        assert json.loads(done.stdout)["hostname"] == "nshell", done
    done = site.ssh.run("--", "--json", "show nonsense")
    assert done.returncode == 2 and json.loads(done.stdout)["error"]["column"] and not done.stderr


def test_a_batch_on_standard_input_is_one_candidate_and_names_the_line_at_fault(site: Site) -> None:
    done = site.ssh.run(text="set enterprise one\nset enterprise two\nset nonsense\n")
    assert done.returncode == 2 and "standard input:3:" in done.stderr, done
    assert "no difference" in site.run("configure", "compare")
    done = site.ssh.run(text='set enterprise one\nset enterprise two\ncommit comment "over ssh"\n')
    assert done.returncode == 0, done
    assert "over ssh" in site.run("show system commit")
    site.run("delete enterprise one", "delete enterprise two", "commit")


def test_fifty_thousand_lines_on_standard_input_are_one_transaction(site: Site) -> None:
    lines = [f"set enterprise bulk network-macro m{n} prefix 10.{n >> 8}.{n & 255}.0/24" for n in range(50_000)]
    done = site.ssh.run(text="\n".join([*lines, "compare | count"]), timeout=120)
    assert done.returncode == 0 and "5" in done.stdout, done.stderr
    site.run("discard")


def test_the_session_is_seen_with_where_it_comes_from(site: Site) -> None:
    assert re.search(rf"{USER} +ssh 127\.0\.0\.1:\d+", site.ssh.run("show sessions").stdout)


def test_a_command_on_a_pty_is_stopped_by_ctrl_c(site: Site) -> None:
    import pexpect

    words = site.ssh.command("monitor events", options=("RequestTTY=force",))
    child = pexpect.spawn(words[0], words[1:], encoding="utf-8", timeout=10)
    try:
        assert wait_until(lambda: "ssh " in site.sessions(), 10)
        child.send("\x03")
        child.expect(pexpect.EOF)
        assert wait_until(lambda: not site.sessions(), 5)
    finally:
        child.close(force=True)


# Logging in -------------------------------------------------------------------------------------------------------


def test_only_a_key_of_the_user_lets_in(site: Site, tmp_path: Path) -> None:
    other = OpenSsh(tmp_path, site.ssh.port, key=new_key(tmp_path, "other"))
    done = other.run("show version")
    assert done.returncode == 255 and "Permission denied (publickey,password)" in done.stderr
    stranger = OpenSsh(tmp_path, site.ssh.port, "nobody-here", site.ssh.key)
    assert stranger.run("show version").stderr.replace("nobody-here", USER) == done.stderr


def test_a_password_lets_in_and_is_nowhere_to_be_read(own: Site) -> None:
    bob = own.user("bob", "class operator password Correct.Horse")
    said, code, _ = bob.log_in(["wrong", "Correct.Horse"], "show version")
    assert code == 0 and "nshell " in said, said
    for text in (own.run("show configuration"), own.shell.log(), own.run("show system commit")):
        assert "Correct.Horse" not in text
    for path in own.shell.state.rglob("*"):
        assert not path.is_file() or b"Correct.Horse" not in path.read_bytes(), path
    own.run("set ssh authentication keys", "commit")
    done = OpenSsh(own.shell.folder, own.ssh.port, "bob").run("show version")
    assert done.returncode == 255 and "Permission denied (publickey)." in done.stderr
    assert own.ssh.run("show version").returncode == 0


def test_guesses_become_slow_and_nobody_else_does(own: Site) -> None:
    bob = own.user("bob", "class operator password Correct.Horse")
    assert bob.log_in(["wrong-1", "wrong-2", "wrong-3"], "show version")[1] == 255
    assert bob.log_in(["wrong-4"], "show version")[2] > 1.0
    said, code, taken = bob.log_in(["Correct.Horse"], "show version")
    assert code == 0 and taken > 2.0, (said, taken)
    began = time.monotonic()
    assert own.ssh.run("show version").returncode == 0, "keys do not wait"
    assert time.monotonic() - began < 1.0


@pytest.mark.quiet
def test_who_does_not_exist_is_told_the_same_after_the_same_time(own: Site) -> None:
    bob = own.user("bob", "class operator password Correct.Horse")
    nobody = OpenSsh(own.shell.folder, own.ssh.port, "nobody-here")
    wrong, unknown = bob.log_in(["wrong"], "show version"), nobody.log_in(["wrong"], "show version")
    assert wrong[0].replace("bob", "X") == unknown[0].replace("nobody-here", "X")
    assert abs(wrong[2] - unknown[2]) < 0.5
    assert "nobody-here" not in own.shell.log(), "a password typed as a name must not be logged"


def test_the_banner_is_shown_before_anybody_logs_in(own: Site) -> None:
    own.run('set system banner "Authorised use only"', "commit")
    done = own.ssh.run("show version", options=("LogLevel=INFO",))
    assert "Authorised use only" in done.stderr and "Authorised" not in done.stdout
    key, own.ssh.key = own.ssh.key, None
    assert "Authorised use only" in own.ssh.run("show version", options=("LogLevel=INFO",)).stderr
    own.ssh.key = key


def test_host_keys_are_made_once_and_are_the_daemons_alone(own: Site) -> None:
    first = own.ssh.known_hosts.read_text()
    own.shell.end()
    own.run("show version")
    assert wait_until(lambda: own.ssh.run("show version").returncode == 0, 10), "the client would refuse another key"
    assert own.ssh.known_hosts.read_text() == first
    modes = {path.name: path.stat().st_mode & 0o777 for path in (own.shell.state / "ssh").iterdir()}
    assert modes == {"host_ed25519": 0o600, "host_ecdsa": 0o600, "host_ed25519.pub": 0o644, "host_ecdsa.pub": 0o644}
    for algorithm in ("ssh-ed25519", "ecdsa-sha2-nistp256"):
        scanned = subprocess.run(
            ["ssh-keyscan", "-p", str(own.ssh.port), "-t", algorithm.split("-")[1 if "25519" in algorithm else 0],
             "127.0.0.1"], capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert algorithm in scanned.stdout


def test_a_user_that_is_deleted_is_shown_out_and_so_is_one_whose_key_is_taken_away(own: Site) -> None:
    key = new_key(own.shell.folder, "bob")
    bob = own.user("bob", "class operator ssh-key", public(key))
    bob.key = key
    for change in (f"delete user bob ssh-key {public(key)}", "delete user bob"):
        session = bob.start("-tt")
        assert wait_until(lambda: "bob" in own.sessions(), 10)
        own.run(change, "commit")
        said, _ = session.communicate(timeout=10)
        assert session.returncode == 6 and "you may no longer log in" in said, said
        assert bob.run("show version").returncode == 255
        if "ssh-key" in change:
            own.run(f"set user bob ssh-key {public(key)}", "commit")


# Limits -----------------------------------------------------------------------------------------------------------


def test_sessions_are_limited_and_the_one_too_many_is_told_so(own: Site) -> None:
    own.run("set ssh max-sessions 2", "commit")
    sessions = [own.ssh.start("-tt") for _ in range(2)]
    try:
        assert wait_until(lambda: own.sessions().count("ssh ") == 2, 10)
        done = own.ssh.run("show version", options=("LogLevel=INFO",))
        assert done.returncode == 255 and "2 sessions are open already" in done.stderr, done
    finally:
        for session in sessions:
            session.communicate("exit\n", timeout=10)
    assert wait_until(lambda: own.ssh.run("show version").returncode == 0, 5)


def test_a_client_that_is_dead_is_given_up(own: Site) -> None:
    own.run("set ssh keepalive-interval 1", "commit")
    session = own.ssh.start("-tt")
    try:
        assert wait_until(lambda: "ssh " in own.sessions(), 10)
        session.send_signal(signal.SIGSTOP)
        assert wait_until(lambda: not own.sessions(), 10)
    finally:
        session.kill()
        session.communicate()


def test_nothing_is_forwarded(site: Site) -> None:
    port, target = free_ports(2)
    with socket.create_server(("127.0.0.1", target)):
        words = site.ssh.command(options=("BatchMode=yes", "LogLevel=INFO"))
        words[1:1] = ["-W", f"127.0.0.1:{target}"]
        done = subprocess.run(words, input="", capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 255 and "forwarding failed" in done.stderr, done
        done = site.ssh.run(
            "show version", options=("ExitOnForwardFailure=yes", f"RemoteForward=127.0.0.1:{port} 127.0.0.1:{target}")
        )
        assert done.returncode == 255
    assert site.ssh.run("show version", options=("ForwardAgent=yes", "ForwardX11=yes")).returncode == 0
    done = subprocess.run(
        ["ssh", *site.ssh.options("BatchMode=yes"), "-p", str(site.ssh.port), "-s", f"{USER}@127.0.0.1", "netconf"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 255


def test_moving_the_listener_keeps_sessions_and_a_taken_port_fails_the_commit(own: Site) -> None:
    session = own.ssh.start("-tt")
    assert wait_until(lambda: "ssh " in own.sessions(), 10)
    old, (new,) = own.ssh.port, free_ports(1)
    own.run(f"set ssh port {new}", "commit")
    assert own.ssh.run("show version").returncode == 255
    own.ssh.port = new
    assert own.ssh.run("show version").returncode == 0
    with socket.create_server(("127.0.0.1", old)):
        done = own.shell.commands(f"set ssh port {old}", "commit")
        assert done.returncode == 4 and f"cannot listen on 127.0.0.1 port {old}" in done.stderr, done
        assert own.ssh.run("show version").returncode == 0, "it listens where it did"
    own.run("configure", "discard", "delete ssh listen-address", "commit")
    assert own.ssh.run("show version").returncode == 255
    said, _ = session.communicate("show version\nexit\n", timeout=10)
    assert session.returncode == 0 and "hostname" in said


# Files ------------------------------------------------------------------------------------------------------------


def test_files_come_and_go_by_sftp_and_scp_and_are_what_load_and_save_name(site: Site) -> None:
    folder = site.ssh.folder
    (folder / "site.set").write_text("set enterprise filed\n")
    assert site.ssh.scp("site.set", ":site.set").returncode == 0
    done = site.ssh.run("configure\nload merge site.set\nsave kept\ndiscard")
    assert done.returncode == 0, done
    assert site.ssh.scp(":kept", "back").returncode == 0
    assert "filed" in (folder / "back").read_text()
    assert site.ssh.scp("site.set", ":old.set", "-O").returncode == 0, "the older protocol"
    done = site.ssh.sftp("rename old.set new.set\nls -1\nrm new.set\nrm kept\nrm site.set")
    assert "new.set" in done.stdout and "old.set" not in done.stdout.replace("rename old.set new.set", ""), done


def test_files_cannot_be_reached_outside_the_users_directory(own: Site) -> None:
    key = new_key(own.shell.folder, "bob")
    bob = own.user("bob", "class super-user ssh-key", public(key))
    bob.key = key
    (bob.folder / "plain").write_text("x")
    secret = own.shell.state / "ssh" / "host_ed25519"
    done = bob.sftp(
        f"get {secret} stolen\nget ../../ssh/host_ed25519 stolen\nget /etc/passwd stolen\nmkdir below\n"
        f"symlink {secret} link\nln {secret} hard\nput plain ../../outside\nput plain /tmp/nshell-outside\n"
        "put plain .hidden\nput plain\nls -la\npwd"
    )
    assert not (bob.folder / "stolen").exists() and not Path("/tmp/nshell-outside").exists(), done
    assert sorted(path.name for path in (own.shell.state / "files" / "bob").iterdir()) == ["outside", "plain"]
    assert "Remote working directory: /" in done.stdout
    for name in ("../../nshell.db", "/etc/passwd", "..", ".hidden", "a/b"):
        refused = bob.run(f"configure\nload merge {name}")
        assert refused.returncode == 1 and "plain name" in refused.stderr, refused
    (own.shell.state / "files" / "bob" / "planted").symlink_to(secret)
    assert bob.run("configure\nload merge planted").returncode == 1
    assert bob.scp(":planted", "stolen").returncode != 0


def test_files_are_limited_in_number(own: Site) -> None:
    for number in range(100):
        (own.shell.work / f"file-{number}").touch()
    (own.shell.folder / "more").write_text("x")
    done = own.ssh.scp("more", ":more")
    assert done.returncode != 0 and not (own.shell.work / "more").exists(), done


# Beside OpenSSH's server ------------------------------------------------------------------------------------------


@pytest.fixture
def forced(site: Site, tmp_path: Path) -> Iterator[OpenSsh]:
    """OpenSSH's server with nshell in place of the user's shell."""
    assert site.ssh.key is not None
    client = site.shell.folder / "bin" / "nshell"
    wrapper = tmp_path / "login"
    environment = " ".join(f"{name}='{site.shell.environment[name]}'" for name in ("NSHELL_STATE", "PYTHONPATH"))
    wrapper.write_text(
        f"#!/bin/sh\nexport {environment}\n"
        f'if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec {client} -c "$SSH_ORIGINAL_COMMAND"; fi\nexec {client}\n'
    )
    wrapper.chmod(0o755)
    server = SshServer(tmp_path / "sshd", site.ssh.key, f"ForceCommand {wrapper}")
    try:
        yield OpenSsh(tmp_path, server.port, key=site.ssh.key)
    finally:
        server.close()


def test_nshell_is_the_shell_behind_openssh_s_server(forced: OpenSsh) -> None:
    done = forced.run("show nonsense")
    assert done.returncode == 2 and "unknown word" in done.stderr
    assert forced.run(text="show version\n").stdout.startswith("nshell ")
    session = forced.start("-tt")
    said, _ = session.communicate("show version\nexit\n", timeout=20)
    assert session.returncode == 0 and "hostname" in said


def test_nshell_runs_as_a_login_shell(site: Site) -> None:
    words = ["-nshell"]
    script = f"import sys; sys.argv = {words!r}; from nshell.main import main; sys.exit(main())"
    done = subprocess.run(
        ["python3", "-c", script], executable=sys.executable, env=site.shell.environment, input="show version\n",
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.startswith("nshell ")


def test_a_command_takes_little_more_than_true_on_openssh_s_server(site: Site, tmp_path: Path) -> None:
    assert site.ssh.key is not None
    server = SshServer(tmp_path / "sshd", site.ssh.key)
    try:
        theirs = OpenSsh(tmp_path, server.port, key=site.ssh.key)
        best = {"ours": 9.0, "theirs": 9.0}
        for _ in range(7):
            for name, client, command in (("ours", site.ssh, "show version"), ("theirs", theirs, "true")):
                began = time.monotonic()
                assert client.run(command).returncode == 0
                best[name] = min(best[name], time.monotonic() - began)
    finally:
        server.close()
    print(f"ssh host 'show version': {best['ours'] * 1000:.0f} ms; ssh host true: {best['theirs'] * 1000:.0f} ms")
    assert best["ours"] <= 1.5 * best["theirs"] + 0.05


@pytest.mark.soak
def test_who_presses_no_key_for_a_minute_is_shown_out_on_both_transports(own: Site) -> None:
    from tests.transcripts.test_interactive import Person

    own.run("set system idle-timeout 1", "commit")
    local, session = Person(own.shell), own.ssh.start("-tt")
    assert wait_until(own.sessions, 10)
    assert wait_until(lambda: not own.sessions(), 90)
    local.see("the session ends: no key was pressed for 1 min")
    assert local.leave() == 0
    said, _ = session.communicate(timeout=10)
    assert session.returncode == 0 and "no key was pressed for 1 min" in said
