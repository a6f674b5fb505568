"""An agreement record on terminal, page and in files; a plan's too."""

import csv
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from surehand.cli.output import load_record
from surehand.decide.agreement import AgreementRecord
from surehand.decide.planning_record import Planning
from surehand.decide.selectors import LAST
from surehand.decide.within_run_judge import Run, judge
from surehand.formats.records import Record
from surehand.report import write_index, write_report
from surehand.report.page import figures_of, render_page, tables_of
from surehand.report.readers import READERS
from surehand.report.tables import to_csv

from .trial_records import HOSTILE, HSR, agreement, many, planning

METRICS = ("arm", "total", "gripper", "base")


@pytest.fixture(scope="module")
def record() -> AgreementRecord:
    return agreement(list(HSR), METRICS)


def printed(record: Record) -> str:
    out = io.StringIO()
    READERS[type(record)].show(record, Console(file=out, width=80, highlight=False))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "\x1b" not in out.getvalue()
    return " ".join(out.getvalue().split())


def test_the_terminal_says_how_little_few_policies_prove(record):
    text = printed(record)
    assert text.startswith(record.sentence)
    assert "can reach is 0.17, so no order can be established" in text
    assert re.search(r"arm robot consistent 1\.0 0\.17 0\.17 0 yes", text)


def test_published_means_are_not_said_to_be_trials(record):
    text = printed(record.model_copy(update={"robot_trials": {}, "selected_from": 1}))
    assert "as published, without their trials" in text and "0 robot trials" not in text and "1 metric looked" in text


@pytest.mark.parametrize("policies", [HOSTILE, list(many()), list(HSR)[:2]])
def test_any_names_fit_the_terminal_and_do_no_harm_on_a_page(policies):
    record = agreement(policies, [f"arm@{k}" for k in range(25)])
    assert "5 metrics more" in printed(record)
    page = render_page(record)
    assert "<script" not in page and "\x1b" not in page


def test_the_page_has_a_panel_per_metric_and_every_coefficient(record):
    page = render_page(record)
    assert record.sentence in page.replace("&#39;", "'")
    figures = {f.key: f for f in figures_of(record)}
    assert list(figures) == ["offline_robot", "tau"]
    points = {
        (row["label"], row["value"], row["robot"])
        for rows in figures["offline_robot"].spec["datasets"].values()
        for row in rows
    }
    assert points == {(p, m.values[p], record.robot[p]) for m in record.metrics for p in record.policies}
    assert "Selected from 4 metrics" in page
    taus = [row for rows in figures["tau"].spec["datasets"].values() for row in rows if "name" in row]
    assert [(r["value"], r["low"], r["high"]) for r in taus] == [
        (m.coefficients[0].value, m.coefficients[0].low, m.coefficients[0].high) for m in record.metrics
    ]
    assert not re.search(r'(src|href)="(?!#)', page)


def test_better_is_to_the_right_whatever_way_a_metric_counts(record):
    up = record.metrics[0].model_copy(update={"lower_is_better": False})
    for metric, turned in ((record.metrics[0], True), (up, False)):
        drawn = figures_of(record.model_copy(update={"metrics": [metric]}))[0]
        assert drawn.spec["concat"][0]["layer"][0]["encoding"]["x"]["scale"]["reverse"] is turned


def test_tables_hold_every_number(record):
    tables = {t.key: t for t in tables_of(record)}
    assert list(tables) == ["metrics", "values", "coefficients"]
    rows = list(csv.DictReader(io.StringIO(to_csv(tables["metrics"]))))
    assert [row["metric"] for row in rows] == list(METRICS)
    for row, metric in zip(rows, record.metrics, strict=True):
        tau = metric.coefficients[0]
        assert (float(row["τ_b"]), float(row["p"]), float(row["smallest p"])) == (tau.value, tau.p, tau.p_smallest)
        assert row["Pearson"] == ""
    assert len(tables["coefficients"].rows) == sum(len(m.coefficients) for m in record.metrics)


def test_metrics_without_a_value_come_last_and_are_not_drawn(record):
    first = record.metrics[0]
    none = [c.model_copy(update={"value": math.nan}) for c in first.coefficients]
    empty = first.model_copy(update={"coefficients": none, "values": dict.fromkeys(HSR, math.nan)})
    changed = record.model_copy(update={"metrics": [empty, *record.metrics[1:]]})
    assert [row[0] for row in tables_of(changed)[0].rows] == [*METRICS[1:], "arm"]
    assert "nan" not in render_page(changed).lower().split()
    nothing = record.model_copy(update={"metrics": [empty]})
    assert figures_of(nothing) == [] and render_page(nothing) and printed(nothing)


def test_runs_that_share_a_clock_are_judged_beside(record):
    rng = np.random.default_rng(1)
    made = []
    for i in range(6):
        true = np.linspace(0, 0.9, 5)
        values = {"robot/arm": 1 - true + rng.normal(0, 0.1, 5), LAST: -np.arange(5.0)}
        step = np.arange(100, 600, 100)
        made.append(
            Run(f"run {i}", "mlp", 40, i, step, rng.binomial(50, true) / 50, rng.binomial(50, true) / 50, values)
        )
    judged = judge(made, [], name="runs", title="six runs")
    both = record.model_copy(update={"within_run": judged, "clock": record.metrics[0].coefficients})
    page = render_page(both)
    assert "Within training runs" in page and "The training step as a rival" in page
    assert [f.key for f in figures_of(both)] == ["offline_robot", "tau", "regret", "agreement"]
    assert "Rules, six runs" in printed(both)
    for text in (page, printed(both)):  # p is over exchanges of whole runs, not over orders of the policies
        assert "6 runs can reach" in text and "exchanges of whole runs" in text and "policies can reach" not in text


def test_a_plan_says_how_many_trials_and_draws_the_target():
    plan = planning()
    text = printed(plan)
    assert text.startswith(plan.sentence)
    assert "pi05_baseline 0, 0, 0, 20; pi05_ours 0, 0, 5, 15" in text and "1 173 0.946" in text
    figure = figures_of(plan)[0]
    rows = [row for rows in figure.spec["datasets"].values() for row in rows]
    assert {"value": 0.8} in rows
    assert {row["text"] for row in rows if "text" in row} == {"60", "31"}
    assert "assurance first stays there at 60 trials" in figure.caption
    never = planning(needed=None, needed_plug_in=None, limit=0.7)
    assert "never stays there" in figures_of(never)[0].caption
    assert "more than 400, or never" in to_csv(tables_of(planning(needed=None, hopeless=True))[2])


@pytest.mark.parametrize("make", [lambda: agreement(list(HSR), METRICS), lambda: planning()])
def test_files_index_and_reading_back(make, tmp_path: Path):
    record = make()
    written = {
        p.relative_to(tmp_path).as_posix() for p in write_report(record, tmp_path, ("html", "pdf", "csv", "json"))
    }
    assert {f"{record.kind}.html", f"{record.kind}.json"} <= written
    again = load_record(tmp_path / f"{record.kind}.json")
    assert isinstance(again, AgreementRecord | Planning)
    assert render_page(again) == (tmp_path / f"{record.kind}.html").read_text(encoding="utf-8")
    assert record.sentence.replace("'", "&#39;") in write_index(tmp_path).read_text(encoding="utf-8")
