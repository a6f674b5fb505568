"""Figures of an agreement record: offline number against robot result, and how firmly each metric agrees."""

import math
from typing import Any

from surehand.decide.agreement import AgreementRecord, MetricAgreement
from surehand.report.agreement_tables import coefficient, labels, limits_of, ranked, units
from surehand.report.drawing import INK, MUTED, PANEL, PICK, ROWS, SECOND, Figure, choose, data, make, panels
from surehand.report.text import count, interval, number
from surehand.report.within_run_figures import agreement_figure as within_run_figure
from surehand.report.within_run_figures import regret_figure

BEST = 6  # metrics with a panel of their own
NAMED = 14  # up to so many policies the points carry their names
STANDING = {"agrees": PICK, "consistent": PICK, "cannot tell": MUTED, "inconsistent": SECOND, "disagrees": SECOND}
SHAPES = {"agrees": "circle", "consistent": "circle", "cannot tell": "square", "inconsistent": "diamond"}


def agreement_figures(record: AgreementRecord) -> list[Figure]:
    """Every figure that the record has the numbers for."""
    drawn = [scatter_figure(record), tau_figure(record)]
    if record.within_run:
        drawn += [regret_figure(record, record.within_run), within_run_figure(record, record.within_run)]
    return [figure for figure in drawn if figure]


def scatter_figure(record: AgreementRecord) -> Figure | None:
    """The robot's result against the offline number, a panel per metric, the metrics that agree most first."""
    shown = [m for m in ranked(record) if _points(record, m)][:BEST]
    if not shown:
        return None
    left = len(record.metrics) - len(shown)
    what = "mean score" if record.outcome == "score" else "success"
    caption = (
        f"Robot trials ({what}) against the offline number, a point per policy ({len(record.policies)}). Axes are "
        "turned so that better is to the right and up: points that rise tell of agreement. "
        + (f"The best {len(shown)} of {len(record.metrics)} metrics. " if left else "")
        + f"Selected from {count(record.selected_from, 'metric')}."
    )
    charts = [_panel(record, metric, what if i % 3 == 0 else None) for i, metric in enumerate(shown)]
    return make("offline_robot", "Offline numbers and the robot", caption, panels(charts, 3))


def tau_figure(record: AgreementRecord) -> Figure | None:
    """τ_b of every metric with its interval, coloured by what it stands for."""
    import altair as alt

    rows = [row for metric in ranked(record) if (row := _tau_row(record, metric))]
    if not rows:
        return None
    names = [str(row["name"]) for row in rows]
    seen = [s for s in STANDING if any(row["standing"] == s for row in rows)]
    y = alt.Y("name:N", sort=names, axis=alt.Axis(**ROWS))
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[-1.04, 1.04], nice=False),
        axis=alt.Axis(title="τ_b", values=[-1, -0.5, 0, 0.5, 1]),
    )
    legend = alt.Legend(title=None, orient="bottom")
    colour = choose(alt.Color, "standing", seen, [STANDING[s] for s in seen], legend)
    shape = choose(alt.Shape, "standing", seen, [SHAPES.get(s, "diamond") for s in seen], legend)
    chart = alt.Chart(data(rows)).encode(y=y)
    layers = [
        alt.Chart(data([{"value": 0.0}])).mark_rule(color=INK, strokeWidth=1, strokeDash=[4, 3]).encode(x=x),
        chart.mark_rule(strokeWidth=1.8).encode(x=alt.X("low:Q"), x2="high:Q", color=colour),
        chart.mark_point(filled=True, opacity=1, size=75).encode(x=x, color=colour, shape=shape),
        chart.mark_text(align="left", fontSize=11, color=MUTED, dx=8).encode(x=alt.value(320), text="p:N"),
    ]
    caption = (
        "Kendall's τ_b between the metric's order of the policies and the robot's: 1 is the same order, 0 none, −1 the "
        f"reverse; {limits_of(record)}. Beside: the one-sided "
        f"exact p, and the smallest p that {units(record)} can reach."
    )
    drawn = alt.layer(*layers).properties(width=320, height=alt.Step(20))
    return make("tau", "How well each metric orders the policies", caption, drawn)


def _panel(record: AgreementRecord, metric: MetricAgreement, what: str | None) -> Any:
    import altair as alt

    rows = _points(record, metric)
    values = [float(row["value"]) for row in rows]
    results = [float(row["robot"]) for row in rows]
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=_room(values), nice=False, reverse=metric.lower_is_better),
        axis=alt.Axis(title=f"offline, {metric.space}" if metric.space else None, tickCount=3, grid=False),
    )
    y = alt.Y(
        "robot:Q",
        scale=alt.Scale(domain=_room(results), nice=False),
        axis=alt.Axis(title=what, tickCount=4),
    )
    colour = STANDING[metric.standing]
    chart = alt.Chart(data(rows)).encode(x=x, y=y)
    layers = [chart.mark_point(filled=True, opacity=1, size=60, color=colour)]
    if len(rows) <= NAMED:
        middle = sum(_room(values)) / 2
        for left in (True, False):  # names point inwards, where there is room for them
            side = [r for r in rows if (float(r["value"]) >= middle) is (left is metric.lower_is_better)]
            words = alt.Chart(data(side)).mark_text(
                align="left" if left else "right", dx=7 if left else -7, fontSize=10, color=INK, limit=PANEL * 0.72
            )
            layers.append(words.encode(x=x, y=y, text="label:N"))
    tau = coefficient(metric, "tau_b")
    limits = interval(tau.low, tau.high) if tau else ""
    said = f"τ_b {number(tau.value, 2)}{f' ({limits})' if limits else ''}" if tau else "no τ_b"
    title = alt.TitleParams(metric.metric, subtitle=[said, metric.standing], subtitleColor=MUTED)
    return alt.layer(*layers).properties(width=PANEL, height=130, title=title)


def _points(record: AgreementRecord, metric: MetricAgreement) -> list[dict[str, Any]]:
    short = labels(record, 18)
    pairs = [(p, metric.values.get(p, math.nan), record.robot.get(p, math.nan)) for p in record.policies]
    return [{"label": short[p], "value": v, "robot": r} for p, v, r in pairs if math.isfinite(v) and math.isfinite(r)]


def _tau_row(record: AgreementRecord, metric: MetricAgreement) -> dict[str, Any] | None:
    tau = coefficient(metric, "tau_b")
    if tau is None or not math.isfinite(tau.value):
        return None
    twins = sum(m.metric == metric.metric for m in record.metrics) > 1
    return {
        "name": f"{metric.metric} ({metric.space})" if twins and metric.space else metric.metric,
        "value": tau.value,
        "low": tau.low if math.isfinite(tau.low) else tau.value,
        "high": tau.high if math.isfinite(tau.high) else tau.value,
        "standing": metric.standing,
        "p": f"p {number(tau.p, 2)}, at best {number(tau.p_smallest, 2)}" if math.isfinite(tau.p) else "no p",
    }


def _room(values: list[float]) -> list[float]:
    """The values with a margin around them."""
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 0.1 * (abs(low) or 1.0)
    return [low - margin, high + margin]
