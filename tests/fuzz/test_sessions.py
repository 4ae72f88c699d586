"""Any lines in a real session, and login classes of any kind: no internal error, no word of what the class hides.

Every name and text of the network below is a word of its own. What a class hides of it must not be said, whatever is
typed: in output, errors, completion, help, files, notices; but for words that the user typed.
"""

# ruff: noqa: E501 (lines of data are easier to read whole)

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.language.registry import Mode
from data.access import NONE, READ, WRITE, Access, Rule
from data.path import Path
from data.schema.accounts import PERMISSIONS
from data.schema.objects import Object
from tests.fuzz.lines import grammatical, lines, mutated
from tests.fuzz.place import Place
from tests.fuzz.runs import SIZES, bounded

FIRST = """
set dvrs zzhv1 tunnel-address 172.31.66.1 description zzhvtext
set system contact zzcontact location zzlocation
set enterprise zzacme description zzacmetext
set enterprise zzacme network-macro zzwan prefix 192.0.2.0/24
set enterprise zzacme domain zzprod zone zzweb description zzwebtext
set enterprise zzacme domain zzprod zone zzweb subnet zzweb1 prefix 10.61.1.0/24
set enterprise zzacme domain zzprod policy-group zzfront description zzfronttext
set enterprise zzacme domain zzprod vport zzvm1 subnet zzweb1 mac 02:61:00:00:00:01 address 10.61.1.11 policy-group zzfront
set enterprise zzacme domain zzprod ingress-policy zzbase entry 10 from policy-group zzfront to network-macro zzwan action allow
set enterprise zzumb description zzumbtext
set enterprise zzumb network-macro zzumbwan prefix 198.51.100.0/24
set enterprise zzumb domain zzlab zone zzlabzone subnet zzlabnet prefix 10.66.1.0/24
set enterprise zzumb domain zzlab policy-group zzlabgroup
set enterprise zzumb domain zzlab vport zzlabvm subnet zzlabnet mac 02:66:00:00:00:01 address 10.66.1.11 policy-group zzlabgroup
set enterprise zzumb domain zzlab egress-policy zzlabpolicy entry 20 from policy-group zzlabgroup action deny
set login-class zzclass permission show
set user zzroot class super-user
set user tina class read-only
set user tina alias zzmine command "show vports"
set alias zzall command "show enterprises"
"""
THEN = 'annotate enterprise zzumb "zzumbnote"\nset enterprise zzumb domain zzlab vport zzlabvm description zzlabvmtext\ndeactivate enterprise zzumb domain zzlab egress-policy zzlabpolicy'
TINA = "tina"
WORDS = [word for line in (FIRST + THEN).split() for word in [line.strip('"')] if word.startswith("zz")]
PATTERNS: list[Path] = [
    ("enterprise",), ("enterprise", "zzacme"), ("enterprise", "zzumb"), ("enterprise", "*", "domain", "*", "vport"),
    ("enterprise", "zzacme", "domain", "zzprod"), ("enterprise", "zzacme", "domain", "*", "zone"), ("dvrs",), ("system",),
    ("enterprise", "*", "domain", "zzlab"), ("login-class",), ("user",), ("user", "zzroot"), ("alias",), ("controller",),
    ("enterprise", "zzacme", "domain", "zzprod", "zone", "zzweb", "subnet", "zzweb1"), ("enterprise", "zzumb", "network-macro"),
    ("enterprise", "zzacme", "domain", "zzprod", "ingress-policy", "*", "entry"), ("nowhere",), ("*",),
]  # fmt: skip
classes = st.builds(
    Access,
    st.just(TINA),
    st.just("drawn"),
    st.frozensets(st.sampled_from([*(set(PERMISSIONS) - {"all", "request"})]), min_size=2).map(
        lambda some: some | {"show"}
    ),
    st.sampled_from([frozenset({"zzacme"}), frozenset({"zzacme"}), frozenset({"zzumb"}), frozenset({"nobody"}), None]),
    st.lists(st.builds(Rule, st.sampled_from(PATTERNS), st.sampled_from([NONE, READ, WRITE])), max_size=3).map(tuple),
)
"""What a login class may come to."""
typed = st.one_of(
    *(grammatical(mode) for mode in (Mode.OPERATIONAL, Mode.CONFIGURE)),
    *(mutated(grammatical(mode)) for mode in (Mode.OPERATIONAL, Mode.CONFIGURE)),
    st.sampled_from([
        "show configuration", "show configuration | display set", "show configuration | display json", "compare",
        "show vports detail", "show enterprises", "show flows", "show routes enterprise zzacme domain zzprod", "show users",
        "show configuration revision 2", "show configuration compare revision 1", "show system commit", "show mac",
        "rollback 1", "rollback 2", "compare revision 1", "commit check", "show audit", "show sessions", "show aliases",
        "delete enterprise zzacme", "show configuration enterprise ", "set enterprise zzacme domain zzprod vport zznew subnet ",
        "load override f", "load replace f", "show", "show | display set", "undo", "show policies", "show arp", "edit enterprise",
    ]),
).map(lambda line: line.replace("acme", "zzacme").replace("umbrella", "zzumb").replace("prod", "zzprod").replace("zzzz", "zz"))  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("place"), FIRST, THEN)
    try:
        yield made
    finally:
        made.close()


