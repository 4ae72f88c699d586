"""A tenant administrator tries everything to see or touch another tenant, and gets nothing.

Three checks for every attempt: nothing said holds a word that only the other tenant's configuration has; what is said
of the other tenant is word for word what is said of one that does not exist; and nothing of it has changed in the end.
"""

from __future__ import annotations

import grp
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.operators import GROUP, HOMELESS, as_user, shared_shell
from tests.transcripts.shell import Shell

TINA = f"uid{HOMELESS}"
SECRET = "zzsecret"
"""In every name and text of the other tenant, and of what is the provider's."""
WORDS = (SECRET, "10.66.", "02:66:", "172.31.66.", "66666")
OTHER, NOBODY = "umbrella", "nobrella"
POLICY = f"""
set system contact "{SECRET} noc"
set dvrs {SECRET}-hv tunnel-address 172.31.66.1
set login-class acme-admin permission [ show configure commit tools ] enterprise acme
set user {TINA} class acme-admin
set user {SECRET}-root class super-user password {SECRET}-password
set alias sv command "show vports | match {SECRET}"
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
set enterprise {OTHER} description "{SECRET} tenant"
set enterprise {OTHER} network-macro {SECRET}-macro prefix 10.66.9.0/24
set enterprise {OTHER} domain {SECRET}-lab zone {SECRET}-zone subnet {SECRET}-net prefix 10.66.1.0/24
set enterprise {OTHER} domain {SECRET}-lab policy-group {SECRET}-group
set enterprise {OTHER} domain {SECRET}-lab vport {SECRET}-vm subnet {SECRET}-net mac 02:66:00:00:00:01 address 10.66.1.11
set enterprise {OTHER} domain {SECRET}-lab ingress-policy {SECRET}-policy entry 10 to network-macro {SECRET}-macro action deny
"""  # noqa: E501
NAMED = f"""
set dvrs {OTHER}-hv tunnel-address 172.31.66.2
set user {OTHER}-root class super-user
set enterprise {OTHER} network-macro {OTHER}-macro prefix 10.66.8.0/24
set enterprise {OTHER} domain {OTHER}-lab zone {OTHER}-zone subnet {OTHER}-net prefix 10.66.2.0/24
set enterprise {OTHER} domain {OTHER}-lab policy-group {OTHER}-group
set enterprise {OTHER} domain {OTHER}-lab vport {OTHER}-vm subnet {OTHER}-net mac 02:66:00:00:00:09 address 10.66.2.11
"""
"""What the attempts name, so that they name something that is there."""
LATER = f'set enterprise {OTHER} domain {SECRET}-lab vport {SECRET}-vm2 subnet {SECRET}-net mac 02:66:00:00:00:02 address 10.66.1.12\ncommit comment "{SECRET} growth"\n'  # noqa: E501
IN = "enterprise {E} domain {E}-lab"
ATTEMPTS: tuple[tuple[str, ...], ...] = tuple(
    (line,) if isinstance(line, str) else line
    for line in (
        # looking
        "show vports",
        "show vports detail",
        "show vports enterprise {E}",
        "show vports enterprise {E} domain {E}-lab detail",
        "show vports {E}/{E}-lab/{E}-vm",
        "show vports {E}-vm detail",
        "show enterprises",
        "show domains",
        "show domains enterprise {E}",
        "show zones enterprise {E}",
        "show subnets enterprise {E} domain {E}-lab",
        "show policy-groups",
        "show network-macros enterprise {E}",
        "show policies counters",
        "show rules",
        "show rules enterprise {E} shadowed removal",
        "show rules unused removal",
        "why not from {E}/{E}-lab/{E}-vm to 10.1.1.11",
        "why not from acme/prod/web-1 to {E}/{E}-lab/{E}-vm protocol tcp destination-port 22",
        "why not from acme/prod/web-1 to {E}/{E}-lab/{E}-vm candidate",
        "show routes enterprise {E} domain {E}-lab",
        "show mac",
        "show mac enterprise {E}",
        "show arp enterprise {E}",
        "show flows",
        "show flows dvrs {E}-hv",
        "show flows vport {E}/{E}-lab/{E}-vm",
        "trace from {E}/{E}-lab/{E}-vm to 192.0.2.66",
        "trace from web-1 to {E}/{E}-lab/{E}-vm",
        "trace from web-1 to 192.0.2.66 live detail",
        "trace from web-1 to 192.0.2.66 at revision 2",
        "why flow dvrs {E}-hv match ip",
        "show dvrs",
        "show dvrs {E}-hv detail",
        "show topology",
        "show agents",
        "show certificates",
        "show system events",
        "show events",
        "show events kind commit severity info",
        "show events about enterprise {E}",
        "show events about {E}/{E}-lab/{E}-vm",
        "show drift",
        "show drift dvrs {E}-hv",
        "show syslog",
        "show thresholds",
        "request drift repair dvrs {E}-hv",
        "show system commit",
        "show sessions",
        "show audit",
        "show audit user {E}-root",
        "show version",
        "show aliases",
        "show configuration",
        "show configuration enterprise {E}",
        "show configuration user {E}-root",
        "show configuration system",
        "show configuration revision 2",
        "show configuration revision 3 | display json",
        # pipes
        "show configuration | display set",
        "show configuration | json",
        "show vports | match .",
        "show vports | except web-1",
        "show vports | count",
        "show system commit | json",
        "show configuration | find {E}",
        # another spelling of the same
        "show vswitch-controller vports",
        "show vswitch-controller enterprise",
        "show vms",
        # on hypervisors
        "tools dvrs {E}-hv conntrack",
        "tools dvrs {E}-hv appctl ofproto/list",
        "request dvrs {E}-hv join-token",
        # the candidate
        ("configure", "show"),
        ("configure", "show | display set"),
        ("configure", "show enterprise {E}"),
        ("configure", "edit enterprise {E}", "show"),
        ("configure", "set enterprise {E} description mine"),
        ("configure", "set enterprise {E} domain {E}-lab vport {E}-vm address 10.1.1.66"),
        ("configure", "delete enterprise {E}"),
        ("configure", "delete enterprise {E} domain {E}-lab vport {E}-vm"),
        ("configure", "rename enterprise {E} to acme2"),
        ("configure", "copy enterprise {E} to acme2"),
        ("configure", "copy enterprise {E} domain {E}-lab to prod2"),
        ("configure", 'annotate enterprise {E} "mine"'),
        ("configure", "deactivate enterprise {E}"),
        ("configure", "activate enterprise {E} domain {E}-lab"),
        ("configure", "delete enterprise acme"),
        ("configure", "rename enterprise acme to {E}"),
        ("configure", "copy enterprise acme to {E}"),
        ("configure", "compare revision 1"),
        ("configure", "compare revision 2 to 3"),
        ("configure", "compare revision 1 | display set"),
        ("configure", "compare revision 2 to 3 | display json"),
        ("configure", "rollback 1", "compare", "show | display set", "commit check"),
        ("configure", "rollback revision 1", "compare", "commit"),
        ("configure", "rollback rescue"),
        ("configure", "commit check"),
        ("configure", "configure exclusive"),
        ("configure", "load set {FILES}/{E}.set"),
        ("configure", "load merge {FILES}/{E}.txt"),
        ("configure", "load replace {FILES}/{E}.txt"),
        ("configure", "load override {FILES}/{E}.txt", "compare", "commit"),
        ("configure", "load merge {FILES}/{E}.json"),
        ("configure", "load override {FILES}/own.json", "compare"),
        ("configure", "save {FILES}/saved"),
        # more rights
        ("configure", "set user " + TINA + " class super-user"),
        ("configure", "set user " + TINA + " description x"),
        ("configure", "set login-class acme-admin enterprise {E}"),
        ("configure", "set login-class acme-admin rule 1 path enterprise access write"),
        ("configure", "delete login-class acme-admin"),
        ("configure", "set access default-class super-user"),
        ("configure", 'set alias show command "show configuration"'),
        ("configure", "set dvrs {E}-hv tunnel-address 172.31.99.1"),
        ("configure", "set controller listen-address 0.0.0.0"),
        ("configure", "set ssh listen-address 0.0.0.0"),
        ("configure", "set system hostname mine"),
        # naming the other's things from the own domain
        ("configure", "set enterprise acme domain prod vport web-1 policy-group {E}-group", "commit"),
        (
            "configure",
            "set enterprise acme domain prod vport web-9 subnet {E}-net mac 02:00:0a:01:01:77 address 10.1.1.77",
            "commit",
        ),
        (
            "configure",
            "set enterprise acme domain prod ingress-policy p entry 1 to network-macro {E}-macro action deny",
            "commit",
        ),
        ("configure", "set enterprise acme domain prod ingress-policy p entry 1 to vport {E}-vm action deny", "commit"),
    )
)
COMPLETIONS = (
    "show vports ", "show vports enterprise ", "show vports u", f"show vports {OTHER}/", "show vports z",
    f"show vports enterprise {OTHER} domain ", "show flows dvrs ", "show dvrs ", "show configuration enterprise ",
    "show configuration user ", "show configuration ", "show audit user ", "tools dvrs ", "request session ", "z", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    with shared_shell() as shell:
        assert shell.run(text=POLICY + NAMED + "commit\n").returncode == 0
        assert shell.run(text=LATER).returncode == 0
        files = shell.folder / "files"
        files.mkdir()
        for tenant in (OTHER, NOBODY):
            (files / f"{tenant}.set").write_text(f"set enterprise {tenant} description mine\n")
            (files / f"{tenant}.txt").write_text(f"enterprise {tenant} {{\n    description mine;\n}}\n")
            (files / f"{tenant}.json").write_text(json.dumps({"enterprise": {tenant: {"description": "mine"}}}))
        own = {"enterprise": {"acme": {"domain": {"prod": {"zone": {"z": {}}}}}}}
        (files / "own.json").write_text(json.dumps(own))
        for file in files.iterdir():
            file.chmod(0o644)
        files.chmod(0o777)
        yield shell


def tina(shell: Shell, *arguments: str) -> tuple[int, str]:
    """The administrator of acme at her command line."""
    code, out, error = as_user(shell, arguments, gid=grp.getgrnam(GROUP).gr_gid)
    return code, out + error


def tried(shell: Shell, lines: tuple[str, ...], tenant: str, *options: str) -> tuple[int, str]:
    """One attempt, on a candidate without edits."""
    filled = [line.replace("{E}", tenant).replace("{FILES}", str(shell.folder / "files")) for line in lines]
    said = tina(shell, *options, *(word for line in filled for word in ("-c", line)))
    tina(shell, "-c", "configure", "-c", "discard")
    return said


def leaks(said: str) -> list[str]:
    """Words of the other tenant in what was said."""
    return [word for word in WORDS if word in said.lower()]


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_every_attempt_says_the_same_of_a_tenant_that_is_there_and_one_that_is_not(
    shell: Shell, options: tuple[str, ...]
) -> None:
    assert len(ATTEMPTS) >= 50
    before = shell.commands("show configuration | display set").stdout
    revision = json.loads(shell.run("--json", "-c", "show version").stdout)["revision"]
    saw = []
    for lines in ATTEMPTS:
        code, said = tried(shell, lines, OTHER, *options)
        assert not leaks(said), (lines, said)
        assert code != 5 and "internal error" not in said, (lines, said)
        if any("{E}" in line for line in lines):
            other = tried(shell, lines, NOBODY, *options)
            assert (code, said) == (other[0], other[1].replace(NOBODY, OTHER)), lines
        saw.append((lines, code, said))
    assert shell.commands("show configuration | display set").stdout == before
    assert json.loads(shell.run("--json", "-c", "show version").stdout)["revision"] == revision
    refused = [lines for lines, code, _ in saw if code == 6]
    assert len(refused) >= 25, "most are refused for what they are"
    assert "Traceback" not in shell.log()


def test_own_things_are_seen_and_changed_as_ever(shell: Shell) -> None:
    code, said = tina(shell, "-c", "show vports")
    assert code == 0 and "web-1" in said and "No. of virtual ports: 1" in said
    code, said = tina(shell, "-c", 'set enterprise acme domain prod description "ours"', "-c", 'commit comment "own"')
    assert code == 0 and "applied" in said, said
    code, said = tina(shell, "-c", "show system commit", "-c", "show audit")
    assert "own" in said and not leaks(said)
    assert tina(shell, "-c", "delete enterprise acme domain prod description", "-c", "commit")[0] == 0


def test_completion_and_help_offer_nothing_of_others(shell: Shell) -> None:
    for text in COMPLETIONS:
        code, said = tina(shell, "--complete", text)
        assert code == 0 and not leaks(said) and OTHER not in said.replace(text, ""), (text, said)
    assert "acme" in tina(shell, "--complete", "show vports enterprise ")[1]


def test_what_was_refused_is_in_the_audit(shell: Shell) -> None:
    tina(shell, "-c", f"set enterprise {OTHER} description x")
    rows = json.loads(shell.run("--json", "-c", f"show audit user {TINA} limit 3").stdout)["rows"]
    assert any(row["result"] == "refused" and OTHER in row["command"] for row in rows), rows


def test_a_class_that_is_taken_away_counts_at_once_also_for_edits_made_before(shell: Shell) -> None:
    line = "set enterprise acme domain prod description stale"
    assert tina(shell, "-c", line)[0] == 0
    assert shell.commands(f"set user {TINA} class read-only", "commit").returncode == 0
    try:
        assert tina(shell, "-c", "commit")[0] == 6
    finally:
        assert shell.commands(f"set user {TINA} class acme-admin", "commit").returncode == 0
    assert tina(shell, "-c", "configure", "-c", "discard")[0] == 0


def test_a_local_user_who_is_not_configured_has_the_default_class(shell: Shell) -> None:
    gid = grp.getgrnam(GROUP).gr_gid
    assert as_user(shell, ("-c", "show version"), uid=4712, gid=gid)[0] == 0
    code, _, error = as_user(shell, ("-c", "set enterprise mine"), uid=4712, gid=gid)
    assert code == 6 and "read-only" in error


def test_files_saved_by_a_tenant_hold_its_own_configuration_alone(shell: Shell) -> None:
    target = Path(shell.folder / "files" / "backup")
    code, said = tina(shell, "-c", "configure", "-c", f"save {target}")
    assert code == 0, said
    text = target.read_text()
    assert "web-1" in text and not leaks(text) and OTHER not in text
