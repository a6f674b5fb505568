"""A comparison on terminal, page and in files: every number from the record, every claim with its label."""

import csv
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from surehand.cli.output import load_record, show
from surehand.decide.comparison import Comparison
from surehand.report import to_card, write_index, write_report
from surehand.report.page import figures_of, render_page, tables_of
from surehand.report.readers import READERS
from surehand.report.scores_figure import shades
from surehand.report.tables import to_csv, to_markdown

from .trial_records import HOSTILE, HSR, WORDS, comparison, many


@pytest.fixture(scope="module")
def record() -> Comparison:
    return comparison(HSR)


@pytest.fixture(scope="module")
def big() -> Comparison:
    return comparison(many())


def printed(record: Comparison, width: int = 80) -> list[str]:
    out = io.StringIO()
    READERS[Comparison].show(record, Console(file=out, width=width, highlight=False))
    return out.getvalue().splitlines()


def drawn_rows(record: Comparison, key: str) -> list[dict[str, object]]:
    figure = next(f for f in figures_of(record) if f.key == key)
    return [row for rows in figure.spec["datasets"].values() for row in rows]


@pytest.mark.parametrize("counts", [HSR, many(), dict(list(HSR.items())[:2]), {n: (1, 2, 3, 4) for n in HOSTILE}])
def test_the_terminal_keeps_to_80_columns(counts):
    lines = printed(comparison(counts))
    assert max(map(len, lines)) <= 80
    assert not any("\x1b" in line for line in lines)
    assert any("policy" in line and "successes" in line for line in lines)


def test_the_terminal_says_verdict_policies_pairs_and_warnings(record):
    text = " ".join(" ".join(printed(record)).split())
    assert text.startswith(record.sentence)
    for said in ("60 trials counted, 0 void", "Holm over 3 pairs", "1: No motion towards the object", "Warnings"):
        assert said in text
    row = next(line for line in printed(record) if line.startswith("smolvla_B32_40k ") and "3.50" in line)
    assert row.split()[1:8] == ["20", "0", "2", "6", "12", "3.50", "12"]


def test_many_policies_come_as_a_matrix_and_the_firmest_pairs(big):
    lines = printed(big)
    assert len(lines) < 160
    assert any(re.match(r"1 \S+ .*R", line) for line in lines)
    rest = len(big.pairs) - 12
    assert any(f"{rest} pairs more" in line for line in lines)
    first = next(i for i, line in enumerate(lines) if line.startswith("pair ") and "label" in line)
    assert "robust" in lines[first + 2]


def test_two_policies_need_no_matrix():
    one = comparison(dict(list(HSR.items())[:2]))
    assert "Who beats whom" not in render_page(one)
    assert "Who beats whom" in render_page(comparison(many(4)))


def test_the_page_states_the_verdict_and_escapes_what_it_quotes(record):
    page = render_page(record)
    text = page.replace("&#39;", "'")
    for said in (record.sentence, *WORDS, *(pair.sentence for pair in record.pairs), "not randomised &lt;b&gt;by"):
        assert said in text
    assert "<b>by</b>" not in page and not re.search(r'(src|href)="(?!#)', page)
    assert [f.key for f in figures_of(record)] == ["scores", "effects", "sequential"]
    assert page.count("<figure ") == 3
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.S).lower().split()
    assert render_page(record) == page


def test_a_fragile_pair_is_an_alarm_unless_the_verdict_says_why_or_a_rule_decided(record):
    fragile = [p for p in record.pairs if p.label == "fragile"]
    assert len(fragile) == 1
    assert f"{fragile[0].first} over {fragile[0].second} is fragile: p = " in render_page(record)
    ruled = record.model_copy(update={"pairs": [p.model_copy(update={"fixed": False}) for p in record.pairs]})
    page = render_page(ruled)
    assert "is fragile: p = " not in page
    assert "the p-values beside do not hold" in page and "p-values of trials that could stop early do not hold" in page


def test_score_bars_hold_every_trial_in_order_of_the_levels(record):
    rows = [row for row in drawn_rows(record, "scores") if "count" in row]
    for policy, counts in HSR.items():
        own = [row for row in rows if str(row["row"]).startswith(f"{policy}  (n = {sum(counts)})")]
        assert [row["count"] for row in own] == [k for k in counts if k]
        assert own[-1]["end"] == pytest.approx(1.0)
        assert [row["level"] for row in own] == [f"{i + 1}  {WORDS[i]}" for i, k in enumerate(counts) if k]
    assert [row["text"] for row in rows if row["count"] == 20] == ["20"]


