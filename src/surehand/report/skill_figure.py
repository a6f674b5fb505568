"""Skill against the rivals: does a checkpoint beat what needs no training at all?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from surehand.errors.record import ErrorsRecord, Value
from surehand.report.drawing import INK, MUTED, PALE, PICK, ROWS, Figure, choose, data, make, panels
from surehand.report.errors_tables import ALL_DIMS, groups_of, sample_note
from surehand.report.looks import Look, looks
from surehand.report.text import number, short_names

WIDE = 250
EDGE = -1.07  # where skills below −1 are drawn, with their number beside


def skill_figure(record: ErrorsRecord) -> Figure | None:
    """Skill by group (rows), a panel per rival."""
    rivals = short_names(list(dict.fromkeys(r for p in record.policies for r in p.skill)))
    groups = [g for g in groups_of(record, [s for p in record.policies for s in p.skill.values()])[0] if g != ALL_DIMS]
    if not rivals or not groups:
        return None
    seen = looks(record)
    charts = [
        _panel(_rows(record, seen, rival), groups, first=i % 2 == 0).properties(title=f"against {label}")
        for i, (rival, label) in enumerate(rivals.items())
    ]
    caption = (
        "Skill against each rival: 1 is perfect, 0 (dark line) no better than the rival; values below −1 are drawn at "
        f"the edge as ◀ with their number. {sample_note(record)} Blue, with its interval: the checkpoint in question; "
        "grey: the others."
    )
    return make("skill", "Skill against simple rivals", caption, panels(charts, 2))


def _rows(record: ErrorsRecord, seen: Mapping[str, Look], rival: str) -> list[dict[str, Any]]:
    return [_row(seen[p.name], g, v) for p in record.policies for g, v in p.skill.get(rival, {}).items()]


def _row(look: Look, group: str, skill: Value) -> dict[str, Any]:
    beyond = skill.value < -1
    return {
        "group": group,
        "pick": look.role == "pick",
        "value": EDGE if beyond else skill.value,
        "low": skill.value if math.isnan(skill.low) else skill.low,
        "high": skill.value if math.isnan(skill.high) else skill.high,
        "shape": "beyond" if beyond else "inside",
        "text": number(skill.value, 2) if beyond else "",
    }


def _panel(rows: list[dict[str, Any]], groups: Sequence[str], first: bool) -> Any:
    import altair as alt

    rows = [row for row in rows if row["group"] in groups]
    pick = [row for row in rows if row["pick"] and math.isfinite(row["value"])]
    others = [row for row in rows if not row["pick"] and math.isfinite(row["value"])]
    undefined = [{**row, "text": "undefined"} for row in rows if row["pick"] and math.isnan(row["value"])]
    y = alt.Y("group:N", sort=list(groups), axis=alt.Axis(**ROWS, labels=first))
    scale = alt.Scale(domain=[-1.15, 1.0], nice=False, clamp=True)
    x = alt.X("value:Q", scale=scale, axis=alt.Axis(title="skill", values=[-1, -0.5, 0, 0.5, 1], grid=False))
    shape = choose(alt.Shape, "shape", ["inside", "beyond"], ["circle", "triangle-left"])
    layers = [
        alt.Chart(data([{"value": 0.0}])).mark_rule(color=INK, strokeWidth=1).encode(x=x),
        alt.Chart(data(others)).mark_point(filled=True, opacity=1, size=34, color=PALE).encode(x=x, y=y, shape=shape),
        alt.Chart(data(pick)).mark_rule(color=PICK, strokeWidth=1.8).encode(x=alt.X("low:Q"), x2="high:Q", y=y),
        alt.Chart(data(pick)).mark_point(filled=True, opacity=1, size=80, color=PICK).encode(x=x, y=y, shape=shape),
        _words(pick, dx=18, color=INK).encode(x=alt.value(0), y=y, text="text:N"),
        _words(undefined, dx=4, color=MUTED).encode(x=alt.value(WIDE), y=y, text="text:N"),
    ]
    return alt.layer(*layers).properties(width=WIDE, height=alt.Step(20))


def _words(rows: list[dict[str, Any]], dx: int, color: str) -> Any:
    import altair as alt

    return alt.Chart(data(rows)).mark_text(align="left", dx=dx, fontSize=10, color=color)
