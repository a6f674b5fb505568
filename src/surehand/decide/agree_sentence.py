"""What an agreement of offline numbers with the robot proves, in one plain sentence and no more than that."""

from collections.abc import Mapping, Sequence

import numpy as np

from surehand.decide.agreement import Coefficient, MetricAgreement
from surehand.decide.checks.words import plural
from surehand.decide.selectors import LAST, OFFLINE
from surehand.decide.within_run import Judgement
from surehand.decide.within_run_judge import FEWEST, SUPPORTED

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MOST_NAMED = 3
ROUNDING = 1e-9  # τ nearer than this are one


def sentence_of_orders(metrics: Sequence[MetricAgreement], robot: Mapping[str, float], pairs: str) -> str:
    """The answer over exchangeable policies; below five no p-value, only what fits and that it proves nothing."""
    known = [m for m in metrics if np.isfinite(tau(m).value)]
    if not known:
        return f"Neither side tells the {plural(len(robot), 'policy')} apart, so nothing can agree."
    if known[0].standing in ("consistent", "inconsistent"):
        return _few(metrics, robot, pairs)
    m, agreeing = len(metrics), [k for k in known if k.standing == "agrees"]
    against = [k for k in known if k.standing == "disagrees"]
    closest = most_alike(known)
    whole = f"the robot's order of {plural(len(robot), 'policy')}"
    if agreeing:
        first = max(agreeing, key=lambda k: tau(k).value)
        names = _names([first, *(k for k in agreeing if k is not first)], metrics)
        verb = "agrees" if len(agreeing) == 1 else "agree"
        said = f"{_of(m)}{names} {verb} with {whole}: τ_b {_interval(tau(first))}, {_p(tau(first), m)}"
    else:
        said = f"No metric of {m} is shown" if m > 1 else f"{title(closest[0], metrics)} is not shown"
        said += f" to agree with {whole}"
        said += f": closest {'is' if len(closest) == 1 else 'are'} {_names(closest, metrics)}" if m > 1 else ""
        said += f", τ_b {_interval(tau(closest[0]))}, {_p(tau(closest[0]), m)}"
    if against:
        said += f"; {_names(against, metrics)} {'orders' if len(against) == 1 else 'order'} them the other way round"
    return f"{said}{pairs}."


def sentence_of_runs(metrics: Sequence[MetricAgreement], judgement: Judgement, pairs: str) -> str:
    """The answer within training runs; for one run alone a description, and why it is no more."""
    runs = len(judgement.runs)
    clock = next(rule for rule in judgement.rules if rule.rule == LAST)
    known = [m for m in metrics if np.isfinite(tau(m).value)]
    if not known:
        return "Neither side tells the checkpoints apart, so nothing can agree."
    tops = most_alike(known)
    best = tops[0]
    rule = next(r for r in judgement.rules if r.rule == f"{OFFLINE}{best.space}/{best.metric}")
    verb = "orders" if len(tops) == 1 else "order"
    lead = f"{_names(tops, metrics)} {verb} them {'most ' if len(metrics) > 1 else ''}like the robot"
    values = f"τ {_number(tau(best).value)}, {_number(rule.partial.value)} with the training step held fixed; the step "
    values += f"alone {_number(clock.tau.value)}"
    if runs == 1:
        checkpoints = len(judgement.runs[0].step)
        return (
            f"Of {checkpoints} checkpoints of one training run {lead} ({values}){pairs}; checkpoints of one run share "
            "a clock, and curves that merely trend agree as well, so this is a description without a p-value: give "
            f"{FEWEST} runs or more."
        )
    agreeing = [m for m in metrics if m.standing == "agrees"]
    against = [m for m in metrics if m.standing == "disagrees"]
    said = f"Over {runs} training runs {lead} (mean {values}){pairs}"
    if agreeing:
        verb = "knows" if len(agreeing) == 1 else "know"
        said += (
            f"; {_names(agreeing, metrics)} {verb} more of a run than its clock, {_p(tau(agreeing[0]), len(metrics))}"
        )
    elif runs < FEWEST:
        said += f"; {runs} runs are too few to tell that from a shared clock, {FEWEST} are the least"
    elif np.isnan(tau(best).p):
        said += "; they were saved at different steps, so agreement cannot be told from a shared clock"
    else:
        said += (
            f"; it is not shown that {_any(metrics)} knows more of a run than its clock, {_p(tau(best), len(metrics))}"
        )
    if against:
        said += f"; {_names(against, metrics)} {'misleads' if len(against) == 1 else 'mislead'}"
    better = [k for k in judgement.comparisons if k.verdict == SUPPORTED]
    if better:
        said += f"; picks of {len(better)} of {plural(len(metrics), 'metric')} beat the last checkpoint"
    return f"{said}."


