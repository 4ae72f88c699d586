"""The language of set and delete: what it accepts, and how it answers what it does not."""

from __future__ import annotations

import pytest

from data.candidate import Candidate
from data.errors import BatchProblem, NothingThere, SyntaxProblem
from data.schema.objects import Endpoint, Entry, Vport
from data.schema.tokens import column_of, tokens
from data.schema.words import parse_path
from tests.unit.data.examples import PROD, WEB_1, edited, objects, running, words


def refused(line: str, *, abbreviations: bool = False) -> SyntaxProblem:
    candidate = Candidate(running(), "ops")
    with pytest.raises(SyntaxProblem) as caught:
        candidate.set(words(line), abbreviations=abbreviations)
    assert not candidate.differs
    assert caught.value.exit_code == 2
    return caught.value


def test_one_line_makes_everything_on_its_way() -> None:
    view = edited(running(""), "set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24").view
    assert list(objects(view)) == [
        ("enterprise", "acme"),
        PROD,
        (*PROD, "zone", "web"),
        (*PROD, "zone", "web", "subnet", "web1"),
    ]


def test_leaves_of_an_object_and_of_one_below_it_stand_on_one_line() -> None:
    view = edited(running(""), "set enterprise e description tenant domain d ingress-default deny zone z").view
    assert view.get(("enterprise", "e")).description == "tenant"  # type: ignore[union-attr]
    assert view.get(("enterprise", "e", "domain", "d", "zone", "z")) is not None


def test_a_multi_valued_leaf_takes_values_one_by_one_or_in_brackets_and_gives_them_up_again() -> None:
    state = running()
    candidate = edited(
        state,
        "set enterprise acme domain prod vport web-1 address 10.1.1.30 address 10.1.1.4",
        "set enterprise acme domain prod vport web-1 address [ 10.1.1.5 10.1.1.4 ]",
        "delete enterprise acme domain prod vport web-1 address 10.1.1.11",
    )
    assert candidate.view.get(WEB_1).address == ("10.1.1.4", "10.1.1.5", "10.1.1.30")  # type: ignore[union-attr]
    candidate.delete(words("enterprise acme domain prod vport web-1 address [ 10.1.1.4 10.1.1.5 ]"))
    assert candidate.view.get(WEB_1).address == ("10.1.1.30",)  # type: ignore[union-attr]
    candidate.delete(words("enterprise acme domain prod vport web-1 address"))
    assert candidate.view.get(WEB_1).address == ()  # type: ignore[union-attr]


def test_delete_clears_a_leaf_and_removes_an_object_with_all_below() -> None:
    candidate = edited(running(), "delete enterprise acme domain prod vport web-1 mac")
    assert candidate.view.get(WEB_1).mac is None  # type: ignore[union-attr]
    candidate.delete(words("enterprise acme"))
    assert list(objects(candidate.view)) == [("dvrs", "hv1"), ("dvrs", "hv2")]


def test_what_is_not_there_cannot_be_deleted() -> None:
    candidate = Candidate(running(), "ops")
    for line, cause in (
        ("enterprise acme domain prod vport web-7", "not configured"),
        ("enterprise umbrella domain x", "not configured"),
        ("enterprise acme domain prod vport web-1 description", "not set"),
        ("enterprise acme domain prod vport web-1 address 10.9.9.9", "not there"),
        ("enterprise acme domain prod vport web-1 mac 02:00:00:00:00:01", "not there"),
        ("controller", "not configured"),
    ):
        with pytest.raises(NothingThere, match=cause):
            candidate.delete(words(line))
    assert not candidate.differs


def test_a_description_with_spaces_and_quotes_is_kept_as_it_was() -> None:
    view = edited(running(), r'set enterprise acme description "it\'s \"ours\" [now] \\ #1"').view
    assert view.get(("enterprise", "acme")).description == 'it\'s "ours" [now] \\ #1'  # type: ignore[union-attr]


