"""Temporal consistency (STAC): does a decision go on with what the one before it planned for the same steps?

After Agia et al. (2024): chunks of consecutive decisions overlap in time; for those steps their samples are compared.
K and M candidates, H steps, D dimensions. Actions relative to a chunk's own start must be made absolute first.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.measure.chunk_space import ChunkSpace


class Consistency(NamedTuple):
    """Both forms, higher = less consistent; NaN where there is nothing to compare."""

    single: float  # scale units
    mmd: float  # squared MMD, at most 2


NOTHING = Consistency(float("nan"), float("nan"))


def stac_single(before: np.ndarray, after: np.ndarray, shift: int, space: ChunkSpace) -> float:
    """Root-mean-square difference, in scale units, of two chunks (H, D) over the steps they share.

    `after` was decided `shift` steps later. NaN without a common step.
    """
    first, second = _overlap(before[None], after[None], shift)
    if not first.shape[1]:
        return float("nan")
    square = (space.points(first[0]) - space.points(second[0])) ** 2
    return float(np.sqrt(space.mean_square(square.mean(axis=0))[-1]))


def stac_mmd(
    before: np.ndarray, after: np.ndarray, shift: int, space: ChunkSpace, *, beta: float = 1.0, biased: bool = False
) -> float:
    """Squared maximum mean discrepancy of candidates (K, H, D) and later ones (M, H, D) over the steps they share.

    Kernel exp(−‖x−y‖²/β), ‖·‖ the root mean square over steps and joints in scale units (Gretton et al. 2012). The
    unbiased form has mean 0 where nothing changed, and may fall below; the `biased` one, never negative, grows with
    the spread of either sample and so follows the sampling knob. NaN below two candidates or without a common step.
    """
    if not beta > 0:
        raise SurehandError(f"beta {beta}: expected a number above 0, such as median_beta of training decisions")
    first, second = _overlap(before, after, shift)
    k, m = len(first), len(second)
    if min(k, m) < 2 or not first.shape[1]:
        return float("nan")
    kernel = np.exp(-_squares(np.concatenate([first, second]), space) / beta)
    same, later, across = kernel[:k, :k], kernel[k:, k:], kernel[:k, k:]
    if biased:
        return float(same.mean() + later.mean() - 2 * across.mean())
    within = (same.sum() - np.trace(same)) / (k * (k - 1)) + (later.sum() - np.trace(later)) / (m * (m - 1))
    return float(within - 2 * across.mean())


def median_beta(before: np.ndarray, after: np.ndarray, shift: int, space: ChunkSpace) -> float:
    """Median squared distance among both samples over the steps they share (Gretton et al. 2012); NaN without any.

    Take its median over training decisions and keep it fixed: a β of its own for every decision would hide change.
    """
    both = np.concatenate(_overlap(before, after, shift))
    if len(both) < 2 or not both.shape[1]:
        return float("nan")
    return float(np.median(_squares(both, space)[np.triu_indices(len(both), 1)]))


class ConsistencyStream:
    """update(episode, step, candidates, selected) per decision, in order: how it goes on with the one before."""

    def __init__(self, space: ChunkSpace, beta: float = 1.0) -> None:
        self.space, self.beta = space, beta
        self._last: tuple[int, int, np.ndarray, int] | None = None

    def update(self, episode: int, step: int, candidates: np.ndarray, selected: int) -> Consistency:
        """Consistency with the decision before; NaN at an episode's first, without a pick, or with numbers not finite.

        The candidates are those of control step `step` on; one chunk step is one control step.
        """
        last, self._last = self._last, (episode, step, candidates, selected)
        if last is None or last[0] != episode:
            return NOTHING
        shift = step - last[1]
        if shift <= 0:
            raise SurehandError(f"episode {episode}: step {step} after step {last[1]}; give decisions in order")
        if (
            not (np.isfinite(candidates).all() and np.isfinite(last[2]).all())
            or not len(candidates)
            or not len(last[2])
        ):
            return NOTHING
        mmd = stac_mmd(last[2], candidates, shift, self.space, beta=self.beta)
        if min(selected, last[3]) < 0:
            return Consistency(float("nan"), mmd)
        return Consistency(stac_single(last[2][last[3]], candidates[selected], shift, self.space), mmd)


def _overlap(before: np.ndarray, after: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    if before.ndim != 3 or after.ndim != 3 or before.shape[1:] != after.shape[1:]:
        raise ShapeError(
            f"chunks of shapes {before.shape} and {after.shape}; both need (K, H, D) with the same H and D"
        )
    if shift < 0:
        raise SurehandError(f"the later decision came {shift} steps after; expected 0 or more")
    steps = max(before.shape[1] - shift, 0)
    return before[:, before.shape[1] - steps :], after[:, :steps]


def _squares(chunks: np.ndarray, space: ChunkSpace) -> np.ndarray:
    """Mean squared distances of chunks (n, H, D) in scale units (n, n)."""
    points = space.points(chunks).reshape(len(chunks), -1)
    points = points / np.sqrt(chunks.shape[1] * space.member[:, -1].sum())
    points = points - points.mean(axis=0)  # small numbers, so that the expanded square below loses nothing that counts
    size = (points**2).sum(axis=1)
    squares = np.maximum(size[:, None] + size[None] - 2 * points @ points.T, 0.0)
    np.fill_diagonal(squares, 0.0)
    return np.asarray(squares)