def test_shades_go_from_pale_to_deep():
    for n in (2, 4, 8):
        light = [sum(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in shades(n)]
        assert light == sorted(light, reverse=True) and len(set(light)) == n


def test_success_alone_is_drawn_as_failed_and_succeeded():
    policies = [p.model_copy(update={"scores": {}, "mean": float("nan")}) for p in comparison(HSR).policies]
    record = comparison(HSR, policies=policies, outcome="success", rubric=[], rubric_words=[])
    rows = [row for row in drawn_rows(record, "scores") if "count" in row]
    assert [(row["level"], row["count"]) for row in rows] == [
        ("succeeded", 20), ("failed", 5), ("succeeded", 15), ("failed", 8), ("succeeded", 12),
    ]  # fmt: skip
    assert "mean" not in tables_of(record)[1].columns
    assert render_page(record)


def test_effects_show_both_intervals_and_the_label_of_every_pair(record):
    rows = [row for row in drawn_rows(record, "effects") if "method" in row and "low" in row]
    for pair in record.pairs:
        for limits in pair.intervals:
            assert {
                "pair": f"{pair.first} over {pair.second}",
                "label": pair.label,
                "method": limits.method,
                "value": limits.value,
                "low": limits.low,
                "high": limits.high,
            } in rows
    assert {"value": 0.5} in drawn_rows(record, "effects")


def test_sequential_paths_tell_planned_from_illustrated(record):
    figure = next(f for f in figures_of(record) if f.key == "sequential")
    text = figure.drawing
    assert "planned: success" in text and "illustration, no claim" in text and "stopped after 17" in text
    assert "it proves nothing" in figure.caption
    values = {(r["pairs"], r["value"]) for r in drawn_rows(record, "sequential")}
    assert {(s.pairs, s.statistic) for path in record.paths for s in path.steps} <= values


def test_a_record_without_paths_or_rubric_words_is_drawn():
    plain = comparison(HSR, paths=[], rubric_words=[], agreement=None, schedule="", study="", omnibus=[])
    page = render_page(plain)
    assert [f.key for f in figures_of(plain)] == ["scores", "effects"]
    assert "Along the way" not in page and "Scorers" not in page


def test_many_fine_scores_share_a_column():
    policies = [p.model_copy(update={"scores": {f"{k / 8:g}": 2 for k in range(10)}}) for p in comparison(HSR).policies]
    record = comparison(HSR, policies=policies, rubric=[], rubric_words=[])
    table = next(t for t in tables_of(record) if t.key == "policies")
    assert "scores" in table.columns and str(table.rows[0][2]).startswith("2×0, 2×0.125")
    assert render_page(record)


def test_tables_hold_every_number(record):
    tables = {table.key: table for table in tables_of(record)}
    assert next(iter(tables)) == "pairs"
    rows = list(csv.DictReader(io.StringIO(to_csv(tables["pairs"]))))
    for row, pair in zip(rows, record.pairs, strict=True):
        assert (row["first"], row["second"], row["label"]) == (pair.first, pair.second, pair.label)
        assert float(row["win rate"]) == pair.win_rate and float(row["win rate low"]) == pair.intervals[0].low
        assert float(row["permutation p"]) == pair.tests[0].p
        assert float(row["unconditional p (Holm)"]) == pair.tests[1].p_holm
    tests = list(csv.DictReader(io.StringIO(to_csv(tables["tests"]))))
    assert len(tests) == sum(len(pair.tests) for pair in record.pairs)
    assert {row["method"] for row in tests} == {"exact by enumeration over counts"}
    assert {"void", "within", "effects", "success", "priors", "steps", "paths", "scorers", "omnibus"} <= set(tables)
    assert len(tables["steps"].rows) == sum(len(p.steps) for p in record.paths)


def test_hostile_names_stay_names_everywhere():
    record = comparison({name: (1, 2, 3, 4 + i) for i, name in enumerate(HOSTILE)})
    page = render_page(record)
    assert "<script" not in page and "\x1b" not in page
    for text in ("\n".join(map(to_markdown, tables_of(record))), to_card(record)):
        assert "<script" not in text and "\x1b" not in text
        for line in text.splitlines():
            assert "a|b" not in line and not re.search(r"(?<!\\)\[red\]", line)


def test_files_index_and_reading_back(record, tmp_path: Path):
    wanted = ("html", "svg", "png", "pdf", "csv", "md", "json")
    written = {p.relative_to(tmp_path).as_posix() for p in write_report(record, tmp_path, wanted)}
    assert {"comparison.html", "comparison.json", "tables/pairs.csv", "figures/effects.pdf"} <= written
    again = load_record(tmp_path / "comparison.json")
    assert again.model_dump_json() == record.model_dump_json()
    assert render_page(again) == (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert record.sentence in write_index(tmp_path).read_text(encoding="utf-8")


def test_csv_and_markdown_on_the_command_line(record, capsys):
    show(record, as_csv=True)
    assert capsys.readouterr().out.startswith("first,second,label,")
    show(record, as_markdown=True)
    assert "### Policies, best first" in capsys.readouterr().out
    show(record)
    assert record.sentence in capsys.readouterr().out.replace("\n", " ")


def test_no_figure_brings_white_paper_into_a_dark_page(record, big):
    wide = comparison({name: (1, 2, 3, 4) for name in HOSTILE})  # widths that are no whole number of pixels
    for figure in (*figures_of(record), *figures_of(big), *figures_of(wide)):
        assert 'fill="white"/>' in figure.drawing
        assert 'fill="white"/>' not in figure.inline()


def test_scores_on_a_continuous_scale_are_strokes():
    scores = {f"{-1 + k / 16:g}": 1 for k in range(40)}
    policies = [p.model_copy(update={"scores": scores, "trials": 40}) for p in comparison(HSR).policies]
    record = comparison(HSR, policies=policies, rubric=[], rubric_words=[])
    assert next(t for t in tables_of(record) if t.key == "policies").rows[0][2] == "−1.00 to 1.44"
    rows = drawn_rows(record, "scores")
    assert len(rows) == 3 * 40 and {row["score"] for row in rows} == {float(s) for s in scores}
    assert max(map(len, printed(record))) <= 80


def test_no_success_is_a_number_and_an_unknown_one_is_not():
    first, *rest = comparison(HSR).policies
    none = first.model_copy(update={"successes": 0})
    unknown = first.model_copy(update={"policy": "unknown", "successes": None, "success": []})
    table = next(t for t in tables_of(comparison(HSR, policies=[none, unknown, *rest])) if t.key == "policies")
    place = table.columns.index("successes")
    assert [table.text(row, place)[0] for row in range(4)] == ["0", "–", "15", "12"]
    assert "0.600" in table.text(3, place + 1)[0] and table.text(1, place + 1) == ("–", "")
