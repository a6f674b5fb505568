"""What the robot said of several policies: trials with scores or successes, or means that somebody published.

P policies, L levels of the rubric, B draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from surehand.decide.compare_data import MOST_LEVELS
from surehand.decide.comparison import Outcome
from surehand.exceptions import NotEnoughData, SurehandError
from surehand.formats.rubrics import Rubric
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials
from surehand.measure.superiority import PRIOR, draw_distributions


@dataclass(frozen=True, eq=False)
class Robot:
    """Results per policy, and the trials behind them where they are known."""

    policies: tuple[str, ...]  # (P,)
    values: np.ndarray  # (P,) mean score or success rate
    outcome: Outcome
    levels: np.ndarray  # (L,) ascending; two numbers, lowest and highest, for means
    scores: tuple[np.ndarray, ...] = ()  # (P) rows, one number per trial; empty for published means
    blocks: tuple[np.ndarray, ...] = ()  # (P) rows, the block of every trial where all have one
    graded: bool = True  # every score is one of the levels
    source: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def trials(self) -> tuple[int, ...]:
        """Trials per policy (P,), 0 where only means are known."""
        return tuple(map(len, self.scores)) or (0,) * len(self.policies)

    def take(self, rows: Sequence[int]) -> "Robot":
        """The same of these policies alone, in this order."""

        def of(column: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
            return tuple(column[i] for i in rows) if column else ()

        policies = tuple(self.policies[i] for i in rows)
        return replace(
            self, policies=policies, values=self.values[list(rows)], scores=of(self.scores), blocks=of(self.blocks)
        )

    def share(self) -> np.ndarray:
        """Results as a share of the scale (P,): 0 at its lowest level, 1 at its highest."""
        low, high = self.levels[0], self.levels[-1]
        return np.asarray((self.values - low) / (high - low)) if high > low else np.zeros(len(self.values))

    def resample(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Results drawn from what the trials leave open (B, P); (1, P) without trials.

        Each policy's distribution over the levels comes from its Dirichlet(½) posterior: a policy whose trials all
        ended alike has no bootstrap variance, and yet is not known for certain. Scores without levels are drawn by
        the Bayesian bootstrap of the policy's own trials (Rubin 1981).
        """
        if not self.scores:
            return self.values[None]
        drawn = np.empty((draws, len(self.policies)))
        for i, scores in enumerate(self.scores):
            if not self.graded:
                drawn[:, i] = rng.dirichlet(np.ones(len(scores)), draws) @ scores
                continue
            counts = (scores[:, None] == self.levels).sum(axis=0)
            drawn[:, i] = draw_distributions(counts, PRIOR, draws, rng) @ self.levels
        return drawn


def robot_means(means: Mapping[str, float], outcome: Outcome = "score", source: str = "") -> Robot:
    """Published means, higher better, as the robot's side; nothing can be resampled behind them."""
    values = np.array(list(means.values()), float)
    if not np.isfinite(values).all():
        name = next(n for n, v in means.items() if not np.isfinite(v))
        raise SurehandError(f"{source or 'robot'}: no finite {outcome} for {name!r}")
    if outcome == "success" and ((values < 0) | (values > 1)).any():
        name = next(n for n, v in means.items() if not 0 <= v <= 1)
        raise SurehandError(
            f"{source or 'robot'}: success {means[name]:g} of {name!r} is no share of trials; give 0.85 for 85 %"
        )
    seen = "no trials behind the robot's numbers, so nothing of them is resampled"
    levels = np.array([values.min(), values.max()]) if len(values) else np.zeros(2)
    if outcome == "success" or (len(values) and 0 <= values.min() and values.max() <= 1):
        levels = np.array([0.0, 1.0])
    return Robot(tuple(means), values, outcome, levels, source=source, warnings=(seen,))


def robot_trials(trials: Trials, outcome: Outcome | Literal[""] = "", rubric: Rubric | None = None) -> Robot:
    """The trials that count, per policy; scores where every one of them has a score, else successes.

    The levels are the rubric's, else those that were seen. SurehandError where trials lack the outcome asked for.
    """
    rows = trials.counted
    if not rows:
        raise NotEnoughData(f"{trials.source or 'trials'}: no trial that counts; all are void or corrected")
    chosen: Outcome = outcome or ("score" if all(row.score is not None for row in rows) else "success")
    if chosen == "success":
        rows = tuple(_judged(row, rubric) for row in rows)
    names = tuple(name for name in trials.policies if any(row.policy == name for row in rows))
    parts = [Trials(tuple(row for row in rows if row.policy == name)) for name in names]
    scores = tuple((part.scores if chosen == "score" else part.successes.astype(float)) for part in parts)
    levels, warnings = _levels(scores, chosen, rubric)
    graded = bool(np.isin(np.concatenate(scores), levels).all())
    has_blocks = all(row.block for row in rows)
    blocks = tuple(np.array([row.block for row in part.counted]) for part in parts) if has_blocks else ()
    values = np.array([round(float(s.mean()), 12) for s in scores])  # equal means are equal, however they were added
    return Robot(names, values, chosen, levels, scores, blocks, graded, trials.source, warnings)


def _judged(row: Trial, rubric: Rubric | None) -> Trial:
    """The trial with its success, by the rubric where it has a score alone."""
    if row.success is not None or row.score is None:
        return row
    if rubric is None:
        raise SurehandError(f"trial {row.trial} of {row.policy!r} has a score alone; --rubric says which are successes")
    return replace(row, success=rubric.succeeded(row.score))


def _levels(
    scores: Sequence[np.ndarray], outcome: Outcome, rubric: Rubric | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The levels a trial could have ended at (L,), and what is to be said about them."""
    if outcome == "success":
        return np.array([0.0, 1.0]), ()
    seen = np.unique(np.concatenate(scores))
    if rubric is not None:
        strange = sorted(set(seen.tolist()) - set(map(float, rubric.values)))
        if strange:
            raise SurehandError(f"score {strange[0]:g} is no level of rubric {rubric.name} ({rubric.values})")
        return np.array(rubric.values, float), ()
    if len(seen) > MOST_LEVELS:
        said = f"{len(seen)} different scores are no rubric: policies whose trials all ended alike look certain"
        return seen[[0, -1]], (said,)
    shown = ", ".join(f"{level:g}" for level in seen)
    return seen, (f"no rubric named: trials are resampled over the scores that were seen ({shown}); give --rubric",)
