"""What is beyond the fabric is the provider's: a tenant's administrator neither sees nor changes any of it.

Not the neighbours, not the routers, not the underlay; not by commands, the configuration, completion, the plan of an
own commit, its receipts, the history or an error.
"""

from __future__ import annotations

import grp
from collections.abc import Iterator

import pytest

from tests.system.operators import GROUP, HOMELESS, as_user, shared_shell
from tests.transcripts.shell import Shell

TINA = f"uid{HOMELESS}"
SECRET = "zzsecret"
"""In every name, key and text of the provider."""
WORDS = (SECRET, "192.0.2.", "65066", "no-such-instance")
HERE = "enterprise acme domain prod"
POLICY = f"""
set login-class acme-admin permission [ show configure commit tools request ] enterprise acme
set user {TINA} class acme-admin
set bgp autonomous-system 65066 router-id 192.0.2.66
set bgp-neighbor {SECRET}-pe address 192.0.2.1 autonomous-system 65066 port 9 password {SECRET}-key
set bgp-neighbor {SECRET}-vtep address 192.0.2.2 autonomous-system 65066 port 9 description {SECRET}
set underlay half-life 66
set underlay-listener {SECRET}-core protocol ospf instance no-such-instance
set pe {SECRET}-router driver eos address 192.0.2.3 neighbor {SECRET}-pe username {SECRET} password {SECRET}-key
deactivate pe {SECRET}-router
set {HERE} zone web subnet web1 prefix 10.1.1.0/24
set {HERE} route-target 65000:77
set enterprise acme description ours
"""
COMMANDS = (
    "show bgp summary", "show bgp neighbors", "show bgp neighbors {N}-pe", "show bgp routes",
    "show bgp received {N}-pe",
    "show bgp advertised {N}-vtep", "show bgp duplicates", "request bgp-neighbor {N}-pe reset",
    "request bgp duplicates clear", "show circuits", "show circuits enterprise acme", "show pe",
    "show pe {N}-router facts",
    "show pe {N}-router interfaces", "show pe {N}-router bgp", "show pe {N}-router config diff",
    "request pe {N}-router repair", "show underlay topology", "show underlay paths", "show underlay endpoints",
    "show underlay listeners", "show underlay listener {N}-core configuration",
)  # fmt: skip
CONFIGURATION = (
    "bgp autonomous-system 65001", "bgp-neighbor {N}-pe password x-x-x-x-x", "bgp-neighbor {N}-mine address 192.0.2.9",
    "underlay half-life 5", "underlay-listener {N}-core protocol isis", "pe {N}-router driver frr",
    "pe {N}-router vpn v domain acme/prod",
)  # fmt: skip
OF_THE_PROVIDER = (
    f"{HERE} route-target 65000:88", f"{HERE} import-target 65000:88", f"{HERE} export-target 65000:88",
    f"{HERE} route-distinguisher 65000:88", f"{HERE} zone web subnet web1 vni 10101",
    f"{HERE} zone web subnet web1 route-target 65000:88", "enterprise acme l2-domain lan vni 10101",
    "enterprise acme l2-domain lan route-target 65000:88", f"delete {HERE} route-target",
)  # fmt: skip
"""In the own tenant, but they reach beyond it."""


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    with shared_shell() as shell:
        made = shell.run(text=POLICY + "commit\n")
        assert made.returncode == 0, made.stdout + made.stderr
        yield shell


