"""Conditional risk by Learn-then-Test: the share of violations among executed decisions, tested strict to lax.

R(λ) = E[Σ_t A_t V_t] / E[Σ_t A_t] need not rise with λ, so every λ of a grid fixed beforehand is a hypothesis R(λ) >
ε of its own. Fixed-sequence testing (Angelopoulos et al. 2021): begin at the strict end, go on while p <= δ, stop at
the first failure; P(a threshold is certified and R > ε there) <= δ without paying for the length of the grid.

Where to begin: at λ₀ named beforehand, which assumes nothing; or, for `binomial` and `rao-scott`, at the first λ with
enough executed units. The latter looks at scores, never at labels, and is exact where the risk crosses ε once: beyond
the first λ with R(λ) > ε, units of higher scores violate at least at rate ε. Given how many units each step of the
grid adds, violations at any later λ are then stochastically at least Binomial(m, ε). `betting` has no such argument
and needs λ₀.

p-values: `binomial` and `betting` are exact with episodes as units; `rao-scott` is approximate and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.betting_risk import betting_p
from surehand.measure.conformal import NEVER, Achieved, achieved, check_grid
from surehand.measure.decisions import Decisions
from surehand.measure.executed_counts import check_cap, count_episodes, count_units, draw_slots
from surehand.measure.rao_scott import rao_scott_p
from surehand.measure.required import smallest_n

Method = Literal["binomial", "betting", "rao-scott"]


@dataclass(frozen=True, eq=False)
class ConditionalRisk:
    """A threshold certified for the share of violations among executed decisions, or none; str() is the reason.

    `tested`, `p`, `units`, `violating` (each (J,)) follow the sequence from its first λ to the last certified or the
    first failure. Units: episodes with an executed slot (binomial), executed decisions else.
    """

    threshold: float
    epsilon: float
    delta: float
    method: Method
    guarantee: Literal["exact", "approximate"]
    episodes: int
    needed: int  # units without a violation that any certificate needs
    tested: np.ndarray
    p: np.ndarray
    units: np.ndarray
    violating: np.ndarray
    executed: float
    finished: float
    reason: str

    @property
    def issued(self) -> bool:
        """Whether a threshold is certified; without one it abstains always."""
        return self.threshold > NEVER

    def __str__(self) -> str:
        return self.reason


def binomial_p(executed: np.ndarray, violating: np.ndarray, epsilon: float) -> np.ndarray:
    """P(Binomial(executed, epsilon) <= violating), of their shape: exact p-values of "the risk exceeds epsilon"."""
    from scipy.special import bdtr

    return bdtr(violating, executed, epsilon)  # type: ignore[no-any-return]


def begin_at(grid: np.ndarray, start: float) -> int:
    """Index of the first threshold not below `start`."""
    if not start <= grid[-1]:
        raise ShapeError(f"the sequence is to begin at {start:g}, above the last threshold {grid[-1]:g}")
    return int(np.searchsorted(grid, start))


def begin_at_counts(units: np.ndarray, available: np.ndarray | int, epsilon: float, delta: float) -> np.ndarray:
    """Index (...) of the first threshold with enough executed units (..., G); G where none has.

    Enough: max(n_min, min(3·n_min, .8·n)) with n available units, n_min without which no p-value passes.
    """
    n_min = smallest_n(epsilon, delta)
    enough = np.maximum(n_min, np.minimum(3 * n_min, 0.8 * np.asarray(available)))
    there = units >= enough[..., None]
    return np.where(there.any(axis=-1), there.argmax(axis=-1), units.shape[-1])  # type: ignore[no-any-return]


def fixed_sequence(p: np.ndarray, begin: np.ndarray | int, delta: float) -> np.ndarray:
    """Index (...) of the last threshold certified by p-values (..., G) from `begin` (...) on; −1 where none is.

    >>> fixed_sequence(np.array([0.5, 0.01, 0.04, 0.3, 0.02]), 1, 0.1).item()
    2
    """
    g, begin = p.shape[-1], np.asarray(begin)
    fails = ~(p <= delta) & (np.arange(g) >= begin[..., None])  # what is no number is no evidence
    first = np.where(fails.any(axis=-1), fails.argmax(axis=-1), g)
    return np.where(first > begin, first - 1, -1)


def conditional_risk(
    decisions: Decisions,
    grid: Sequence[float] | np.ndarray,
    *,
    epsilon: float,
    delta: float,
    method: Method,
    t_max: int,
    rng: np.random.Generator | None = None,
    start: float | None = None,
) -> ConditionalRisk:
    """P(a threshold is certified and more than epsilon of executed decisions violate) <= delta; unit: episode.

    Assumes independent episodes, drawn as those that will be deployed, and without `start` a risk that crosses epsilon
    once. grid: thresholds fixed before these labels were seen. t_max: the most decisions of an episode, declared, not
    read off these data (1 for single). rng: draws the slots of `binomial`; a second draw is a second attempt.
    """
    if method not in get_args(Method):
        raise ShapeError(f"method {method!r} is not known; expected binomial, betting or rao-scott")
    levels = check_grid(grid)
    check_cap(decisions, t_max)
    n_min = smallest_n(epsilon, delta)
    if method == "betting" and start is None:
        raise ShapeError(
            "betting is exact only from a threshold fixed beforehand: give start, chosen on other episodes"
        )
    if method == "binomial":
        if rng is None:
            raise ShapeError("the binomial test draws one slot per episode: give rng")
        risk, violation = decisions.at_slots(draw_slots(decisions, t_max, rng))
        units, violating = count_units(risk, violation, levels)
        enough, available = units, int(np.isfinite(risk).sum())
        p = binomial_p(units, violating, epsilon)
    else:
        m, k = count_episodes(decisions, levels)
        units, violating = m.sum(axis=0), k.sum(axis=0)
        # Episodes that execute, not decisions: one episode of fifty decisions is not fifty units.
        enough, available = (m > 0).sum(axis=0), int(np.isfinite(decisions.score[decisions.starts]).sum())
        p = betting_p(m, k, epsilon, t_max) if method == "betting" else rao_scott_p(m, k, epsilon)
    if start is not None:
        begin = begin_at(levels, start)
    elif method == "rao-scott":
        begin = int(np.append(np.flatnonzero(enough >= n_min), len(levels))[0])
    else:
        begin = int(begin_at_counts(enough, available, epsilon, delta))
    last = int(fixed_sequence(p, begin, delta))
    shown = slice(begin, min(max(last, begin - 1) + 2, len(levels)))
    threshold = float(levels[last]) if last >= 0 else NEVER
    executed, finished = decisions.shares(threshold)
    guarantee: Literal["exact", "approximate"] = "approximate" if method == "rao-scott" else "exact"
    what = f"{guarantee}: at most {epsilon:g} of executed decisions violate, confidence {1 - delta:g}"
    if start is None:
        what += ", if the risk crosses that once"
    if last >= 0:
        reason = f"{what}: execute below {threshold:.6g} (p = {p[last]:.2g}, {violating[last]} of {units[last]} units "
        reason += f"violate; {executed:.1%} of decisions executed, {finished:.1%} of episodes finish)"
    elif begin == len(levels):
        reason = f"always abstain: {what} needs {n_min} executed units at least, and a few times as many for power; "
        reason += f"{available} are there, {int(enough.max())} executed at the last threshold"
    else:
        reason = f"always abstain: {what} fails at the first threshold {levels[begin]:.6g} "
        reason += f"(p = {p[begin]:.2g}, {violating[begin]} of {units[begin]} units violate)"
    found = (levels[shown], p[shown], units[shown], violating[shown])
    facts = (threshold, epsilon, delta, method, guarantee, len(decisions.starts), n_min, *found, executed, finished)
    return ConditionalRisk(*facts, reason)


def achieved_conditional(
    decisions: Decisions, threshold: float, *, delta: float, t_max: int, rng: np.random.Generator
) -> Achieved:
    """The exact upper limit of conditional risk at a threshold chosen on other episodes, one slot per episode."""
    risk, violation = decisions.at_slots(draw_slots(decisions, t_max, rng))
    runs = risk < threshold
    if not runs.any():
        raise NotEnoughData(f"no slot is executed below {threshold:g}; choose a larger threshold or log more episodes")
    return achieved(threshold, int((runs & violation).sum()), int(runs.sum()), delta, "executed slots")
