"""Figures of a comparison: what the trials scored, how large the effects are, where sequential tests stopped."""

import math
from typing import Any

from surehand.decide.comparison import Comparison, Limits, Pair
from surehand.report.comparison_tables import labels, over
from surehand.report.drawing import INK, MUTED, PICK, ROWS, SECOND, Figure, choose, data, make
from surehand.report.scores_figure import scores_figure
from surehand.report.sequential_figure import sequential_figure
from surehand.report.text import percent

BOTH = 12  # up to so many pairs both intervals are drawn
STANDING = {"robust": PICK, "fragile": SECOND, "not resolved": MUTED}
PREFERRED = ("dirichlet", "newcombe")


def comparison_figures(record: Comparison) -> list[Figure]:
    """Every figure that the record has the numbers for."""
    drawn = (scores_figure(record), effects_figure(record), sequential_figure(record))
    return [figure for figure in drawn if figure]


def effects_figure(record: Comparison) -> Figure | None:
    """The win rate of every pair with its intervals, and a line where neither is better."""
    import altair as alt

    most = 2 if len(record.pairs) <= BOTH else 1
    short = labels(record)
    rows = [row for pair in record.pairs for row in _effect_rows(pair, over(pair, short), most)]
    if not rows:
        return None
    names = list(dict.fromkeys(str(row["pair"]) for row in rows))
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    lowest = min(float(row["low"]) for row in rows)
    domain = [max(0.0, math.floor(10 * min(lowest, 0.4)) / 10), 1.0]
    y = alt.Y("pair:N", sort=names, axis=alt.Axis(**{**ROWS, "labelLimit": 330}))
    x = alt.X(
        "value:Q", scale=alt.Scale(domain=domain, nice=False), axis=alt.Axis(title="win rate of the first", tickCount=6)
    )
    colour = choose(alt.Color, "label", list(STANDING), list(STANDING.values()))
    beside = alt.YOffset("method:N", sort=methods)
    legend = alt.Legend(title=None, orient="bottom", labelLimit=330)
    shape = choose(alt.Shape, "method", methods, ["circle", "diamond"][: len(methods)], legend)
    chart = alt.Chart(data(rows)).encode(y=y, color=colour)
    layers = [
        alt.Chart(data([{"value": 0.5}])).mark_rule(color=INK, strokeWidth=1, strokeDash=[4, 3]).encode(x=x),
        chart.mark_rule(strokeWidth=1.8, clip=True).encode(x=alt.X("low:Q"), x2="high:Q", yOffset=beside),
        chart.mark_point(filled=True, opacity=1, size=75).encode(x=x, yOffset=beside, shape=shape),
    ]
    right = alt.Chart(data({r["pair"]: r for r in rows}.values())).encode(y=y, color=colour)
    layers.append(right.mark_text(align="left", dx=8, fontSize=11).encode(x=alt.value(340), text="label:N"))
    caption = (
        f"Share of match-ups that the first policy of each pair wins, ties counted half, with "
        f"{percent(record.level)} limits; "
        "right of the dashed line the first is better. The word beside each pair is its label: robust where both "
        f"exact tests are below α = {record.alpha:g} after Holm, fragile where one is, not resolved where none is. "
        f"{_sizes(record)}"
    )
    drawn = alt.layer(*layers).properties(width=340, height=alt.Step(17 * most, **{"for": "position"}))
    return make("effects", "How large the differences are", caption, drawn)


def _effect_rows(pair: Pair, name: str, most: int) -> list[dict[str, Any]]:
    return [
        {"pair": name, "label": pair.label, "method": i.method, "value": i.value, "low": i.low, "high": i.high}
        for i in _chosen(pair)[:most]
        if math.isfinite(i.value) and math.isfinite(i.low) and math.isfinite(i.high)
    ]


def _chosen(pair: Pair) -> list[Limits]:
    """The intervals worth drawing: those that hold near a ceiling, then whatever else there is."""
    named = [i for word in PREFERRED for i in pair.intervals if i.method.lower().startswith(word)]
    return named or list(pair.intervals)


def _sizes(record: Comparison) -> str:
    sizes = sorted({n for pair in record.pairs for n in pair.trials})
    return (
        f"{sizes[0]:,} trials per policy." if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,} trials per policy."
    )
