"""Error by group and checkpoint, and along the predicted chunk."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from surehand.errors.record import ErrorsRecord, Value
from surehand.report.drawing import INK, MUTED, PANEL, PICK, ROWS, Figure, choose, data, log_axis, make, panels
from surehand.report.errors_tables import ALL_DIMS, groups_of, interval_note, sample_note
from surehand.report.looks import OTHERS, ROLES, Look, looks


def error_figure(record: ErrorsRecord) -> Figure | None:
    """Error by group (panels) and policy (rows) with intervals, on logarithmic axes of their own."""
    names, units = groups_of(record, [p.errors for p in record.policies])
    drawn = [
        (group, unit)
        for group, unit in zip(names, units, strict=True)
        if group != ALL_DIMS and any(_positive(p.errors[group].value) for p in record.policies if group in p.errors)
    ]
    if not drawn:
        return None
    seen = looks(record)
    charts = [_error_panel(record, seen, group, unit, first=i % 3 == 0) for i, (group, unit) in enumerate(drawn)]
    caption = (
        "Mean squared error by group, each panel on its own logarithmic axis; left is better. "
        f"{sample_note(record)} {interval_note(record, 'Bars')} "
        "Large blue dot: the checkpoint in question; diamonds: rivals."
    )
    return make("error_by_group", "Error by group", caption, panels(charts, 3))


def horizon_figure(record: ErrorsRecord) -> Figure | None:
    """Error against the step of the chunk, a panel per group."""
    names, units = groups_of(record, [p.horizon for p in record.policies])
    drawn = [
        (group, unit)
        for group, unit in zip(names, units, strict=True)
        if group != ALL_DIMS and any(sum(map(_positive, p.horizon.get(group, []))) > 1 for p in record.policies)
    ]
    if not drawn:
        return None
    seen = looks(record)
    chunks = max(p.chunks_with_all_steps for p in record.policies)
    caption = (
        "Mean squared error at each step of the predicted chunk, on logarithmic axes; lower is better. "
        f"Only the {chunks:,} chunks wholly inside an episode. {sample_note(record)} Dashed: rivals."
    )
    charts = [_horizon_panel(record, seen, group, unit) for group, unit in drawn]
    return make("horizon", "Error along the chunk", caption, panels(charts, 3))


def _error_panel(record: ErrorsRecord, seen: Mapping[str, Look], group: str, unit: str, first: bool) -> Any:
    import altair as alt

    rows = [_error_row(seen[p.name], p.errors.get(group, Value(value=math.nan))) for p in record.policies]
    drawn = [row for row in rows if row["drawn"]]
    ends = [row[k] for row in drawn for k in ("value", "low", "high")]
    y = alt.Y("label:N", sort=[look.label for look in seen.values()], axis=alt.Axis(**ROWS, labels=first))
    stroke = choose(alt.Stroke, "role", ROLES, [PICK, MUTED, INK])
    chart = alt.Chart(data(drawn)).encode(y=y, stroke=stroke)
    bars = chart.mark_rule(strokeWidth=1.6).encode(x=log_axis("x", "low", ends, _unit(unit)), x2="high:Q")
    dots = chart.mark_point(opacity=1).encode(
        x=log_axis("x", "value", ends, _unit(unit)),
        size=choose(alt.Size, "role", ROLES, [110, 42, 48]),
        shape=choose(alt.Shape, "role", ROLES, ["circle", "circle", "diamond"]),
        fill=choose(alt.Fill, "role", ROLES, [PICK, MUTED, "#ffffff"]),
    )
    words = alt.Chart(data(row for row in rows if not row["drawn"]))
    words = words.mark_text(align="left", dx=4, fontSize=10, color=MUTED).encode(y=y, x=alt.value(0), text="text:N")
    return alt.layer(bars, dots, words).properties(width=PANEL, height=alt.Step(17), title=group)


def _error_row(look: Look, cell: Value) -> dict[str, Any]:
    value = cell.value
    return {
        "label": look.label,
        "role": look.role,
        "value": value,
        "low": value if math.isnan(cell.low) else max(cell.low, value / 100),  # zero has no place on a log axis
        "high": value if math.isnan(cell.high) else cell.high,
        "text": "exactly 0" if value == 0 else "undefined" if cell.note.startswith("undefined") else "not measured",
        "drawn": _positive(value),
    }


def _horizon_panel(record: ErrorsRecord, seen: Mapping[str, Look], group: str, unit: str) -> Any:
    import altair as alt

    rows: list[dict[str, Any]] = [
        {"name": p.name, "line": seen[p.name].legend, "step": h + 1, "value": v}
        for p in record.policies
        for h, v in enumerate(p.horizon.get(group, []))
        if _positive(v)
    ]
    rows.sort(key=lambda row: bool(row["line"] != OTHERS))  # grey lines lie under coloured ones
    last = max(row["step"] for row in rows)
    axis = alt.Axis(title="step", grid=False, values=_steps(last), format="d")
    x = alt.X("step:Q", axis=axis, scale=alt.Scale(domain=[1, max(2, last)], nice=False))
    y = log_axis("y", "value", [row["value"] for row in rows], _unit(unit))
    chart = alt.Chart(data(rows)).mark_line(clip=True).encode(x=x, y=y, detail="name:N", **_lines(seen.values()))
    return chart.properties(width=PANEL, height=130, title=group)


def _steps(last: int) -> list[int]:
    """Step 1 and a few round ones after it."""
    apart = next((k for k in (1, 2, 4, 5, 8, 10, 16, 20, 25, 50) if last <= 5 * k), math.ceil(last / 5))
    return [1, *(h for h in range(apart, last + 1, apart) if h > 1)]


def _lines(seen: Iterable[Look]) -> dict[str, Any]:
    """Colour, dash and width by legend entry, with one legend for the three."""
    import altair as alt

    entries = {look.legend: look for look in seen}
    names = sorted(entries, key=lambda n: (n == OTHERS, entries[n].role == "rival"))
    legend = alt.Legend(title=None, orient="bottom", columns=4, symbolSize=420)
    return {
        "color": choose(alt.Color, "line", names, [entries[n].colour for n in names], legend),
        "strokeDash": choose(alt.StrokeDash, "line", names, [list(entries[n].dash) for n in names], legend),
        "strokeWidth": choose(alt.StrokeWidth, "line", names, [entries[n].width for n in names], legend),
    }


def _unit(unit: str) -> str | None:
    return "mixed units, squared" if unit == "mixed" else unit or None


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
