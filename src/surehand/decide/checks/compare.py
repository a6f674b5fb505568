"""One pass over predictions beside the recorded actions: the moments that tell spaces, sides and references apart."""

from dataclasses import dataclass

import numpy as np

from surehand.decide.checks.moments import CrossMoments, RowSample
from surehand.frames import Actions, Predictions, frame_keys

Targets = tuple[np.ndarray, np.ndarray]  # recorded chunks (n, H, D), which steps exist (n, H)


@dataclass(frozen=True, eq=False)
class Compared:
    """What one pass over a checkpoint's predictions leaves; draw 0 stands for the policy."""

    frames: int
    draws: int
    identical: int  # frames whose K draws are equal
    episodes: np.ndarray  # (E,) predicted episodes
    unknown: int
    first_unknown: tuple[int, int] | None  # (episode, frame)
    bad: int
    first_bad: tuple[int, int, int] | None  # (episode, frame, dim)
    level: CrossMoments  # prediction beside target
    to_step: CrossMoments  # prediction beside the target's step a_(t+h) − a_(t+h−1)
    to_start: CrossMoments  # prediction beside a_(t+h) − a_t
    step_to: CrossMoments  # the prediction's step beside the target
    path: np.ndarray  # (2, D) path length within chunks: predicted, recorded
    reach: np.ndarray  # (2, D) root mean square distance between a chunk's first and last valid step
    sample: np.ndarray  # (R, 2, D) prediction and target


class Comparison:
    """Accumulates `Compared` over batches of predictions."""

    def __init__(self, dims: int, rng: np.random.Generator) -> None:
        self.dims = dims
        self.frames = self.identical = self.unknown = self.bad = self.chunks = self.draws = 0
        self.first_unknown: tuple[int, int] | None = None
        self.first_bad: tuple[int, int, int] | None = None
        self.episodes: set[int] = set()
        self.level = CrossMoments(dims, dims)
        self.to_step, self.to_start, self.step_to = (CrossMoments(dims, dims) for _ in range(3))
        self.path, self.reach = np.zeros((2, dims)), np.zeros((2, dims))
        self.sample = RowSample(2 * dims, rng, 50_000)

    def update(self, predictions: Predictions, recorded: Actions) -> None:
        """Add predictions (n frames) with the recorded episodes they belong to."""
        self.frames += len(predictions)
        self.draws = predictions.prediction.shape[1]
        self.episodes.update(np.unique(predictions.episode).tolist())
        if self.draws > 1:
            same = predictions.prediction == predictions.prediction[:, :1]
            self.identical += int(same.all((1, 2, 3)).sum())
        row = find_rows(predictions, recorded)
        missing = np.flatnonzero(row < 0)
        if len(missing):
            self.unknown += len(missing)
            at = missing[0]
            self.first_unknown = self.first_unknown or (int(predictions.episode[at]), int(predictions.frame[at]))
        known = predictions.take(row >= 0)
        target, valid = chunks(recorded, row[row >= 0], known.prediction.shape[2])
        valid &= np.arange(valid.shape[1]) < known.length[:, None]
        self._finite(known, valid)
        predicted = np.asarray(known.prediction[:, 0], float)
        good = np.isfinite(np.where(valid[..., None], predicted, 0)).all((1, 2))
        good &= np.isfinite(np.where(valid[..., None], target, 0)).all((1, 2))
        self._add(predicted[good], target[good], valid[good], known.episode[good])

    def _finite(self, known: Predictions, valid: np.ndarray) -> None:
        wrong = ~np.isfinite(known.prediction) & valid[:, None, :, None]
        if not wrong.any():
            return
        self.bad += int(wrong.sum())
        row, _, _, dim = np.argwhere(wrong)[0]
        self.first_bad = self.first_bad or (int(known.episode[row]), int(known.frame[row]), int(dim))

    def _add(self, predicted: np.ndarray, target: np.ndarray, valid: np.ndarray, episode: np.ndarray) -> None:
        flat_p, flat_t = predicted[valid], target[valid]
        self.level.update(flat_p, flat_t)
        self.sample.update(np.concatenate([flat_p, flat_t], 1), np.repeat(episode, valid.sum(1)))
        both = valid[:, 1:] & valid[:, :-1]
        p_step, t_step = np.diff(predicted, axis=1), np.diff(target, axis=1)
        self.to_step.update(predicted[:, 1:][both], t_step[both])
        self.to_start.update(predicted[:, 1:][both], (target[:, 1:] - target[:, :1])[both])
        self.step_to.update(p_step[both], target[:, 1:][both])
        self.path += np.abs(p_step[both]).sum(0), np.abs(t_step[both]).sum(0)
        last = valid.sum(1) - 1
        ends = np.flatnonzero(last > 0)
        for side, array in enumerate((predicted, target)):
            self.reach[side] += ((array[ends, last[ends]] - array[ends, 0]) ** 2).sum(0)
        self.chunks += len(ends)

    def compared(self) -> Compared:
        """What was learned."""
        rows, _ = self.sample.read()
        return Compared(
            frames=self.frames,
            draws=self.draws,
            identical=self.identical,
            episodes=np.array(sorted(self.episodes), np.int64),
            unknown=self.unknown,
            first_unknown=self.first_unknown,
            bad=self.bad,
            first_bad=self.first_bad,
            level=self.level,
            to_step=self.to_step,
            to_start=self.to_start,
            step_to=self.step_to,
            path=self.path,
            reach=np.sqrt(self.reach / max(self.chunks, 1)),
            sample=rows.reshape(-1, 2, self.dims),
        )


def find_rows(predictions: Predictions, recorded: Actions) -> np.ndarray:
    """Row of `recorded` for each prediction, −1 where the frame does not exist (n,)."""
    if len(recorded) == 0:
        return np.full(len(predictions), -1)
    keys = [frame_keys(part.episode, part.frame) for part in (recorded, predictions)]
    order = np.argsort(keys[0], kind="stable")
    place = np.minimum(np.searchsorted(keys[0][order], keys[1]), len(order) - 1)
    found: np.ndarray = np.where(keys[0][order][place] == keys[1], order[place], -1)
    return found


def chunks(recorded: Actions, row: np.ndarray, horizon: int) -> Targets:
    """Recorded chunks that start at these rows; steps past the episode's end are marked, and repeat the last row."""
    steps = row[:, None] + np.arange(horizon)
    inside = np.minimum(steps, len(recorded) - 1)
    valid = (steps < len(recorded)) & (recorded.episode[inside] == recorded.episode[row][:, None])
    return np.asarray(recorded.action, float)[inside], valid
