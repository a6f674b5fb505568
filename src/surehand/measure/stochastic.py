"""The energy score of K draws: how well the whole distribution of a stochastic policy fits what was recorded."""

from dataclasses import dataclass

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SpaceError
from surehand.frames import Pairs
from surehand.layout import Layout
from surehand.measure.angles import chord
from surehand.measure.scale import Scale, members

# Values per block: some buffers of this size stay in cache.
_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class EnergySums:
    """Energy scores summed per episode over valid (frame, step) pairs; columns are the groups, then total (G+1)."""

    sums: np.ndarray  # (E, G+1)
    counts: np.ndarray  # (E,)
    episode: np.ndarray  # (E,)
    draws: int
    space: str
    names: tuple[str, ...]

    def table(self) -> np.ndarray:
        """Mean energy score per column (G+1,); groups do not add up to the total."""
        count = self.counts.sum()
        return np.asarray(self.sums.sum(axis=0) / count) if count else np.full(len(self.names), np.nan)

    def merge(self, other: "EnergySums") -> "EnergySums":
        """Both together; raises ShapeError where draws, space or columns differ."""
        mine, theirs = ((e.draws, e.space, e.names) for e in (self, other))
        if mine != theirs:
            raise ShapeError(f"cannot merge energy scores of (draws, space, groups) {mine} with {theirs}")
        episode, row = np.unique(np.concatenate([self.episode, other.episode]), return_inverse=True)
        sums, counts = np.zeros((len(episode), len(self.names))), np.zeros(len(episode), np.int64)
        np.add.at(sums, row, np.concatenate([self.sums, other.sums]))
        np.add.at(counts, row, np.concatenate([self.counts, other.counts]))
        return EnergySums(sums, counts, episode, self.draws, self.space, self.names)


def energy_score(pairs: Pairs, layout: Layout, scale: Scale, dead: np.ndarray) -> EnergySums:
    """E‖X−y‖ − ½E‖X−X'‖ (Gneiting & Raftery 2007), X' over other draws alone: 1/(K(K−1)) Σ_{i≠j}.

    X and y are one group's live joints at one horizon step, in `scale` units (std or range, so that unlike joints can
    share a norm), angles through the chord 2·sin(Δ/2). Lower is better; for K identical draws it is the plain distance.
    Raises NotEnoughData below two draws: the second term does not exist.
    """
    draws = pairs.prediction.shape[1]
    if draws < 2:
        raise NotEnoughData(f"the energy score needs at least 2 draws per frame, got {draws}; predict with more seeds")
    if scale.name not in ("std", "range"):
        raise SpaceError(f"the energy score needs std or range units, got {scale}; joints of unlike units share a norm")
    member = members(layout, dead)
    with np.errstate(invalid="ignore"):
        divisor = np.where(member[:, -1] > 0, scale.values, 1.0)
    episode, row = np.unique(pairs.episode, return_inverse=True)
    sums, counts = np.zeros((len(episode), member.shape[1])), np.zeros(len(episode), np.int64)
    frames = max(_BLOCK // pairs.target[:1].size, 1) if len(pairs) else 1
    for start in range(0, len(pairs), frames):
        part = slice(start, start + frames)
        score = _scores(pairs.prediction[part], pairs.target[part], layout.period, divisor, member)
        score[~pairs.valid[part]] = 0.0
        np.add.at(sums, row[part], score.sum(axis=1))
        np.add.at(counts, row[part], pairs.valid[part].sum(axis=1))
    sums[:, member.sum(axis=0) == 0] = np.nan
    return EnergySums(sums, counts, episode, draws, str(scale), (*layout.groups, "total"))


def _scores(
    prediction: np.ndarray, target: np.ndarray, period: np.ndarray, divisor: np.ndarray, member: np.ndarray
) -> np.ndarray:
    """Energy score per frame, step and column (n, H, G+1)."""
    draws = prediction.shape[1]

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt((chord(a - b, period) / divisor) ** 2 @ member))

    with np.errstate(invalid="ignore", over="ignore"):  # masked steps may hold NaN or infinity
        wide = prediction.astype(np.float64)
        near = sum(distance(wide[:, k], target) for k in range(draws)) / draws
        spread = sum(distance(wide[:, i], wide[:, j]) for i in range(draws) for j in range(i))
    return np.asarray(near - spread / (draws * (draws - 1)))
