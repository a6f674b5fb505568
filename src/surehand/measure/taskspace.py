"""Tool-pose error in metres and radians through a robot's kinematics, and the share each joint group has in it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SpaceError
from surehand.frames import Pairs
from surehand.layout import Layout
from surehand.measure.angles import mean_draw, wrap

# Group shares are withheld where the linearisation misses more than this part of the error.
_LINEAR = 0.2

_SI = {"deg": np.pi / 180, "mm": 1e-3, "cm": 1e-2, "deg/s": np.pi / 180, "mm/s": 1e-3, "cm/s": 1e-2}


class Arm(Protocol):
    """Forward kinematics over arrays in radians and metres (see `surehand.kinematics.Kinematics`)."""

    def forward(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (N, 3) and rotation (N, 3, 3) for q (N, D)."""
        ...

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        """Geometric Jacobian in the world frame (N, 6, D)."""
        ...


@dataclass(frozen=True, eq=False)
class TaskSpaceErrors:
    """One row per valid (frame, step): M rows, G groups."""

    position: np.ndarray  # (M, 3) metres, predicted − recorded, world frame
    orientation: np.ndarray  # (M, 3) radians, log(R̂ Rᵀ), world frame
    position_parts: np.ndarray  # (M, G) ⟨J_g·δ_g, e⟩; NaN where withheld
    orientation_parts: np.ndarray  # (M, G)
    episode: np.ndarray  # (M,)
    frame: np.ndarray  # (M,)
    step: np.ndarray  # (M,)
    groups: tuple[str, ...]

    @property
    def metres(self) -> np.ndarray:
        """Size of the position error (M,)."""
        return np.asarray(np.linalg.norm(self.position, axis=1))

    @property
    def radians(self) -> np.ndarray:
        """Size of the orientation error (M,)."""
        return np.asarray(np.linalg.norm(self.orientation, axis=1))

    def shares(self, of: str = "position") -> np.ndarray:
        """Σ⟨J_g·δ_g, e⟩ / Σ‖e‖² over the rows that are not withheld (G,), about 1 in sum; NaN where all are withheld.

        A share is negative where a group's error cancels another's.
        """
        error, parts = (
            (self.position, self.position_parts) if of == "position" else (self.orientation, self.orientation_parts)
        )
        kept = np.isfinite(parts).all(axis=1)
        square = (error[kept] ** 2).sum()
        return np.asarray(parts[kept].sum(axis=0) / square if square > 0 else np.full(len(self.groups), np.nan))

    def withheld(self, of: str = "position") -> float:
        """Part of the rows without shares, because the linearisation misses more than a fifth of their error."""
        parts = self.position_parts if of == "position" else self.orientation_parts
        return float((~np.isfinite(parts).all(axis=1)).mean()) if len(parts) else float("nan")

    def by_episode(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Episodes (E,), sums of (metres, radians) (E, 2) and rows (E,): what intervals resample."""
        episode, row = np.unique(self.episode, return_inverse=True)
        sums = np.stack([np.bincount(row, x, len(episode)) for x in (self.metres, self.radians)], axis=1)
        return episode, sums, np.bincount(row, minlength=len(episode))


def task_space_error(
    pairs: Pairs,
    layout: Layout,
    arm: Arm,
    *,
    start: np.ndarray | None = None,
    fps: float = 0.0,
    base: tuple[int, int, int] | None = None,
    steps: slice | None = None,
) -> TaskSpaceErrors:
    """Pose error of the mean draw, e = FK(â) ⊖ FK(a), at every valid step (of `steps` alone where given).

    Absolute positions go to the kinematics directly. Velocities and deltas are integrated from `start` (N, D), the
    recorded position of each column at t, a planar `base` (columns of x, y, yaw) from its own pose at t. Units of
    the layout become radians and metres; an unknown unit is taken to be one of these.
    """
    chosen = np.arange(pairs.target.shape[1])[steps if steps is not None else slice(None)]
    row, at = np.nonzero(pairs.valid[:, chosen])
    step = chosen[at]
    turn = _si(layout)
    period = layout.period * turn
    begin = None if start is None else start * turn
    both = []
    with np.errstate(invalid="ignore", over="ignore"):  # masked steps may hold NaN or infinity
        mean = mean_draw(pairs.prediction, layout.period)
    for values in (mean, pairs.target.astype(np.float64)):
        values = np.where(pairs.valid[..., None], values, 0.0) * turn
        both.append(positions(values, layout, pairs.space.reference, begin, fps, base)[row, step])
    predicted, recorded = both
    delta = wrap(predicted - recorded, period)
    position, orientation = _pose_difference(arm, predicted, recorded)
    jacobian = arm.jacobian(recorded + delta / 2)  # (M, 6, D)
    moved = jacobian * delta[:, None, :]
    by_group = np.stack([moved[..., layout.columns(group)].sum(axis=2) for group in layout.groups], axis=2)  # (M, 6, G)
    return TaskSpaceErrors(
        position=position,
        orientation=orientation,
        position_parts=_parts(by_group[:, :3], position),
        orientation_parts=_parts(by_group[:, 3:], orientation),
        episode=pairs.episode[row],
        frame=pairs.frame[row],
        step=step,
        groups=layout.groups,
    )


def positions(
    values: np.ndarray,
    layout: Layout,
    reference: str,
    start: np.ndarray | None = None,
    fps: float = 0.0,
    base: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Joint positions that action chunks (N, H, D) lead to (N, H, D), in radians and metres.

    Raises SpaceError for columns that must be integrated where `start` or `fps` is missing.
    """
    kinds = np.array([joint.kind for joint in layout.joints])
    velocity = kinds == "velocity"
    delta = ~velocity & ((kinds == "pose_delta") | (reference == "delta"))
    relative = ~velocity & ~delta & (reference == "relative")
    own_start = np.zeros(layout.size, bool)
    if base is not None:
        own_start[list(base)] = True  # a base moves from its own pose at t
    if velocity.any() and not fps > 0:
        raise SpaceError("velocity actions need frames per second to become positions; give fps")
    needs = (velocity | delta | relative) & ~own_start & ~layout.is_pad
    if needs.any() and start is None:
        names = ", ".join(np.array(layout.names)[needs])
        raise SpaceError(f"{names} are velocities or deltas: the recorded state at t is needed to integrate them")
    begin = np.zeros((len(values), layout.size)) if start is None else np.where(own_start, 0.0, start)
    if begin.shape != (len(values), layout.size):
        raise ShapeError(f"start has shape {begin.shape}, expected {(len(values), layout.size)}")
    if not np.isfinite(begin[:, needs]).all():
        raise NotEnoughData("the recorded state at t holds NaN in a column that must be integrated from it")
    out = np.array(values, np.float64)
    scaled = np.where(velocity, values / fps if fps > 0 else 0.0, values)
    summed = begin[:, None] + np.cumsum(scaled, axis=1)
    out[..., velocity | delta] = summed[..., velocity | delta]
    out[..., relative] += begin[:, None][..., relative]
    if base is not None and (velocity | delta)[list(base)].all():
        out[..., list(base)] = _drive(scaled[..., list(base)])
    return out


def _drive(twist: np.ndarray) -> np.ndarray:
    """Pose (N, H, 3) of a planar base after steps (x, y, yaw) in its own frame, from the origin."""
    yaw = np.cumsum(twist[..., 2], axis=1)
    heading = yaw - twist[..., 2]  # at the start of each step
    x = twist[..., 0] * np.cos(heading) - twist[..., 1] * np.sin(heading)
    y = twist[..., 0] * np.sin(heading) + twist[..., 1] * np.cos(heading)
    return np.stack([np.cumsum(x, axis=1), np.cumsum(y, axis=1), yaw], axis=2)


def _pose_difference(arm: Arm, predicted: np.ndarray, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position (M, 3) and rotation vector log(R̂ Rᵀ) (M, 3), both in the world frame."""
    from scipy.spatial.transform import Rotation

    (p_hat, r_hat), (p, r) = arm.forward(predicted), arm.forward(recorded)
    if not len(p):
        return p_hat - p, np.zeros((0, 3))
    return p_hat - p, np.asarray(Rotation.from_matrix(r_hat @ r.swapaxes(1, 2)).as_rotvec())


def _parts(by_group: np.ndarray, error: np.ndarray) -> np.ndarray:
    """⟨J_g·δ_g, e⟩ (M, G), NaN where ‖e − Σ J_g·δ_g‖ > 0.2‖e‖."""
    missed = np.linalg.norm(error - by_group.sum(axis=2), axis=1)
    linear = missed <= _LINEAR * np.linalg.norm(error, axis=1)
    return np.where(linear[:, None], np.einsum("mig,mi->mg", by_group, error), np.nan)


def _si(layout: Layout) -> np.ndarray:
    """Factor from each column's unit to radians, metres and seconds (D,)."""
    return np.array([_SI.get(joint.unit, 1.0) for joint in layout.joints])
