"""Coefficients against scipy and loops; every order counted by hand; the values that SIMPLER's tables are known for."""

import json
from itertools import permutations
from math import factorial
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.agreement import (
    COEFFICIENTS,
    coefficients,
    exchange_tests,
    mmrv,
    order_tests,
    same_order,
    same_top,
)
from surehand.measure.orders import all_orders


def mmrv_loop(s: np.ndarray, r: np.ndarray) -> float:
    """As its formula stands."""
    n = len(s)
    worst = [max(abs(r[i] - r[j]) * ((s[i] > s[j]) != (r[i] > r[j])) for j in range(n)) for i in range(n)]
    return float(np.mean(worst))


ORACLES = {
    "tau_b": lambda s, r: stats.kendalltau(s, r).statistic,
    "spearman": lambda s, r: stats.spearmanr(s, r).statistic,
    "pearson": lambda s, r: stats.pearsonr(s, r).statistic,
    "mmrv": mmrv_loop,
}


def drawn(rng: np.random.Generator, policies: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two rows that are not constant."""
    while True:
        s, r = rng.normal(size=policies), rng.normal(size=policies)
        s, r = (np.round(s), np.round(r)) if ties else (s, r)
        if len(set(s)) > 1 and len(set(r)) > 1:
            return s, r


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("policies", [2, 3, 5, 8, 14])
def test_coefficients_are_those_of_scipy(policies: int, ties: bool, rng: np.random.Generator) -> None:
    rows = [drawn(rng, policies, ties) for _ in range(20)]
    found = coefficients(np.array([s for s, _ in rows]), np.array([r for _, r in rows]))
    for name, oracle in ORACLES.items():
        np.testing.assert_allclose(found[name], [oracle(s, r) for s, r in rows], atol=1e-12, err_msg=name)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("policies", [2, 3, 4, 5])
def test_p_is_a_share_of_all_orders(policies: int, ties: bool, rng: np.random.Generator) -> None:
    """Counted one by one, the robot's numbers dealt out in every order; the family by the best of three metrics."""
    for _ in range(4):
        rows = [drawn(rng, policies, ties) for _ in range(3)]
        metrics, robot = np.array([s for s, _ in rows]), rows[0][1]
        tests, method = order_tests(metrics, robot, rng=rng)
        assert method == f"exact, all {factorial(policies)} orders"
        for name, oracle in ORACLES.items():
            sign = -1 if name == "mmrv" else 1
            every = sign * np.array([[oracle(s, np.array(order)) for s in metrics] for order in permutations(robot)])
            seen = sign * np.array([oracle(s, robot) for s in metrics])
            test = tests[name]
            np.testing.assert_allclose(test.value, sign * seen, atol=1e-12)
            np.testing.assert_allclose(test.p, (every >= seen - 1e-9).mean(axis=0), err_msg=name)
            np.testing.assert_allclose(test.p_worse, (every <= seen + 1e-9).mean(axis=0))
            np.testing.assert_allclose(test.p_smallest, (every >= every.max(axis=0) - 1e-9).mean(axis=0), err_msg=name)
            best = every.max(axis=1, keepdims=True)
            np.testing.assert_allclose(test.p_family, (best >= seen - 1e-9).mean(axis=0))


@pytest.mark.parametrize("ties", [False, True])
def test_random_orders_come_close_to_all(ties: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    s, r = drawn(rng, 7, ties)
    exact, _ = order_tests(s, r, rng=rng)
    monkeypatch.setattr("surehand.measure.orders.MOST_ENUMERATED", 6)
    draws = 20_000
    found, method = order_tests(s, r, rng=rng, draws=draws)
    assert method == "Monte Carlo, 20000 random orders"
    for name in COEFFICIENTS:
        p = exact[name].p[0]
        assert abs(found[name].p[0] - p) < 4 * np.sqrt(p * (1 - p) / draws) + 2 / draws
        assert found[name].p_smallest[0] >= 1 / (draws + 1)


def test_three_in_order_come_once_in_six(rng: np.random.Generator) -> None:
    """Where scipy says p = 0."""
    tests, _ = order_tests(np.array([1.0, 2, 3]), np.array([1.0, 2, 3]), rng=rng)
    assert stats.spearmanr([1, 2, 3], [1, 2, 3]).pvalue == 0.0
    assert [tests[name].p[0] for name in COEFFICIENTS] == pytest.approx([1 / 6] * 4)
    assert tests["tau_b"].p_smallest[0] == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("s", "r", "exact", "scipys"),
    [([1, 2, 3, 4], [1, 2, 2, 3], 1 / 6, 0.071), ([1, 2, 3, 4, 5], [1, 2, 3, 3, 4], 1 / 30, 0.023)],
)
def test_ties_are_counted_not_approximated(
    s: list[int], r: list[int], exact: float, scipys: float, rng: np.random.Generator
) -> None:
    """Two-sided: kendalltau turns to an approximation at the first tie, and is too small."""
    tau = order_tests(np.array(s, float), np.array(r, float), rng=rng)[0]["tau_b"]
    assert stats.kendalltau(s, r).pvalue == pytest.approx(scipys, abs=1e-3)
    assert 2 * tau.p[0] == pytest.approx(exact)


@pytest.mark.parametrize(("policies", "critical"), [(5, 1.0), (6, 0.867), (8, 0.643)])
def test_critical_values_of_tau(policies: int, critical: float, rng: np.random.Generator) -> None:
    """The smallest |τ| with a two-sided exact p ≤ .05, as tables have it."""
    robot = np.arange(policies, dtype=float)
    orders, _ = all_orders(policies, rng=rng)
    taus = np.unique(np.round(coefficients(orders.astype(float), robot)["tau_b"], 9))
    every = coefficients(orders.astype(float), robot)["tau_b"]
    assert min(t for t in taus if t > 0 and 2 * (every >= t - 1e-9).mean() <= 0.05) == pytest.approx(critical, abs=1e-3)


def test_mmrv_of_nothing_known(rng: np.random.Generator) -> None:
    """P(MMRV = 0) in a random order: .166, .040, .0015 for 3, 4, 6 policies."""
    for policies, share in ((3, 1 / 6), (4, 1 / 24), (6, 1 / 720)):
        orders, _ = all_orders(policies, rng=rng)
        robot = rng.uniform(size=policies)
        assert (mmrv(orders.astype(float), robot) == 0).mean() == pytest.approx(share)


def test_equal_offline_numbers_violate_once() -> None:
    """The strict > hits only the better one of two policies that the metric cannot tell apart."""
    assert mmrv(np.array([1.0, 1.0]), np.array([0.2, 0.8])) == pytest.approx(0.3)
    assert mmrv(np.array([1.0, 2.0]), np.array([0.5, 0.5])) == 0


def test_simpler_tables(shared: Path, rng: np.random.Generator) -> None:
    """All nine tasks of SIMPLER (Li et al. 2024), simulated success against real success."""
    tables = json.loads((shared / "simpler_tables/simpler_tables.json").read_text())
    for task, known in tables["reference_metrics"].items():
        robot = np.array(list(tables["real"][task].values()))
        offline = np.array([tables["simpler"][task][policy] for policy in tables["real"][task]])
        tests, _ = order_tests(offline, robot, rng=rng)
        assert tests["mmrv"].value[0] == pytest.approx(known["mmrv"], abs=1e-12), task
        assert tests["pearson"].value[0] == pytest.approx(known["pearson"], abs=1e-5), task  # theirs guards against 0/0
    assert known  # the file holds tasks


def test_what_is_constant_has_no_agreement(rng: np.random.Generator) -> None:
    """Nor does it stand in the way of other metrics."""
    robot = np.array([1.0, 2, 3, 4, 5])
    tests, _ = order_tests(np.array([np.full(5, 0.1), robot]), robot, rng=rng)
    for test in tests.values():
        assert np.isnan([test.value[0], test.p[0], test.p_smallest[0], test.p_family[0]]).all()
        assert test.p_family[1] == test.p[1] == pytest.approx(1 / 120)
    assert all(np.isnan(t.p).all() for t in order_tests(robot, np.ones(5), rng=rng)[0].values())


def test_metrics_that_say_the_same_cost_nothing(rng: np.random.Generator) -> None:
    s, r = drawn(rng, 7, False)
    alone, many = order_tests(s, r, rng=rng)[0], order_tests(np.stack([s, np.exp(s), 3 * s]), r, rng=rng)[0]
    assert many["tau_b"].p_family == pytest.approx(np.repeat(alone["tau_b"].p, 3))


def test_refusals(rng: np.random.Generator) -> None:
    with pytest.raises(NotEnoughData, match="1 policy has no order"):
        order_tests(np.ones((1, 1)), np.ones(1), rng=rng)
    with pytest.raises(ShapeError, match=r"metrics \(M, P\)"):
        order_tests(np.ones((2, 3)), np.ones(4), rng=rng)
    with pytest.raises(NotEnoughData, match="1 run"):
        exchange_tests(np.ones((1, 1, 1)), rng=rng)


def test_same_order_and_same_top() -> None:
    robot = np.array([3.0, 2, 2, 1])
    assert same_order(np.array([9.0, 4, 5, 1]), robot)  # the robot's tie may be broken either way
    assert not same_order(np.array([9.0, 4, 5, 4]), robot)
    assert not same_order(np.arange(4.0), np.ones(4))  # nothing to agree with
    assert same_top(np.array([5.0, 1, 1]), np.array([2.0, 2, 1]))
    assert not same_top(np.array([5.0, 5, 1]), np.array([2.0, 1, 1]))


def test_exchanged_runs_by_loop(rng: np.random.Generator) -> None:
    alike = rng.uniform(-1, 1, (2, 4, 4))
    test, method = exchange_tests(alike, rng=rng)
    every = np.array([[np.mean([a[p[s], s] for s in range(4)]) for a in alike] for p in permutations(range(4))])
    assert method == "exact, all 24 exchanges of runs"
    np.testing.assert_allclose(test.value, every[0])
    np.testing.assert_allclose(test.p, (every >= every[0] - 1e-9).mean(axis=0))
    np.testing.assert_allclose(test.p_family, (every.max(axis=1)[:, None] >= every[0] - 1e-9).mean(axis=0))
    np.testing.assert_allclose(test.p_smallest, 1 / 24)
    assert "Monte Carlo" in exchange_tests(rng.uniform(-1, 1, (1, 12, 12)), rng=rng, draws=100)[1]
