"""Sums become the record: errors with intervals, skill against rivals, phases, tasks, episodes, the choice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surehand.decide.choice import Choice
from surehand.decide.select import select_checkpoint
from surehand.errors.clusters import read_clusters
from surehand.errors.extras import gripper_parts, motion_parts, stochastic_part, task_space_part, trace_parts
from surehand.errors.meter import Meter, Yardstick
from surehand.errors.methods import methods_block, unit_note
from surehand.errors.phases import PhaseLabels
from surehand.errors.plan import Plan
from surehand.errors.record import ErrorsRecord, GroupInfo, PolicyErrors, Value
from surehand.formats.checkpoint_names import parse_step
from surehand.formats.contract import package_version
from surehand.formats.lerobot import LeRobotFolder
from surehand.measure.clusters import by_cluster
from surehand.measure.error import GroupErrors
from surehand.measure.resample import ratio_interval, skill_interval, unit_warnings
from surehand.measure.scale import Scale, make_scale

FLOOR = 0.01  # of a rival's error: differences below are noise level when checkpoints are compared
QUANTISATION = 1e-10  # squared robot units: a rival this good leaves nothing to be skilful about


@dataclass(frozen=True, eq=False)
class Summary:
    """What all policies of one record share while their sums become values."""

    yardstick: Yardstick
    scale: Scale
    cluster: dict[int, str]  # episode -> what was sampled anew with it; empty where that is the episode

    @property
    def plan(self) -> Plan:
        """What was measured and how."""
        return self.yardstick.plan

    def errors(self, meter: Meter) -> GroupErrors:
        """Errors of one policy in the record's space."""
        return GroupErrors(meter.sums, self.plan.layout, self.scale, self.yardstick.dead)

    def rng(self) -> np.random.Generator:
        """The same generator for every interval: policies and groups share their resamples."""
        return np.random.default_rng(self.plan.seed)

    def units(self, episodes: np.ndarray) -> np.ndarray | None:
        """Cluster of each episode (E,), None where the episode itself is the unit."""
        return np.array([self.cluster[int(e)] for e in episodes]) if self.cluster else None

    def by_unit(self, episodes: np.ndarray, *sums: np.ndarray) -> list[np.ndarray]:
        """Sums per episode (E, ...) added up within each unit."""
        units = self.units(episodes)
        return list(sums) if units is None else [by_cluster(one, units) for one in sums]


def summarise(
    dataset: LeRobotFolder,
    yardstick: Yardstick,
    labels: PhaseLabels,
    meters: Sequence[Meter],
    skip: int,
    warnings: list[str],
) -> ErrorsRecord:
    """The record of one evaluation; raises SurehandError where checkpoints were not measured on the same frames."""
    plan, layout = yardstick.plan, yardstick.plan.layout
    # The policy's own normaliser where it was given; every other space is a matter of the training episodes.
    stats = plan.stats if plan.space == "normalised" and plan.stats is not None else yardstick.training
    scale = make_scale(plan.space, stats, plan.by, layout.size)
    episodes = meters[0].sums
    share = Summary(yardstick, scale, read_clusters(dataset, plan.cluster, episodes.episode.tolist()))
    rivals = {meter.name: meter for meter in meters if meter.rival}
    floors = _floors(share, rivals)
    checkpoints = {meter.name: share.errors(meter) for meter in meters if not meter.rival}
    choice = _choice(share, checkpoints, floors) if len(checkpoints) > 1 else None
    units = share.units(episodes.episode)
    count = len(episodes.episode) if units is None else len(np.unique(units))
    return ErrorsRecord(
        surehand=package_version(),
        dataset=dataset.root.resolve().name,
        data_hash=dataset.identity(),
        layout=str(layout),
        robot=plan.robot,
        evidence=list(plan.evidence),
        space=str(scale),
        unit_note=unit_note(scale, layout),
        groups=_groups(yardstick, floors),
        episodes=episodes.episode.tolist(),
        episode_tasks=[episodes.tasks[t] if t < len(episodes.tasks) else str(t) for t in episodes.task],
        level=plan.level,
        phases=list(labels.rule.phases),
        policies=[_policy(share, meter, rivals) for meter in meters],
        warnings=[
            *warnings,
            *unit_warnings(count, plan.cluster or "episodes"),
            *_idle_warnings(share, [*rivals.values(), *meters]),
        ],
        choice=choice,
        methods=methods_block(dataset, yardstick, scale, labels, skip, choice),
    )


