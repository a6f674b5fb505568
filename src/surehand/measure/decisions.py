"""Logged decisions of always-execute episodes, and which of them would have been executed at a threshold.

A decision t has a risk score s_t (higher = riskier) and V_t = 1 if the executed chunk caused a violation. At
threshold λ it is executed iff s_t < λ, strictly. `halt`: the first abstention ends the episode, so decision t runs
iff the running maximum r_t = max_{u<=t} s_u < λ; `single`: one decision per episode. Everything below depends on r_t
alone.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError

Abstaining = Literal["halt", "single"]


def check_abstaining(abstaining: str) -> None:
    """Nothing; ShapeError for what cannot be calibrated from always-execute logs."""
    if abstaining == "continue":
        raise ShapeError(
            "going on after an abstention changes the states that follow, so logs without a guard do not show it; "
            "calibrate for halt or single"
        )
    if abstaining not in ("halt", "single"):
        raise ShapeError(
            f"abstaining {abstaining!r} is not known; say halt (the episode ends) or single (one decision)"
        )


def run_starts(episode: np.ndarray) -> np.ndarray:
    """Where each episode begins (E,); ShapeError where an episode comes a second time."""
    starts = np.flatnonzero(np.r_[True, episode[1:] != episode[:-1]])
    ids = episode[starts]
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(twice):
        again = int(order[twice + 1].min())
        raise ShapeError(
            f"episode {ids[again]} comes again at row {starts[again]}, counted from 0; "
            "an episode's decisions stand together, and no episode counts twice"
        )
    return np.asarray(starts)


def running_maximum(score: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Largest score so far within each episode (N,): maxima over windows of 1, 2, 4, ... decisions."""
    lengths = np.diff(starts, append=len(score))
    place = np.arange(len(score), dtype=np.int32) - np.repeat(starts.astype(np.int32), lengths)
    found, window, longest = score.copy(), 1, int(lengths.max())
    while window < longest:
        before = found[:-window].copy()
        np.maximum(found[window:], before, out=found[window:], where=place[window:] >= window)
        window *= 2
    return found


@dataclass(frozen=True, eq=False)
class Decisions:
    """N decisions of E episodes, episode by episode and in order of time; checked.

    A score that is not finite is a fault and becomes +inf: never executed. `violation` becomes bool; it may be NaN
    only where no threshold executes the decision. An episode that an operator ended before a violation counts as V =
    1 there.
    """

    score: np.ndarray  # (N,)
    violation: np.ndarray  # (N,) 0 or 1
    episode: np.ndarray  # (N,) integers
    abstaining: Abstaining

    def __post_init__(self) -> None:
        check_abstaining(self.abstaining)
        score, violation, episode = (np.asarray(x) for x in (self.score, self.violation, self.episode))
        if score.ndim != 1 or not score.shape == violation.shape == episode.shape:
            shapes = f"{score.shape}, {violation.shape}, {episode.shape}"
            raise ShapeError(f"score, violation and episode are one number per decision, got shapes {shapes}")
        if not len(score):
            raise NotEnoughData("no decisions to calibrate on; log episodes in which everything is executed")
        if episode.dtype.kind not in "iu":
            raise ShapeError(f"episodes are integers, got {episode.dtype}; number them")
        starts = run_starts(episode)
        if self.abstaining == "single" and len(starts) < len(score):
            row = int(np.flatnonzero(np.diff(starts, append=len(score)) > 1)[0])
            raise ShapeError(
                f"episode {episode[starts[row]]} has several decisions, and single means one per episode; say halt"
            )
        score = score.astype(float)
        score[~np.isfinite(score)] = np.inf
        risk = running_maximum(score, starts)
        for name, value in (("score", score), ("violation", _labels(violation, risk, episode))):
            object.__setattr__(self, name, value)
        self.__dict__.update(starts=starts, risk=risk)  # computed once, here

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each episode begins (E,)."""
        return run_starts(self.episode)

    @cached_property
    def risk(self) -> np.ndarray:
        """The running maximum r_t of the score (N,): decision t is executed iff r_t < λ."""
        return running_maximum(self.score, self.starts)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Decisions per episode (E,)."""
        return np.diff(self.starts, append=len(self.score))

    @cached_property
    def critical(self) -> np.ndarray:
        """c_e (E,): the episode holds an executed violation iff λ > c_e; +inf where it never does."""
        return np.minimum.reduceat(np.where(self.violation, self.risk, np.inf), self.starts)

    def at_slots(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Risk (E,) and violation (E,) of one decision per episode, number `slots` (E,) from 1; +inf past the end."""
        there = slots <= self.lengths
        rows = self.starts + np.where(there, slots - 1, 0)
        return np.where(there, self.risk[rows], np.inf), self.violation[rows] & there

    def of(self, episodes: np.ndarray) -> Self:
        """The decisions of these episodes alone, in their order; `episodes` is a mask (E,)."""
        rows = np.repeat(np.asarray(episodes, bool), self.lengths)
        return type(self)(self.score[rows], self.violation[rows], self.episode[rows], self.abstaining)

    def shares(self, threshold: float) -> tuple[float, float]:
        """Share of decisions executed and share of episodes that run to their end at this threshold, in the log."""
        runs = self.risk < threshold
        last = self.starts + self.lengths - 1
        return float(runs.mean()), float(runs[last].mean())


def _labels(violation: np.ndarray, risk: np.ndarray, episode: np.ndarray) -> np.ndarray:
    """`violation` as bool (N,); ShapeError names the first row whose label is missing or is neither 0 nor 1."""
    if violation.dtype == bool:
        return violation
    values = violation.astype(float)
    bad = np.flatnonzero(~((values == 0) | (values == 1)) & ~(np.isnan(values) & np.isinf(risk)))
    if len(bad):
        row, found = int(bad[0]), values[bad[0]]
        what = "unknown (NaN)" if np.isnan(found) else f"{found:g}, neither 0 nor 1"
        raise ShapeError(
            f"row {row}, counted from 0 (episode {episode[row]}): the violation of an executed decision is {what}; "
            f"{len(bad)} such rows, label them or leave these episodes out whole"
        )
    return values == 1  # type: ignore[no-any-return]
