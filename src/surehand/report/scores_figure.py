"""What the trials of every policy scored: a bar cut by level, or a stroke per trial where scores are no levels."""

from typing import Any

from surehand.decide.comparison import Comparison
from surehand.report.comparison_tables import MOST_LISTED, labels, levels, words
from surehand.report.drawing import PICK, ROWS, Figure, choose, data, make
from surehand.report.text import count

# One hue from pale to deep: a reader sees the order without the legend, and so does a black-and-white print.
RAMP = ("#cfe3f4", "#b1d1ea", "#8fbcdf", "#62a0cf", "#3d84bb", "#22699f", "#0f4f80", "#073a61")
READABLE = 0.045  # a smaller part of a bar has no room for its count
NAMED = 6  # levels with an entry of their own in the legend


def scores_figure(record: Comparison) -> Figure | None:
    """A bar per policy, cut into the scores of its trials, the worst on the left."""
    import altair as alt

    if len(levels(record)) > MOST_LISTED:
        return _strokes(record)
    parts, names = _parts(record)
    if not parts:
        return None
    order = [str(part["row"]) for part in parts]
    colours = shades(len(names))
    axis = alt.Axis(title="share of trials", grid=False, tickCount=5, labelExpr="round(datum.value * 100) + ' %'")
    chart = alt.Chart(data(parts)).encode(y=alt.Y("row:N", sort=order, axis=alt.Axis(**{**ROWS, "grid": False})))
    entries = names if len(names) <= NAMED else [names[0], names[len(names) // 2], names[-1]]
    wide = any(len(name) > 26 for name in entries)
    legend = alt.Legend(
        title=None, orient="top", columns=2 if wide else 4, symbolType="square", values=entries, labelLimit=330,
        columnPadding=30,
    )  # fmt: skip
    bars = chart.mark_bar(stroke="white", strokeWidth=1, height={"band": 0.84}).encode(
        x=alt.X("start:Q", axis=axis, scale=alt.Scale(domain=[0, 1], nice=False)),
        x2="end:Q",
        color=choose(alt.Color, "level", names, colours, legend),
    )
    counts = chart.mark_text(fontSize=11).encode(x="middle:Q", text="text:N", color=alt.Color("ink:N", scale=None))
    caption = (
        "Trials by score, worst on the left; the numbers are trials. "
        f"{_words_of(record, names)}Policies best first. {count(sum(p.trials for p in record.policies), 'trial')}, "
        "void ones left out."
    )
    both = alt.layer(bars, counts).properties(width=500, height=alt.Step(26))
    return make("scores", "What the trials scored", caption, both)


def _strokes(record: Comparison) -> Figure:
    """A stroke per score of each policy, on one axis; darker where several trials share it."""
    import altair as alt

    short = labels(record)
    rows = [
        {"row": f"{short[p.policy]}  (n = {p.trials})", "score": float(level), "trial": i}
        for p in record.policies
        for level, n in p.scores.items()
        for i in range(n)
    ]
    order = list(dict.fromkeys(str(row["row"]) for row in rows))
    chart = alt.Chart(data(rows)).mark_tick(color=PICK, opacity=0.45, thickness=1.6, size=18)
    chart = chart.encode(
        x=alt.X("score:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title="score", grid=False)),
        y=alt.Y("row:N", sort=order, axis=alt.Axis(**{**ROWS, "grid": False})),
    )
    caption = f"A stroke per trial; policies best first. {count(len(rows), 'trial')}, void ones left out."
    return make("scores", "What the trials scored", caption, chart.properties(width=500, height=alt.Step(26)))


def shades(n: int) -> list[str]:
    """So many shades of the ramp, evenly spread, pale to deep."""
    last = len(RAMP) - 1
    return [RAMP[round(i * last / (n - 1))] if n > 1 else RAMP[last] for i in range(n)]


def _parts(record: Comparison) -> tuple[list[dict[str, Any]], list[str]]:
    """The pieces of the bars, laid end to end from the lowest level, and the levels' names."""
    shown = levels(record)
    said = words(record)
    if shown:
        names = [f"{level}  {said[level]}" if level in said else level for level in shown]
        counts = {p.policy: [p.scores.get(level, 0) for level in shown] for p in record.policies}
    else:
        names = ["failed", "succeeded"]
        counts = {p.policy: [p.trials - p.successes, p.successes] for p in record.policies if p.successes is not None}
    short = labels(record)
    inks = ["#000000" if RAMP.index(c) < 4 else "#ffffff" for c in shades(len(names))]
    parts: list[dict[str, Any]] = []
    for policy, seen in counts.items():
        n, start = sum(seen), 0
        row = f"{short[policy]}  (n = {n})"
        for i, k in enumerate(seen):
            text = f"{k}" if n and k / n >= READABLE else ""
            part = {"row": row, "level": names[i], "text": text, "ink": inks[i], "count": k}
            if k:
                parts.append({**part, "start": start / n, "middle": (start + k / 2) / n, "end": (start + k) / n})
            start += k
    return parts, names


def _words_of(record: Comparison, names: list[str]) -> str:
    """The rubric's words where the legend has no room for all of them."""
    said = words(record)
    return "; ".join(f"{k}: {w}" for k, w in said.items()) + ". " if said and len(names) > NAMED else ""
