"""Programs that people drive routers with, unmodified: netmiko and scrapli, for which nshell is a `juniper_junos`.

Every scenario leaves the candidate of its user empty.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from netmiko import ConnectHandler
from netmiko.exceptions import ConfigInvalidException
from scrapli import AuthOptions, Cli, TransportBinOptions, TransportSsh2Options

from tests.system.openssh import ESCAPES, Site, new_key, public
from tests.system.sessions import earlier_scrapli

USER, PASSWORD = "robot", "correct horse battery"
DOMAIN = "enterprise acme domain prod"
VPORTS = 250
"""Their hierarchy is longer than the 1000 lines that paramiko's terminal has."""
PROMPT = "nshell>.*\x1b\\[\\?25h"
"""The prompt and what ends its drawing."""
RSA = b"\0\0\0\7ssh-rsa\0\0\0\3\1\0\1\0\0\2\1"
"""How the line of a key with 4096 bits and the exponent 65537 begins (RFC 4253, section 6.6)."""
ROUND = 1.0
"""Seconds that one command may take. Measured: netmiko 85 ms, as with a server that only echoes; scrapli 2 ms."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("automation"))
    try:
        key = new_key(made.shell.folder, "robot")
        made.run(
            f'set user {USER} class super-user password "{PASSWORD}" ssh-key {public(key)}',
            f"set {DOMAIN} zone web subnet web1 prefix 10.1.0.0/16",
            *(
                f"set {DOMAIN} vport web-{at} subnet web1 mac 02:00:00:00:00:{at:02x} address 10.1.1.{at}"
                for at in range(2, VPORTS + 2)
            ),
            "commit",
        )
        yield made
        assert "Traceback" not in made.shell.log(), made.shell.log()
    finally:
        made.close()


@pytest.fixture
def netmiko(site: Site, tmp_path: Path) -> Iterator[Any]:
    connection = connect(site, password=PASSWORD, session_log=str(tmp_path / "session.log"))
    try:
        yield connection
    finally:
        connection.disconnect()


@pytest.fixture(scope="module")
def long() -> str:
    """A key of 4096 bits: 700 characters in a line, more than the 511 columns that the programs set."""
    return f"ssh-rsa {b64encode(RSA + bytes([0, *[171] * 512])).decode()}"


def connect(site: Site, username: str = USER, **how: Any) -> Any:
    return ConnectHandler(
        device_type="juniper_junos", host="127.0.0.1", port=site.ssh.port, username=username, **how
    )  # fmt: skip


@pytest.fixture
def other(site: Site) -> Iterator[Callable[[], None]]:
    """Commits something as somebody else, in words that look like trouble."""
    numbers = iter(range(100))

    def commit() -> None:
        site.run(f"set enterprise others description {next(numbers)}", 'commit comment "> # ] error: by somebody else"')

    yield commit
    site.run("delete enterprise others", "commit")


def test_netmiko_finds_the_prompt_and_reads_results_whole(netmiko: Any) -> None:
    assert netmiko.find_prompt() == f"{USER}@nshell>"
    hierarchy = netmiko.send_command("show configuration")
    assert hierarchy.count("vport web-") == VPORTS and len(hierarchy.splitlines()) > 1000
    lines = netmiko.send_command("show configuration | display set | no-more").splitlines()
    assert sum(" vport " in line for line in lines) == VPORTS
    assert all(line.startswith("set ") for line in lines)
    assert "web-99" in netmiko.send_command("show vports | match web-99")
    assert netmiko.send_command("show vports | match web-99 | count") == "Count: 1 virtual ports"
    assert len(json.loads(netmiko.send_command("show vports | display json"))["rows"]) == VPORTS


def test_netmiko_logs_in_with_a_key_and_as_root_too(site: Site) -> None:
    for user, key in ((USER, site.shell.folder / "robot"), (site.ssh.user, site.ssh.key)):
        with connect(site, user, use_keys=True, key_file=str(key)) as connection:
            assert connection.send_command("show version | match hostname").split() == ["hostname", "nshell"]


def test_netmiko_goes_in_and_out_of_configure_mode(netmiko: Any) -> None:
    for command in ("configure", "configure private", "configure exclusive"):
        assert not netmiko.check_config_mode()
        netmiko.config_mode(command)
        assert netmiko.check_config_mode()
        netmiko.send_command(f"edit {DOMAIN}", expect_string="#")
        netmiko.exit_config_mode()
    assert not netmiko.check_config_mode()


def test_netmiko_checks_commits_and_confirms(site: Site, netmiko: Any, tmp_path: Path) -> None:
    netmiko.send_config_set(["set enterprise one"], exit_config_mode=False)
    assert "enterprise one added" in netmiko.commit(check=True)
    assert "commit complete" in netmiko.commit(comment="by a program")
    assert "nothing to commit" in netmiko.commit()
    (tmp_path / "lines").write_text("edit enterprise two\nset domain lab\ntop\n")
    netmiko.send_config_from_file(str(tmp_path / "lines"), exit_config_mode=False)
    netmiko.commit(confirm=True, confirm_delay=5, and_quit=True, comment="on trial")
    assert not netmiko.check_config_mode(), "nothing above the prompt looks like configure mode"
    netmiko.commit(and_quit=True)
    assert "by a program" in site.run("show system commit")
    assert "two" in site.run("show enterprises")
    netmiko.send_config_set(["delete enterprise one", "delete enterprise two"], exit_config_mode=False)
    netmiko.commit()


def test_netmiko_sees_errors(netmiko: Any) -> None:
    with pytest.raises(ConfigInvalidException):
        netmiko.send_config_set(["set nonsense", "set enterprise never"], error_pattern="syntax error")
    netmiko.send_config_set([f"set {DOMAIN} vport v subnet nowhere"], exit_config_mode=False)
    for how in ({}, {"check": True}, {"confirm": True}, {"and_quit": True}):
        with pytest.raises(ValueError, match="has no subnet nowhere"):
            netmiko.commit(**how)
    assert "never" not in netmiko.send_config_set(["compare", "rollback 0"])


def test_netmiko_types_lines_longer_than_the_screen(netmiko: Any, long: str) -> None:
    netmiko.send_config_set([f'set user eve class operator ssh-key "{long}"'], exit_config_mode=False)
    assert long in netmiko.send_command("compare", expect_string="#")
    netmiko.send_config_set(["rollback 0"])


def test_what_others_do_is_in_no_result_of_a_program(netmiko: Any, other: Callable[[], None]) -> None:
    other()
    assert json.loads(netmiko.send_command("show version | display json"))["hostname"] == "nshell"
    netmiko.send_config_set(["set enterprise one"], exit_config_mode=False)
    netmiko.commit(confirm=True, and_quit=True)
    assert json.loads(netmiko.send_command("show version | display json"))["hostname"] == "nshell"
    netmiko.send_config_set(["delete enterprise one"], exit_config_mode=False)
    netmiko.commit()


def test_netmikos_log_of_a_session_has_no_secret(site: Site, netmiko: Any, tmp_path: Path) -> None:
    netmiko.config_mode()
    secret = "quite.another.secret"
    netmiko.send_multiline(
        [["set user eve class operator password", "new password"], [secret, "once more"], [secret, "#"]],
        cmd_verify=False,
    )
    assert "user eve" in netmiko.send_command("compare | display set", expect_string="#")
    netmiko.send_config_set(["rollback 0"])
    log = (tmp_path / "session.log").read_text()
    assert "rollback 0" in log
    assert secret not in log and PASSWORD not in log and "\x1b" not in log


def test_a_round_trip_is_short(site: Site, netmiko: Any) -> None:
    began = time.monotonic()
    for _ in range(5):
        netmiko.send_command("show version")
    assert (time.monotonic() - began) / 5 < ROUND
    with scrapli(site, TransportBinOptions()) as connection:
        began = time.monotonic()
        for _ in range(5):
            connection.send_input("show version")
        assert (time.monotonic() - began) / 5 < ROUND


@pytest.fixture
def pty(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """OpenSSH's client on a terminal that can do everything, as scrapli starts it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    words = site.ssh.command()
    child = pexpect.spawn(words[0], words[1:], encoding="utf-8", timeout=10, dimensions=(24, 80))
    try:
        child.expect(PROMPT)
        yield child
    finally:
        child.close(force=True)


