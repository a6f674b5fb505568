"""Runs become a judgement: each rule's pick, its regret and rank agreement, and the hypotheses tested over runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from surehand.decide.selectors import LAST, RANDOM, Selector
from surehand.decide.within_run import Comparison, Estimate, Hypothesis, Judgement, RuleResult, RunResult
from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.measure.ranking import RunInterval, holm, kendall, mean_over_runs, partial_kendall, sign_flip

FEWEST = 5  # runs behind a claim about a rule
USUAL = ("robot/total", "std/total", "robot/arm", "std/arm", LAST, RANDOM)  # what the sentence names
MOST_NAMED = 3  # rules in the sentence that came equally close
DIGITS = 12  # of a regret: equal shares of successes are equal, however they were computed
SUPPORTED, SMALL, REVERSED = "supported", "supported, but too small to matter", "reversed"
NOTHING, OPEN, FEW = "no difference that matters", "cannot tell", "not enough runs"


@dataclass(frozen=True, eq=False)
class Run:
    """What one training run gave: success twice, on disjoint episodes, and every rule's value (lower is chosen)."""

    name: str
    learner: str
    size: int
    seed: int
    step: np.ndarray  # (C,)
    selection: np.ndarray  # (C,) success, 0 to 1
    score: np.ndarray  # (C,)
    values: dict[str, np.ndarray]  # rule -> (C,)

    def __post_init__(self) -> None:
        lengths = {len(self.step), len(self.selection), len(self.score), *(len(v) for v in self.values.values())}
        if len(lengths) > 1 or not len(self.step):
            raise ShapeError(f"run {self.name}: steps, successes and values must have one length, got {lengths}")


def judge(
    runs: Sequence[Run],
    hypotheses: Sequence[Hypothesis],
    *,
    name: str = "headline",
    title: str = "",
    planned: int | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
    margin: float = 0.05,
    draws: int = 100_000,
    seed: int = 0,
) -> Judgement:
    """The judgement on these runs; every run counts once, whatever its learner and size.

    Raises NotEnoughData without runs, SurehandError where runs have different rules or a hypothesis names none of them.
    """
    if not runs:
        raise NotEnoughData("no finished run; a judgement needs one, a claim about a rule 5 or more")
    rules = list(runs[0].values)
    if any(list(run.values) != rules for run in runs):
        raise SurehandError("runs were measured by different rules; judge runs of one plan together")
    missing = {rule for h in hypotheses for rule in (h.better, h.worse)} - {*rules, RANDOM}
    if missing:
        raise SurehandError(f"a hypothesis names the rule {min(missing)!r}, which was not measured")
    results = [_result(run) for run in runs]
    summaries = [_rule(rule, results, level) for rule in [*rules, RANDOM]]
    comparisons = _compare(results, hypotheses, level=level, alpha=alpha, margin=margin, draws=draws, seed=seed)
    return Judgement(
        name=name,
        title=title,
        learners=list(dict.fromkeys(run.learner for run in runs)),
        sizes=sorted({run.size for run in runs}),
        planned=len(runs) if planned is None else planned,
        room=next(s.regret for s in summaries if s.rule == RANDOM),
        rules=summaries,
        comparisons=comparisons,
        runs=results,
        sentence=_sentence(title, summaries, comparisons),
    )


def lowest(values: np.ndarray) -> np.ndarray:
    """True at every smallest value (C,); nothing is chosen where a value is not a number."""
    known = np.isfinite(values).all()
    return np.asarray((values == values.min()) & known)


def _result(run: Run) -> RunResult:
    """What every rule made of one run. Checkpoints a rule cannot tell apart count as one drawn among them."""
    best = lowest(-run.selection)
    reached = float(run.score[best].mean()) if best.any() else float("nan")
    picks = {rule: lowest(values) for rule, values in run.values.items()} | {RANDOM: np.ones(len(run.step), bool)}
    score = {rule: float(run.score[pick].mean()) if pick.any() else float("nan") for rule, pick in picks.items()}
    return RunResult(
        name=run.name,
        learner=run.learner,
        size=run.size,
        seed=run.seed,
        step=run.step.tolist(),
        selection=run.selection.tolist(),
        score=run.score.tolist(),
        best=run.step[best].tolist(),
        values={rule: values.tolist() for rule, values in run.values.items()},
        picks={rule: run.step[pick].tolist() for rule, pick in picks.items()},
        regret={rule: round(reached - value, DIGITS) for rule, value in score.items()},
        tau={rule: kendall(-values, run.score) for rule, values in run.values.items()},
        partial={rule: partial_kendall(-values, run.score, run.step) for rule, values in run.values.items()},
    )


