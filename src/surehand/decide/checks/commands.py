"""What kind of command is recorded: gripper convention, delta or absolute, which side, a command or a measurement?"""

import numpy as np

from surehand.decide.checks.moments import CrossMoments
from surehand.decide.checks.values import Names, sides
from surehand.decide.checks.words import columns, joint
from surehand.decide.findings import Finding, finding
from surehand.layout import Layout


def gripper_columns(layout: Layout | None, names: Names, size: int) -> np.ndarray:
    """Columns that are grippers by the layout's kind or group, else by name."""
    if layout is not None and layout.size == size:
        marked = [
            j.kind == "gripper" or (j.kind == "unknown" and "gripper" in f"{j.group} {j.name}") for j in layout.joints
        ]
        return np.flatnonzero(marked)
    if names is not None and len(names) == size:
        return np.flatnonzero(["gripper" in name.lower() for name in names])
    return np.empty(0, np.int64)


def range_label(values: np.ndarray) -> str:
    """Which of the usual gripper ranges the values (R,) fill; "other" where none.

    >>> range_label(np.array([0.0, 0.4, 1.0])), range_label(np.array([-1.0, 0.2, 1.0]))
    ('0..1', '−1..1')
    >>> range_label(np.array([-1.0, 0.0, 1.0, 0.0])), range_label(np.array([3.0, 97.0, 50.5]))
    ('relative {−1, 0, 1}', '0..100')
    """
    distinct = np.unique(values)
    low, high = distinct[0], distinct[-1]
    if np.isin(distinct, (-1.0, 0.0, 1.0)).all() and len(distinct) == 3:
        return "relative {−1, 0, 1}"
    if low >= -0.05 and 0.5 < high <= 1.05:
        return "0..1"
    if -1.05 <= low < -0.3 and high <= 1.05:
        return "−1..1"
    if low >= -5 and 10 < high <= 105:
        return "0..100"
    return "other"


def check_gripper(sample: np.ndarray, grippers: np.ndarray) -> list[Finding]:
    """Which range the gripper columns fill, as a note, columns of one range together. `sample` (R, D)."""
    if not len(sample) or not len(grippers):
        return []
    by_range: dict[str, list[int]] = {}
    for dim in grippers.tolist():
        by_range.setdefault(range_label(sample[:, dim]), []).append(dim)
    said = []
    for label, dims in by_range.items():
        part = sample[:, dims]
        said.append(f"columns {columns(dims)} are {label} (recorded {part.min():.3g} to {part.max():.3g})")
    return [finding("data.gripper_range", "; ".join(said))]


def check_gripper_polarity(cross: CrossMoments, grippers: np.ndarray, names: Names = None) -> list[Finding]:
    """A note where a gripper's command and its measured state correlate below −.5. `cross`: action beside state."""
    if cross.x_mean.shape != cross.y_mean.shape:
        return []
    correlation = np.diag(cross.correlation)
    flipped = [d for d in grippers if correlation[d] < -0.5]
    said = ", ".join(f"{joint(names, d)} correlation {correlation[d]:.2f}" for d in flipped)
    return [finding("data.gripper_polarity", said)] if flipped else []


def reference_of(level: CrossMoments, step: CrossMoments) -> np.ndarray:
    """+1 where an action follows the state itself, −1 where it follows the state's next step, 0 unknown (D,).

    `level`: action beside state, `step`: action beside the state's next difference; both need equal sizes. An
    absolute command lies near the state (mean square gap below a quarter of the state's mean square about the mean);
    a delta correlates with the next step more than with the state and has a spread nearer to the step's.
    """
    follows = np.diag(level.correlation)
    moves = np.diag(step.correlation)
    state_std, step_std, action_std = level.y_std, step.y_std, level.x_std
    tiny = 1e-12
    nearer_step = np.abs(np.log((action_std + tiny) / (step_std + tiny))) < np.abs(
        np.log((action_std + tiny) / (state_std + tiny))
    )
    moving = (state_std > 1e-6) & (action_std > 1e-9)
    absolute = moving & (follows > 0.7) & ~nearer_step
    delta = moving & (moves > 0.5) & (moves > np.abs(follows) + 0.2) & nearer_step
    signs: np.ndarray = absolute.astype(int) - delta.astype(int)
    return signs


def check_reference(level: CrossMoments, step: CrossMoments, names: Names = None) -> list[Finding]:
    """Notes on delta and on mixed actions."""
    if level.x_mean.shape != level.y_mean.shape or level.count < 100:
        return []
    reference = reference_of(level, step)
    deltas, absolutes = np.flatnonzero(reference < 0), np.flatnonzero(reference > 0)
    if not len(deltas):
        return []
    strength = float(np.diag(step.correlation)[deltas].mean())
    evidence = f"columns {columns(deltas)} follow the state's next step (mean correlation {strength:.2f})"
    if len(absolutes):
        return [finding("data.mixed_reference", f"{evidence}; columns {columns(absolutes)} follow the state itself")]
    return [finding("data.delta_actions", evidence)]


def check_next_state(gap: np.ndarray | None, live: np.ndarray) -> list[Finding]:
    """A note where every moving action equals the next state. `gap` (D,): largest |a_t − s_{t+1}|."""
    if gap is None or not live.any():
        return []
    same = live & (gap < 1e-6)
    if same.sum() < live.sum():
        return []
    return [
        finding(
            "data.action_is_next_state",
            f"a_t = s_(t+1) to {gap[live].max():.1g} in all {int(live.sum())} moving dimensions",
        )
    ]


def check_sides(cross: CrossMoments, layout: Layout | None, code: str) -> list[Finding]:
    """Left follows right and right follows left: .4 more correlation crosswise, and half the square gap.

    `cross`: what should agree, column by column (action beside state, or prediction beside target).
    """
    found = []
    if cross.x_mean.shape != cross.y_mean.shape:
        return []
    correlation, gap = cross.correlation, cross.square_gap
    for (left_name, left), (right_name, right) in sides(layout, len(cross.x_mean)):
        rows, straight, crossed = np.r_[left, right], np.r_[left, right], np.r_[right, left]
        live = (cross.x_std[rows] > 1e-6) & (cross.y_std[straight] > 1e-6) & (cross.y_std[crossed] > 1e-6)
        rows, straight, crossed = rows[live], straight[live], crossed[live]
        if len(rows) < 2:
            continue
        direct, swapped = float(correlation[rows, straight].mean()), float(correlation[rows, crossed].mean())
        closer = (gap[rows, crossed] / cross.y_std[crossed] ** 2).sum() < 0.5 * (
            gap[rows, straight] / cross.y_std[straight] ** 2
        ).sum()
        if swapped > 0.5 and swapped - direct > 0.4 and closer:
            evidence = f"{left_name} and {right_name}: mean correlation {swapped:.2f} crosswise, {direct:.2f} straight"
            found.append(finding(code, evidence))
    return found
