"""Where a sequential test stood after every pair of trials, and the boundary at which it may stop."""

import math
from typing import Any

from surehand.decide.comparison import Comparison, SequentialPath
from surehand.report.comparison_tables import labels
from surehand.report.drawing import INK, MUTED, PALE, PICK, SECOND, Figure, data, log_axis, make, panels

MOST = 6  # panels: decided pairs first
WIDTH, HEIGHT = 230, 150


def sequential_figure(record: Comparison) -> Figure | None:
    """The statistic against pairs of trials, a panel per pair of policies, with its boundaries; None without paths."""
    shown = sorted((p for p in record.paths if p.steps), key=lambda p: p.stopped is None)[:MOST]
    if not shown:
        return None
    short = labels(record, 16)
    left = sum(1 for p in record.paths if p.steps) - len(shown)
    planned, shows = (any(p.planned is kind for p in shown) for kind in (True, False))
    caption = (
        "The test's statistic after each pair of trials, in the order they were run; the grey boundary is where it "
        "may stop, the ring where it did; without a boundary there are too few trials to stop. "
        + ("Blue and solid: the rule was written down before the first trial. " if planned else "")
        + (
            "Orange and dashed: an illustration on trials that were not run under this rule; it proves nothing. "
            if shows
            else ""
        )
        + (f"{left} more in the tables." if left else "")
    )
    charts = [_panel(path, short) for path in shown]
    return make("sequential", "Along the way", caption.strip(), panels(charts, 2))


def _panel(path: SequentialPath, short: dict[str, str]) -> Any:
    import altair as alt

    rows = [{"pairs": s.pairs, "value": s.statistic, "upper": s.upper, "lower": s.lower} for s in path.steps]
    last = max(row["pairs"] for row in rows)
    whole = [row[k] for row in rows for k in ("value", "upper", "lower") if math.isfinite(row[k])]
    x = alt.X(
        "pairs:Q",
        scale=alt.Scale(domain=[0, max(2, last) + 0.5], nice=False),
        axis=alt.Axis(title="pairs of trials", grid=False, tickMinStep=1, tickCount=5),
    )
    evidence = path.outcome == "score"
    title = "evidence (e-value)" if evidence else "difference in successes"
    chart = alt.Chart(data(rows)).encode(x=x)

    def height(field: str) -> Any:
        if evidence:
            return log_axis("y", field, whole, title)
        low, high = min(whole), max(whole)
        scale = alt.Scale(domain=[low - 1, high + 1], nice=False)
        return alt.Y(f"{field}:Q", scale=scale, axis=alt.Axis(title=title, tickMinStep=1))

    colour = PICK if path.planned else SECOND
    line: dict[str, Any] = {"color": colour, "strokeWidth": 1.8, "interpolate": "linear", "clip": True}
    if not path.planned:
        line["strokeDash"] = [5, 3]
    layers = [
        chart.mark_line(color=PALE, strokeWidth=2, interpolate="step", clip=True).encode(y=height(side))
        for side in ("upper", "lower")
        if any(math.isfinite(row[side]) for row in rows)
    ]
    layers += [
        chart.mark_line(**line).encode(y=height("value")),
        chart.mark_point(color=colour, filled=True, opacity=1, size=14).encode(y=height("value")),
    ]
    stop = [row for row in rows if row["pairs"] == path.stopped]
    layers.append(
        alt.Chart(data(stop)).mark_point(color=INK, filled=False, size=150, opacity=1).encode(x=x, y=height("value"))
    )
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=_title(path, short))


def _title(path: SequentialPath, short: dict[str, str]) -> Any:
    import altair as alt

    what = f"{path.outcome}, α = {path.alpha:.2g}"
    end = f"stopped after {path.stopped}" if path.stopped is not None else "did not stop"
    kind = "planned" if path.planned else "illustration, no claim"
    name = f"{short.get(path.first, path.first)} v {short.get(path.second, path.second)}"
    return alt.TitleParams(name, subtitle=[f"{kind}: {what}", end], subtitleColor=MUTED)
