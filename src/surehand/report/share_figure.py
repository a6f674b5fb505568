"""What the total is made of: each group's part of the squared error."""

import math
from typing import Any

from surehand.errors.record import ErrorsRecord
from surehand.report.drawing import ROWS, Figure, choose, data, make
from surehand.report.errors_tables import sample_note
from surehand.report.looks import looks

# Tol (2021), "muted": ten hues that stay apart with any colour vision; black or white is what reads on each.
COLOURS = {
    "#332288": "#ffffff", "#88ccee": "#000000", "#ddcc77": "#000000", "#117733": "#ffffff", "#cc6677": "#000000",
    "#44aa99": "#000000", "#882255": "#ffffff", "#999933": "#000000", "#aa4499": "#ffffff", "#bbbbbb": "#000000",
}  # fmt: skip
READABLE = 0.08  # smaller parts have no room for their number


def share_figure(record: ErrorsRecord) -> Figure | None:
    """A bar per policy, cut into the groups' parts of the total squared error."""
    import altair as alt

    groups = [g.name for g in record.groups if any(p.shares.get(g.name, 0) > 0 for p in record.policies)]
    if not groups:
        return None
    seen = looks(record)
    colours = [list(COLOURS)[i % len(COLOURS)] for i in range(len(groups))]
    axis = alt.Axis(
        title="share of the total squared error", grid=False, tickCount=5, labelExpr="round(datum.value * 100) + ' %'"
    )
    chart = alt.Chart(data(_parts(record, groups))).encode(
        y=alt.Y("label:N", sort=[look.label for look in seen.values()], axis=alt.Axis(**ROWS, labels=True))
    )
    legend = alt.Legend(title=None, orient="top", columns=5, symbolType="square")
    bars = chart.mark_bar(stroke="white", strokeWidth=1, height={"band": 0.86}).encode(
        x=alt.X("start:Q", axis=axis, scale=alt.Scale(domain=[0, 1], clamp=True)),
        x2="end:Q",
        color=choose(alt.Color, "group", groups, colours, legend),
    )
    words = chart.mark_text(fontSize=10).encode(x="middle:Q", text="text:N", color=alt.Color("ink:N", scale=None))
    caption = (
        "How much of the total squared error each group contributes, per policy: what the total looks at. "
        f"{sample_note(record)} A group whose share is small can fail without the total noticing."
    )
    both = alt.layer(bars, words).properties(width=520, height=alt.Step(20))
    return make("group_shares", "What the total is made of", caption, both)


def _parts(record: ErrorsRecord, groups: list[str]) -> list[dict[str, Any]]:
    """The pieces of the bars, laid end to end in the layout's order."""
    seen = looks(record)
    inks = list(COLOURS.values())
    parts: list[dict[str, Any]] = []
    for p in record.policies:
        start = 0.0
        for i, group in enumerate(groups):
            share = p.shares.get(group, math.nan)
            if not math.isfinite(share):
                continue
            text = f"{share * 100:.0f} %" if share >= READABLE else ""
            part = {"label": seen[p.name].label, "group": group, "text": text, "ink": inks[i % len(inks)]}
            parts.append({**part, "start": start, "middle": start + share / 2, "end": start + share})
            start += share
    return parts
