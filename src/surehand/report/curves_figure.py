"""A few training runs side by side: success and errors over training steps, and where each rule picks."""

import math
from collections.abc import Sequence
from typing import Any

from surehand.decide.selectors import VALIDATION, Selector
from surehand.decide.within_run import Judgement, RunResult
from surehand.report.drawing import COLOURS, DASHES, INK, PANEL, Figure, choose, data, log_axis, make, panels

DRAWN = ("robot/total", "std/total", "std/arm", VALIDATION)
SHOWN = 3  # runs


def curves_figure(judgement: Judgement) -> Figure | None:
    """Success above, errors below, of one run per learner with the least data; None without two checkpoints."""
    runs = _examples(judgement)
    rules = [rule for rule in DRAWN if runs and rule in runs[0].values]
    if not rules:
        return None
    names = [str(Selector.parse(rule)) for rule in rules]
    top = [_success(run, first=i == 0).properties(title=run.name) for i, run in enumerate(runs)]
    below = [_errors(run, rules, names, first=i == 0) for i, run in enumerate(runs)]
    caption = (
        "Above: success on score episodes at every checkpoint, ringed where the selection episodes find it best. "
        "Below: each rule's value as a multiple of its lowest one, which is marked: the checkpoint the rule picks. "
        f"Examples: seed {runs[0].seed} of each learner with {runs[0].size} demonstrations, whatever their outcome."
    )
    return make(
        "curves", f"Success and errors over training, {judgement.title}", caption, panels(top + below, len(runs))
    )


def _examples(judgement: Judgement) -> list[RunResult]:
    """The first run of every learner with the least data."""
    few = [run for run in judgement.runs if run.size == min(judgement.sizes) and len(run.step) > 1]
    first = {run.learner: run for run in reversed(few)}
    return [first[learner] for learner in judgement.learners if learner in first][:SHOWN]


def _success(run: RunResult, first: bool) -> Any:
    import altair as alt

    rows: list[dict[str, Any]] = [{"step": s, "value": v} for s, v in zip(run.step, run.score, strict=True)]
    y = alt.Y("value:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="success" if first else None, tickCount=5))
    x = log_axis("x", "step", run.step, None, grid=False)
    chart = alt.Chart(data(rows)).encode(x=x, y=y)
    best = alt.Chart(data(row for row in rows if row["step"] in run.best)).encode(x=x, y=y)
    layers = [
        chart.mark_line(color=INK, strokeWidth=1.6),
        chart.mark_point(color=INK, filled=True, opacity=1, size=22),
        best.mark_point(color=INK, filled=False, opacity=1, size=130),
    ]
    return alt.layer(*layers).properties(width=PANEL, height=110)


def _errors(run: RunResult, rules: Sequence[str], names: Sequence[str], first: bool) -> Any:
    import altair as alt

    rows = [row for rule, name in zip(rules, names, strict=True) for row in _ratios(run, rule, name)]
    x = log_axis("x", "step", run.step, "training step", grid=False)
    y = log_axis("y", "value", [row["value"] for row in rows], "times its lowest" if first else None)
    legend = alt.Legend(title=None, orient="bottom", columns=4, symbolSize=300)
    colour = choose(alt.Color, "rule", names, COLOURS[: len(names)], legend)
    dash = choose(alt.StrokeDash, "rule", names, [[1, 0], *DASHES[: len(names) - 1]], legend)
    chart = alt.Chart(data(rows)).mark_line(strokeWidth=1.6, clip=True).encode(x=x, y=y, color=colour, strokeDash=dash)
    picked = alt.Chart(data(row for row in rows if row["picked"])).mark_point(filled=True, opacity=1)
    sizes = [140, 90, 50, 20][: len(names)]  # rules that pick the same checkpoint stay visible, one inside the other
    dots = picked.encode(
        x=x,
        y=y,
        color=choose(alt.Color, "rule", names, COLOURS[: len(names)]),
        size=choose(alt.Size, "rule", names, sizes),
    )
    return alt.layer(chart, dots).properties(width=PANEL, height=130)


def _ratios(run: RunResult, rule: str, name: str) -> list[dict[str, Any]]:
    """The rule's values as multiples of the lowest; nothing where that is no positive number."""
    values = run.values[rule]
    least = min(values)
    if not (math.isfinite(least) and least > 0):
        return []
    return [
        {"step": step, "value": value / least, "rule": name, "picked": step in run.picks[rule]}
        for step, value in zip(run.step, values, strict=True)
    ]