def own_words(path: Path, item: Object) -> set[str]:
    """The words that the leaves of an object have."""
    texts = [str(getattr(item, field)) for field in item.__struct_fields__ if field != "uuid"]
    return {word for word in WORDS if any(word in text for text in texts)}


def hidden(place: Place, access: Access) -> set[str]:
    """Every word that only objects have which the class hides."""
    shown: set[str] = set()
    for path, item in place.running.walk():
        if access.sees(path):
            shown |= {word for word in path if word in WORDS}
        if access.reads(path):
            shown |= own_words(path, item)
    remedy = access.enterprises or frozenset()
    return set(WORDS) - shown - remedy - {word for rule in access.rules for word in rule.pattern}


@pytest.mark.parametrize("longer", SIZES)
def test_nobody_is_told_of_what_their_class_hides(place: Place, longer: int) -> None:
    before = dict(place.running.walk())
    users = itertools.count(1)  # each with an audit of its own

    def check(access: Access, script: list[str], interactive: bool) -> None:
        if access.enterprises is None and not any(rule.access == NONE for rule in access.rules):
            return
        access = replace(access, user=f"{TINA}{next(users)}")
        script = [line for line in script if not commits(line)]
        said = place.run(["configure", *script] if interactive else script, access, interactive)
        assert "internal error" not in said, said
        told = {word for word in hidden(place, access) if holds(said, word)} - {
            word for word in WORDS for line in script if word in line
        }
        assert not told, f"{told} in:\n{said}"
        assert dict(place.running.walk()) == before

    bounded(60 * longer)(given(classes, st.lists(typed, min_size=1, max_size=6), st.booleans())(check))()


def holds(said: str, word: str) -> bool:
    """Whether the word is said, and not only as the beginning of a longer one."""
    at = said.find(word)
    while at >= 0:
        if not said[at + len(word) : at + len(word) + 1].isalnum():
            return True
        at = said.find(word, at + 1)
    return False


def commits(line: str) -> bool:
    """Lines that change the network for the examples that come after."""
    words = line.replace('"', "").split()
    return any(word.startswith(("com", "cl", "req")) and word != "compare" for word in words) or "ssh" in words


@pytest.mark.parametrize("longer", SIZES)
def test_any_line_of_a_session_ends_in_a_result_or_an_error_in_words(
    place: Place, longer: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Every command is really run, with its pipes; nothing is logged as a mistake of the shell's own."""
    access = Access(TINA, "drawn", frozenset(PERMISSIONS) - {"all", "request"}, None, (Rule(("nowhere",), READ),))

    def check(script: list[str], interactive: bool) -> None:
        caplog.clear()
        script = [line for line in script if not commits(line)]
        said = place.run(["configure", *script] if interactive else script, access, interactive)
        assert "internal error" not in said, said
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]

    any_line = lines(Mode.OPERATIONAL) | lines(Mode.CONFIGURE) | typed
    bounded(60 * longer)(given(st.lists(any_line, min_size=1, max_size=5), st.booleans())(check))()


SECRET = "ЖЩЮЖЩЮЖЩЮ"
ABOUT = [
    f"set user bob password {SECRET} class operator", f'set user bob class operator password "{SECRET} {SECRET}"',
    f"edit user bob\nset password {SECRET}", f"set password {SECRET}", f"user bob password {SECRET}", f"set user bob password [ {SECRET} ]",
    f"delete user bob password {SECRET}", f'complete "set user bob password {SECRET}"', f"rename user bob password {SECRET} to x",
    f"run set user bob password {SECRET}", f"show configuration user bob password {SECRET}", "set user bob password",
]  # fmt: skip


@pytest.mark.parametrize("longer", SIZES)
def test_a_secret_is_told_nowhere(place: Place, longer: int, caplog: pytest.LogCaptureFixture) -> None:
    """Not on the screen, not in the audit, not in the log; with a small mistake in the line or without."""
    caplog.set_level(logging.DEBUG)
    users = itertools.count(1)

    def check(line: str, at: int, interactive: bool) -> None:
        caplog.clear()
        access = Access(f"tina{next(users)}", "drawn", frozenset({"all"}))
        cut = line[: at % len(line)] + line[at % len(line) + 1 :] if at else line
        said = place.run(["configure", *cut.splitlines(), "show", "compare"], access, interactive)
        place.loop.run_until_complete(place.service.audit.written())
        said += "".join(row.command + str(row.detail) for row in place.store.audit(access.user, None, 20))
        said += caplog.text
        assert not set(SECRET) & set(said), said

    bounded(60 * longer)(given(st.sampled_from(ABOUT), st.integers(0, 80), st.booleans())(check))()


def test_the_network_of_these_tests_is_as_they_say(place: Place, tmp_path: FilePath) -> None:
    """A super-user is told every word, so that nothing is hidden by accident."""
    access = Access(TINA, "super-user", frozenset({"all"}))
    said = place.run(["show configuration", "show configuration | display set", "show aliases"], access)
    assert not {word for word in WORDS if word not in said}
