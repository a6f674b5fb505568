"""The figure of violation limits: expert peaks per task and phase with their limit, and limits for all across."""

import math
from typing import Any

from surehand.decide.limits_record import LimitsRecord
from surehand.report.drawing import INK, MUTED, PICK, ROWS, SECOND, Figure, choose, data, make, panels
from surehand.report.limits_tables import labels

MOST = 6  # signals that are drawn; the table has all
ACROSS = {"one for all": MUTED, "proposed": SECOND}


def limits_figures(record: LimitsRecord) -> list[Figure]:
    """The peaks of every signal, where there are any."""
    return [peaks_figure(record)] if record.peaks else []


def peaks_figure(record: LimitsRecord) -> Figure:
    """A row per task and phase: a stroke per expert episode, a mark for the limit, rules for limits that all share."""
    signals = [s.name for s in record.signals][:MOST]
    drawn = panels([_panel(record, name, len(signals)) for name in signals], 1 if len(signals) == 1 else 2)
    across = [j.what for j in record.judged if j.what in ACROSS]
    rules = "; across: " + ", ".join(
        text
        for what, text in (
            ("one for all", "one tolerance limit for all (grey)"),
            ("proposed", "what was proposed (orange)"),
        )
        if what in across
    )
    left = f" The first {MOST} of {len(record.signals)} signals." if len(record.signals) > MOST else ""
    held = "all at once " if record.simultaneous and len(record.limits) > 1 else ""
    caption = (
        "A stroke is the worst value of one expert episode (at most 200 per row are drawn, evenly by rank); the blue "
        f"mark is the limit, which holds {record.content:g} of such episodes {held}with confidence "
        f"{record.confidence:g} where its method is order statistics{rules if across else ''}.{left}"
    )
    return make("peaks", "Expert peaks and their limits", caption, drawn)


def _panel(record: LimitsRecord, signal: str, many: int) -> Any:
    import altair as alt

    rows = [x for x in record.limits if x.signal == signal]
    names = {(x.task, x.phase): _row(record, x.task, x.phase) for x in rows}
    order = list(names.values())
    peaks = [{"row": names[p.task, p.phase], "value": v} for p in record.peaks if p.signal == signal for v in p.values]
    limits = [{"row": names[x.task, x.phase], "value": x.limit} for x in rows if math.isfinite(x.limit)]
    across = [{"value": j.limit, "what": j.what} for j in record.judged if j.signal == signal and j.what in ACROSS]
    x = alt.X("value:Q", axis=alt.Axis(title=signal, grid=True, tickCount=6), scale=alt.Scale(zero=False))
    y = alt.Y("row:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(**ROWS, labelPadding=8))
    layers: list[Any] = [
        alt.Chart(data(peaks)).mark_tick(color=INK, opacity=0.25, thickness=1, size=12).encode(x=x, y=y),
        alt.Chart(data(across))
        .mark_rule(strokeDash=[5, 3])
        .encode(x=x, color=choose(alt.Color, "what", list(ACROSS), list(ACROSS.values()))),
        alt.Chart(data(limits))
        .mark_point(shape="triangle-down", filled=True, size=90, color=PICK, opacity=1)
        .encode(x=x, y=y),
    ]
    return alt.layer(*layers).properties(width=460 if many == 1 else 250, height=max(60, 22 * len(order)))


def _row(record: LimitsRecord, task: str, phase: str) -> str:
    label = labels(record)[task]
    return f"{label}, {phase}" if len(record.phases) > 1 else label