def test_endpoints_name_a_kind_and_an_object() -> None:
    view = edited(
        running(), "set enterprise acme domain prod ingress-policy base entry 10 from any to subnet app1"
    ).view
    entry = view.get((*PROD, "ingress-policy", "base", "entry", "10"))
    assert isinstance(entry, Entry)
    assert entry.from_ == Endpoint() and entry.to == Endpoint("subnet", "app1")


def test_values_are_kept_in_one_canonical_form() -> None:
    view = edited(
        running(""),
        "set enterprise e domain d vport v mac 02-00-0A-01-01-0B",
        "set enterprise e domain d ingress-policy p entry 0010 protocol 6 destination-port 80-80",
    ).view
    vport = view.get(("enterprise", "e", "domain", "d", "vport", "v"))
    assert isinstance(vport, Vport) and vport.mac == "02:00:0a:01:01:0b"
    entry = view.get(("enterprise", "e", "domain", "d", "ingress-policy", "p", "entry", "10"))
    assert isinstance(entry, Entry) and (entry.protocol, entry.destination_port) == ("tcp", ("80",))


def test_a_default_that_is_set_is_the_same_as_none() -> None:
    candidate = edited(running(), "set controller openflow-port 6653", "set system hostname nshell")
    assert not candidate.differs
    candidate = edited(running(), "set controller openflow-port 7000", "delete controller openflow-port")
    assert not candidate.differs


@pytest.mark.parametrize(
    ("line", "word", "cause", "remedy"),
    [
        ("enterprize acme", 0, "'enterprize' is not a word known here", "did you mean enterprise?"),
        ("enterprise acme domain prod vport web-1 colour red", 6, "'colour'", "expected: address"),
        (
            "enterprise acme domain prod vport web-1 mac",
            7,
            "the value of mac is missing",
            "<xx:xx:xx:xx:xx:xx>",
        ),
        ("enterprise acme domain prod vport web-1 mac 02:00:0a:01:01", 7, "not a MAC address", "six pairs"),
        ("enterprise acme domain prod vport web-1 mac 01:00:5e:00:00:01", 7, "a group address", "02"),
        ("enterprise acme domain prod vport web-1 mac ff:ff:ff:ff:ff:ff", 7, "broadcast", "unicast"),
        ("enterprise acme domain prod vport web-1 address [ 10.1.1.1", 9, "not closed", "]"),
        ("enterprise acme domain prod vport web-1 address 10.1.1.256", 7, "not an IPv4 or IPv6", "for example 10"),
        (
            "enterprise acme domain prod vport web-1 address 224.0.0.5",
            7,
            "not the address of one host",
            "unicast",
        ),
        ("enterprise acme domain prod vport web-1 type vn", 7, "'vn'", "vm"),
        ("enterprise acme domain prod zone web subnet web1 prefix 10.1.1.1/24", 9, "bits set", "10.1.1.0/24"),
        ("enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/31", 9, "no room", "1 to 30"),
        ("enterprise acme domain prod ingress-policy base entry 0", 7, "from 1 to 65535", "1 to 65535"),
        (
            "enterprise acme domain prod ingress-policy base entry 10 destination-port 90-80",
            9,
            "backwards",
            "80-90",
        ),
        ("enterprise acme domain prod ingress-policy base entry 10 protocol tpc", 9, "not a protocol", "tcp"),
        ("enterprise acme domain prod ingress-policy base entry 10 from zonk x", 9, "zonk", "zone"),
        (
            "enterprise acme domain prod ingress-policy base entry 10 from zone",
            10,
            "name of the zone",
            "<name>",
        ),
        ("enterprise", 1, "the name of the enterprise is missing", "<name>"),
        ("enterprise -acme", 1, "not a name", "letters"),
        ("enterprise " + "a" * 64, 1, "64 characters", "63"),
        ("controller", 1, "ends too early", "openflow-port"),
        ("controller openflow-port 0", 2, "from 1 to 65535", "1 to 65535"),
        ("system hostname -bad-", 2, "not a host name", "RFC 1123"),
        ("enterprise acme description one description two", 4, "given twice", "once"),
    ],
)
def test_a_wrong_word_is_pointed_at_with_cause_and_remedy(line: str, word: int, cause: str, remedy: str) -> None:
    problem = refused(line)
    assert problem.word == word
    assert cause in problem.cause
    assert remedy in problem.remedy


