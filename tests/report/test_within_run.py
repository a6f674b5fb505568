"""The page of a within-run record: every number from the record, every claim with its space, nothing from elsewhere."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

from surehand.cli.output import load_record
from surehand.decide.selectors import LAST, TRAIN, VALIDATION
from surehand.decide.within_run import Hypothesis, Judgement, WithinRun
from surehand.decide.within_run_judge import Run, judge
from surehand.report import print_within_run, write_index, write_report
from surehand.report.page import figures_of, render_page, tables_of
from surehand.report.tables import to_csv

COLUMNS = ("total", "arm", "head", "arm@near", "total@first", "minimax")
RULES = [*(f"{space}/{column}" for space in ("robot", "std") for column in COLUMNS), VALIDATION, TRAIN, LAST]
EXPECTED = [
    Hypothesis(key="H1", claim="in std units the arm <chooses> better", better="std/arm", worse="std/total"),
    Hypothesis(key="H2", claim="robot units choose better", better="robot/total", worse="std/total"),
]


def runs(learners: tuple[str, ...], sizes: tuple[int, ...], seeds: int, rng: np.random.Generator) -> list[Run]:
    made = []
    for learner, size, seed in [(a, b, c) for c in range(seeds) for b in sizes for a in learners]:
        step = np.geomspace(100, 3000, 6).round().astype(int)
        true = np.clip(np.linspace(0, 0.95, 6) - rng.uniform(0, 0.3) * (np.arange(6) == 5), 0, 1)
        values = {rule: np.exp(-2 * true + rng.normal(0, 0.1 if "robot" in rule else 0.9, 6)) for rule in RULES}
        values[LAST] = -step.astype(float)
        score = rng.binomial(100, true) / 100
        made.append(
            Run(f"{learner}-{size}-{seed}", learner, size, seed, step, rng.binomial(60, true) / 60, score, values)
        )
    return made


def judged(name: str, made: list[Run]) -> Judgement:
    return judge(made, EXPECTED, name=name, title=f"{name} robot")


@pytest.fixture(scope="module")
def record() -> WithinRun:
    rng = np.random.default_rng(4)
    return WithinRun(
        title="Which error <chooses>?",
        plan_hash="0123456789abcdef",
        tasks=["pick", "press"],
        level=0.95,
        alpha=0.05,
        margin=0.05,
        seed=0,
        draws=1000,
        headline=judged("mobile", runs(("mlp", "act"), (40, 120), 4, rng)),
        others=[judged("desk", runs(("mlp",), (40,), 5, rng))],
        warnings=["16 of 20 planned runs are finished"],
        methods={"Unit": "the training run"},
    )


def test_the_page_states_the_answer_and_escapes_what_it_quotes(record: WithinRun) -> None:
    page = render_page(record)
    assert str(record) in page.replace("&#39;", "'")
    assert "arm &lt;chooses&gt; better" in page and "<chooses>" not in page
    for part in (
        "What the pick loses",
        "What was expected",
        "Repeated: desk robot",
        "16 of 20 planned",
        "the training run",
    ):
        assert part in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert page.count("<figure ") == 5
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.S).lower().split()


def test_every_rule_and_space_is_in_the_table(record: WithinRun) -> None:
    tables = {table.key: table for table in tables_of(record)}
    rows = tables["rules"].rows
    assert len(rows) == len(RULES) + 1
    assert {row[1] for row in rows} == {"robot units", "std units", "learner's own", "–"}
    regrets = [row[2].value for row in rows]  # type: ignore[union-attr]
    assert regrets == sorted(regrets)
    assert len(tables["checkpoints"].rows) == 16 * 6
    assert {"rules_desk", "hypotheses_desk", "runs_desk", "checkpoints_desk"} <= set(tables)
    assert to_csv(tables["rules"]).splitlines()[0].startswith("rule,space,regret,regret low,regret high,worst run")


def test_figures_show_every_rule_with_its_interval(record: WithinRun) -> None:
    drawn = {figure.key: figure for figure in figures_of(record)}
    assert list(drawn) == ["regret", "hypotheses", "agreement", "curves", "regret_desk"]
    text = drawn["regret"].drawing
    for label in ("arm near contact", "total first action", "validation loss", "action error in std units"):
        assert label in text
    drawn_rows = [
        row for rows in drawn["regret"].spec["datasets"].values() for row in rows if row.get("label") == "arm"
    ]
    seen = {(row["space"], row["value"], row["low"], row["high"]) for row in drawn_rows}
    rules = {r.rule: r.regret for r in record.headline.rules}
    assert seen == {(space, r.value, r.low, r.high) for space in ("robot", "std") for r in [rules[f"{space}/arm"]]}


def test_a_single_short_run_has_a_page_without_intervals() -> None:
    one = runs(("mlp",), (40,), 1, np.random.default_rng(0))
    judgement = judge(one, EXPECTED, name="mobile", title="mobile robot")
    common = {"title": "t", "plan_hash": "0", "tasks": ["pick"], "level": 0.95, "alpha": 0.05, "margin": 0.05}
    alone = WithinRun(**common, seed=0, draws=10, headline=judgement)  # type: ignore[arg-type]
    assert "not enough runs" in render_page(alone)
    assert all(np.isnan(rule.regret.low) for rule in alone.headline.rules)


def test_the_terminal_keeps_to_80_columns(record: WithinRun) -> None:
    from rich.console import Console

    out = io.StringIO()
    print_within_run(record, Console(file=out, width=80, highlight=False))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("regret" in line and "space" in line for line in lines)
    assert any("16 of 20 planned" in line for line in lines)


def test_files_and_index(record: WithinRun, tmp_path: Path) -> None:
    written = {
        path.relative_to(tmp_path).as_posix() for path in write_report(record, tmp_path, ("html", "json", "csv", "svg"))
    }
    assert {"within-run.html", "within-run.json", "tables/rules.csv", "figures/regret.svg"} <= written
    again = load_record(tmp_path / "within-run.json")
    assert again.model_dump_json() == record.model_dump_json()
    assert "Mobile robot, 16 runs" in write_index(tmp_path).read_text()
