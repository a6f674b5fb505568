"""Figures of a within-run record: what each rule's picks lost, how it orders checkpoints, what was expected."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from surehand.decide.selectors import RANDOM, Selector
from surehand.decide.within_run import Estimate, Judgement, RuleResult, WithinRun
from surehand.report.curves_figure import curves_figure
from surehand.report.drawing import INK, MUTED, PALE, PICK, ROWS, SECOND, Figure, choose, data, make, panels
from surehand.report.text import count, percent
from surehand.report.within_run_tables import versus

WIDE = 230
SPACES = {"robot": "action error in robot units", "std": "action error in std units", "": "other rules"}


class Levelled(Protocol):
    """A record whose intervals have a level: a judgement over runs may stand in several kinds."""

    level: float


def within_run_figures(record: WithinRun) -> list[Figure]:
    """Every figure that the record has the numbers for."""
    drawn = [
        regret_figure(record, record.headline),
        hypotheses_figure(record, record.headline),
        agreement_figure(record, record.headline),
        curves_figure(record.headline),
    ]
    drawn += [regret_figure(record, other, f"_{other.name}") for other in record.others]
    return [figure for figure in drawn if figure]


def regret_figure(record: Levelled, judgement: Judgement, suffix: str = "") -> Figure | None:
    """Mean regret of every rule with its interval, a panel per space; dashed where a random checkpoint would be."""
    caption = (
        "Success of the best checkpoint minus success of the rule's pick: left is better, 0 loses nothing. "
        f"{_sample(record, judgement)} Dashed: a checkpoint picked at random. Rules in the same row of the first two "
        "panels differ in the space of the error alone."
    )
    return _dots(
        judgement,
        lambda r: r.regret,
        f"regret{suffix}",
        f"What the pick loses, {judgement.title}",
        caption,
        axis="regret",
        mark=judgement.room.value,
        reverse=False,
    )


def agreement_figure(record: Levelled, judgement: Judgement) -> Figure | None:
    """Mean τ of every rule with its interval, a panel per space."""
    caption = (
        "Kendall's τ between the rule's order of a run's checkpoints and their success: 1 is the same order, 0 none, "
        f"below 0 the wrong way round. {_sample(record, judgement)}"
    )
    title = f"Rank agreement with success, {judgement.title}"
    return _dots(judgement, lambda r: r.tau, "agreement", title, caption, axis="τ", mark=0.0, reverse=True)


def hypotheses_figure(record: WithinRun, judgement: Judgement) -> Figure | None:
    """Regret saved in every comparison written down before the runs, with its interval."""
    import altair as alt

    if not judgement.comparisons:
        return None
    rows = [
        {
            "name": f"{c.hypothesis.key}  {versus(c.hypothesis)}",
            "value": c.difference.value,
            "low": _or(c.difference.low, c.difference.value),
            "high": _or(c.difference.high, c.difference.value),
            "verdict": c.verdict,
            "kind": _kind(c.verdict),
        }
        for c in judgement.comparisons
        if math.isfinite(c.difference.value)
    ]
    if not rows:
        return None
    names = [str(row["name"]) for row in rows]
    axis = alt.Axis(**{**ROWS, "labelLimit": 420})
    y = alt.Y("name:N", sort=names, axis=axis)
    x = alt.X("value:Q", axis=alt.Axis(title="regret saved", grid=False), scale=_around([*rows]))
    colour = choose(alt.Color, "kind", ["as expected", "the other way", "open"], [PICK, SECOND, MUTED], _legend())
    shape = choose(
        alt.Shape, "kind", ["as expected", "the other way", "open"], ["circle", "diamond", "square"], _legend()
    )
    band = alt.Chart(data([{"a": -record.margin, "b": record.margin}])).mark_rect(color=PALE, opacity=0.25)
    chart = alt.Chart(data(rows)).encode(y=y, color=colour)
    layers = [
        band.encode(x=alt.X("a:Q"), x2="b:Q"),
        alt.Chart(data([{"value": 0.0}])).mark_rule(color=INK, strokeWidth=1).encode(x=x),
        chart.mark_rule(strokeWidth=1.8).encode(x=alt.X("low:Q"), x2="high:Q"),
        chart.mark_point(filled=True, opacity=1, size=70).encode(x=x, shape=shape),
    ]
    caption = (
        "Regret saved by the rule expected to choose better; right of 0 as expected. "
        f"{_sample(record, judgement)} Grey band: too small to matter ({record.margin:g}). Coloured where Holm's p is "
        f"below {record.alpha:g} over all comparisons."
    )
    drawn = alt.layer(*layers).properties(width=300, height=alt.Step(20))
    return make("hypotheses", f"Expected before the first run, {judgement.title}", caption, drawn)


def _dots(
    judgement: Judgement,
    of: Callable[[RuleResult], Estimate],
    key: str,
    title: str,
    caption: str,
    *,
    axis: str,
    mark: float,
    reverse: bool,
) -> Figure | None:
    """One number per rule with its interval: panels by space, rows in one order, one axis."""
    rows = [_row(rule, of(rule)) for rule in judgement.rules if rule.rule != RANDOM]
    rows = [row for row in rows if math.isfinite(row["value"])]
    if not rows:
        return None
    rows.sort(key=lambda row: row["value"], reverse=reverse)
    order = list(dict.fromkeys(row["label"] for row in rows))
    shown = [space for space in SPACES if any(row["space"] == space for row in rows)]
    charts = []
    for space in shown:
        own = [row for row in rows if row["space"] == space]
        labels = [label for label in order if any(row["label"] == label for row in own)]
        charts.append(_panel(own, rows, labels, axis, mark).properties(title=SPACES[space]))
    return make(key, title, caption, panels(charts, 2))


def _panel(
    own: Sequence[dict[str, Any]], every: Sequence[dict[str, Any]], labels: list[str], axis: str, mark: float
) -> Any:
    import altair as alt

    y = alt.Y("label:N", sort=labels, axis=alt.Axis(**ROWS))
    x = alt.X("value:Q", scale=_around([*every, {"low": mark, "high": mark}]), axis=alt.Axis(title=axis, tickCount=5))
    at = [{"value": mark}] if math.isfinite(mark) else []
    chart = alt.Chart(data(own)).encode(y=y)
    layers = [
        alt.Chart(data(at)).mark_rule(color=MUTED, strokeWidth=1, strokeDash=[4, 3]).encode(x=x),
        chart.mark_rule(color=PICK, strokeWidth=1.8).encode(x=alt.X("low:Q"), x2="high:Q"),
        chart.mark_point(filled=True, opacity=1, size=70, color=PICK).encode(x=x),
    ]
    return alt.layer(*layers).properties(width=WIDE, height=alt.Step(18))


def _row(rule: RuleResult, seen: Estimate) -> dict[str, Any]:
    chosen = Selector.parse(rule.rule)
    return {
        "label": chosen.label,
        "space": chosen.space,
        "value": seen.value,
        "low": _or(seen.low, seen.value),
        "high": _or(seen.high, seen.value),
    }


def _around(rows: Sequence[dict[str, Any]]) -> Any:
    """An axis that holds every interval and zero."""
    import altair as alt

    ends = [row[k] for row in rows for k in ("low", "high") if math.isfinite(row[k])]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.04 * (high - low or 1.0)
    return alt.Scale(domain=[low - room, high + room], nice=False)


def _legend() -> Any:
    import altair as alt

    return alt.Legend(title=None, orient="bottom")


def _kind(verdict: str) -> str:
    return "as expected" if verdict.startswith("supported") else "the other way" if verdict == "reversed" else "open"


def _sample(record: Levelled, judgement: Judgement) -> str:
    return f"Means over {count(len(judgement.runs), 'run')} with {percent(record.level)} intervals over runs."


def _or(value: float, instead: float) -> float:
    return value if math.isfinite(value) else instead
