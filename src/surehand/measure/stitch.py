"""What the robot would have executed: the leading steps of each chunk, laid end to end."""

from dataclasses import dataclass

import numpy as np

from surehand.exceptions import SurehandError
from surehand.frames import Pairs


@dataclass(frozen=True, eq=False)
class Stitched:
    """Executed predictions beside the recording, frame by frame; a `segment` is a stretch without a gap (M rows)."""

    prediction: np.ndarray  # (M, D) of draw 0: a run executes one draw
    target: np.ndarray  # (M, D)
    episode: np.ndarray  # (M,)
    frame: np.ndarray  # (M,)
    segment: np.ndarray  # (M,) int, increasing
    boundary: np.ndarray  # (M,) bool, the first step of a new chunk inside a segment

    def __len__(self) -> int:
        return len(self.frame)


def stitch(pairs: Pairs, executed: int, first_step: int = 0) -> Stitched:
    """The trajectory of a deployment that runs `executed` steps of each chunk before it asks again.

    The next decision is the first predicted frame at least `executed` later; until then the chunk runs on, as far as it
    reaches. Frames that no chunk reaches begin a new segment. `first_step` is the offset of chunk step 0.
    """
    horizon = pairs.target.shape[1]
    if not 1 <= executed <= horizon:
        raise SurehandError(f"{executed} executed steps of chunks of {horizon}; choose 1 to {horizon}")
    order = np.lexsort((pairs.frame, pairs.episode))
    episode, frame = pairs.episode[order], pairs.frame[order]
    row, step = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    starts = np.flatnonzero(np.diff(episode, prepend=episode[:1] - 1))
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        chosen = _decisions(frame[start:stop], executed) + start
        spacing = np.diff(frame[chosen], append=frame[stop - 1] + horizon)
        for at, length in zip(chosen, np.minimum(spacing, horizon), strict=True):
            row.append(np.full(length, order[at]))
            step.append(np.arange(length))
    rows, steps = np.concatenate(row), np.concatenate(step)
    kept = pairs.valid[rows, steps]
    rows, steps = rows[kept], steps[kept]
    return _stitched(pairs, rows, steps, first_step)


def _decisions(frame: np.ndarray, executed: int) -> np.ndarray:
    """Positions of the frames at which the deployment asks for a new chunk."""
    chosen, at = [], 0
    while at < len(frame):
        chosen.append(at)
        at = int(np.searchsorted(frame, frame[at] + executed))
    return np.array(chosen, np.int64)


def _stitched(pairs: Pairs, rows: np.ndarray, steps: np.ndarray, first_step: int) -> Stitched:
    episode, frame = pairs.episode[rows], pairs.frame[rows] + steps + first_step
    follows = (np.diff(episode, prepend=-1) == 0) & (np.diff(frame, prepend=-1) == 1)
    return Stitched(
        prediction=pairs.prediction[rows, 0, steps],
        target=pairs.target[rows, steps],
        episode=episode,
        frame=frame,
        segment=np.cumsum(~follows) - 1 if len(rows) else np.zeros(0, np.int64),
        boundary=follows & (np.diff(rows, prepend=-1) != 0),
    )
