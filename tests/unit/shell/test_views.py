"""Renderers: tables that fit, plans, receipts, errors, JSON, and terminals that know only ASCII."""

from __future__ import annotations

import json
import time

from views.errors import render_failure
from views.json import render_json
from views.models import (
    Column,
    Document,
    Failure,
    Lines,
    Moment,
    Plan,
    PlanHypervisor,
    Receipt,
    Receipts,
    Several,
    Table,
)
from views.moment import ago, iso
from views.plan import render_plan
from views.receipts import render_receipts
from views.render import Screen, encode, render
from views.table import render_table

COLUMNS = (Column("name", "Name"), Column("text", "Text", shrink=True), Column("count", "Count", "right"))


def table(text: str = "short") -> Table:
    return Table("Things", COLUMNS, [("a", text, 1), ("b", None, 20)], "things", "up 2", "note")


def test_a_table_has_title_rules_and_a_count() -> None:
    lines = render_table(table())
    assert lines[0] == lines[2] == "=" * 60
    assert lines[1].startswith("Things") and lines[1].endswith("note")
    assert lines[3].split() == ["Name", "Text", "Count"]
    assert lines[6].split() == ["b", "-", "20"]
    assert lines[-1] == "No. of things: 2   up 2"


def test_a_table_fits_the_terminal_by_cutting_the_text_column() -> None:
    lines = render_table(table("x" * 200), width=50)
    assert max(map(len, lines)) <= 50
    assert "…" in lines[5] and lines[5].endswith(" 1")
    assert "~" in render_table(table("x" * 200), width=50, unicode=False)[5]


def test_a_table_in_a_pipe_is_not_cut() -> None:
    assert "x" * 200 in "\n".join(render_table(table("x" * 200), width=0))


def test_a_very_narrow_terminal_still_gets_every_row() -> None:
    lines = render_table(table("x" * 200), width=24)
    assert max(map(len, lines[:-1])) <= 24
    assert len(lines) == 9


def test_times_are_ages_for_people_and_iso_for_scripts() -> None:
    now = time.time()
    assert ago(now - 160, now) == "00:02:40"
    assert ago(now - 2 * 86_400 - 4 * 3600 - 11 * 60, now) == "2d 04:11"
    assert ago(now + 5, now) == "00:00:00"
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    shown = json.loads(render_json(Table("T", (Column("since", "Since"),), [(Moment(0),)], "rows")))
    assert shown["rows"] == [{"since": "1970-01-01T00:00:00.000Z"}]


def test_every_model_is_one_json_document_on_one_line() -> None:
    models = [table(), Lines(["a"]), Lines(["a"], {"x": 1}), Document({"a": (1, 2)}), Several({"t": table()}),
              Plan(2, ("x",), ()), Receipts(2, ()), Failure("w", "c", "r", 1)]  # fmt: skip
    for model in models:
        text = render_json(model)
        assert "\n" not in text
        json.loads(text)
    assert json.loads(render_json(Failure("w", "c", "r", 2, line=3, file="f", text=" set x")))["error"] == {
        "where": "w", "cause": "c", "remedy": "r", "exit_code": 2, "kind": "", "line": 3, "file": "f", "text": "set x",
    }  # fmt: skip


def test_a_plan_counts_per_hypervisor_and_lists_each_flow() -> None:
    plan = Plan(
        7, ("egress-policy db: entry 20 added",),
        (PlanHypervisor("hv1", "ready", 0, 0),
         PlanHypervisor("hv3", "ready", 2, 0, {"egress_acl": (2, 0)}, ("+ one", "+ two")),
         PlanHypervisor("hv4", "away", 1, 1, {"egress_acl": (1, 1)}, ("+ one", "- two"))),
    )  # fmt: skip
    assert render_plan(plan) == [
        "policy     egress-policy db: entry 20 added",
        "hv1        no change",
        "hv3        +2 flows (egress_acl), 0 removed",
        "hv4        +1 flow (egress_acl), 1 removed (egress_acl)   [away: applied when it returns]",
        "configuration check succeeds; nothing was applied",
        "", "hv3", "  + one", "  + two",
        "", "hv4", "  + one", "  - two",
    ]  # fmt: skip


