"""Power against known tables, brute force over every pair of count tables, scipy's tests and simulation."""

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.stats import barnard_exact, fisher_exact, mannwhitneyu, multinomial

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.measure import power_exact
from surehand.measure.ordinal import permutation_test
from surehand.measure.power import (
    Test,
    assurance,
    assurance_limit,
    find_power,
    first_staying,
    power,
    trials_needed,
)
from surehand.measure.power_shift import fallen, smallest_difference
from surehand.measure.superiority import success_posterior
from surehand.measure.two_levels import barnard_rejects

KINDS: list[tuple[Test, int, float]] = [
    ("approximation", 1, 0.05),
    ("approximation", 2, 0.05),
    ("permutation", 1, 0.05),
    ("permutation", 2, 0.05),
    ("permutation", 2, 0.05 / 3),
]


@pytest.mark.parametrize(
    ("threes", "needed"),
    [(0.25, (16, 21, 26, 31, 35)), (0.125, (34, 43, 53, 62, 72)), (0.5, (8, 10, 10, 12, 17))],
)
def test_trials_needed_against_a_policy_that_always_scores_4(threes: float, needed: tuple[int, ...]) -> None:
    found = [
        trials_needed([0, 0, 0, 1], [0, 0, threes, 1 - threes], test=test, sides=sides, alpha=alpha)
        for test, sides, alpha in KINDS
    ]
    assert tuple(found) == needed


def test_power_of_twenty_trials() -> None:
    kinds = [k for k in KINDS if k[:2] != ("permutation", 1)]
    found = [power([0, 1], [0.25, 0.75], 20, test=t, sides=s, alpha=a) for t, s, a in kinds]
    assert found == pytest.approx([0.909, 0.775, 0.585, 0.214], abs=5e-4)
    assert power([0, 1], [0.25, 0.75], 20, test="barnard") == pytest.approx(0.775, abs=5e-4)
    assert power([0, 1], [0.25, 0.75], 25, test="barnard") == pytest.approx(0.904, abs=5e-4)
    smolvla = [0, 0.1, 0.3, 0.6]
    assert power([0, 0, 0, 1], smolvla, 20, test="approximation") == pytest.approx(0.984, abs=5e-4)
    assert power([0, 0, 0, 1], smolvla, 20) == pytest.approx(0.949, abs=5e-4)
    for n, known in ((20, 0.45), (30, 0.63), (40, 0.84)):
        assert power([0.02, 0.98], [0.25, 0.75], n) == pytest.approx(known, abs=0.006)
    for n, known in ((40, 0.745), (60, 0.896)):  # known by simulation; scipy over all tables gives .7482 and .8976
        again = power([0.05, 0.95], [0.25, 0.75], n, test="approximation")
        assert again == pytest.approx(known, abs=0.004)


