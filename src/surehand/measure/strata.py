"""Mondrian calibration: a threshold per stratum (task, object, ...), known before the decision, constant in an episode.

Per stratum, each promise holds at δ, and some stratum out of T fails more often than that. Simultaneously, each uses
1 − (1 − δ)^(1/T), so that all hold together with 1 − δ; only then is the risk of any mix of strata bounded too. A
stratum with too few episodes, or one never seen, abstains: nothing is lent from the pool.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.conformal import NEVER, JointRisk, simultaneous_delta
from surehand.measure.decisions import Decisions
from surehand.measure.learn_then_test import ConditionalRisk

Result = JointRisk | ConditionalRisk


@dataclass(frozen=True)
class Mondrian:
    """The result of each declared stratum; None where it has no episode at all. str() is the reason."""

    results: dict[str, Result | None]
    delta: float
    each: float  # the δ that every stratum used
    simultaneous: bool
    reason: str

    def threshold(self, level: str) -> float:
        """The stratum's threshold; −inf, always abstain, where it has no promise or was never declared."""
        result = self.results.get(level)
        return NEVER if result is None else result.threshold

    def __str__(self) -> str:
        return self.reason


def by_stratum(
    decisions: Decisions,
    level: Sequence[str] | np.ndarray,
    calibrate: Callable[[Decisions, float], Result],
    *,
    levels: Sequence[str],
    delta: float,
    simultaneous: bool,
) -> Mondrian:
    """A threshold per declared stratum; with `simultaneous`, all promises hold together with confidence 1 − delta.

    level: the stratum of each decision (N,), constant within an episode. calibrate: decisions of one stratum and its
    δ -> result. A promise about the mean (CRC) uses no δ and stays one about means, whatever is asked for here.
    """
    names = np.asarray(level).astype(str)
    if names.shape != decisions.score.shape:
        raise ShapeError(f"one stratum per decision, got {names.shape} for {decisions.score.shape} decisions")
    first = names[decisions.starts]
    mixed = np.flatnonzero(names != np.repeat(first, decisions.lengths))
    if len(mixed):
        row = int(mixed[0])
        raise ShapeError(
            f"episode {decisions.episode[row]} changes its stratum at row {row}, counted from 0, to "
            f"{str(names[row])!r}; a stratum is known before the episode and stays"
        )
    declared = tuple(dict.fromkeys(str(name) for name in levels))
    undeclared = sorted(set(first.tolist()) - set(declared))
    if undeclared:
        raise ShapeError(f"stratum {undeclared[0]!r} has episodes but is not among: {', '.join(declared)}")
    each = simultaneous_delta(delta, len(declared)) if simultaneous else delta
    results: dict[str, Result | None] = {}
    for name in declared:
        mine = first == name
        results[name] = calibrate(decisions.of(mine), each) if mine.any() else None
    without = [name for name, result in results.items() if result is None or not result.issued]
    reason = f"{len(declared) - len(without)} of {len(declared)} strata have a threshold, each at delta {each:.4g}; "
    reason += f"all hold together with {1 - delta:g}" if simultaneous else "together they hold less often"
    if any(isinstance(result, JointRisk) and result.delta is None for result in results.values()):
        reason = (
            f"{len(declared) - len(without)} of {len(declared)} strata have a threshold, each a promise about its mean"
        )
    if without:
        reason += f"; these abstain always: {', '.join(without)}"
    return Mondrian(results, delta, each, simultaneous, reason)
