"""What is said of policies rather than pairs: counts, successes, order, the test over all, and how scorers agreed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from surehand.decide.compare_data import Arm, Material
from surehand.decide.comparison import Agreement, Limits, Outcome, Pair, PolicyScores, Test
from surehand.exceptions import FormatError
from surehand.formats.rubrics import Rubric
from surehand.measure.kappa import weighted_kappa
from surehand.measure.kruskal import kruskal_permutation
from surehand.measure.ordinal import matchups
from surehand.measure.success import clopper_pearson, wilson

MOST_DRAWS = 10_000  # of the test over all policies, which decides no pair


def order(arms: Sequence[Arm]) -> list[Arm]:
    """The policies best first: by mean win rate over the others, then by mean, then by name."""

    def key(arm: Arm) -> tuple[float, float, str]:
        rates = [matchups(arm.values, other.values).win_rate for other in arms if other is not arm]
        return -round(float(np.mean(rates)), 12) if rates else 0.0, -round(float(arm.values.mean()), 12), arm.policy

    return sorted(arms, key=key)


def policy_scores(arm: Arm, scale: Material, level: float) -> PolicyScores:
    """Counts, mean, successes with their intervals, and what was void by which rule."""
    scored = scale.outcome == "score"
    limits = []
    if arm.success is not None:
        won, n = int(arm.success.sum()), len(arm)
        for name, method in {"Wilson": wilson, "Clopper-Pearson": clopper_pearson}.items():
            low, high = method(won, n, level)
            limits.append(Limits(method=name, value=won / n, low=low, high=high))
    return PolicyScores(
        policy=arm.policy,
        trials=len(arm),
        void=len(arm.void),
        void_rules=dict(sorted(Counter(row.void_rule for row in arm.void).items())),
        scores={_level(v): int(n) for v, n in zip(scale.levels, arm.counts(scale.levels), strict=True) if n}
        if scored
        else {},
        mean=float(arm.values.mean()) if scored else float("nan"),
        successes=None if arm.success is None else int(arm.success.sum()),
        success=limits,
    )


def _level(value: float) -> str:
    """As the record's rubric prints it: 4, not 4.0."""
    return str(int(value)) if float(value).is_integer() else str(float(value))


def omnibus(
    arms: Sequence[Arm], pairs: Sequence[Pair], outcome: Outcome, rng: np.random.Generator, draws: int
) -> list[Test]:
    """Whether all policies could be equal, where there are three or more."""
    if len(arms) < 3:
        return []
    blocked = all(pair.design != "independent" for pair in pairs)
    blocks = [np.array([row.block for row in arm.rows], str) for arm in arms] if blocked else None
    draws = min(draws, MOST_DRAWS)
    p, method = kruskal_permutation([arm.values for arm in arms], rng=rng, blocks=blocks, draws=draws)
    return [Test(name="kruskal-wallis", p=p, p_one=float("nan"), method=method, outcome=outcome)]


def scorers(arms: Sequence[Arm], rubric: Rubric | Sequence[int] | None, level: float) -> Agreement | None:
    """How well two scorers agreed on the trials both scored; None where there is none."""
    both = [(row, row.score, row.second_score) for arm in arms for row in arm.rows]
    twice = [(row, one, two) for row, one, two in both if one is not None and two is not None]
    if not twice:
        return None
    seen = {score for _, one, two in twice for score in (one, two)}
    known = rubric.values if isinstance(rubric, Rubric) else rubric
    levels = sorted(seen) if known is None else sorted(known)
    for row, _, two in twice:
        if two not in levels:
            raise FormatError(f"trial {row.trial} of {row.policy!r}: second score {two:g} is no level of the rubric")
    first, second = np.array([one for _, one, _ in twice]), np.array([two for _, _, two in twice])
    equal = int((first == second).sum())
    nothing = float("nan")
    value, low, high = weighted_kappa(first, second, levels, level) if len(levels) > 1 else (nothing, nothing, nothing)
    kappa = Limits(method="quadratic weights", value=value, low=low, high=high)
    return Agreement(trials=len(twice), equal=equal, kappa=kappa)