def tina(shell: Shell, *lines: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """The administrator of acme at her command line."""
    arguments = (*options, *(word for line in lines for word in ("-c", line)))
    code, out, error = as_user(shell, arguments, gid=grp.getgrnam(GROUP).gr_gid)
    return code, out + error


def leaks(said: str) -> list[str]:
    return [word for word in WORDS if word in said.lower()]


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("line", COMMANDS)
def test_no_command_about_it_is_hers_whether_or_not_what_it_names_is_there(
    shell: Shell, line: str, options: tuple[str, ...]
) -> None:
    answers = []
    for name in (SECRET, "nobody00"):
        code, said = tina(shell, line.replace("{N}", name), options=options)
        assert code == 6, said
        answers.append(said.replace(name, "NAME"))
    assert answers[0] == answers[1] and not leaks(answers[0])
    assert shell.commands("show version").returncode == 0 and "Traceback" not in shell.log()


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_events_tell_her_nothing_of_it(shell: Shell, options: tuple[str, ...]) -> None:
    for line in ("show events", "show system events", "show events kind bgp"):
        code, said = tina(shell, line, options=options)
        assert code == 0 and not leaks(said), said


@pytest.mark.parametrize("verb", ["set", "delete", "deactivate", "show configuration"])
@pytest.mark.parametrize("line", CONFIGURATION)
def test_she_neither_reads_nor_writes_any_of_its_configuration(shell: Shell, verb: str, line: str) -> None:
    before = shell.commands("show configuration | display set").stdout
    answers = []
    for name in (SECRET, "nobody00"):
        words = line.replace("{N}", name)
        if verb != "set":
            words = " ".join(words.split()[: 2 if "{N}" in line else 1])
        code, said = tina(shell, f"{verb} {words}")
        assert code != 5 and (code != 0 or verb == "show configuration"), said
        answers.append((code, said.replace(name, "NAME").replace(words, "")))
        tina(shell, "configure", "discard")
    assert answers[0] == answers[1] and not leaks(answers[0][1].replace("192.0.2.9", ""))
    assert shell.commands("show configuration | display set").stdout == before


@pytest.mark.parametrize("line", OF_THE_PROVIDER)
def test_of_her_own_domain_she_cannot_say_what_goes_out(shell: Shell, line: str) -> None:
    code, said = tina(shell, line if line.startswith("delete") else f"set {line}", "commit")
    tina(shell, "configure", "discard")
    assert code == 6 and "reaches beyond the enterprise" in said, said


def test_she_sees_what_of_her_own_domain_goes_out(shell: Shell) -> None:
    assert "route-target 65000:77" in tina(shell, f"show configuration {HERE} | display set")[1]


def test_completion_and_help_offer_none_of_it(shell: Shell) -> None:
    for text in ("show ", "show bgp", "show underlay ", "show pe", "request ", "set ", "show configuration ",
                 "show bgp neighbors ", "monitor events ", "set bgp-neighbor ", "set pe "):  # fmt: skip
        code, out, error = as_user(shell, ("--complete", text), gid=grp.getgrnam(GROUP).gr_gid)
        offered = {line.split()[0] for line in out.splitlines() if line.strip()}
        assert code == 0 and not leaks(out + error), (text, out, error)
        assert not offered & {"bgp", "bgp-neighbor", "underlay", "underlay-listener", "pe", "circuits"}, (text, out)


def test_neither_plan_nor_receipts_nor_history_of_an_own_commit_name_any_of_it(shell: Shell) -> None:
    lines = (
        f"set {HERE} zone web subnet web2 prefix 10.1.2.0/24",
        f"set {HERE} vport v1 subnet web2 mac 02:00:00:00:00:01 address 10.1.2.11",
        f"set {HERE} static-route 10.7.0.0/24 next-hop 10.1.2.11",
    )
    for options in ((), ("--json",)):
        code, said = tina(shell, *lines, "commit check", options=options)
        assert code == 0 and not leaks(said), said
        code, said = tina(shell, "commit", options=options)
        assert code == 0 and not leaks(said), said
        code, said = tina(shell, "show system commit", "show system commit | display json")
        assert code == 0 and not leaks(said), said
        code, said = tina(shell, f"show routes {HERE}", "show flows", "configure", "rollback 1", "compare", "commit")
        assert not leaks(said), said


def test_a_strict_commit_that_they_are_away_for_fails_without_naming_them(shell: Shell) -> None:
    code, said = tina(shell, 'set enterprise acme description "more of ours"', "commit strict")
    assert code == 4 and "beyond the enterprise" in said and not leaks(said), said
    code, said = tina(shell, "show system commit", "show system commit | display json", "show audit limit 3")
    assert code == 0 and not leaks(said), said
    tina(shell, "configure", "discard")
    assert not leaks(tina(shell, "set enterprise acme description again", "commit")[1])
    assert f"bgp-neighbor {SECRET}-pe" in shell.commands("configure", "set system contact x", "commit strict").stderr
    shell.commands("configure", "discard")