def _rule(rule: str, results: Sequence[RunResult], level: float) -> RuleResult:
    def over(chosen: Iterable[RunResult], of: Callable[[RunResult], float]) -> Estimate:
        return estimate(mean_over_runs(np.array([of(r) for r in chosen]), level))

    nothing = float("nan")
    kinds = {r.learner: [s for s in results if s.learner == r.learner] for r in results}
    kinds |= {f"{r.size} demonstrations": [s for s in results if s.size == r.size] for r in results}
    regrets = np.array([r.regret[rule] for r in results])
    tau = over(results, lambda r: r.tau.get(rule, nothing))
    return RuleResult(
        rule=rule,
        regret=over(results, lambda r: r.regret[rule]),
        worst=float(np.nanmax(regrets)) if np.isfinite(regrets).any() else nothing,
        tau=tau,
        partial=over(results, lambda r: r.partial.get(rule, nothing)),
        undefined=len(results) - tau.runs,
        by={name: over(chosen, lambda r: r.regret[rule]) for name, chosen in kinds.items()} if len(kinds) > 2 else {},
    )


def _compare(
    results: Sequence[RunResult],
    hypotheses: Sequence[Hypothesis],
    *,
    level: float,
    alpha: float,
    margin: float,
    draws: int,
    seed: int,
) -> list[Comparison]:
    """Every hypothesis against the runs, all with the same random signs."""
    differences = [np.array([r.regret[h.worse] - r.regret[h.better] for r in results]) for h in hypotheses]
    p = np.array([sign_flip(d, draws=draws, rng=np.random.default_rng(seed)) for d in differences])
    found = []
    for h, d, one, adjusted in zip(hypotheses, differences, p, holm(p), strict=True):
        seen = estimate(mean_over_runs(d, level), most=2.0)
        verdict = _verdict(seen, float(adjusted), alpha, margin, len(hypotheses))
        found.append(Comparison(hypothesis=h, difference=seen, p=one, p_holm=adjusted, verdict=verdict))
    return found


def _verdict(seen: Estimate, p: float, alpha: float, margin: float, family: int) -> str:
    """In words. Where not even runs that all agree could reach α, there are not enough of them."""
    if seen.runs < FEWEST or family * 2.0 ** (1 - seen.runs) > alpha:
        return FEW
    if p < alpha:
        return REVERSED if seen.value < 0 else SUPPORTED if seen.value >= margin else SMALL
    return NOTHING if -margin < seen.low and seen.high < margin else OPEN  # NaN limits: cannot tell


def estimate(found: RunInterval, most: float = 1.0) -> Estimate:
    """A mean over runs as a record holds it; limits stay within ±most, as the quantity itself does."""
    low, high = (float(np.clip(limit, -most, most)) for limit in (found.low, found.high))
    return Estimate(value=round(found.value, DIGITS), low=low, high=high, runs=found.runs)


def _sentence(title: str, rules: Sequence[RuleResult], comparisons: Sequence[Comparison]) -> str:
    """The answer: how far behind the best checkpoint usual rules' picks were, which rule came closest, what held."""
    by_name = {r.rule: r for r in rules}
    first, *rest = [by_name[name] for name in USUAL if name in by_name and by_name[name].regret.runs]
    said = (
        f"{title[:1].upper()}{title[1:]}, {_count(rules)}: the checkpoint picked by {Selector.parse(first.rule)} was "
    )
    said += f"{_points(first.regret)} points of success behind the run's best one"
    said += "".join(f", by {Selector.parse(r.rule)} {_points(r.regret)}" for r in rest if r.rule != RANDOM)
    said += f", at random {_points(by_name[RANDOM].regret)}"
    real = [r for r in rules if r.rule != RANDOM and r.regret.runs]
    if real:
        least = min((r.regret for r in real), key=lambda regret: regret.value)
        closest = [str(Selector.parse(r.rule)) for r in real if r.regret.value == least.value]
        if len(closest) > MOST_NAMED:
            closest = [closest[0], f"{len(closest) - 1} others"]
        said += f". Closest of {len(real)} rules: {' and '.join(closest)}, {_points(least)}"
    tested = [c for c in comparisons if c.verdict != FEW]
    if tested:
        held = sum(c.verdict in (SUPPORTED, SMALL) for c in tested)
        said += f". {held} of {len(tested)} expectations written down before the first run held"
    return said + "."


def _count(rules: Sequence[RuleResult]) -> str:
    """`30 runs`."""
    runs = max((r.regret.runs for r in rules), default=0)
    return f"{runs} run{'' if runs == 1 else 's'}"


def _points(seen: Estimate) -> str:
    return f"{round(100 * seen.value)}".replace("-", "−")