def _policy(share: Summary, meter: Meter, rivals: dict[str, Meter]) -> PolicyErrors:
    errors = share.errors(meter)
    names, undefined = errors.names, _undefined(share, meter)
    phases = meter.sums.phases
    return PolicyErrors(
        name=meter.name,
        rival=bool(meter.rival),
        step=None if meter.rival else parse_step(meter.name),
        frames=meter.frames,
        episodes=len(meter.sums.episode),
        chunks_with_all_steps=int(meter.sums.full_counts.sum()),
        errors=_headline(share, meter, errors),
        episode_weighted=_points(names, errors.episode_weighted(), undefined),
        joints={_joint_name(share.plan, i): v for i, v in enumerate(errors.by_joint())},
        other_spaces=_other_spaces(share, meter),
        phases={} if len(phases) < 2 else {p: _values(share, meter, errors, phase=p) for p in phases},
        tasks={task: _values(share, meter, errors, task=task) for task in errors.by_task()},
        horizon=_columns(names, errors.profile(), undefined),
        executed=_values(share, meter, errors, steps=slice(0, share.yardstick.executed)),
        skill={other.name: _skill(share, meter, other) for other in rivals.values() if other is not meter},
        by_episode=_columns(names, errors.by_episode(), undefined),
        episode_pairs=errors.denominators().tolist(),
        shares=_shares(share, meter, errors),
        gripper=gripper_parts(meter, errors),
        motion=motion_parts(meter),
        stochastic=stochastic_part(share, meter),
        task_space=task_space_part(share, meter),
        traces=[] if meter.rival else trace_parts(meter),
    )


def _values(
    share: Summary,
    meter: Meter,
    errors: GroupErrors,
    phase: str | None = None,
    steps: slice | None = None,
    task: str | None = None,
) -> dict[str, Value]:
    """Error per group and total with its interval, whole episodes resampled (within tasks where there are several)."""
    sums = meter.sums
    episodes = sums.episode if task is None else sums.episode[sums.task == sums.tasks.index(task)]
    num, den = share.by_unit(episodes, errors.numerators(phase, steps, task), errors.denominators(phase, steps, task))
    within = task is None and not share.cluster and len(np.unique(sums.task)) > 1
    strata = sums.task if within else None
    interval = ratio_interval(num, den, level=share.plan.level, rng=share.rng(), strata=strata, draws=share.plan.draws)
    undefined = _undefined(share, meter)
    return {
        name: Value(value=float("nan"), note=undefined[name])
        if name in undefined
        else Value(value=value, low=low, high=high)
        for name, value, low, high in zip(
            errors.names, errors.table(phase, steps, task), interval.low, interval.high, strict=True
        )
    }


def _headline(share: Summary, meter: Meter, errors: GroupErrors) -> dict[str, Value]:
    values = _values(share, meter, errors)
    everything = float("nan") if _undefined(share, meter) else errors.total_all_dims
    values["total (all dims)"] = Value(value=everything, note="every column, dead ones too")
    return values


def _undefined(share: Summary, meter: Meter) -> dict[str, str]:
    """Groups (and the total) that this policy has no opinion on, with the reason."""
    layout = share.plan.layout
    missing = meter.undefined & ~share.yardstick.dead
    found = {
        group: f"undefined: {meter.name} has no value for {', '.join(layout.names[i] for i in columns if missing[i])}"
        for group, columns in ((group, layout.columns(group)) for group in layout.groups)
        if missing[columns].any()
    }
    if found:
        found["total"] = f"undefined without {', '.join(found)}"
    return found


def _skill(share: Summary, meter: Meter, rival: Meter) -> dict[str, Value]:
    """1 − error / rival's error per group, the ratio resampled by episode."""
    mine, theirs = share.errors(meter), share.errors(rival)
    with np.errstate(invalid="ignore"):
        floor = QUANTISATION * np.where(np.isfinite(mine.weights), mine.weights, 0.0).sum(axis=0)
    sums = share.by_unit(meter.sums.episode, mine.numerators(), theirs.numerators(), mine.denominators())
    value, interval = skill_interval(
        *sums, floor=floor, level=share.plan.level, rng=share.rng(), draws=share.plan.draws
    )
    notes = {**_undefined(share, meter), **_undefined(share, rival)}
    found = {}
    for i, name in enumerate(mine.names):
        if name in notes:
            found[name] = Value(value=float("nan"), note=notes[name])
        elif np.isnan(value[i]):
            found[name] = Value(value=float("nan"), note=f"undefined: {rival.name}'s error is below the noise floor")
        else:
            found[name] = Value(value=value[i], low=interval.low[i], high=interval.high[i])
    return found