def test_enter_draws_neither_prompt_nor_line_again(pty: Any) -> None:
    for line in ("show version", "show version | match " + "x" * 100, ""):
        pty.send(line + "\r")
        pty.expect("\r\n\x1b\\[\\?2004l")
        drawn = ESCAPES.sub("", pty.before).replace("\r\n", "").replace("\r", "")
        assert drawn.count("nshell>") == (len(line) > 80), repr(pty.before)  # once for a line that wraps
        assert drawn.endswith(line)
        pty.expect(PROMPT)


def test_a_program_may_type_ahead_of_the_plain_line_that_it_asks_for(pty: Any) -> None:
    pty.send("set cli complete-on-space off\nshow version | match hostname\n" + f"show version | match {'x' * 100}\n")
    pty.expect("hostname         nshell\r\n")
    pty.expect(f"@nshell> show version \\| match {'x' * 100}\r\n")
    pty.send("exit\n")
    pty.expect(pexpect.EOF)
    assert "\x1b" not in pty.before


def scrapli(site: Site, transport: Any, **how: str) -> Cli:
    return Cli(
        "127.0.0.1",
        port=site.ssh.port,
        definition_file_or_name="juniper_junos",
        auth_options=AuthOptions(username=USER, **(how or {"password": PASSWORD})),
        transport_options=transport,
    )


