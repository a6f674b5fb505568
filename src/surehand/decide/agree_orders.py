"""Metrics against the robot over policies that are exchangeable: every order counts alike, so it has a p-value."""

from collections.abc import Mapping, Sequence

import numpy as np

from surehand.decide.agree_offline import Metric, Offline
from surehand.decide.agree_pairs import ordered_right
from surehand.decide.agree_robot import Robot
from surehand.decide.agreement import Coefficient, MetricAgreement, Standing
from surehand.measure.agreement import OrderTest, coefficients, order_tests, same_order, same_top

FEWEST = 5  # policies behind a verdict; fewer are consistent or not
FEWEST_PEARSON = 6  # policies from which a straight line is worth a p-value
_RANGES = {"mmrv": (0.0, float("inf"))}  # of those coefficients that do not lie between −1 and 1
BLOCK = 1 << 21  # numbers held at once while draws are compared pair by pair


def judge_orders(
    offline: Offline,
    robot: Robot,
    pairs: Sequence[tuple[int, int]],
    *,
    rng: np.random.Generator,
    draws: int,
    orders: int,
    level: float,
) -> list[MetricAgreement]:
    """Every metric with its coefficients, their exact p, their limits, and what it stands for."""
    tests, method = order_tests(offline.merits(), robot.values, rng=rng, draws=orders)
    found = []
    for i, alone in enumerate(describe(offline, robot, pairs, rng=rng, draws=draws, level=level)):
        made = [_tested(c, tests[c.name], i, len(robot.values), method) for c in alone.coefficients]
        standing = _standing(offline.metrics[i], robot, tests["tau_b"], i, 1 - level)
        found.append(alone.model_copy(update={"coefficients": made, "standing": standing}))
    return found


def describe(
    offline: Offline,
    robot: Robot,
    pairs: Sequence[tuple[int, int]],
    *,
    rng: np.random.Generator,
    draws: int,
    level: float,
) -> list[MetricAgreement]:
    """Every metric as far as it can be told without a p-value: coefficients with limits, shares of resamples, pairs."""
    drawn, robots = offline.resample(draws, rng), robot.resample(draws, rng)
    found = []
    for metric, merits in zip(offline.metrics, drawn, strict=True):
        seen = {name: float(value[0]) for name, value in coefficients(metric.merit, robot.values).items()}
        limits, top, order = _spread(merits, robots, seen, level)
        named = [
            Coefficient(
                name=name,  # type: ignore[arg-type]
                value=value,
                p=float("nan"),
                p_smallest=float("nan"),
                low=limits[name][0],
                high=limits[name][1],
            )
            for name, value in seen.items()
        ]
        found.append(
            MetricAgreement(
                metric=metric.name,
                space=metric.space,
                values=dict(zip(robot.policies, metric.values.tolist(), strict=True)),
                lower_is_better=not metric.higher,
                coefficients=named,
                top_same=bool(same_top(metric.merit, robot.values)),
                top=top,
                order_same=order,
                resampled=_resampled(merits, robots, offline.unit),
                resolved_right=ordered_right(metric.merit, pairs),
                resolved=len(pairs),
                standing="cannot tell",
            )
        )
    return found


def _spread(
    merits: np.ndarray, robots: np.ndarray, seen: Mapping[str, float], level: float
) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Limits of every coefficient over draws (B, P) of both sides, and the shares with the same best and same order."""
    draws = max(len(merits), len(robots))
    if draws == 1:
        return dict.fromkeys(seen, (float("nan"), float("nan"))), float("nan"), float("nan")
    shape = (draws, robots.shape[1])
    merits, robots = np.broadcast_to(merits, shape), np.broadcast_to(robots, shape)
    known = np.isfinite(merits).all(axis=1)
    merits, robots = merits[known], robots[known]
    parts: list[dict[str, np.ndarray]] = []
    alike: list[np.ndarray] = []
    for rows in np.array_split(np.arange(len(merits)), 1 + len(merits) * shape[1] ** 2 // BLOCK):
        parts.append(coefficients(merits[rows], robots[rows]))
        alike.append(same_order(merits[rows], robots[rows]))
    limits = {
        name: _limits(np.concatenate([part[name] for part in parts]), value, *_RANGES.get(name, (-1.0, 1.0)), level)
        for name, value in seen.items()
    }
    return limits, float(same_top(merits, robots).mean()), float(np.concatenate(alike).mean())


def _limits(draws: np.ndarray, seen: float, least: float, most: float, level: float) -> tuple[float, float]:
    """The percentile limits of the draws (B,), widened to hold their reflection about the value seen.

    Noise pulls every rank correlation towards zero: what was seen lies nearer to it than the truth, and the draws,
    noisy twice, nearer still. Percentiles alone miss a strong agreement; reflected (basic bootstrap; Davison & Hinkley
    1997) they lean the other way. docs/agree.md has the coverage of both.
    """
    draws = draws[np.isfinite(draws)]
    if not len(draws) or not np.isfinite(seen):
        return float("nan"), float("nan")
    low, high = map(float, np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]))
    return max(least, min(low, 2 * seen - high)), min(most, max(high, 2 * seen - low))


def _resampled(merits: np.ndarray, robots: np.ndarray, unit: str) -> str:
    return " and ".join([*(["trials"] * (len(robots) > 1)), *([f"{unit}s"] * (len(merits) > 1))])


def _tested(seen: Coefficient, test: OrderTest, i: int, policies: int, method: str) -> Coefficient:
    if seen.name == "pearson" and policies < FEWEST_PEARSON:
        return seen.model_copy(update={"method": f"p from {FEWEST_PEARSON} policies on"})
    p = {"p": float(test.p[i]), "p_smallest": float(test.p_smallest[i]), "p_family": float(test.p_family[i])}
    return seen.model_copy(update={**p, "method": method})


def _standing(metric: Metric, robot: Robot, tau: OrderTest, i: int, alpha: float) -> Standing:
    """By the rule that docs/agree.md declares: τ_b alone, one-sided, adjusted over all metrics."""
    if not np.isfinite(tau.value[i]):
        return "cannot tell"
    if len(robot.values) < FEWEST:
        return "consistent" if same_order(metric.merit, robot.values) else "inconsistent"
    alpha = round(alpha, 12)
    if tau.p_family[i] <= alpha:
        return "agrees"
    return "disagrees" if tau.p_family_worse[i] <= alpha else "cannot tell"
