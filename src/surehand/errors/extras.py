"""The parts of a record that not every policy has: gripper events, motion, draws, tool pose, traces."""

from typing import TYPE_CHECKING

import numpy as np

from surehand.errors.meter import Meter
from surehand.errors.record import GripperEvents, Motion, Stochastic, TaskSpace, Trace, Value
from surehand.measure.error import ErrorSums, GroupErrors
from surehand.measure.phases import GRIPPER_WINDOW
from surehand.measure.resample import ratio_interval
from surehand.measure.sums import Of

if TYPE_CHECKING:
    from surehand.errors.summary import Summary

REVERSED = -0.5  # correlation of predicted and recorded gripper values from which one of them is called reversed


def gripper_parts(meter: Meter, errors: GroupErrors) -> dict[str, GripperEvents]:
    """Events per gripper column, named by its group where that has one gripper alone."""
    here, layout = meter.yardstick, meter.yardstick.plan.layout
    grippers = [layout.joints[column] for column, _ in here.grippers]
    found = {}
    for (column, convention), joint in zip(here.grippers, grippers, strict=True):
        events = meter.events(column)
        if events is None:
            continue
        alone = sum(other.group == joint.group for other in grippers) == 1
        inside, outside = _in_windows(meter, errors, joint.group)
        delay = events.delay_frames
        found[joint.group if alone else f"{joint.group}.{joint.name}"] = GripperEvents(
            recorded=int(events.recorded.sum()),
            matched=int(events.matched.sum()),
            missed=int(events.missed.sum()),
            spurious=int(events.spurious.sum()),
            censored=int(events.censored.sum()),
            delay_frames=delay,
            delay_seconds=delay / here.fps if here.fps > 0 else float("nan"),
            tolerance_frames=here.tolerance,
            polarity="reversed" if meter.agreement(column) < REVERSED else "as recorded",
            range=convention.range,
            error_inside=inside,
            error_outside=outside,
        )
    return found


def _in_windows(meter: Meter, errors: GroupErrors, group: str) -> tuple[float, float]:
    """Error of a group inside and outside the windows around recorded transitions, NaN where phases are others."""
    if meter.yardstick.rule.name != GRIPPER_WINDOW:
        return float("nan"), float("nan")
    column = errors.names.index(group)
    return float(errors.table(phase="contact")[column]), float(errors.table(phase="free")[column])


def motion_parts(meter: Meter) -> dict[str, Motion]:
    """Motion per group and in total, empty where no trajectory was executed."""
    moved = meter.motion
    if moved is None:
        return {}
    columns = zip(moved.names, moved.path_ratio(), moved.jerk_ratio(), moved.boundary_jump(), strict=True)
    return {n: Motion(path_ratio=path, jerk_ratio=jerk, boundary_jump=jump) for n, path, jerk, jump in columns}


def stochastic_part(share: "Summary", meter: Meter) -> Stochastic | None:
    """What K draws say beyond their mean; None for deterministic policies."""
    energy = meter.energy
    if energy is None:
        return None

    def values(of: Of) -> dict[str, Value]:
        sums: ErrorSums = meter.sums_of(of)
        errors = GroupErrors(sums, share.plan.layout, share.scale, share.yardstick.dead)
        return intervals(share, errors.names, sums.episode, errors.numerators(), errors.denominators())

    return Stochastic(
        draws=meter.draws,
        mean_of_k=values("mean"),
        one_draw=values("one"),
        best_of_k=values("best"),
        energy_score=intervals(share, energy.names, energy.episode, energy.sums, energy.counts),
        energy_space=energy.space,
    )


def intervals(
    share: "Summary", names: tuple[str, ...], episode: np.ndarray, num: np.ndarray, den: np.ndarray
) -> dict[str, Value]:
    """Σnum/Σden per column of (E, G+1) sums with its interval over whole units."""
    num, den = share.by_unit(episode, num, den)
    count = den.sum()
    value = num.sum(axis=0) / count if count else np.full(num.shape[1], np.nan)
    interval = ratio_interval(num, den, level=share.plan.level, rng=share.rng(), draws=share.plan.draws)
    rows = zip(names, value, interval.low, interval.high, strict=True)
    return {name: Value(value=v, low=low, high=high) for name, v, low, high in rows}


def task_space_part(share: "Summary", meter: Meter) -> TaskSpace | None:
    """Tool-pose error at the last executed step and the share of each group in it; None without a model."""
    sums, tool = meter.tool, meter.yardstick.tool
    if sums is None or tool is None or not sums.total:
        return None
    episode, num, den = (np.concatenate(parts) for parts in (sums.episodes, sums.sums, sums.rows))
    values = intervals(share, ("position", "orientation"), episode, num, den)
    parts = sums.parts / sums.square if sums.square > 0 else np.full(len(sums.parts), np.nan)
    return TaskSpace(
        model=tool.arm.path.name,
        site=tool.arm.site,
        position=values["position"],
        orientation=values["orientation"],
        shares=dict(zip(tool.layout.groups, parts.tolist(), strict=True)),
        withheld=sums.withheld / sums.total,
    )


def trace_parts(meter: Meter) -> list[Trace]:
    """Of each of the worst episodes, the joint that misses most for its training spread."""
    here, layout = meter.yardstick, meter.yardstick.plan.layout
    divisor = np.where(here.dead, np.inf, here.std.values)
    found = []
    for stitched in meter.worst:
        miss = ((stitched.prediction - stitched.target) / divisor) ** 2
        joint = int(miss.mean(axis=0).argmax())
        found.append(
            Trace(
                episode=int(stitched.episode[0]),
                joint=f"{layout.joints[joint].group}.{layout.joints[joint].name}",
                unit=layout.joints[joint].unit,
                frame=stitched.frame.tolist(),
                recorded=stitched.target[:, joint].astype(float).tolist(),
                predicted=stitched.prediction[:, joint].astype(float).tolist(),
            )
        )
    return found
