"""Filter, then select: the selector chooses among the candidates with s < λ and abstains only when all K fail.

Which candidate is executed changes with λ, so neither the risk among executed decisions nor the joint risk need rise
with λ, and labels of all K candidates are needed (branched from one state). One decision per episode: after `halt`
the states that follow would depend on λ, and logs of another pick say nothing about them.

In the selector's order the pick at λ is the first candidate with s_j < λ. As λ falls it moves from one record minimum
of the scores, in that order, to the next: only those candidates are ever executed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.conformal import NEVER, JointRisk, check_grid, from_critical
from surehand.measure.decisions import Decisions
from surehand.measure.learn_then_test import ConditionalRisk, begin_at, binomial_p, fixed_sequence
from surehand.measure.required import smallest_n


@dataclass(frozen=True, eq=False)
class Candidates:
    """N decisions with K candidates each, one decision per episode; higher preference is chosen first, ties by index.

    A candidate whose score or preference is not finite is never executed; every other needs its label.
    """

    score: np.ndarray  # (N, K)
    violation: np.ndarray  # (N, K) 0 or 1
    preference: np.ndarray  # (N, K)

    def __post_init__(self) -> None:
        score, violation, preference = (np.asarray(x, float) for x in (self.score, self.violation, self.preference))
        if score.ndim != 2 or not score.shape == violation.shape == preference.shape or not score.shape[1]:
            shapes = f"{score.shape}, {violation.shape}, {preference.shape}"
            raise ShapeError(f"score, violation and preference are (N, K), got {shapes}")
        if not len(score):
            raise NotEnoughData("no decisions to calibrate on; branch some and label all K candidates")
        fine = np.isfinite(score) & np.isfinite(preference)
        bad = np.argwhere(fine & ~((violation == 0) | (violation == 1)))
        if len(bad):
            row, candidate = bad[0]
            raise ShapeError(
                f"row {row}, candidate {candidate}, counted from 0: no label 0 or 1 ({len(bad)} such candidates); "
                "filtering before selecting needs labels of all K, else calibrate on the pick alone"
            )
        # By preference alone: a fault keeps its place, so that the pick is the one that a selector without λ makes.
        order = np.argsort(-np.where(np.isfinite(preference), preference, -np.inf), axis=1, kind="stable")
        ordered = (np.where(fine, score, np.inf), fine & (violation == 1), preference)
        for name, value in zip(("score", "violation", "preference"), ordered, strict=True):
            object.__setattr__(self, name, np.take_along_axis(value, order, axis=1))

    @cached_property
    def lowest(self) -> np.ndarray:
        """Lowest score among the candidates preferred so far (N, K), in the selector's order."""
        return np.minimum.accumulate(self.score, axis=1)

    @cached_property
    def critical(self) -> np.ndarray:
        """inf of the λ at which the pick violates (N,): sup over λ' <= λ of the loss is 1{λ > c}, and never falls."""
        before = np.concatenate([np.full((len(self.score), 1), np.inf), self.lowest[:, :-1]], axis=1)
        record = self.score < before
        return np.where(record & self.violation, self.score, np.inf).min(axis=1)  # type: ignore[no-any-return]

    def at(self, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Executed (N,) and violating (N,) at a threshold: the most preferred candidate with s < λ, if any."""
        pick = (self.lowest >= threshold).sum(axis=1)  # candidates passed over
        executed = pick < self.score.shape[1]
        rows = np.arange(len(pick))
        return executed, executed & self.violation[rows, np.minimum(pick, self.score.shape[1] - 1)]

    def picks(self) -> Decisions:
        """The most preferred candidate of each decision alone, a fault where it has no score: the pick unfiltered."""
        return Decisions(self.score[:, 0], self.violation[:, 0], np.arange(len(self.score)), "single")

    def shares(self, threshold: float) -> tuple[float, float]:
        """Share of decisions executed at this threshold, twice: each is an episode of its own."""
        share = float((self.lowest[:, -1] < threshold).mean())
        return share, share


def filtered_joint_risk(candidates: Candidates, *, epsilon: float, delta: float | None) -> JointRisk:
    """P(share of decisions with an executed violation <= epsilon) >= 1 − delta, or its mean <= epsilon without delta.

    Calibrated on sup_{λ'<=λ} L(λ'), which never falls and is never below L(λ). Assumes independent episodes.
    """
    return from_critical(candidates.critical, candidates.shares, epsilon=epsilon, delta=delta)


def filtered_conditional_risk(
    candidates: Candidates, grid: Sequence[float] | np.ndarray, *, epsilon: float, delta: float, start: float
) -> ConditionalRisk:
    """P(a threshold is certified and more than epsilon of executed picks violate) <= delta; unit: decision = episode.

    Assumes independent episodes. The order strict -> lax begins at `start`, fixed beforehand on other episodes: as the
    executed candidate changes with λ, beginning where enough are executed is not covered by any argument.
    """
    levels = check_grid(grid)
    counts = [candidates.at(float(level)) for level in levels]
    units, violating = (np.array([int(x[i].sum()) for x in counts]) for i in (0, 1))
    p = binomial_p(units, violating, epsilon)
    begin = begin_at(levels, start)
    last = int(fixed_sequence(p, begin, delta))
    shown = slice(begin, min(max(last, begin - 1) + 2, len(levels)))
    threshold = float(levels[last]) if last >= 0 else NEVER
    n, n_min = len(candidates.score), smallest_n(epsilon, delta)
    share = float(units[last]) / n if last >= 0 else 0.0
    what = (
        f"exact: at most {epsilon:g} of executed picks violate, confidence {1 - delta:g}, the selector choosing among "
    )
    what += f"candidates below λ from K = {candidates.score.shape[1]}"
    at = last if last >= 0 else begin
    found = f"(p = {p[at]:.2g}, {violating[at]} of {units[at]} violate)"
    reason = f"{what}: λ = {threshold:.6g} {found}; {share:.1%} of decisions executed"
    if last < 0:
        reason = (
            f"always abstain: {what} fails at the first threshold {levels[at]:.6g} {found}; it needs {n_min} at least"
        )
    parts = (levels[shown], p[shown], units[shown], violating[shown])
    return ConditionalRisk(threshold, epsilon, delta, "binomial", "exact", n, n_min, *parts, share, share, reason)