def test_power_of_the_second_pair() -> None:
    """3.75 against 3.5: .20 at 20, .65 at 80."""
    for n, known in ((20, 0.20), (80, 0.65)):
        found = power([0, 0, 0.25, 0.75], [0, 0.1, 0.3, 0.6], n, test="approximation")
        assert found == pytest.approx(known, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("test", ["approximation", "permutation"])
def test_trials_needed_by_the_second_pair(test: Test) -> None:
    needed = trials_needed([0, 0, 0.25, 0.75], [0, 0.1, 0.3, 0.6], test=test)
    assert needed is not None and 105 <= needed <= 125  # "about 115"


def brute(p_a: np.ndarray, p_b: np.ndarray, n: int, alpha: float, test: Test) -> float:
    """Two-sided power by every pair of tables, each judged on its own."""
    tables = [t for t in product(range(n + 1), repeat=len(p_a)) if sum(t) == n]
    levels = np.arange(len(p_a))
    total = 0.0
    for a, b in product(tables, tables):
        chance = multinomial.pmf(a, n, p_a) * multinomial.pmf(b, n, p_b)
        x, y = np.repeat(levels, a), np.repeat(levels, b)
        if test == "approximation":
            p = mannwhitneyu(x, y, method="asymptotic").pvalue if len({*x, *y}) > 1 else 1.0
        else:
            p = _permutation(np.array(a) + b, np.array(a), tables)
        total += chance * (p <= alpha * (1 + 1e-9))
    return total


def _permutation(pooled: np.ndarray, seen: np.ndarray, tables: list[tuple[int, ...]]) -> float:
    ranks = 2 * np.cumsum(pooled) - pooled + 1  # doubled midranks
    inside = [np.array(t) for t in tables if (np.array(t) <= pooled).all() and (pooled - t <= sum(seen)).all()]
    ways = np.array([np.prod([float(comb(int(p), int(k))) for p, k in zip(pooled, t, strict=True)]) for t in inside])
    sums = np.array([t @ ranks for t in inside])
    at = seen @ ranks
    return float(min(1, 2 * min(ways[sums >= at].sum(), ways[sums <= at].sum()) / ways.sum()))


@pytest.mark.parametrize("test", ["permutation", "approximation"])
@pytest.mark.parametrize(
    ("p_a", "p_b", "n"),
    [((0.2, 0.3, 0.5), (0.5, 0.3, 0.2), 6), ((0, 0.1, 0.9), (0.6, 0.2, 0.2), 5), ((0.1, 0.9), (0.7, 0.3), 9)],
)
def test_against_brute_force(p_a: tuple[float, ...], p_b: tuple[float, ...], n: int, test: Test) -> None:
    expected = brute(np.array(p_a), np.array(p_b), n, 0.2, test)
    assert 0.02 < expected < 0.98
    assert power(p_a, p_b, n, alpha=0.2, test=test) == pytest.approx(expected, abs=1e-8)


def test_sorting_and_counting_find_the_same_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for dense in (0, 1e18):
        monkeypatch.setattr(power_exact, "DENSE", dense)
        found.append(find_power([0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.4, 0.1], 12))
    assert found[0] == found[1]


def test_fisher_is_the_permutation_test_on_successes() -> None:
    """And scipy's rejections are ours."""
    n, p_a, p_b = 12, 0.9, 0.4
    expected = 0.0
    for x, y in product(range(n + 1), repeat=2):
        p = fisher_exact([[x, n - x], [y, n - y]]).pvalue
        chance = multinomial.pmf([x, n - x], n, [p_a, 1 - p_a]) * multinomial.pmf([y, n - y], n, [p_b, 1 - p_b])
        expected += chance * (p <= 0.05 * (1 + 1e-9))
    laws = [1 - p_a, p_a], [1 - p_b, p_b]
    assert power(*laws, n, test="fisher") == pytest.approx(expected, abs=1e-9)
    assert power(*laws, n, test="fisher") == power(*laws, n)


def test_barnard_rejects_where_scipy_does() -> None:
    n = 9
    found = barnard_rejects(n, 0.05, 2)
    for x, y in product(range(0, n + 1, 2), repeat=2):
        p = barnard_exact([[x, y], [n - x, n - y]]).pvalue
        if abs(p - 0.05) > 1e-3:
            assert found[x, y] == (p < 0.05), (x, y, p)
    one = barnard_rejects(n, 0.05, 1)
    assert one[n, 0] and not one[0, n]


def test_sampling_agrees_with_enumeration() -> None:
    """Where it is all by samples, and where the approximation has to speak for most of them."""
    p_a, p_b = [0, 0.1, 0.3, 0.6], [0.1, 0.2, 0.3, 0.4]
    exact = find_power(p_a, p_b, 25)
    assert exact.exact and exact.method == "exact"
    sampled = find_power(p_a, p_b, 25, most_pairs=0)
    assert not sampled.exact and "Monte Carlo" in sampled.method and "normal approximation" in sampled.method
    assert sampled.value == pytest.approx(exact.value, abs=0.025)
    near = find_power([0, 0, 0.05, 0.95], [0.02, 0.05, 0.13, 0.8], 25, most_pairs=2_000_000, draws=20_000)
    truth = find_power([0, 0, 0.05, 0.95], [0.02, 0.05, 0.13, 0.8], 25, most_pairs=10**9)
    assert near.value == pytest.approx(truth.value, abs=0.012)


def test_the_true_null_is_rejected_no_more_often_than_said() -> None:
    for p in ([0.5, 0.5], [0.05, 0.95], [0.1, 0.2, 0.7]):
        assert power(p, p, 20) <= 0.05
        assert power(p, p, 20, sides=1) <= 0.05
    assert power([0, 1], [0, 1], 20) == 0.0


def test_assurance_is_power_averaged_over_the_posterior(rng: np.random.Generator) -> None:
    a, b = np.array([1, 8]), np.array([5, 6])
    found = assurance(a, b, 15, rng=rng)
    assert found.exact
    draws = [(rng.beta(8.5, 1.5), rng.beta(6.5, 5.5)) for _ in range(4000)]
    plain = [find_power([1 - p, p], [1 - q, q], 15).value for p, q in draws]
    assert found.value == pytest.approx(np.mean(plain), abs=4 * np.std(plain) / np.sqrt(len(plain)))


def test_assurance_ends_at_the_doubt_about_the_direction(rng: np.random.Generator) -> None:
    a, b = [2, 18], [5, 15]
    limit = assurance_limit(a, b, rng=rng)
    assert limit == pytest.approx(success_posterior(18, 20, 15, 20, 0.5), abs=0.004)
    found = [assurance(a, b, n, rng=rng).value for n in (20, 80, 320, 1000)]
    assert found == sorted(found) and limit - 0.08 < found[-1] < limit


@pytest.mark.parametrize(("levels", "needed"), [(2, 48), (3, 60)])
def test_trials_needed_by_assurance(levels: int, needed: int) -> None:
    """About 60 for 4.0 against 3.75, on the three levels the HSR trials used."""
    a, b = np.array([0, 0, 0, 20])[-levels:], np.array([0, 0, 5, 15])[-levels:]

    def assured(n: int) -> float:
        return assurance(a, b, n, rng=np.random.default_rng(0)).value

    assert first_staying(assured, 0.8, 200) == needed


def test_the_first_n_from_which_power_stays() -> None:
    saw = {10: 0.9, 11: 0.9, 12: 0.7, 13: 0.9, 14: 0.75}
    assert first_staying(lambda n: saw.get(n, 0.9 if n > 9 else 0.1), 0.8, 100, ahead=0.2) == 15
    late = {13: 0.7}  # a single step back, after a stretch that held
    assert first_staying(lambda n: late.get(n, 0.9 if n > 9 else 0.1), 0.8, 100, ahead=0.2) == 14
    assert first_staying(lambda n: late.get(n, 0.9 if n > 9 else 0.1), 0.8, 100) == 10  # a smooth curve: not looked for
    assert first_staying(lambda n: 0.5, 0.8, 100) is None
    assert first_staying(lambda n: n / 100, 0.8, 100) == 80
    n = trials_needed([0, 1], [0.25, 0.75])
    assert n == 31
    curve = [power([0, 1], [0.25, 0.75], k) for k in range(20, 60)]
    assert min(np.diff(curve)) < -0.01  # a saw-tooth: more trials, less power
    assert curve[n - 1 - 20] < 0.8 <= min(curve[n - 20 :])


def test_the_smallest_fall_is_found_with_the_target_power() -> None:
    found = smallest_difference([0, 0, 0, 1], 20)
    assert found is not None and found.power >= 0.8 and found.levels == pytest.approx(0.313, abs=0.003)
    assert power([0, 0, 0, 1], fallen(np.array([0, 0, 0, 1.0]), found.levels - 0.004), 20) < 0.8
    assert found.win_rate == pytest.approx((1 + found.levels) / 2)
    assert smallest_difference([0, 1], 3) is None
    eight = smallest_difference(np.array([1, 2, 1, 2, 3, 4, 3, 4]) / 20, 30, most_pairs=100_000, draws=2000)
    assert eight is not None and "Monte Carlo" in eight.method  # whose shares add up to 1 but for rounding
    known = smallest_difference([0, 0, 0, 1], 31)
    assert known is not None and known.levels == pytest.approx(0.25, abs=0.01)


def test_a_fall_moves_everything_so_many_levels_down() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.4])
    assert fallen(p, 0).tolist() == p.tolist()
    assert fallen(p, 1) == pytest.approx([0.3, 0.3, 0.4, 0])
    assert fallen(p, 1.5) == pytest.approx([0.45, 0.35, 0.2, 0])
    assert fallen(p, 3) == pytest.approx([1, 0, 0, 0])


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ShapeError, match="distributions"):
        power([0.5, 0.6], [0.5, 0.5], 10)
    with pytest.raises(ShapeError, match="count failures and successes first"):
        power([0, 0, 1], [0, 0.5, 0.5], 10, test="fisher")
    with pytest.raises(NotEnoughData):
        power([0, 1], [0.5, 0.5], 0)
    for wrong in ({"alpha": 0.0}, {"sides": 3}, {"test": "student"}):
        with pytest.raises(SurehandError):
            power([0, 1], [0.5, 0.5], 10, **wrong)


def test_bars_are_those_of_the_test_that_compares(rng: np.random.Generator) -> None:
    """`surehand trials compare` and the plan speak of one test."""
    n, tail = 15, 0.025
    for _ in range(60):
        a, b = (rng.multinomial(n, rng.dirichlet([0.5, 0.5, 1, 2])) for _ in range(2))
        scores = [np.repeat(np.arange(4.0), counts) for counts in (a, b)]
        found = permutation_test(*scores, rng=rng)
        wins = sum(int(np.sign(x - y)) for x in scores[0] for y in scores[1])
        bar = power_exact.bars((a + b)[None], n, tail)[0]
        assert found.exact
        assert (abs(wins) >= bar) == (found.two_sided <= 2 * tail * (1 + 1e-9)), (a, b)