def test_abbreviations_are_for_people_and_exact_words_for_files() -> None:
    candidate = Candidate(running(), "ops")
    candidate.set(words("ent acme dom prod vp web-1 desc hello ty c"), abbreviations=True)
    assert candidate.view.get(WEB_1).type == "container"  # type: ignore[union-attr]
    assert "did you mean enterprise?" in refused("ent acme").remedy


def test_an_ambiguous_abbreviation_names_what_it_could_be() -> None:
    problem = refused("enterprise acme domain prod ingress-policy base entry 10 d 7", abbreviations=True)
    assert problem.cause == "'d' is ambiguous: description, destination-port, dscp"
    assert problem.expected == ("description", "destination-port", "dscp")


def test_words_are_relative_to_the_place_being_edited() -> None:
    candidate = Candidate(running(), "ops")
    candidate.set(words("vport web-1 description here"), at=PROD)
    assert candidate.view.get(WEB_1).description == "here"  # type: ignore[union-attr]
    with pytest.raises(SyntaxProblem) as caught:
        candidate.set(words("vport web-1 colour"), at=PROD)
    assert caught.value.word == 2
    assert caught.value.where == "enterprise acme domain prod vport web-1 colour"
    assert parse_path(words("vport web-9"), at=PROD) == (*PROD, "vport", "web-9")
    with pytest.raises(SyntaxProblem, match="not a place"):
        parse_path(words("vport web-9 mac"), at=PROD)


def test_a_caret_can_be_put_under_any_word_even_behind_quotes() -> None:
    line = 'set enterprise acme description "a b"  colour'
    assert [line[token.start : token.end] for token in tokens(line)][-2:] == ['"a b"', "colour"]
    assert line[column_of(line, 5) :] == "colour"
    assert column_of(line, 6) == len(line) + 1


def test_an_error_in_the_last_of_a_hundred_thousand_lines_changes_nothing() -> None:
    candidate = edited(running(), "set enterprise acme description kept")
    before = candidate.edits()
    unsaved = candidate.unsaved()
    lines = [f"set enterprise acme domain prod policy-group g{number}" for number in range(99_999)]
    lines.append("set enterprise acme domain prod vport web-1 adress 10.1.1.77")
    with pytest.raises(BatchProblem) as caught:
        candidate.apply_batch(lines, "big.set")
    problem = caught.value
    assert (problem.source, problem.line_number, problem.line) == ("big.set", 100_000, lines[-1])
    assert problem.column == lines[-1].index("adress")
    assert problem.exit_code == 2
    assert "did you mean address?" in problem.remedy
    assert str(problem).splitlines()[0] == "error: big.set line 100000"
    assert candidate.edits() == before
    assert candidate.unsaved() == unsaved
    assert candidate.view.children(PROD, "policy-group") == ["frontends"]


def test_a_batch_skips_remarks_and_knows_only_set_and_delete() -> None:
    candidate = Candidate(running(), "ops")
    assert candidate.apply_batch(["", "# remark", "  set enterprise umbrella  "], "f") == 1
    with pytest.raises(BatchProblem, match="'commit' is not a command here"):
        candidate.apply_batch(["commit"], "f")
    with pytest.raises(BatchProblem, match="nothing to delete") as caught:
        candidate.apply_batch(["delete enterprise nobody"], "f")
    assert caught.value.exit_code == 1