def _shares(share: Summary, meter: Meter, errors: GroupErrors) -> dict[str, float]:
    """Each group's part of the total squared error, 1 in sum; empty where the total is undefined."""
    joints = np.where(errors.live, errors.by_joint(), 0.0)
    if _undefined(share, meter) or not joints.sum() > 0:
        return {}
    layout = share.plan.layout
    return {group: float(joints[layout.columns(group)].sum() / joints.sum()) for group in layout.groups}


def _other_spaces(share: Summary, meter: Meter) -> dict[str, dict[str, float]]:
    """The same errors in the spaces the record is not about: only a divisor differs, so they cost nothing."""
    undefined = _undefined(share, meter)
    found = {}
    for space in ("robot", "range", "std"):
        scale = make_scale(space, share.yardstick.training, size=share.plan.layout.size)
        if str(scale) == str(share.scale):
            continue
        errors = GroupErrors(meter.sums, share.plan.layout, scale, share.yardstick.dead)
        table = dict(zip(errors.names, errors.table().tolist(), strict=True))
        found[str(scale)] = {name: float("nan") if name in undefined else v for name, v in table.items()}
    return found


def _floors(share: Summary, rivals: dict[str, Meter]) -> dict[str, float]:
    """Noise level per group: 1 % of the best rival's error (0 where no rival was measured)."""
    tables = [
        {**dict(zip(e.names, e.table().tolist(), strict=True)), **dict.fromkeys(_undefined(share, m), float("nan"))}
        for m, e in ((m, share.errors(m)) for m in rivals.values())
    ]
    floors = {}
    for group in share.plan.layout.groups:
        known = [table[group] for table in tables if np.isfinite(table[group])]
        floors[group] = FLOOR * min(known) if known else 0.0
    return floors


def _choice(share: Summary, errors: dict[str, GroupErrors], floors: dict[str, float]) -> Choice:
    plan = share.plan
    return select_checkpoint(
        errors,
        rng=share.rng(),
        rule=plan.rule,
        watch=plan.watch or None,
        weights=plan.weights,
        floor=floors,
        cluster=share.units(next(iter(errors.values())).sums.episode),
        draws=plan.draws,
        level=plan.level,
    )


def _groups(yardstick: Yardstick, floors: dict[str, float]) -> list[GroupInfo]:
    layout = yardstick.plan.layout
    columns = {group: layout.columns(group) for group in layout.groups}
    return [
        GroupInfo(
            name=group,
            joints=[layout.names[i] for i in columns[group]],
            units=list(dict.fromkeys(layout.joints[i].unit for i in columns[group])),
            kinds=list(dict.fromkeys(layout.joints[i].kind for i in columns[group])),
            dead=[layout.names[i] for i in columns[group] if yardstick.dead[i]],
            idle=bool(idle),
            floor=floors[group],
        )
        for group, idle in zip(layout.groups, yardstick.idle, strict=True)
    ]


def _idle_warnings(share: Summary, judges: Sequence[Meter]) -> list[str]:
    """How much groups that hardly move dilute the total, in numbers: an idle side can halve it."""
    groups = [group for group, still in zip(share.plan.layout.groups, share.yardstick.idle, strict=True) if still]
    meter = next((m for m in judges if not _undefined(share, m)), None)
    if not groups or meter is None:
        return []
    errors = share.errors(meter)
    live = ~(share.yardstick.dead | share.plan.layout.is_pad)
    theirs = np.isin(np.arange(share.plan.layout.size), [i for g in groups for i in share.plan.layout.columns(g)])
    joints = errors.by_joint()
    part = float(joints[live & theirs].sum() / joints[live].sum())
    without = float(joints[live & ~theirs].mean() / joints[live].mean())
    return [
        f"{' and '.join(groups)} hardly move: {int((live & theirs).sum())} of {int(live.sum())} joints bring "
        f"{100 * part:.1f} % of {meter.name}'s squared error, so the total is {without:.1f}× lower than without them"
    ]


def _points(names: tuple[str, ...], values: np.ndarray, undefined: dict[str, str]) -> dict[str, Value]:
    return {
        name: Value(value=float("nan") if name in undefined else value, note=undefined.get(name, ""))
        for name, value in zip(names, values.tolist(), strict=True)
    }


def _columns(names: tuple[str, ...], table: np.ndarray, undefined: dict[str, str]) -> dict[str, list[float]]:
    """One list per group out of a (rows, G+1) table."""
    return {name: table[:, i].tolist() for i, name in enumerate(names) if name not in undefined}


def _joint_name(plan: Plan, column: int) -> str:
    joint = plan.layout.joints[column]
    return f"pad[{column}]" if joint.kind == "pad" else f"{joint.group}.{joint.name}"
