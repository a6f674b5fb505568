"""Sums become the record: errors with intervals, skill against rivals, phases, tasks, episodes, the choice."""

from collections.abc import Sequence

import numpy as np

from surehand.decide.choice import Choice
from surehand.decide.select import select_checkpoint
from surehand.errors.clusters import read_clusters
from surehand.errors.meter import Meter, Yardstick
from surehand.errors.methods import methods_block, unit_note
from surehand.errors.phases import PhaseLabels
from surehand.errors.plan import FLOOR
from surehand.errors.policy import policy_errors
from surehand.errors.record import ErrorsRecord, GroupInfo
from surehand.errors.values import Evaluation, undefined
from surehand.formats.contract import package_version
from surehand.formats.lerobot import LeRobotFolder
from surehand.measure.error import GroupErrors
from surehand.measure.scale import make_scale


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
    task = {int(e): int(t) for m in meters for e, t in zip(m.sums.episode, m.sums.task, strict=True)}
    cluster = read_clusters(dataset, plan.cluster, sorted(task))
    share = Evaluation(yardstick, scale, task, cluster)
    rivals = {meter.name: meter for meter in meters if meter.rival}
    floors = _floors(share, rivals)
    checkpoints = {meter.name: share.errors(meter) for meter in meters if not meter.rival}
    choice = _choice(share, checkpoints, floors) if len(checkpoints) > 1 else None
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
        cluster=plan.cluster,
        clusters=[cluster[e] for e in episodes.episode.tolist()] if cluster else [],
        level=plan.level,
        phases=list(labels.rule.phases),
        policies=[policy_errors(share, meter, rivals) for meter in meters],
        warnings=[
            *warnings,
            *share.warnings(episodes.episode),
            *_idle_warnings(share, [*rivals.values(), *meters]),
        ],
        choice=choice,
        methods=methods_block(dataset, yardstick, scale, labels, skip, choice),
    )


def _floors(share: Evaluation, rivals: dict[str, Meter]) -> dict[str, float]:
    """Noise level per group: 1 % of the best rival's error (0 where no rival was measured)."""
    tables = [
        {**dict(zip(e.names, e.table().tolist(), strict=True)), **dict.fromkeys(undefined(share, m), float("nan"))}
        for m, e in ((m, share.errors(m)) for m in rivals.values())
    ]
    floors = {}
    for group in share.plan.layout.groups:
        known = [table[group] for table in tables if np.isfinite(table[group])]
        floors[group] = FLOOR * min(known) if known else 0.0
    return floors


def _choice(share: Evaluation, errors: dict[str, GroupErrors], floors: dict[str, float]) -> Choice:
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


def _idle_warnings(share: Evaluation, judges: Sequence[Meter]) -> list[str]:
    """How much groups that hardly move dilute the total, in numbers: an idle side can halve it."""
    groups = [group for group, still in zip(share.plan.layout.groups, share.yardstick.idle, strict=True) if still]
    meter = next((m for m in judges if not undefined(share, m)), None)
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
