"""Tables of violation limits: the limits, what they and others would flag of what experts do, the sensitivity sweep."""

import math
from dataclasses import replace

from surehand.decide.limits_record import ALL, Judged, LimitsRecord
from surehand.errors.record import Value
from surehand.report.tables import Row, Table
from surehand.report.text import number, short_names

WHAT = {
    "per task and phase": "per task and phase",
    "one for all": "one for all",
    "lowest for all": "the gentlest task's for all",
    "proposed": "proposed",
}


def limits_tables(record: LimitsRecord) -> list[Table]:
    """Every table of the record that has rows."""
    makers = (limits_table, shares_table, tasks_table, sweep_table)
    return [table for table in (make(record) for make in makers) if table.rows]


def labels(record: LimitsRecord, width: int = 26) -> dict[str, str]:
    """A short label per task, still distinct."""
    return short_names([g.name for g in record.tasks], width)


def limits_table(record: LimitsRecord) -> Table:
    """One row per limit: its value, n, how it was set, what the worst peak covers."""
    rows: tuple[Row, ...] = tuple(
        (x.task, x.phase, x.signal, x.limit, x.n, x.method + (f" {x.rank}" if x.rank > 1 else ""), x.median, x.worst,
         100 * x.covers, x.note or " ")
        for x in record.limits
    )  # fmt: skip
    columns = ("task", "phase", "signal", "limit", "episodes", "method", "median peak", "worst peak", "covers", "note")
    units = ("", "", "", "", "", "", "", "", "%", "")
    at_once = "all at once" if record.simultaneous and len(record.limits) > 1 else "each"
    note = (
        f"Content {record.content:g}, confidence {record.confidence:g} {at_once}; a violation is "
        "beyond the limit. Covers: what the worst peak holds at each limit's confidence. Method order: the worst peak "
        "itself, order 2 the second worst"
    )
    table = Table("limits", "Limits", columns, rows, units, note, labels=3, short=labels(record))
    return table if any(x.note for x in record.limits) else without(table, "note")


def shares_table(record: LimitsRecord) -> Table:
    """What share of expert episodes and steps each set of limits flags, over all tasks and in the worst one."""
    rows: list[Row] = []
    for j in record.judged:
        share = j.shares[0]
        worst = max((s for s in j.shares if s.task != ALL), key=lambda s: s.share, default=None)
        rows.append(
            (
                _what(j),
                j.signal,
                j.limit,
                Value(value=100 * share.share, low=100 * share.low, high=100 * share.high),
                100 * share.steps_flagged / max(share.steps, 1),
                worst.task if worst and worst.flagged else " ",
                100 * worst.share if worst and worst.flagged else math.nan,
                share.share / j.allowed if j.allowed else math.nan,
                j.inflation,
                j.slack,
            )
        )
    columns = (
        "limits", "signal", "limit", "episodes", "steps", "worst task", "its episodes", "times allowed", "inflation",
        "over gentlest",
    )  # fmt: skip
    units = ("", "", "", "%", "%", "", "%", "", "", "")
    own = any(j.what == "per task and phase" for j in record.judged)
    where = f"the episodes of {record.judged_on}" if record.judged_on else "the same episodes"
    where += ", so the first row is too low" if own and not record.judged_on else ""
    note = (
        f"Expert episodes and steps called violations, in {where}. Times allowed: over the share that limits per task "
        "and phase may flag. Inflation: over what they do flag. Over gentlest: the limit over that of the gentlest task"
    )
    return Table("shares", "Shares called violations", columns, tuple(rows), units, note, labels=2,
                 short=labels(record)).without_empty()  # fmt: skip


def tasks_table(record: LimitsRecord) -> Table:
    """The same task by task."""
    rows: list[Row] = []
    for j in record.judged:
        for s in j.shares:
            if s.task != ALL:
                share = Value(value=100 * s.share, low=100 * s.low, high=100 * s.high)
                steps = 100 * s.steps_flagged / max(s.steps, 1)
                rows.append((_what(j), j.signal, s.task, s.flagged, s.episodes, share, steps))
    columns = ("limits", "signal", "task", "flagged", "episodes", "share", "steps")
    units = ("", "", "", "", "", "%", "%")
    return Table("tasks", "Task by task", columns, tuple(rows), units, labels=3, short=labels(record))


def sweep_table(record: LimitsRecord) -> Table:
    """One limit for all tasks and phases: what it flags, as it grows."""
    rows: tuple[Row, ...] = tuple(
        (p.signal, f"{p.limit:g}", 100 * p.episodes, 100 * p.steps, p.worst_task, 100 * p.worst) for p in record.sweep
    )
    columns = ("signal", "limit", "episodes", "steps", "worst task", "its episodes")
    note = "Share of expert episodes and steps that one limit for all tasks and phases would call violations"
    return Table(
        "sweep", "Sensitivity sweep", columns, rows, ("", "", "%", "%", "", "%"), note, 2, short=labels(record)
    )


def _what(one: Judged) -> str:
    return WHAT[one.what] + (f" {number(one.limit, 3)}" if one.what == "proposed" else "")


def without(table: Table, *names: str) -> Table:
    """The same table without these columns and the sentences that explain them, for a terminal's width."""
    kept = [c for c, name in enumerate(table.columns) if name not in names]
    rows = tuple(tuple(row[c] for c in kept) for row in table.rows)
    columns, units = (tuple(values[c] for c in kept if values) for values in (table.columns, table.units))
    labels_left = sum(c < table.labels for c in kept)
    note = ". ".join(said for said in table.note.split(". ") if said.partition(":")[0].lower() not in names)
    return replace(table, columns=columns, rows=rows, units=units, note=note, labels=labels_left)
