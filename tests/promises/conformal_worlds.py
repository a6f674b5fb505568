"""Worlds whose risk is known exactly: finite populations of episodes, from which calibrations draw with replacement.

Whatever the promise speaks of (an independent draw of n episodes, the risk of the next one) is then computed, not
estimated: the truth at a threshold is a share of the population.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surehand.measure.decisions import Decisions
from surehand.measure.executed_counts import count_episodes

P, T_MAX = 20_000, 12
GRID = np.linspace(0.1, 1.0, 10)


@dataclass(frozen=True, eq=False)
class World:
    """A population as a log of always-execute episodes."""

    name: str
    log: Decisions

    @cached_property
    def padded(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Score, running maximum and violation per slot (P, T_MAX); +inf and False past an episode's end."""
        there = np.arange(T_MAX) < self.log.lengths[:, None]
        found = [np.full(there.shape, fill) for fill in (np.inf, np.inf, 0.0)]
        for array, values in zip(found, (self.log.score, self.log.risk, self.log.violation), strict=True):
            array[there] = values
        return found[0], found[1], found[2] > 0

    @cached_property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Executed and violating decisions (P, G) at the grid."""
        return count_episodes(self.log, GRID)

    @cached_property
    def conditional(self) -> np.ndarray:
        """The true share of violations among executed decisions at the grid (G,), by masks over slots."""
        _, risk, violation = self.padded
        with np.errstate(invalid="ignore"):
            return np.array([violation[risk < x].sum() / (risk < x).sum() for x in GRID])

    def joint(self, thresholds: np.ndarray) -> np.ndarray:
        """The true share of episodes with an executed violation at any thresholds (B,)."""
        return np.searchsorted(np.sort(self.log.critical), thresholds) / len(self.log.critical)


def build(name: str, score: np.ndarray, violation: np.ndarray, lengths: np.ndarray) -> World:
    """The world of these episodes (P, T_MAX), each cut to its length."""
    there = np.arange(T_MAX) < lengths[:, None]
    episode = np.broadcast_to(np.arange(len(lengths))[:, None], there.shape)
    return World(name, Decisions(score[there], violation[there], episode[there], "halt"))


def clustered(icc: float, *, rate: float, skill: float, rng: np.random.Generator) -> World:
    """Violations whose latent cause is shared within an episode; the score sees the share `skill` of the cause.

    Scores are uniform on 0 to 1, so that the grid cuts at tenths.
    """
    from scipy.special import ndtr, ndtri

    seen, hidden = rng.normal(size=(2, P, T_MAX))
    shared = rng.normal(size=(P, 1))
    cause = skill * seen + np.sqrt(1 - skill**2) * (np.sqrt(icc) * shared + np.sqrt(1 - icc) * hidden)
    return build(f"icc {icc:g}", ndtr(seen), cause > ndtri(1 - rate), np.full(P, T_MAX))


def even(icc: float, *, excess: float, rng: np.random.Generator, longer: bool = False) -> World:
    """The hardest: at every threshold the risk among executed decisions is .05 times 1 + `excess`, just above ε.

    Whole copies of one episode at different scores: one score per episode says nothing of its violations. `longer`:
    episodes that violate more are longer.
    """
    a = max(icc, 1e-9)
    share = rng.beta(0.05 * (1 + excess) * (1 - a) / a, (1 - 0.05 * (1 + excess)) * (1 - a) / a, P // 10)
    lengths = np.where(share > np.quantile(share, 0.9), T_MAX, 1) if longer else np.full(P // 10, T_MAX)
    violation = rng.random((P // 10, T_MAX)) < share[:, None]
    there = np.arange(T_MAX) < lengths[:, None]
    # The exact number of violations is set by turning decisions over one by one.
    wanted = round(0.05 * (1 + excess) * there.sum())
    flat = np.flatnonzero(there.ravel())
    bad = violation.ravel()
    now = int(bad[flat].sum())
    pool = flat[bad[flat] == (now > wanted)]
    bad[rng.choice(pool, abs(now - wanted), replace=False)] = now < wanted
    score = np.repeat(np.linspace(0.05, 0.95, 10), P // 10)[:, None] * np.ones(T_MAX)
    name = "risky ones longer" if longer else f"even icc {icc:g}"
    return build(name, score, np.tile(bad.reshape(-1, T_MAX), (10, 1)), np.tile(lengths, 10))


def safe_tail(rng: np.random.Generator) -> World:
    """After a decision that no threshold lets pass come nine harmless ones of low score: a guard never gets there.

    The two decisions before violate at .06 each, at every threshold.
    """
    score = np.concatenate([rng.uniform(0, 0.3, (P, 2)), np.full((P, 1), 1.5), rng.uniform(0, 0.1, (P, 9))], axis=1)
    violation = rng.random((P, T_MAX)) < np.r_[0.06, 0.06, 0.06, [0.0] * 9]
    return build("safe tail", score, violation, np.full(P, T_MAX))


def tied(rng: np.random.Generator) -> World:
    """Scores of four values only, a fault now and then."""
    world = clustered(0.2, rate=0.08, skill=0.6, rng=rng)
    score, _, violation = world.padded
    score = np.ceil(score * 4) / 4 - 0.02
    score[rng.random(score.shape) < 0.01] = np.nan
    return build("ties", score, violation, np.full(P, T_MAX))


def calibrations(rng: np.random.Generator, many: int, n: int) -> np.ndarray:
    """Which episodes of the population each calibration drew (B, n)."""
    return rng.integers(0, P, (many, n))