def pairs_told(resolved: int, pairs: int, trials: bool) -> str:
    """How much of the robot's own order stands: a clause, empty without trials."""
    if not trials:
        return ""
    return f"; the trials tell {resolved} of {pairs} pair{'' if pairs == 1 else 's'} of policies apart"


def tau(metric: MetricAgreement) -> Coefficient:
    """The metric's τ_b, on which every standing rests."""
    return next(c for c in metric.coefficients if c.name == "tau_b")


def most_alike(metrics: Sequence[MetricAgreement]) -> list[MetricAgreement]:
    """The metrics with the highest τ_b; none where no metric has one."""
    known = [m for m in metrics if np.isfinite(tau(m).value)]
    return [m for m in known if tau(m).value >= max(tau(k).value for k in known) - ROUNDING]


def title(metric: MetricAgreement, among: Sequence[MetricAgreement]) -> str:
    """The metric's name, with its space where several spaces were looked at."""
    several = len({m.space for m in among}) > 1
    return f"{metric.metric} ({metric.space or 'no space named'})" if several else metric.metric


def _few(metrics: Sequence[MetricAgreement], robot: Mapping[str, float], pairs: str) -> str:
    """Fewer than five policies: what has the robot's order, and how often luck has it."""
    n, m = len(robot), len(metrics)
    fits = [k for k in metrics if k.standing == "consistent"]
    order = f"({_order(robot)})"
    words = NUMBERS[n] if n < len(NUMBERS) else str(n)
    if not fits:
        every = f"None of {m} metrics is" if m > 1 else f"{title(metrics[0], metrics)} is not"
        return (
            f"{every} consistent with the robot's order {order}{pairs}; {words} policies could not have established "
            "one that is."
        )
    alone = len(fits) == 1 and m > 1
    which = f"only {_names(fits, metrics)}" if alone else _names(fits, metrics)
    said = f"{_of(m)}{which} {'is' if len(fits) == 1 else 'are'} consistent with the robot's order {order}"
    chance = min(tau(k).p_smallest for k in fits)
    return (
        f"{said}{pairs}; {words} policies cannot establish it, since a number that knows nothing "
        f"has this order once in {round(1 / chance)}."
    )


def _order(robot: Mapping[str, float]) -> str:
    """`a > b = c`, best first; the equals sign where the robot gave the same result."""
    (said, before), *rest = robot.items()
    for name, value in rest:
        said += f" {'=' if value == before else '>'} {name}"
        before = value
    return said


def _of(metrics: int) -> str:
    return f"Of {metrics} metrics " if metrics > 1 else ""


def _names(chosen: Sequence[MetricAgreement], among: Sequence[MetricAgreement]) -> str:
    names = [title(k, among) for k in chosen]
    if len(names) > MOST_NAMED:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _any(metrics: Sequence[MetricAgreement]) -> str:
    return "any metric" if len(metrics) > 1 else metrics[0].metric


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "undefined"


def _interval(c: Coefficient) -> str:
    limits = f" ({_number(c.low)} to {_number(c.high)})" if np.isfinite(c.low) and np.isfinite(c.high) else ""
    return _number(c.value) + limits


def _p(c: Coefficient, metrics: int) -> str:
    if metrics == 1:
        return f"one-sided p = {c.p:.2g}"
    return f"one-sided p = {c.p:.2g}, {c.p_family:.2g} as selected from {metrics} metrics"
