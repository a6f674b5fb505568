"""The figure of a plan: power and assurance against trials per policy, the target, and where it is reached."""

import math
from typing import Any

from surehand.decide.planning_record import Planning
from surehand.report.drawing import INK, MUTED, PICK, SECOND, Figure, choose, data, make
from surehand.report.planning_tables import labels
from surehand.report.text import percent

LINES = {"assurance": PICK, "plug-in power": SECOND}


def planning_figures(record: Planning) -> list[Figure]:
    """The power curve, where it has two points or more."""
    return [power_figure(record)] if len(record.curve) > 1 else []


def power_figure(record: Planning) -> Figure:
    """Assurance and plug-in power against trials per policy, with the target and the first number that keeps it."""
    import altair as alt

    rows = [
        {"trials": p.trials, "line": line, "value": value}
        for p in record.curve
        for line, value in zip(LINES, (p.assurance, p.plug_in), strict=True)
        if math.isfinite(value)
    ]
    last = max(p.trials for p in record.curve)
    x = alt.X(
        "trials:Q",
        scale=alt.Scale(domain=[0, 1.04 * last], nice=False),
        axis=alt.Axis(title="trials per policy", grid=False, tickMinStep=1, tickCount=8),
    )
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, 1.04], nice=False),
        axis=alt.Axis(title="probability of finding it", values=[0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    )
    legend = alt.Legend(title=None, orient="bottom", symbolType="stroke", symbolSize=420)
    names, colours = list(LINES), list(LINES.values())
    colour = choose(alt.Color, "line", names, colours, legend)
    dash = choose(alt.StrokeDash, "line", names, [[1, 0], [6, 3]], legend)
    chart = alt.Chart(data(rows)).encode(x=x, y=y)
    found = _needed(record)
    needed = alt.Chart(data(found)).encode(x=x)
    layers: list[Any] = [
        alt.Chart(data([{"value": record.target}])).mark_rule(color=INK, strokeDash=[4, 3]).encode(y=y),
        needed.mark_rule(color=MUTED, strokeWidth=1).encode(y=alt.Y("zero:Q"), y2="value:Q"),
        chart.mark_line(strokeWidth=2).encode(color=colour, strokeDash=dash),
        chart.mark_point(filled=True, opacity=1, size=36).encode(color=choose(alt.Color, "line", names, colours)),
        needed.mark_text(align="left", dx=5, fontSize=12, fontWeight="bold", color=INK).encode(
            y=alt.Y("low:Q"), text="text:N"
        ),
    ]
    drawn = alt.layer(*layers).properties(width=480, height=230)
    return make("power", "How many trials it takes", _caption(record), drawn)


def _needed(record: Planning) -> list[dict[str, Any]]:
    """Where each line first stays above the target, as far as it was found."""
    places = ((record.needed, 0.05), (record.needed_plug_in, 0.15))
    return [
        {"trials": n, "value": record.target, "zero": 0, "low": low, "text": f"{n}"}
        for n, low in places
        if n is not None
    ]


def _caption(record: Planning) -> str:
    short = labels(record)
    first, second = (short[p.policy] for p in record.pilots[:2])
    per = f", α = {record.alpha:g} shared by {record.pairs} pairs" if record.pairs > 1 else f", α = {record.alpha:g}"
    found = f"first stays there at {record.needed} trials per policy" if record.needed else "never stays there"
    return (
        f"Probability that so many trials of each tell {first} from {second} by the {record.test} test, "
        f"{'two' if record.sides == 2 else 'one'}-sided{per}. Solid: assurance, averaged over what the pilots leave "
        "open, in favour of the better pilot; dashed: plug-in power, were the pilots' shares the truth. Across: "
        f"the target of {percent(record.target)}; assurance {found}, and reaches {percent(record.limit)} at most."
    )
