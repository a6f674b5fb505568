"""One rule's pick, the checkpoints not told apart from it, and what the rule is worth on new episodes."""

import numpy as np

from surehand.decide.choice import CrossFit, Pick
from surehand.decide.rules import Rule
from surehand.measure.clusters import resampled_sums
from surehand.measure.logratio import simultaneous_limits
from surehand.measure.modelset import influence_losses, model_confidence_set
from surehand.measure.paired import paired_limits

FOLDS = 10


def judge(rule: Rule, *, level: float, draws: int, seed: int) -> Pick:
    """The rule's pick with its set, p-values where defined, and how often each checkpoint wins under the bootstrap.

    A rule that is a mean error gets the model confidence set; minimax and Pareto the checkpoints that may win inside
    the simultaneous band of paired log errors. One unit: all are tied. A table of errors: no set, the pick alone.
    The same seed gives every rule the same resampled episodes.
    """
    names, best = rule.evidence.checkpoints, rule.best
    order = [best, *(int(i) for i in np.argsort(rule.scores, kind="stable") if i != best)]
    pick = Pick(rule=rule.name, best=names[best], tied=[names[best]], value=float(rule.scores[best]), note=rule.note)
    if rule.evidence.units < 2:
        if rule.evidence.units:
            pick.tied = [names[i] for i in order]
        return pick
    if rule.possible is None:
        numerators, denominators = rule.evidence.sums()
        losses = influence_losses(rule.loss(numerators), denominators)
        found = model_confidence_set(losses, level=level, draws=draws, rng=np.random.default_rng(seed))
        member = found.included
        pick.p_values = dict(zip(names, found.p_values.tolist(), strict=True))
    else:
        member = rule.possible(_limits(rule, level, draws, seed))
    pick.tied = [names[i] for i in order if member[i] or i == best]
    pick.frequency = dict(zip(names, _frequency(rule, draws, seed).tolist(), strict=True))
    return pick


def cross_fit(rule: Rule, rng: np.random.Generator) -> CrossFit:
    """The rule's expected error on fresh episodes: each fold is measured on the checkpoint that the others choose.

    At most ten folds, at random. Minimax and Pareto are judged by the total error of what they pick.
    """
    numerators, denominators = rule.evidence.sums()
    folds = min(FOLDS, len(denominators))
    fold = rng.permutation(np.arange(len(denominators)) % folds)
    above = agree = 0.0
    for k in range(folds):
        out = fold == k
        chosen = int(np.argmin(rule.score(numerators[~out].sum(axis=0) / denominators[~out].sum())))
        above += float(rule.loss(numerators[out])[:, chosen].sum())
        agree += chosen == rule.best
    naive = float(rule.loss(rule.evidence.errors)[rule.best])
    return CrossFit(value=above / denominators.sum(), naive=naive, folds=folds, agree=int(agree))


def selected_interval(rule: Rule, *, level: float, draws: int, seed: int) -> tuple[float, float]:
    """Interval of the pick's error that holds for all candidates at once, so also for the one that was selected."""
    numerators, denominators = rule.evidence.sums()
    rng = np.random.default_rng(seed)
    low, high = simultaneous_limits(rule.loss(numerators), denominators, level=level, draws=draws, rng=rng)
    return float(low[rule.best]), float(high[rule.best])


def _limits(rule: Rule, level: float, draws: int, seed: int) -> np.ndarray:
    """Simultaneous lower limits (C, C, G) of the ratio of two checkpoints' errors, floors added, in the live groups."""
    numerators, denominators = rule.evidence.sums()
    errors = numerators[:, :, np.flatnonzero(rule.evidence.live)] + rule.floor * denominators[:, None, None]
    return paired_limits(errors, level=level, draws=draws, rng=np.random.default_rng(seed))


def _frequency(rule: Rule, draws: int, seed: int) -> np.ndarray:
    """Share of bootstrap draws that each checkpoint wins (C,); on the front, for Pareto, so it need not sum to one."""
    numerators, denominators = rule.evidence.sums()
    units, *shape = numerators.shape
    columns = np.column_stack([numerators.reshape(units, -1), denominators])
    sums = resampled_sums(np.nan_to_num(columns), draws, np.random.default_rng(seed))
    errors = (sums[:, :-1] / sums[:, -1:]).reshape(draws, *shape)
    return np.asarray(rule.wins(errors).mean(axis=0))
