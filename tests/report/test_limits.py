"""The page of violation limits: what its tables and figure show, and names that do harm."""

import glob
import io
import math

import numpy as np
from rich.console import Console

from surehand.decide.limits_record import (
    ALL,
    Judged,
    Limit,
    LimitsRecord,
    Peaks,
    Share,
    Signal,
    SweepPoint,
    TaskGroup,
)
from surehand.report.limits_figures import limits_figures
from surehand.report.limits_page import below
from surehand.report.limits_tables import limits_tables, shares_table, without
from surehand.report.limits_terminal import print_limits
from surehand.report.page import render_page
from surehand.report.tables import to_csv, to_markdown

from .trial_records import HOSTILE


def record(tasks: tuple[str, ...] = ("pick", "press"), signals: int = 1) -> LimitsRecord:
    """Limits on one or more forces in two phases; the first has too few episodes."""
    rng = np.random.default_rng(0)
    names = [f"force_{i}" for i in range(signals)]
    limits = [
        Limit(task=t, phase=p, signal=s, limit=math.nan if (t, p) == (tasks[0], "free") else 12.5, n=300, needed=299,
              method="none" if (t, p) == (tasks[0], "free") else "order", rank=1, confidence=0.95, covers=0.99,
              median=7, worst=12.5, note="12 episodes, needs 299" if (t, p) == (tasks[0], "free") else "")
        for t in tasks for p in ("free", "contact") for s in names
    ]  # fmt: skip
    share = {
        "episodes": 600,
        "flagged": 60,
        "share": 0.1,
        "low": 0.08,
        "high": 0.13,
        "steps": 9000,
        "steps_flagged": 90,
    }
    shares = [Share(task=t, **share) for t in (ALL, *tasks)]
    return LimitsRecord(
        source="experts",
        episodes=list(range(600)),
        steps=9000,
        tasks=[TaskGroup(name=t, pattern=t + "*") for t in tasks],
        phases=["free", "contact"],
        phase_rule="distance:near:0.08",
        phase_words="contact where the tool is nearer than 0.08 to the object",
        signals=[Signal(name=s, column=s) for s in names],
        content=0.99,
        confidence=0.95,
        simultaneous=True,
        each=0.9875,
        limits=limits,
        judged=[
            Judged(
                what="one for all", signal=names[0], limit=12, shares=shares, allowed=0.02, slack=1.2, gentlest="press"
            ),
            Judged(what="proposed", signal=names[0], limit=9, shares=shares, allowed=0.02, inflation=5.0),
        ],
        sweep=[SweepPoint(signal=names[0], limit=9, episodes=0.1, steps=0.01, worst_task=tasks[0], worst=0.2)],
        peaks=[
            Peaks(task=x.task, phase=x.phase, signal=x.signal, values=sorted(rng.uniform(2, 12, 50))) for x in limits
        ],
        sentence=f"Limits for {tasks[0]}.",
    )


def test_tables_say_what_the_record_holds() -> None:
    tables = {t.key: t for t in limits_tables(record())}
    assert list(tables) == ["limits", "shares", "tasks", "sweep"]
    assert len(tables["limits"].rows) == 4 and tables["limits"].text(0, 3)[0] == "–"
    lines = to_csv(tables["shares"]).splitlines()
    assert lines[2].startswith("proposed 9.00,force_0,9.0,10.0,8.0,13.0,1.0,pick,10.0,5.0,5.0")
    assert "one for all" in lines[1] and "1.2" in lines[1]


def test_a_narrow_terminal_gets_fewer_columns() -> None:
    table = without(shares_table(record()), "signal", "over gentlest")
    assert "signal" not in table.columns and table.labels == 1 and len(table.units) == len(table.columns)
    console = Console(width=80, record=True, file=io.StringIO())
    print_limits(record(), console)
    said = console.export_text()
    assert "Covers" not in said and "Over gentlest" not in said and "allowed: over" in said  # notes of what is shown
    assert "Limits for pick." in said and "12 episodes, needs 299" in said and max(map(len, said.splitlines())) <= 80


def test_the_figure_has_a_row_per_task_and_phase() -> None:
    (figure,) = limits_figures(record())
    assert "pick, free" in figure.drawing and "press, contact" in figure.drawing
    assert "orange" in figure.caption and "grey" in figure.caption
    (many,) = limits_figures(record(signals=8))
    assert "The first 6 of 8 signals" in many.caption and "force_5" in many.drawing and "force_6" not in many.drawing


def test_hostile_names_stay_text() -> None:
    found = record(HOSTILE)
    page = render_page(found)
    assert "<script>" not in page and "\x1b" not in page and "Expert peaks and their limits" in page
    assert all("<script>" not in to_markdown(table) for table in limits_tables(found))


def test_the_first_row_is_blamed_only_where_it_is_there() -> None:
    """Judged on the same episodes, the shares of limits per task and phase are too low, and no others."""
    found = record()
    own = found.judged[1].model_copy(update={"what": "per task and phase", "limit": math.nan})
    assert "the first row is too low" not in shares_table(found).note
    assert "the first row is too low" in shares_table(found.model_copy(update={"judged": [own]})).note


def test_patterns_that_nobody_wrote_are_not_shown() -> None:
    found = record()
    alone = TaskGroup(name="stack [3] *fast*", pattern=glob.escape("stack [3] *fast*"))
    assert below(found)[0].endswith("2 tasks (pick: pick*; press: press*).")
    assert below(found.model_copy(update={"tasks": [alone]}))[0].endswith("1 task.")
