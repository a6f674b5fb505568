"""How much, how smoothly and how continuously the executed prediction moves, beside the recording."""

from dataclasses import dataclass

import numpy as np

from surehand.layout import Layout
from surehand.measure.angles import wrap
from surehand.measure.scale import Scale, members
from surehand.measure.stitch import Stitched


@dataclass(frozen=True, eq=False)
class MotionSums:
    """Sums per episode and column (groups, then total), each (E, G+1), predicted beside recorded.

    `path`: Σ‖Δx‖; `jerk`: Σ‖Δ³x‖²; `jump`: Σ‖Δx‖ over chunk boundaries alone.
    """

    episode: np.ndarray  # (E,)
    path: np.ndarray
    path_recorded: np.ndarray
    jerk: np.ndarray
    jerk_recorded: np.ndarray
    jump: np.ndarray
    jump_recorded: np.ndarray
    names: tuple[str, ...]

    def path_ratio(self) -> np.ndarray:
        """Predicted path length over the recorded one (G+1,): far below 1, the policy barely moves."""
        return _ratio(self.path, self.path_recorded)

    def jerk_ratio(self) -> np.ndarray:
        """RMS jerk of the prediction over that of the recording (G+1,): above 1, it shakes."""
        return np.asarray(np.sqrt(_ratio(self.jerk, self.jerk_recorded)))

    def boundary_jump(self) -> np.ndarray:
        """Predicted step into a new chunk over the recorded step at the same frames (G+1,): 1 is seamless."""
        return _ratio(self.jump, self.jump_recorded)


def motion(
    stitched: Stitched, layout: Layout, scale: Scale, dead: np.ndarray, reference: str = "unknown"
) -> MotionSums:
    """Motion of the executed trajectory; live joints divided by `scale` and taken together by Euclidean norm.

    Velocities and deltas (by kind, or `reference` delta) are increments already; other columns are differenced, the
    short way round for continuous joints. Differences never cross a gap.
    """
    kinds = np.array([joint.kind for joint in layout.joints])
    increments = (kinds == "velocity") | (kinds == "pose_delta") | (reference == "delta")
    member = members(layout, dead)
    divisor = np.where(member[:, -1] > 0, scale.values, 1.0)
    episode, row = np.unique(stitched.episode, return_inverse=True)
    depth = _depth(stitched.segment)  # frames before this one in its segment
    found = {}
    for suffix, values in (("", stitched.prediction), ("_recorded", stitched.target)):
        values = values.astype(np.float64) / divisor
        step = wrap(np.diff(values, axis=0, prepend=values[:1]), layout.period / divisor)
        moved = np.where(increments, values, step)
        jerk = np.diff(np.diff(moved, axis=0, prepend=moved[:1]), axis=0, prepend=moved[:1])
        found["path" + suffix] = _sum(np.sqrt(moved**2 @ member), depth >= 1, row, len(episode))
        found["jerk" + suffix] = _sum(jerk**2 @ member, depth >= 3, row, len(episode))
        found["jump" + suffix] = _sum(np.sqrt(step**2 @ member), stitched.boundary, row, len(episode))
    return MotionSums(episode=episode, names=(*layout.groups, "total"), **found)


def _depth(segment: np.ndarray) -> np.ndarray:
    starts = np.flatnonzero(np.diff(segment, prepend=-1))
    return np.arange(len(segment)) - np.repeat(starts, np.diff(starts, append=len(segment)))


def _sum(values: np.ndarray, kept: np.ndarray, row: np.ndarray, episodes: int) -> np.ndarray:
    """Sums of the kept rows per episode (E, G+1)."""
    out = np.zeros((episodes, values.shape[1]))
    np.add.at(out, row[kept], values[kept])
    return out


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Ratio of sums over episodes, NaN where the recording does not move."""
    a, b = above.sum(axis=0), below.sum(axis=0)
    return np.asarray(np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0))
