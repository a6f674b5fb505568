"""The parts of a record that not every policy has: gripper events, motion, draws, tool pose, traces."""

import numpy as np

from surehand.errors.meter import Meter
from surehand.errors.record import GripperEvents, Motion, Stochastic, TaskSpace, Trace, Value
from surehand.errors.values import Evaluation
from surehand.measure.error import ErrorSums, GroupErrors
from surehand.measure.phases import GRIPPER_WINDOW
from surehand.measure.sums import Of

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
        inside, outside = _in_windows(meter, errors, column)
        delay = events.delay_frames
        found[joint.group if alone else f"{joint.group}.{joint.name}"] = GripperEvents(
            recorded=int(events.recorded.sum()),
            matched=int(events.matched.sum()),
            missed=int(events.missed.sum()),
            spurious=int(events.spurious.sum()),
            censored=int(events.censored.sum()),
            delay_frames=delay,
            delay_seconds=delay / here.fps if here.fps > 0 else float("nan"),
            off_frames=events.absolute_frames,
            spurious_outside=events.spurious_rate_outside,
            tolerance_frames=here.tolerance,
            polarity="reversed" if meter.agreement(column) < REVERSED else "as recorded",
            range=convention.range,
            error_inside=inside,
            error_outside=outside,
        )
    return found


def _in_windows(meter: Meter, errors: GroupErrors, column: int) -> tuple[float, float]:
    """Error of a gripper inside and outside the windows around recorded transitions, NaN where phases are others."""
    if meter.yardstick.rule.name != GRIPPER_WINDOW:
        return float("nan"), float("nan")
    return float(errors.by_joint("contact")[column]), float(errors.by_joint("free")[column])


def motion_parts(meter: Meter) -> dict[str, Motion]:
    """Motion per group and in total, empty where no trajectory was executed."""
    moved = meter.motion
    if moved is None:
        return {}
    columns = zip(moved.names, moved.path_ratio(), moved.jerk_ratio(), moved.boundary_jump(), strict=True)
    return {n: Motion(path_ratio=path, jerk_ratio=jerk, boundary_jump=jump) for n, path, jerk, jump in columns}


def stochastic_part(share: Evaluation, meter: Meter) -> Stochastic | None:
    """What K draws say beyond their mean; None for deterministic policies."""
    energy = meter.energy
    if energy is None:
        return None

    def values(of: Of) -> dict[str, Value]:
        sums: ErrorSums = meter.sums_of(of)
        errors = GroupErrors(sums, share.plan.layout, share.scale, share.yardstick.dead)
        return share.values(errors.names, sums.episode, errors.numerators(), errors.denominators())

    return Stochastic(
        draws=meter.draws,
        mean_of_k=values("mean"),
        one_draw=values("one"),
        best_of_k=values("best"),
        energy_score=share.values(energy.names, energy.episode, energy.sums, energy.counts),
        energy_space=energy.space,
    )


def task_space_part(share: Evaluation, meter: Meter) -> TaskSpace | None:
    """Tool-pose error at the last executed step and the share of each group in it; None without a model."""
    sums, tool = meter.tool, meter.yardstick.tool
    if sums is None or tool is None or not sums.total:
        return None
    episode, num, den = (np.concatenate(parts) for parts in (sums.episodes, sums.sums, sums.rows))
    values = share.values(("position", "orientation"), episode, num, den)
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
    found = []
    for stitched in meter.worst:
        joint = int(here.misses(stitched).mean(axis=0).argmax())
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
