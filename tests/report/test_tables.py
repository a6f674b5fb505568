"""Every table in its three printings, against the record it came from."""

import csv
import io
import math

import pytest
from rich.console import Console

from surehand.decide.findings import DoctorRecord, finding
from surehand.report import print_choice, print_doctor, print_errors
from surehand.report.choice_tables import picks_table
from surehand.report.detail_tables import errors_tables, gripper_table
from surehand.report.errors_tables import errors_table, phases_table
from surehand.report.page import tables_of
from surehand.report.tables import to_csv, to_markdown


def printed(show, record, width=80):
    console = Console(file=io.StringIO(), width=width)
    show(record, console)
    return console.file.getvalue()


@pytest.mark.parametrize("who", ["steps", "many", "one", "hostile"])
def test_csv_holds_the_records_numbers_and_whole_names(who, make_errors, names, rng):
    record = make_errors(rng, names[who])
    rows = list(csv.DictReader(io.StringIO(to_csv(errors_table(record)))))
    assert [row["policy"] for row in rows] == [p.name for p in record.policies]
    for row, p in zip(rows, record.policies, strict=True):
        for group in ("arm", "total"):
            assert float(row[group]) == p.errors[group].value
            low = p.errors[group].low
            assert row[f"{group} low"] == "" if math.isnan(low) else float(row[f"{group} low"]) == low


def test_csv_of_every_table_is_rectangular(make_errors, names, rng):
    for table in tables_of(make_errors(rng, names["hostile"])):
        lines = list(csv.reader(io.StringIO(to_csv(table))))
        assert len(lines) == len(table.rows) + 1 and len({len(line) for line in lines}) == 1, table.key


def test_markdown_keeps_its_columns_whatever_the_names(make_errors, names, rng):
    for table in tables_of(make_errors(rng, names["hostile"])):
        text = to_markdown(table)
        assert "<script" not in text
        rows = [line for line in text.splitlines() if line.startswith("|")]
        bars = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in rows}
        assert bars == {len(table.columns) + 1}, table.key


def test_numbers_share_one_power_of_ten_and_the_legend_says_so(make_errors, rng):
    table = errors_table(make_errors(rng, ("40k", "80k"), intervals=False))
    assert table.power in (-3, -6)
    shown = float(table.text(0, 1)[0].rstrip("*").replace("−", "-"))
    assert shown * 10.0**table.power == pytest.approx(table.rows[0][1].value, rel=6e-3)
    assert f"means 1e−{-table.power}" in table.legend or "means 0.001" in table.legend


def test_the_lowest_of_each_group_is_marked(make_errors, names, rng):
    record = make_errors(rng, names["steps"])
    table = errors_table(record)
    own = [p for p in record.policies if not p.rival]
    for r, c in table.marked:
        assert table.rows[r][c].value == min(p.errors[table.columns[c]].value for p in own)
    assert len(table.marked) == 5  # four groups and the total


def test_rows_that_may_be_compared_stand_together(make_errors, rng):
    phases = [row[1] for row in phases_table(make_errors(rng, ("a", "b"))).rows]
    assert phases == sorted(phases)


@pytest.mark.parametrize("width", [80, 60, 120])
@pytest.mark.parametrize("who", ["steps", "many", "one", "hostile"])
def test_the_terminal_never_overflows_and_loses_no_number(who, width, make_errors, names, robots, rng):
    record = make_errors(rng, names[who], robot=robots["gr1" if who == "many" else "hsr"])
    text = printed(print_errors, record, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    table = errors_table(record)
    for r in range(len(table.rows)):
        for c in range(1, len(table.columns)):
            main, below = table.text(r, c)
            assert main in text and below in text


def test_verdict_errors_and_picks_come_before_details(make_errors, rng):
    record = make_errors(rng, ("40k", "80k"))
    text = printed(print_errors, record)
    order = ("Mean squared error by group", "What each rule picks", "Error by phase", "Gripper events", "Warnings")
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert " ".join(record.evidence[0].split()) in " ".join(text.split())
    record.robot = ""
    assert "no known robot" in printed(print_errors, record)


def test_a_hand_of_many_fingers_takes_one_line_of_conventions(make_errors, rng):
    record = make_errors(rng, ("40k", "80k"))
    one = next(iter(record.policies[0].gripper.values()))
    record.policies[0].gripper = {f"hand.f{i}": one for i in range(12)}
    for other in record.policies[1:]:
        other.gripper = {}
    table = gripper_table(record)
    assert table.note.count("polarity") == 1 and "hand.f0, hand.f1" in table.note
    blank = one.model_copy(update={"error_inside": math.nan, "error_outside": math.nan})
    record.policies[0].gripper = {"hand": blank}
    assert "error inside" in table.columns and "error inside" not in gripper_table(record).columns


def test_the_last_checkpoint_is_not_said_to_be_told_apart(make_choice, rng):
    choice = make_choice(rng, ("a", "b", "c"), ["arm"])
    choice.picks.append(choice.picks[0].model_copy(update={"rule": "last", "best": "c", "tied": ["c"]}))
    assert picks_table(choice).rows[-1][:3] == ("last", "c", "not compared")
    many = choice.picks[0].model_copy(update={"tied": [choice.picks[0].best, *"defghij"]})
    table = picks_table(choice.model_copy(update={"picks": [many]}))
    assert table.text(0, 2)[0] == "d, e, f, g, h, 2 more" and "d; e; f; g; h; i; j" in to_csv(table)


def test_choice_without_episodes_says_that_ties_are_unknown(make_choice, rng):
    text = printed(print_choice, make_choice(rng, ("a", "b", "c"), ["arm", "base"], episodes=None))
    assert "no uncertainty available" in text and "unknown" in text and "! point masking" in text


def test_doctor_prints_evidence_and_next_step():
    record = DoctorRecord.of(
        "demo", [finding("names.ok", "11 names"), finding("data.dead_dims", "dims 3 and [red]4[/red]")]
    )
    text = printed(print_doctor, record)
    assert text.index("dims 3 and [red]4[/red]") < text.index("→ Declare them pad(n)") < text.index("11 names")
    assert "demo: 0 errors, 1 warning, 0 notes" in text


def test_every_part_of_a_record_has_its_table(make_errors, rng):
    keys = {table.key for table in errors_tables(make_errors(rng, ("a", "b")))}
    assert keys >= {"errors", "phases", "skill", "horizon", "gripper", "motion", "task_space", "stochastic", "episodes"}
    bare = {table.key for table in errors_tables(make_errors(rng, ("a",), rivals=(), extras=False))}
    assert bare == {"errors", "errors_executed", "horizon", "episodes", "joints", "errors_episode_weighted", "groups"}
