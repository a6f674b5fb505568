"""What else the record says of each policy: skill, gripper, motion, tool pose, draws; and all tables together."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from surehand.errors.record import ErrorsRecord, GripperEvents, GroupInfo, PolicyErrors, Value
from surehand.report import errors_tables as errors
from surehand.report.tables import Row, Table
from surehand.report.text import clean, count


def skill_table(record: ErrorsRecord) -> Table:
    """Skill of each checkpoint against each rival: 1 − error / rival's error."""
    notes = ["1 − error / rival's error: 1 is perfect, 0 no better than the rival, negative worse."]
    table = errors.nested(record, "skill", "Skill against simple rivals", "against", lambda p: p.skill)
    notes += sorted({_sentence(c.note) for row in table.rows for c in row if isinstance(c, Value) and c.note})
    return replace(table, note=" ".join(notes), units=(), scaled=False)


def gripper_table(record: ErrorsRecord) -> Table:
    """Recorded gripper transitions against predicted ones, per policy and gripper."""
    found = [(p.name, group, e) for p in record.policies for group, e in p.gripper.items()]
    rows: list[Row] = []
    for name, group, e in found:
        counts = (e.recorded, e.matched, e.missed, e.spurious, e.censored, e.spurious_outside)
        rows.append(
            (name, group, *counts, e.delay_frames, e.delay_seconds, e.off_frames, e.error_inside, e.error_outside)
        )
    columns = (
        *("policy", "gripper", "recorded", "matched", "missed", "spurious", "censored", "spurious outside"),
        *("delay", "delay", "off", "error inside", "error outside"),
    )
    units = (*("" for _ in range(7)), "per frame", "frames", "s", "frames", "", "")
    note = " ".join(_gripper_notes(found))
    short = errors.labels(record)
    return Table("gripper", "Gripper events", columns, tuple(rows), units, note, 2, short=short).without_empty()


def _gripper_notes(found: Sequence[tuple[str, str, GripperEvents]]) -> list[str]:
    """What the columns mean, and the conventions, grippers that share one named together."""
    alike: dict[str, dict[str, None]] = {}
    for _, group, e in found:
        said = f"polarity {clean(e.polarity)}, range {clean(e.range)}"
        alike.setdefault(said, {})[clean(group)] = None
    within = ", ".join(dict.fromkeys(f"±{count(e.tolerance_frames, 'frame')}" for _, _, e in found))
    return [
        f"Openings and closings on the executed steps, matched within {within}; inside and outside: of such windows "
        "around recorded ones. Delay: mean, above zero the prediction is late; off: mean size, early or late. "
        "Censored: too near an episode's end to tell.",
        *(f"{', '.join(groups)}: {said}." for said, groups in alike.items()),
    ]


def motion_table(record: ErrorsRecord) -> Table:
    """How much each policy moves, as ratios to the recording."""
    rows = tuple(
        (p.name, g, m.path_ratio, m.jerk_ratio, m.boundary_jump) for p in record.policies for g, m in p.motion.items()
    )
    note = (
        "Executed steps, predicted over recorded. Path length: 1 moves as much as the demonstrator, 0 not at all; RMS "
        "jerk: above 1 it shakes; jump into a new chunk: 1 is seamless."
    )
    columns = ("policy", "group", "path ratio", "jerk ratio", "jump between chunks")
    return Table("motion", "Motion", columns, rows, note=note, labels=2, short=errors.labels(record))


def task_space_table(record: ErrorsRecord) -> Table:
    """Tool-pose error in metres and radians, and each group's share of it."""
    found = [(p.name, p.task_space) for p in record.policies if p.task_space]
    groups = list(dict.fromkeys(g for _, t in found for g in t.shares))
    rows: list[Row] = []
    for name, t in found:
        shares = (t.shares.get(g, math.nan) for g in groups)
        rows.append((name, t.position, t.orientation, *shares, t.withheld))
    columns = ("policy", "position", "orientation", *(f"{g} share" for g in groups), "withheld")
    units = ("", "m", "rad", *("" for _ in groups), "")
    models = dict.fromkeys(clean(f"{t.model}, site {t.site}") for _, t in found)
    note = (
        f"Mean distance and angle between predicted and recorded tool at step {record.methods.executed}, the last "
        f"executed one. Model: {'; '.join(models)}. Shares: of the position error, negative where a group cancels "
        "another's; withheld: part of the frames without shares."
    )
    return Table("task_space", "Tool pose", columns, tuple(rows), units, note, short=errors.labels(record))


def stochastic_table(record: ErrorsRecord) -> Table:
    """Policies sampled K times per frame: mean of K, one draw, best of K, energy score."""
    found = [p.stochastic for p in record.policies if p.stochastic]
    draws = ", ".join(map(str, sorted({s.draws for s in found})))
    spaces = ", ".join(sorted({s.energy_space for s in found}))
    note = f"K = {draws} draws per frame. The energy score is in {spaces} space: not comparable with the other rows."
    return errors.nested(record, "stochastic", "Sampled policies", "score", _scores, note)


def groups_table(record: ErrorsRecord) -> Table:
    """What the layout and the training data say of each group."""
    columns = ("group", "joints", "kind", "unit", "dead joints", "recording", "floor")
    return Table("groups", "Groups", columns, tuple(map(_group_row, record.groups)), note=record.layout)


MAKERS: tuple[Callable[[ErrorsRecord], Table], ...] = (
    errors.errors_table,
    errors.phases_table,
    errors.executed_table,
    skill_table,
    errors.horizon_table,
    gripper_table,
    motion_table,
    task_space_table,
    stochastic_table,
    errors.episodes_table,
    errors.joints_table,
    errors.tasks_table,
    errors.episode_weighted_table,
    errors.spaces_table,
    groups_table,
)


def errors_tables(record: ErrorsRecord) -> list[Table]:
    """Every table that has rows, headline first."""
    return [table for table in (make(record) for make in MAKERS) if table.rows]


def _scores(p: PolicyErrors) -> Mapping[str, Mapping[str, Value]]:
    s = p.stochastic
    if s is None:
        return {}
    return {"mean of K": s.mean_of_k, "one draw": s.one_draw, "best of K": s.best_of_k, "energy score": s.energy_score}


def _group_row(g: GroupInfo) -> Row:
    kinds, units = (", ".join(dict.fromkeys(filter(None, values))) for values in (g.kinds, g.units))
    dead = f"{len(g.dead)}: {', '.join(g.dead)}" if g.dead else "none"
    return g.name, len(g.joints), kinds, units, dead, "idle" if g.idle else "moves", g.floor


def _sentence(text: str) -> str:
    return clean(text[:1].upper() + text[1:].rstrip(".") + ".")
