"""The errors themselves as tables: by group, phase, task, step, joint and episode; read, not computed."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from surehand.errors.record import ErrorsRecord, GroupInfo, PolicyErrors, Value
from surehand.report.choice_tables import best_by_group
from surehand.report.tables import Row, Table, named_row
from surehand.report.text import clean, count, percent, short_names

TOTAL, ALL_DIMS = "total", "total (all dims)"
Cells = Mapping[str, Value] | Mapping[str, float]


def pick_of(record: ErrorsRecord) -> str:
    """The policy a reader looks at first: the choice, else the last checkpoint, else the first rival, else ""."""
    names = [p.name for p in record.policies]
    if record.choice and record.choice.best in names:
        return record.choice.best
    own = [p.name for p in record.policies if not p.rival]
    return own[-1] if own else next(iter(names), "")


def policy(record: ErrorsRecord, name: str) -> PolicyErrors | None:
    """The policy of this name, or None."""
    return next((p for p in record.policies if p.name == name), None)


def labels(record: ErrorsRecord) -> dict[str, str]:
    """A short label per policy."""
    return short_names([p.name for p in record.policies])


def sample_note(record: ErrorsRecord) -> str:
    """Space and n in one sentence, for captions."""
    frames = max((p.frames for p in record.policies), default=0)
    return f"Space: {record.space}; {count(len(record.episodes), 'held-out episode')}, {count(frames, 'frame')}."


def interval_note(record: ErrorsRecord, what: str) -> str:
    """What the limits (below each number, or bars in a figure) are, or that there are none."""
    if not any(math.isfinite(v.low) for p in record.policies for v in p.errors.values()):
        return "No intervals: the data support none."
    unit = f"clusters of {clean(record.cluster)}" if record.cluster else "episodes"
    return f"{what}: {percent(record.level)} intervals over whole {unit}."


def groups_of(record: ErrorsRecord, parts: Iterable[Mapping[str, object]]) -> tuple[list[str], list[str]]:
    """Columns in layout order, totals last, and the unit of each in this space."""
    present = {name for part in parts for name in part}
    names = [g.name for g in record.groups if g.name in present]
    names += sorted(present - {*names, TOTAL, ALL_DIMS}) + [t for t in (TOTAL, ALL_DIMS) if t in present]
    if ALL_DIMS in names and not any(g.dead for g in record.groups):
        names.remove(ALL_DIMS)  # the same number twice
    units = {g.name: _squared_unit(g) for g in record.groups}
    total = next(iter(units.values())) if len(set(units.values())) == 1 else "mixed"
    return names, [units.get(n, total) if record.space.startswith("robot") else "" for n in names]


def errors_table(record: ErrorsRecord) -> Table:
    """The headline: mean squared error per policy and group."""
    rivals = ", ".join(clean(p.name) for p in record.policies if p.rival)
    notes = [sample_note(record), interval_note(record, "Below each"), f"Rivals: {rivals}." if rivals else ""]
    note = " ".join(filter(None, notes))
    table = _by_policy(record, "errors", "Mean squared error by group", lambda p: p.errors, note)
    if record.choice is None:
        return table
    best = best_by_group(record.choice)
    cells = ((r, c) for r, row in enumerate(table.rows) for c, g in enumerate(table.columns) if best.get(g) == row[0])
    return replace(table, marked=frozenset(cells), marked_note="lowest of the checkpoints")


def episode_weighted_table(record: ErrorsRecord) -> Table:
    """The same errors with every episode weighing the same, however long it is."""
    note = "Every episode weighs the same; the headline weighs every frame the same."
    return _by_policy(record, "errors_episode_weighted", "Episode-weighted error", lambda p: p.episode_weighted, note)


def executed_table(record: ErrorsRecord) -> Table:
    """Errors of the part of each chunk that a deployment executes before it asks again."""
    note = f"The first {record.methods.executed} of {record.methods.horizon} predicted steps."
    return _by_policy(record, "errors_executed", "Error of the executed prefix", lambda p: p.executed, note)


def phases_table(record: ErrorsRecord) -> Table:
    """Errors within each phase of an episode, as decided from the recorded data alone."""
    return nested(record, "phases", "Error by phase", "phase", lambda p: p.phases, record.methods.phases)


def tasks_table(record: ErrorsRecord) -> Table:
    """Errors by task."""
    return nested(record, "tasks", "Error by task", "task", lambda p: p.tasks)


def spaces_table(record: ErrorsRecord) -> Table:
    """The same errors in other spaces; never compare rows of different spaces."""
    title, note = "The same errors in other spaces", "Compare within a space only."
    return replace(nested(record, "other_spaces", title, "space", lambda p: p.other_spaces, note), units=())


def horizon_table(record: ErrorsRecord) -> Table:
    """Error by step of the predicted chunk."""
    names, units = groups_of(record, [p.horizon for p in record.policies])
    rows: list[Row] = []
    for p in record.policies:
        steps = max((len(values) for values in p.horizon.values()), default=0)
        rows += [(p.name, str(h + 1), *(_at(p.horizon.get(g, []), h) for g in names)) for h in range(steps)]
    note = "Only chunks all of whose steps lie inside the episode."
    columns = ("policy", "step", *names)
    return Table("horizon", "Error by step of the chunk", columns, tuple(rows), ("", "", *units), note, 2, True)


def joints_table(record: ErrorsRecord) -> Table:
    """Error per joint (rows) and policy (columns)."""
    joints = list(dict.fromkeys(j for p in record.policies for j in p.joints))
    rows: list[Row] = [(j, *(p.joints.get(j, math.nan) for p in record.policies)) for j in joints]
    columns = ("joint", *(p.name for p in record.policies))
    note = f"Space: {record.space}."
    return Table("joints", "Error by joint", columns, tuple(rows), note=note, scaled=True, short=labels(record))


def episodes_table(record: ErrorsRecord) -> Table:
    """Episodes of the pick, worst total first."""
    p = policy(record, pick_of(record))
    found = p.by_episode.errors if p else {}
    names, units = groups_of(record, [found])
    total = found.get(TOTAL, [])
    order = sorted((e for e, v in enumerate(total) if math.isfinite(v)), key=lambda e: -total[e])
    rows: list[Row] = [
        (str(record.episodes[e]), record.episode_tasks[e], *(_at(found.get(g, []), e) for g in names)) for e in order
    ]
    title = f"Worst episodes of {labels(record)[p.name]}" if p else "Worst episodes"
    columns = ("episode", "task", *names)
    return Table("episodes", title, columns, tuple(rows), ("", "", *units), sample_note(record), 2, True)


def nested(
    record: ErrorsRecord,
    key: str,
    title: str,
    inner: str,
    part: Callable[[PolicyErrors], Mapping[str, Cells]],
    note: str = "",
) -> Table:
    """A table with a row per policy and inner name (phase, task, rival, ...) and a column per group."""
    names, units = groups_of(record, [groups for p in record.policies for groups in part(p).values()])
    # Rows that may be compared stand together: same phase, task, rival or space.
    inners = dict.fromkeys(label for p in record.policies for label in part(p))
    found = [(p.name, label, part(p).get(label)) for label in inners for p in record.policies]
    rows = tuple(named_row([name, label], groups, names) for name, label, groups in found if groups)
    columns = ("policy", inner, *names)
    return Table(key, title, columns, rows, ("", "", *units), note, 2, scaled=True, short=labels(record))


def _by_policy(
    record: ErrorsRecord, key: str, title: str, part: Callable[[PolicyErrors], Mapping[str, Value]], note: str
) -> Table:
    policies = [p for p in record.policies if part(p)]
    names, units = groups_of(record, [part(p) for p in policies])
    rows = tuple(named_row([p.name], part(p), names) for p in policies)
    return Table(key, title, ("policy", *names), rows, ("", *units), note, scaled=True, short=labels(record))


def _squared_unit(group: GroupInfo) -> str:
    units = set(group.units) or {""}
    if len(units) > 1:
        return "mixed"
    unit = clean(units.pop())
    return f"{unit}²" if unit.isalpha() else f"({unit})²" if unit else ""


def _at(values: list[float], index: int) -> float:
    return values[index] if index < len(values) else math.nan
