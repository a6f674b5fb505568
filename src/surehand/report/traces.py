"""The worst episodes to the eye: what was recorded and what was predicted, joint by joint."""

import math
from typing import Any

from surehand.errors.record import ErrorsRecord, PolicyErrors, Trace
from surehand.report.drawing import INK, SECOND, Figure, choose, data, make, panels
from surehand.report.errors_tables import pick_of
from surehand.report.text import clean

SHOWN = 8
POINTS = 600  # per line; more cannot be seen at this width


def traces_figure(record: ErrorsRecord) -> Figure | None:
    """Recorded beside predicted values in the worst episodes of the policy in question."""
    shown = _shown(record)
    if not shown:
        return None
    charts = [_panel(trace) for trace in shown.traces[:SHOWN]]
    caption = (
        f"Episodes of {clean(shown.name)} whose executed steps err most in training standard deviations: recorded "
        "(dark line) and predicted (dashed) values of the joint that errs most, in its own unit against the frame."
    )
    return make("worst_traces", "Prediction beside recording", caption, panels(charts, 2))


def _shown(record: ErrorsRecord) -> PolicyErrors | None:
    pick = pick_of(record)
    with_traces = [p for p in record.policies if p.traces]
    return min(with_traces, key=lambda p: (p.name != pick, p.rival), default=None)


def _panel(trace: Trace) -> Any:
    import altair as alt

    stride = max(1, math.ceil(len(trace.frame) / POINTS))
    rows = [
        {"frame": f, "value": v, "line": line}
        for line, values in (("recorded", trace.recorded), ("predicted", trace.predicted))
        for f, v in zip(trace.frame[::stride], values[::stride], strict=True)
    ]
    names = ["recorded", "predicted"]
    legend = alt.Legend(title=None, orient="top", symbolSize=420)
    return (
        alt.Chart(data(rows))
        .mark_line(clip=True)
        .encode(
            x=alt.X("frame:Q", axis=alt.Axis(title="frame", grid=False, tickCount=6), scale=alt.Scale(nice=False)),
            y=alt.Y("value:Q", axis=alt.Axis(title=trace.unit or None, tickCount=4), scale=alt.Scale(zero=False)),
            color=choose(alt.Color, "line", names, [INK, SECOND], legend),
            strokeDash=choose(alt.StrokeDash, "line", names, [[1, 0], [5, 3]], legend),
            strokeWidth=choose(alt.StrokeWidth, "line", names, [1.4, 1.8], legend),
        )
        .properties(width=285, height=110, title=f"{clean(trace.joint)} · episode {trace.episode}")
    )
