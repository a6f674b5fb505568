"""The figures of a choice: what each rule picks, what it cannot tell apart, and the errors it chose from."""

from typing import Any

from surehand.decide.choice import Choice, Pick
from surehand.report.choice_tables import basis, best_by_group, candidates, groups_of
from surehand.report.drawing import PALE, PANEL, PICK, ROWS, Figure, choose, data, log_axis, make, panels
from surehand.report.text import short_names

CHOSEN, TIED, APART, OTHER = "pick", "cannot be told apart", "ruled out or not compared", "other checkpoint"
SMALL = (10, PALE, PALE)
MARKS = {CHOSEN: (150, PICK, PICK), TIED: (110, "#ffffff", PICK), APART: SMALL, OTHER: SMALL}  # size, fill, stroke


def choice_figures(choice: Choice) -> list[Figure]:
    """Every figure that this choice has the numbers for."""
    return [figure for figure in (selection_figure(choice), choice_errors_figure(choice)) if figure]


def selection_figure(choice: Choice) -> Figure | None:
    """Rules (rows) by checkpoints (columns): the pick filled, the tied set open, the rest as points."""
    import altair as alt

    names = candidates(choice)
    if len(names) < 2 or not choice.picks:
        return None
    labels = short_names(names, 18)
    rows = [{"rule": p.rule, "checkpoint": labels[n], "kind": _kind(choice, p, n)} for p in choice.picks for n in names]
    kinds = [k for k in MARKS if any(row["kind"] == k for row in rows)]
    size, fill, stroke = ([MARKS[k][i] for k in kinds] for i in range(3))
    pitch = 44 if len(names) < 12 else 34
    tilt = -40 if max(map(len, labels.values())) * 6 + 8 > pitch else 0
    across = {**ROWS, "labelAngle": tilt, "labelLimit": 160}
    legend = alt.Legend(title=None, orient="top", columns=3)
    chart = alt.Chart(data(rows)).mark_point(opacity=1, strokeWidth=1.8, shape="circle")
    chart = chart.encode(
        x=alt.X("checkpoint:N", sort=list(labels.values()), axis=alt.Axis(**across)),
        y=alt.Y("rule:N", sort=[p.rule for p in choice.picks], axis=alt.Axis(**{**ROWS, "grid": False})),
        size=choose(alt.Size, "kind", kinds, size, legend),
        fill=choose(alt.Fill, "kind", kinds, fill, legend),
        stroke=choose(alt.Stroke, "kind", kinds, stroke, legend),
    )
    ties = "and those that the data cannot tell apart from it" if choice.units else "ties are unknown without episodes"
    caption = f"Per rule (rows): the checkpoint it picks, {ties}. {basis(choice)}"
    chart = chart.properties(width=alt.Step(pitch), height=alt.Step(24))
    return make("selection_sets", "What each rule picks", caption, chart)


def choice_errors_figure(choice: Choice) -> Figure | None:
    """Errors of a bare table: a panel per group, a row per checkpoint."""
    groups = [g for g in groups_of(choice) if any(errors.get(g, 0) > 0 for errors in choice.errors.values())]
    if not groups:
        return None
    charts = [_errors_panel(choice, group, first=i % 3 == 0) for i, group in enumerate(groups)]
    space = f"Space: {choice.space}. " if choice.space else ""
    caption = (
        "Errors as given, each panel on its own logarithmic axis; left is better. Blue: lowest of the group. "
        f"{space}n = {len(choice.errors)} checkpoints; no episodes, so no intervals."
    )
    return make("error_by_group", "Errors by checkpoint", caption, panels(charts, 3))


def _errors_panel(choice: Choice, group: str, first: bool) -> Any:
    import altair as alt

    labels = short_names(list(choice.errors))
    best = best_by_group(choice).get(group)
    rows = [
        {"label": labels[n], "value": errors[group], "best": "yes" if n == best else "no"}
        for n, errors in choice.errors.items()
        if errors.get(group, 0) > 0
    ]
    chart = alt.Chart(data(rows)).mark_point(filled=True, opacity=1)
    chart = chart.encode(
        x=log_axis("x", "value", [float(row["value"]) for row in rows]),
        y=alt.Y("label:N", sort=list(labels.values()), axis=alt.Axis(**ROWS, labels=first)),
        color=choose(alt.Color, "best", ["yes", "no"], [PICK, PALE]),
        size=choose(alt.Size, "best", ["yes", "no"], [110, 45]),
    )
    return chart.properties(width=PANEL, height=alt.Step(17), title=group)


def _kind(choice: Choice, pick: Pick, name: str) -> str:
    if name == pick.best:
        return CHOSEN
    if choice.units is None:
        return OTHER
    return TIED if name in pick.tied else APART
