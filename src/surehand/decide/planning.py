"""How many trials two pilots ask for: power, assurance, the difference that n trials find, and one plain sentence."""

from collections.abc import Sequence

import numpy as np

from surehand import __version__
from surehand.decide.planning_record import Pilot, Planning, PowerAt, PriorNeed
from surehand.decide.planning_words import cautions, detectable, difference, methods, sentence
from surehand.exceptions import SurehandError
from surehand.measure.power import (
    SMOOTH,
    Power,
    Test,
    assurance,
    assurance_limit,
    find_power,
    first_staying,
    trials_needed,
)
from surehand.measure.superiority import PRIOR, SWEEP, check_counts, observed_win_rate

__all__ = ["Planning", "detectable", "plan_trials"]

CURVE = (10, 20, 30, 50, 80)
MOST = 400  # trials per policy up to which one looks
PAIRS, DRAWS = 6_000_000, 20_000  # enumerated, or else sampled: ±0.6 %
SWEEP_PAIRS, SWEEP_DRAWS = 2_000_000, 10_000  # of the priors beside the chosen one


def plan_trials(
    first: Sequence[int] | np.ndarray,
    second: Sequence[int] | np.ndarray,
    *,
    levels: Sequence[float],
    names: tuple[str, str] = ("the first policy", "the second"),
    test: Test = "permutation",
    sides: int = 2,
    alpha: float = 0.05,
    pairs: int = 1,
    target: float = 0.8,
    prior: float = PRIOR,
    n: int | None = None,
    most: int = MOST,
    seed: int = 0,
    source: str = "",
    warnings: Sequence[str] = (),
) -> Planning:
    """The trials per policy that resolve two policies with probability `target`, from their pilots' counts (L,).

    Plan on `needed`: it averages over the Dirichlet(counts + prior) posteriors of both pilots. `needed_plug_in` takes
    the pilots at their word. Raises SurehandError where target, α or pairs make no sense.
    """
    if not 0 < target < 1:
        raise SurehandError(f"the target is a probability between 0 and 1, got {target:g}; 0.8 is usual")
    if pairs < 1:
        raise SurehandError(f"a study compares at least one pair, got {pairs}")
    a, b = check_counts(np.asarray(first), np.asarray(second))
    scores = np.asarray(levels, float)
    swap = observed_win_rate(a, b) < 0.5
    if swap:
        a, b, names = b, a, (names[1], names[0])
    said = [*warnings, *cautions(a, b, test)]
    step = alpha / pairs

    def assured(trials: int, weight: float = prior) -> Power:
        table_pairs, draws = (PAIRS, DRAWS) if weight == prior else (SWEEP_PAIRS, SWEEP_DRAWS)
        return assurance(
            a,
            b,
            trials,
            rng=np.random.default_rng(seed),
            test=test,
            sides=sides,
            alpha=step,
            prior=weight,
            most_pairs=table_pairs,
            draws=draws,
        )

    def need(weight: float) -> PriorNeed:
        limit = assurance_limit(a, b, rng=np.random.default_rng(seed), prior=weight)
        found = None
        if limit > target and assured(most, weight).value >= target:
            found = first_staying(lambda t: assured(t, weight).value, target, most, ahead=SMOOTH if len(a) == 2 else 0)
        return PriorNeed(prior=weight, needed=found, limit=limit)

    needs = {weight: need(weight) for weight in dict.fromkeys((*SWEEP, prior))}
    p_a, p_b = a / a.sum(), b / b.sum()
    plug_in = None
    if (win_rate := observed_win_rate(a, b)) > 0.5:
        plug_in = trials_needed(p_a, p_b, target=target, test=test, sides=sides, alpha=step, most=most)
    chosen = needs[prior]
    at = sorted({*CURVE, *filter(None, (n, plug_in, chosen.needed))})
    curve = []
    for trials in at:
        plain = find_power(p_a, p_b, trials, test=test, sides=sides, alpha=step, draws=DRAWS)
        hoped = assured(trials)
        curve.append(
            PowerAt(
                trials=trials,
                plug_in=plain.value + (plain.wrong if sides == 2 else 0),
                assurance=hoped.value,
                wrong=hoped.wrong,
                method=hoped.method,
            )
        )
    planning = Planning(
        surehand=__version__,
        source=source,
        levels=[float(v) for v in scores],
        pilots=[
            Pilot(policy=name, counts=[int(v) for v in c], mean=float(c @ scores / c.sum()))
            for name, c in zip(names, (a, b), strict=True)
        ],
        win_rate=win_rate,
        test=test,
        sides=sides,
        alpha=alpha,
        pairs=pairs,
        target=target,
        prior=prior,
        needed=chosen.needed,
        needed_plug_in=plug_in,
        limit=chosen.limit,
        most=most,
        curve=curve,
        priors=list(needs.values()),
        detectable=None if n is None else difference(p_a, n, names[0], target, test, sides, step),
        seed=seed,
        warnings=said,
        methods=methods(prior, pairs, step),
    )
    return planning.model_copy(update={"sentence": sentence(planning, n)})
