"""Which policy is better on the robot, from its trials: exact tests, effects, and a label per pair with its reason."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from surehand import __version__
from surehand.decide.compare_data import Material, gather
from surehand.decide.compare_design import Asked, arrange
from surehand.decide.compare_pairs import Made, Posteriors, directed
from surehand.decide.compare_policies import omnibus, order, policy_scores, scorers
from surehand.decide.compare_stopping import ended_early, paths_of, planned_rubric, planned_rule, under_rule
from surehand.decide.compare_tests import adjust
from surehand.decide.compare_words import methods, summary, void_warning
from surehand.decide.comparison import Comparison, Outcome, Pair
from surehand.exceptions import SurehandError
from surehand.formats.rubrics import Rubric
from surehand.formats.schedules import Schedule, StopRule
from surehand.formats.trials import Trials


def compare_trials(
    *trials: Trials,
    rng: np.random.Generator,
    rubric: Rubric | Sequence[int] | None = None,
    outcome: Outcome | Literal[""] = "",
    design: Asked = "auto",
    alpha: float = 0.05,
    level: float = 0.95,
    draws: int = 100_000,
    stop: StopRule | None = None,
    schedule: Schedule | None = None,
    illustrate: bool = False,
) -> Comparison:
    """Which of two or more policies is better, as far as their trials show; every pair is labelled, none is picked out.

    Policies taken from one sheet are adjusted over all pairs of that sheet, also those not shown: they were there to
    choose from. `rubric` says which levels there are and which succeed, `schedule` what was planned and when to stop.
    A pair is *robust* where both deciding tests are below `alpha` (two-sided, Holm over all pairs), *fragile* where one
    is, else *not resolved*. Deterministic given `rng`, in whatever order the policies come. SurehandError names the
    first trial that does not fit, NotEnoughData a policy without trials that count.
    """
    if not 0 < alpha < 1 or not 0 < level < 1:
        raise SurehandError(f"alpha and level lie between 0 and 1, got {alpha:g} and {level:g}")
    if outcome not in ("", *get_args(Outcome)) or design not in get_args(Asked):
        raise SurehandError(
            f"outcome {outcome!r} of design {design!r}; expected score or success, and {', '.join(get_args(Asked))}"
        )
    rubric = rubric or (schedule.rubric if schedule is not None else planned_rubric(trials))
    stop = planned_rule(trials, stop, schedule)
    scale = gather(trials, rubric, outcome)
    seed = int(rng.integers(2**62))
    made, posteriors = [], Posteriors(scale.levels, seed)
    for i, (a, b) in enumerate(combinations(scale.arms, 2)):  # by name, so that the draws do not depend on arguments
        first, second = directed(a, b)
        made.append(
            Made(
                first,
                second,
                arrange(first, second, design),
                scale,
                level,
                draws,
                posteriors,
                np.random.default_rng((seed, i)),
            )
        )
    tests, worst = adjust([m.tests for m in made]), adjust([m.worst for m in made])
    shown = order([arm for arm in scale.arms if arm.policy in scale.shown])
    rank = {arm.policy: i for i, arm in enumerate(shown)}
    pairs = [m.pair(own, void, alpha, len(made)) for m, own, void in zip(made, tests, worst, strict=True)]
    pairs = [pair for pair in pairs if {pair.first, pair.second} <= scale.shown]
    pairs.sort(key=lambda pair: (rank[pair.first], rank[pair.second]))
    warnings = list(dict.fromkeys([*scale.warnings, *(m.arrangement.note for m in made if m.shown)]))
    paths = paths_of(scale, stop, schedule, alpha, list(rank), illustrate)
    if stop is not None:
        pairs = under_rule(pairs, paths, warnings)
    else:
        warnings.append(ended_early(scale, trials, schedule))
    warnings += [_unrandomised(scale), _turned(pairs), *(void_warning(pair) for pair in pairs)]
    return Comparison(
        surehand=__version__,
        source=", ".join(dict.fromkeys(t.source for t in trials if t.source)),
        study=schedule.study if schedule else _common(trials, "study"),
        schedule=schedule.identity if schedule else _common(trials, "data_identity"),
        rubric=[int(v) if float(v).is_integer() else float(v) for v in scale.levels] if scale.discrete else [],
        rubric_words=scale.words,
        outcome=scale.outcome,
        policies=[policy_scores(arm, scale, level) for arm in shown],
        pairs=pairs,
        paths=paths,
        omnibus=omnibus(shown, pairs, scale.outcome, np.random.default_rng((seed, len(made))), draws),
        agreement=scorers(shown, rubric, level),
        family=len(made),
        alpha=alpha,
        level=level,
        warnings=[warning for warning in warnings if warning],
        methods=methods(scale, {pair.design for pair in pairs}, alpha, level, len(made), draws),
        sentence=summary(pairs, alpha, len(made)),
    )


def _common(trials: Sequence[Trials], key: str) -> str:
    """What all trials say of their study, where they carry one and the same."""
    found = {str(t.metadata.get(key) or "") for t in trials}
    return found.pop() if len(found) == 1 else ""


def _unrandomised(scale: Material) -> str:
    rows = [row for arm in scale.arms if arm.policy in scale.shown for row in arm.rows]
    if any(row.position is not None for row in rows):
        return ""
    return "the order of the trials was not randomised as far as the file says (no trial has a position)"


def _turned(pairs: Sequence[Pair]) -> str:
    """Where blocks and the whole point in different directions, the mix over blocks made the difference."""
    turned = [pair for pair in pairs if pair.within is not None and pair.within.win_rate < 0.5 < pair.win_rate]
    if not turned:
        return ""
    pair = turned[0]
    return f"inside blocks {pair.second} did better than {pair.first}: the blocks hold the two in different shares"