@pytest.mark.parametrize("transport", [TransportBinOptions, TransportSsh2Options])
def test_scrapli_goes_through_its_modes_and_sees_errors(
    site: Site, transport: Any, long: str, other: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")  # what OpenSSH's client says of a terminal that scrapli made
    for how in ({"password": PASSWORD}, {"private_key_path": str(site.shell.folder / "robot")}):
        with scrapli(site, transport(), **how) as connection:
            assert connection.get_prompt().result == f"{USER}@nshell>"
            assert connection.send_input("show vports | match web-99 | count").result == "Count: 1 virtual ports"
            assert connection.send_input("show configuration").result.count("vport web-") == VPORTS
            other()
            assert json.loads(connection.send_input("show version | display json").result)["hostname"] == "nshell"
            assert connection.send_input("show nonsense").failed
            for mode in ("configuration", "configuration_private", "configuration_exclusive"):
                line = f'set user eve class operator ssh-key "{long}"'
                assert not connection.send_input(line, requested_mode=mode).failed
                assert long in connection.send_input("compare", requested_mode=mode).result
                assert connection.send_inputs(["set nonsense", "set x"], requested_mode=mode).failed
                done = connection.send_inputs(["rollback 0", "commit"], requested_mode=mode)
                assert "commit complete" in done.result and not done.failed
                connection.enter_mode(requested_mode="exec")


async def test_scrapli_works_for_asyncio(site: Site) -> None:
    async with scrapli(site, TransportSsh2Options()) as connection:
        done = await connection.send_inputs_async(
            ["set enterprise acme description asyncio", "commit comment scrapli"], requested_mode="configuration"
        )
        assert "commit complete" in done.result
        answer = await connection.send_input_async("show configuration enterprise acme | match description")
        assert "asyncio" in answer.result


def test_scrapli_before_october_2026_works_as_well(site: Site, long: str) -> None:
    environment = dict(os.environ, PYTHONPATH=str(earlier_scrapli.folder()), TERM="xterm-256color")
    words = [sys.executable, "-W", "ignore", earlier_scrapli.__file__, str(site.ssh.port), USER, PASSWORD]
    done = subprocess.run(
        [*words, str(site.shell.folder / "robot"), long], env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