def test_receipts_say_what_each_hypervisor_confirmed_and_what_is_expected() -> None:
    confirmed = (Receipt("hv3", "verified", 2, 0, 4.2), Receipt("hv4", "pending", 1, 0, None, "away"))
    lines = render_receipts(Receipts(214, confirmed, time.time() + 300, 5, 213))
    assert lines[0] == "revision 214  applied, verified on 1 of 2 hypervisors, pending on 1"
    assert lines[1] == "  hv3   +2 -0   verified in 4 ms"
    assert lines[2] == "  hv4   +1 -0   pending (away)"
    assert lines[3].startswith("commit confirmed will be automatically rolled back in 5 minutes unless confirmed")
    assert lines[4].startswith("  'commit' keeps it, else revision 213 returns at ")
    assert lines[5] == "commit complete"


def test_an_error_says_where_why_and_what_to_do() -> None:
    failure = Failure("enterprise acme", "it overlaps", "choose another", 3, after="your candidate is kept")
    assert render_failure(failure) == [
        "error: enterprise acme", "  it overlaps", "  choose another", "your candidate is kept"]  # fmt: skip


def test_a_syntax_error_points_at_the_word() -> None:
    lines = render_failure(Failure("", "unknown word 'x'", "expected y", 2, text="show x", position=5))
    assert lines[:2] == ["show x", "     ^"]
    lines = render_failure(Failure("", "bad", "", 2, text="  set x", position=6, line=3, file="f"))
    assert lines[0] == "f:3: set x"
    assert lines[1].index("^") == lines[0].index("x")


def test_many_problems_are_counted_after_the_first_twenty() -> None:
    failure = Failure("", "", "", 3, problems=tuple(("w", f"c{number}", "r") for number in range(25)))
    assert render_failure(failure)[-1] == "and 5 more errors"


def test_a_terminal_without_utf8_gets_ascii_only() -> None:
    screen = Screen(unicode=False)
    assert encode("naïve", screen) == b"na?ve"
    assert render(Document({"a": "b", "c_d": ["x", "y"]}), screen) == ["a    b", "c d  x", "     y"]


def test_a_spare_column_is_left_out_before_others_are_cut() -> None:
    spare, text = Column("bytes", "Bytes", "right", spare=True), Column("text", "Text", shrink=True)
    columns = (Column("name", "Name"), spare, text)
    wide = Table("Things", columns, [("a", 1000, "x" * 60)], "things")
    assert "Bytes" in render_table(wide, width=80)[3]
    narrow = render_table(wide, width=70)
    assert "Bytes" not in narrow[3] and narrow[5].endswith("x" * 60)
    assert "Bytes" in render_table(wide, width=0)[3]


def test_a_very_long_row_in_a_pipe_does_not_make_its_rules_as_long() -> None:
    lines = render_table(table("x" * 500), width=0)
    assert len(lines[0]) == 160 and "x" * 500 in lines[5]


def test_a_plan_says_who_reaches_whom() -> None:
    plan = Plan(2, ("entry 20 added",), (), ("a -> b tcp/80   denied -> allowed", "c -> d tcp/80   denied -> allowed"))
    assert render_plan(plan)[:3] == [
        "policy     entry 20 added",
        "reach      a -> b tcp/80   denied -> allowed",
        "           c -> d tcp/80   denied -> allowed",
    ]


def test_a_hypervisor_without_a_change_is_not_said_to_wait_for_one() -> None:
    assert render_plan(Plan(2, (), (PlanHypervisor("hv1", "away", 0, 0),)))[0] == "hv1        no change"


def test_innermost_facts_stand_on_one_line() -> None:
    facts = Document({"traffic": {"received": {"packets": 1, "bytes": 60}}, "dropped": {"spoofed_mac": 2}}, "vport x")
    assert render(facts, Screen()) == [
        "vport x", "  traffic", "    received  packets 1  bytes 60", "  dropped", "    spoofed mac  2",
    ]  # fmt: skip


