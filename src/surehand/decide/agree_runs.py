"""Metrics against the robot within training runs: checkpoints of a run share a clock, so the run is the unit."""

from collections.abc import Mapping, Sequence

import numpy as np

from surehand.decide.agree_offline import Metric, Offline
from surehand.decide.agree_orders import describe
from surehand.decide.agree_pairs import ordered_right
from surehand.decide.agree_robot import Robot
from surehand.decide.agreement import Coefficient, MetricAgreement, Standing
from surehand.decide.selectors import LAST, OFFLINE
from surehand.decide.within_run import Hypothesis, Judgement, RuleResult
from surehand.decide.within_run_judge import FEWEST, Run, judge
from surehand.exceptions import SurehandError
from surehand.measure.agreement import OrderTest, exchange_tests
from surehand.measure.ranking import kendall

ONE_CLOCK = "description: checkpoints of one run share a clock"


def rule_name(metric: Metric) -> str:
    """The metric as a rule that chooses a checkpoint."""
    return f"{OFFLINE}{metric.space}/{metric.name}"


def judge_runs(
    offline: Offline,
    robot: Robot,
    runs: Mapping[str, Sequence[int]],
    steps: Sequence[int | None],
    pairs: Sequence[tuple[int, int]],
    *,
    rng: np.random.Generator,
    draws: int,
    orders: int,
    level: float,
) -> tuple[list[MetricAgreement], Judgement]:
    """Every metric, and the judgement over runs: what its picks lose, beside the last checkpoint's."""
    counts = {len(at) for at in runs.values()}
    if 0 in counts or not runs:
        raise SurehandError("no training run with two checkpoints or more; --exchangeable compares across runs")
    alpha = round(1 - level, 12)
    judged = [_run(name, at, offline, robot, steps) for name, at in runs.items()]
    rules = {rule_name(metric): metric for metric in offline.metrics}
    expected = [
        Hypothesis(key=f"M{i}", claim=f"{m.title} picks better checkpoints than the last one", better=rule, worse=LAST)
        for i, (rule, m) in enumerate(rules.items(), start=1)
    ]
    judgement = judge(
        judged,
        expected,
        name="agreement",
        title="within training runs",
        level=level,
        alpha=alpha,
        margin=0.0,
        seed=int(rng.integers(2**31)),
    )
    if len(runs) == 1:
        at = next(iter(runs.values()))
        found = describe(offline.take(at), robot.take(at), [], rng=rng, draws=draws, level=level)
        return [_one_run(f, m, pairs) for f, m in zip(found, offline.metrics, strict=True)], judgement
    over = {rule.rule: rule for rule in judgement.rules}
    found = [_over_runs(metric, over[rule], robot, judgement, pairs) for rule, metric in rules.items()]
    if len({tuple(run.step.tolist()) for run in judged}) > 1:
        said = f"mean over {len(runs)} runs; saved at different steps, so they cannot be exchanged"
        return [_noted(f, f.coefficients[0].model_copy(update={"method": said})) for f in found], judgement
    alike = np.array(
        [[[kendall(-of.values[rule], to.score) for to in judged] for of in judged] for rule in rules]
    )  # (M, R, R)
    test, method = exchange_tests(alike, rng=rng, draws=orders)
    return [_tested(f, test, i, len(runs), method, alpha) for i, f in enumerate(found)], judgement


def clock_of(judgement: Judgement) -> list[Coefficient]:
    """The training step against the robot, over the same runs."""
    last = next(rule for rule in judgement.rules if rule.rule == LAST)
    return [_tau(last, len(judgement.runs))]


def _run(name: str, at: Sequence[int], offline: Offline, robot: Robot, steps: Sequence[int | None]) -> Run:
    share, at = robot.share(), list(at)
    step = np.array([steps[i] for i in at], float)
    return Run(
        name=name or "run",
        learner="",
        size=0,
        seed=0,
        step=step.astype(int),
        selection=share[at],
        score=share[at],
        values={**{rule_name(m): -m.merit[at] for m in offline.metrics}, LAST: -step},
    )


def _one_run(found: MetricAgreement, metric: Metric, pairs: Sequence[tuple[int, int]]) -> MetricAgreement:
    made = [c.model_copy(update={"method": ONE_CLOCK}) for c in found.coefficients]
    right = ordered_right(metric.merit, pairs)
    return found.model_copy(update={"coefficients": made, "resolved": len(pairs), "resolved_right": right})


def _over_runs(
    metric: Metric,
    rule: RuleResult,
    robot: Robot,
    judgement: Judgement,
    pairs: Sequence[tuple[int, int]],
) -> MetricAgreement:
    hit = [set(run.picks[rule.rule]) <= set(run.best) and bool(run.picks[rule.rule]) for run in judgement.runs]
    return MetricAgreement(
        metric=metric.name,
        space=metric.space,
        values=dict(zip(robot.policies, metric.values.tolist(), strict=True)),
        lower_is_better=not metric.higher,
        coefficients=[_tau(rule, len(judgement.runs))],
        top_same=all(hit),
        top=float(np.mean(hit)),
        resampled="runs",
        resolved=len(pairs),
        resolved_right=ordered_right(metric.merit, pairs),
        standing="cannot tell",
    )


def _tau(rule: RuleResult, runs: int) -> Coefficient:
    nothing, seen = float("nan"), rule.tau
    method = ONE_CLOCK if runs == 1 else f"mean over {seen.runs} runs, t interval"
    return Coefficient(
        name="tau_b", value=seen.value, p=nothing, p_smallest=nothing, low=seen.low, high=seen.high, method=method
    )


def _noted(found: MetricAgreement, tau: Coefficient, standing: Standing = "cannot tell") -> MetricAgreement:
    return found.model_copy(update={"coefficients": [tau], "standing": standing})


def _tested(found: MetricAgreement, test: OrderTest, i: int, runs: int, method: str, alpha: float) -> MetricAgreement:
    """By the rule that docs/agree.md declares: does a metric know its own run better than the other runs?"""
    p = {"p": float(test.p[i]), "p_smallest": float(test.p_smallest[i]), "p_family": float(test.p_family[i])}
    tau = found.coefficients[0].model_copy(update={**p, "method": method})
    if runs < FEWEST:
        return _noted(found, tau)
    if test.p_family[i] <= alpha:
        return _noted(found, tau, "agrees")
    return _noted(found, tau, "disagrees" if test.p_family_worse[i] <= alpha else "cannot tell")
