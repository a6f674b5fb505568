"""Everything measured of one policy, as the record keeps it: errors, phases, tasks, skill, episodes."""

import numpy as np

from surehand.errors.extras import gripper_parts, motion_parts, stochastic_part, task_space_part, trace_parts
from surehand.errors.meter import Meter
from surehand.errors.plan import Plan
from surehand.errors.record import EpisodeErrors, PolicyErrors, Value
from surehand.errors.values import Evaluation, undefined
from surehand.formats.checkpoint_names import parse_step
from surehand.measure.error import GroupErrors
from surehand.measure.resample import skill_interval
from surehand.measure.scale import make_scale

QUANTISATION = 1e-10  # squared robot units: a rival this good leaves nothing to be skilful about


def policy_errors(share: Evaluation, meter: Meter, rivals: dict[str, Meter]) -> PolicyErrors:
    errors = share.errors(meter)
    names, notes = errors.names, undefined(share, meter)
    phases = meter.sums.phases
    return PolicyErrors(
        name=meter.name,
        rival=bool(meter.rival),
        step=None if meter.rival else parse_step(meter.name),
        frames=meter.frames,
        episodes=len(meter.sums.episode),
        chunks_with_all_steps=int(meter.sums.full_counts.sum()),
        errors=_headline(share, meter, errors),
        episode_weighted=_points(names, errors.episode_weighted(), notes),
        joints={_joint_name(share.plan, i): v for i, v in enumerate(errors.by_joint())},
        other_spaces=_other_spaces(share, meter),
        phases={} if len(phases) < 2 else {p: _values(share, meter, errors, phase=p) for p in phases},
        tasks={task: _values(share, meter, errors, task=task) for task in errors.by_task()},
        horizon=_columns(names, errors.profile(), notes),
        executed=_values(share, meter, errors, steps=slice(0, share.yardstick.executed)),
        skill={other.name: _skill(share, meter, other) for other in rivals.values() if other is not meter},
        by_episode=_by_episode(errors, notes),
        phases_by_episode={} if len(phases) < 2 else {p: _by_episode(errors, notes, p) for p in phases},
        shares=_shares(share, meter, errors),
        gripper=gripper_parts(meter, errors),
        motion=motion_parts(meter),
        stochastic=stochastic_part(share, meter),
        task_space=task_space_part(share, meter),
        traces=[] if meter.rival else trace_parts(meter),
    )


def _by_episode(errors: GroupErrors, notes: dict[str, str], phase: str | None = None) -> EpisodeErrors:
    return EpisodeErrors(
        pairs=errors.denominators(phase).tolist(), errors=_columns(errors.names, errors.by_episode(phase), notes)
    )


def _values(
    share: Evaluation,
    meter: Meter,
    errors: GroupErrors,
    phase: str | None = None,
    steps: slice | None = None,
    task: str | None = None,
) -> dict[str, Value]:
    """Error per group and total with its interval; NaN with the reason where the policy has no opinion."""
    sums = meter.sums
    episodes = sums.episode if task is None else sums.episode[sums.task == sums.tasks.index(task)]
    num, den = errors.numerators(phase, steps, task), errors.denominators(phase, steps, task)
    notes = undefined(share, meter)
    found = share.values(errors.names, episodes, num, den)
    return {n: Value(value=float("nan"), note=notes[n]) if n in notes else value for n, value in found.items()}


def _headline(share: Evaluation, meter: Meter, errors: GroupErrors) -> dict[str, Value]:
    values = _values(share, meter, errors)
    everything = float("nan") if undefined(share, meter) else errors.total_all_dims
    values["total (all dims)"] = Value(value=everything, note="every column, dead ones too")
    return values


def _skill(share: Evaluation, meter: Meter, rival: Meter) -> dict[str, Value]:
    """1 − error / rival's error per group, the ratio resampled by episode."""
    mine, theirs = share.errors(meter), share.errors(rival)
    with np.errstate(invalid="ignore"):
        floor = QUANTISATION * np.where(np.isfinite(mine.weights), mine.weights, 0.0).sum(axis=0)
    sums = share.by_unit(meter.sums.episode, mine.numerators(), theirs.numerators(), mine.denominators())
    strata, plan = share.strata(meter.sums.episode), share.plan
    value, interval = skill_interval(
        *sums, floor=floor, level=plan.level, rng=share.rng(), strata=strata, draws=plan.draws
    )
    notes = {**undefined(share, meter), **undefined(share, rival)}
    found = {}
    for i, name in enumerate(mine.names):
        if name in notes:
            found[name] = Value(value=float("nan"), note=notes[name])
        elif np.isnan(value[i]):
            found[name] = Value(value=float("nan"), note=f"undefined: {rival.name}'s error is below the resolution")
        else:
            found[name] = Value(value=value[i], low=interval.low[i], high=interval.high[i])
    return found


def _shares(share: Evaluation, meter: Meter, errors: GroupErrors) -> dict[str, float]:
    """Each group's part of the total squared error, 1 in sum; empty where the total is undefined."""
    joints = np.where(errors.live, errors.by_joint(), 0.0)
    if undefined(share, meter) or not joints.sum() > 0:
        return {}
    layout = share.plan.layout
    return {group: float(joints[layout.columns(group)].sum() / joints.sum()) for group in layout.groups}


def _other_spaces(share: Evaluation, meter: Meter) -> dict[str, dict[str, float]]:
    """The same errors in the spaces the record is not about: only a divisor differs, so they cost nothing."""
    notes = undefined(share, meter)
    found = {}
    for space in ("robot", "range", "std"):
        scale = make_scale(space, share.yardstick.training, size=share.plan.layout.size)
        if str(scale) == str(share.scale):
            continue
        errors = GroupErrors(meter.sums, share.plan.layout, scale, share.yardstick.dead)
        table = dict(zip(errors.names, errors.table().tolist(), strict=True))
        found[str(scale)] = {name: float("nan") if name in notes else v for name, v in table.items()}
    return found


def _points(names: tuple[str, ...], values: np.ndarray, notes: dict[str, str]) -> dict[str, Value]:
    return {
        name: Value(value=float("nan") if name in notes else value, note=notes.get(name, ""))
        for name, value in zip(names, values.tolist(), strict=True)
    }


def _columns(names: tuple[str, ...], table: np.ndarray, notes: dict[str, str]) -> dict[str, list[float]]:
    """One list per group out of a (rows, G+1) table."""
    return {name: table[:, i].tolist() for i, name in enumerate(names) if name not in notes}


def _joint_name(plan: Plan, column: int) -> str:
    joint = plan.layout.joints[column]
    return f"pad[{column}]" if joint.kind == "pad" else f"{joint.group}.{joint.name}"