REASONS = (Column("name", "Name"), Column("away", "Away", "right"), Column("reason", "Reason", shrink=True, whole=True))


def test_a_column_that_holds_nothing_gives_way_before_a_spare_one() -> None:
    columns = (Column("name", "Name"), Column("hollow", "Hollow"), Column("spare", "Spare", spare=True))
    narrow = render_table(Table("Things", columns, [("a" * 60, None, "b" * 10)], "things"), width=76)
    assert "Hollow" not in narrow[3] and narrow[5].endswith("b" * 10)


def test_a_reason_goes_on_below_itself_and_not_beyond_the_terminal() -> None:
    reason = "connecting to port 179: no answer within 10 s, and nothing before that"
    lines = render_table(Table("Peers", REASONS, [("pe", 12, reason)], "peers"), width=60)
    assert lines[5].startswith("pe      12  connecting") and lines[6].startswith(" " * 12)
    assert " ".join(" ".join(lines[5:7]).split()) == f"pe 12 {reason}"


def test_a_reason_without_room_beside_its_row_stands_below_the_row() -> None:
    reason = "connecting to port 179: no answer within 10 s"
    lines = render_table(Table("Peers", REASONS, [("p" * 40, 12, reason)], "peers"), width=60)
    assert lines[5].endswith("…") and lines[6] == f"  {reason}"
    assert lines[7] == "-" * 60


def test_names_go_on_below_themselves_and_a_finding_below_its_row_where_there_is_no_room() -> None:
    columns = (
        Column("rule", "Policy/Entry", shrink=True, whole=True), Column("from", "From", shrink=True, whole=True),
        Column("hits", "Hits", "right"), Column("flags", "Flags", spare=True),
        Column("finding", "Finding", shrink=True, whole=True, below=True),
    )  # fmt: skip
    rows = [("to-the-database/10", "policy-group nobody", 7, "stateful", "shadowed by db/10, which decides alike"),
            ("db/20", "any", 12, "log", None)]  # fmt: skip
    found = render(Table("Rules", columns, rows, "rules"), Screen(32, 24))
    assert found[3:-1] == [
        "Policy/Entry  From          Hits", "-" * 32,
        "to-the-       policy-group     7", "database/10   nobody", "  shadowed by db/10, which", "  decides alike",
        "db/20         any             12", "-" * 32,
    ]  # fmt: skip
    wide = "\n".join(render(Table("Rules", columns, rows, "rules"), Screen(0, 0)))
    assert "to-the-database/10  policy-group nobody     7  stateful  shadowed by db/10, which decides alike" in wide


def test_a_row_of_a_tall_table_is_a_value_to_a_line_where_it_is_too_wide() -> None:
    tall = Table("Routes", REASONS, [("10.9.0.0/24", None, "x" * 60), ("10.8.0.0/24", 2, "y")], "routes", tall=True)
    narrow = render_table(tall, width=75)
    assert narrow[3:5] == ["Name    10.9.0.0/24", f"Reason  {'x' * 60}"]
    assert narrow[5:9] == ["", "Name    10.8.0.0/24", "Away    2", "Reason  y"]
    assert render_table(tall, width=100)[3].split() == ["Name", "Away", "Reason"]


def test_a_receipt_says_why_it_is_pending_on_a_line_of_its_own_where_the_screen_is_narrow() -> None:
    reason = "its session is not established; it is told everything when it is"
    outcome = Receipts(4, (Receipt("bgp-neighbor pe", "pending", 0, 0, None, reason),))
    lines = render(outcome, Screen(columns=80))
    assert max(map(len, lines)) <= 80 and lines[-2] == f"    {reason}"
    assert lines[0].startswith("revision 4  applied, verified on 0 of 1 neighbors and routers")
    assert any(f"({reason})" in line for line in render(outcome, Screen()))
