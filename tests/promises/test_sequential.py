"""Promises of stopping early: however often one looks, false statements stay at or below alpha, per family of arms.

Success designs: computed exactly, probabilities carried forward pair by pair at success rates that the design's own
nodes do not hold, also off the diagonal and at ceilings. E-process: exactly on untied pairs, and by simulation on
scores with heavy ties. Families: by simulation through `judge_stop`, with three standard errors of slack. Each time the
usual mistake breaks the promise: a test made for a fixed number of trials, looked at after every pair.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from surehand.decide.stopping import judge_stop
from surehand.formats.schedules import StopRule
from surehand.measure.betting import e_path, e_value
from surehand.measure.sequential import design

CEILING = 1 - np.array([0.05, 0.04, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0])
RATES = np.unique(np.concatenate([np.linspace(0.0013, 0.9987, 400), CEILING, 1 - CEILING]))
Stops = Callable[[int], np.ndarray]  # pairs -> (k + 1, k + 1), the states [a, b] at which one would say "a is better"


def ever(stops: Stops, n: int, p_a: np.ndarray, p_b: np.ndarray) -> np.ndarray:
    """P(stopped for the first arm by pair n) (P,) at success rates (P,), looked at after every pair."""
    going = np.ones((len(p_a), 1, 1))
    a, b = p_a[:, None, None], p_b[:, None, None]
    stopped = np.zeros(len(p_a))
    for k in range(1, n + 1):
        going = np.pad(going, ((0, 0), (0, 1), (0, 0))) * (1 - a) + np.pad(going, ((0, 0), (1, 0), (0, 0))) * a
        going = np.pad(going, ((0, 0), (0, 0), (0, 1))) * (1 - b) + np.pad(going, ((0, 0), (0, 0), (1, 0))) * b
        here = stops(k)
        stopped += going[:, here].sum(axis=1)
        going = np.where(here, 0.0, going)
    return stopped


def fisher(alpha: float) -> Stops:
    """Fisher's exact test, one-sided, as if k pairs had been the plan."""

    def stops(k: int) -> np.ndarray:
        a = np.arange(k + 1)[:, None]
        return np.asarray(hypergeom.sf(a - 1, 2 * k, np.broadcast_to(a + a.T, (k + 1, k + 1)), k) <= alpha)

    return stops


@pytest.mark.parametrize(
    ("n", "alpha"),
    [(5, 0.2), (20, 0.05), (20, 0.025), (50, 0.05), (50, 0.05 / 6), pytest.param(100, 0.05, marks=pytest.mark.slow)],
)
def test_success_at_every_rate(n: int, alpha: float) -> None:
    """One-sided, both arms alike: below the bound that is claimed, at every rate; and most of alpha is used."""
    plan = design(n, alpha, sides=1)
    found = ever(lambda k: plan.stops(k)[0], n, RATES, RATES)
    assert found.max() <= plan.type_one <= alpha
    assert found.max() > (0.65 if n == 5 else 0.85) * alpha  # five pairs have few states to choose from


@pytest.mark.parametrize("n", [20, pytest.param(50, marks=pytest.mark.slow)])
def test_success_off_the_diagonal(n: int) -> None:
    """The second arm better: fewer false stops than with both alike at either rate."""
    plan = design(n, 0.05, sides=1)
    p_a, p_b = (x.ravel() for x in np.meshgrid(np.r_[0.02:1:0.07, CEILING], np.r_[0.05:1:0.07, CEILING]))
    p_a, p_b = p_a[p_a < p_b], p_b[p_a < p_b]
    stops: Stops = lambda k: plan.stops(k)[0]  # noqa: E731
    found = ever(stops, n, p_a, p_b)
    assert (found <= ever(stops, n, p_b, p_b) + 1e-12).all()
    assert (found <= ever(stops, n, p_a, p_a) + 1e-12).all()


@pytest.mark.parametrize("n", [20, 50])
def test_success_two_sided(n: int) -> None:
    plan = design(n, 0.05)
    found = ever(lambda k: np.logical_or(*plan.stops(k)), n, RATES, RATES)
    assert found.max() <= plan.type_one <= 0.05
    assert found.max() > 0.04


@pytest.mark.parametrize(("n", "above"), [(20, 0.06), (50, 0.11)])
def test_peeking_with_fishers_test_breaks_it(n: int, above: float) -> None:
    """Conservative as Fisher's test is, looking after every pair costs two or three times what is promised."""
    assert ever(fisher(0.05), n, RATES, RATES).max() > above


@pytest.mark.parametrize("n", [20, 50])
def test_blocks_that_differ(n: int) -> None:
    """Conditions that change from block to block, alike for both arms: fewer false stops, not more, in these cases."""
    plan = design(n, 0.05, sides=1)
    rng = np.random.default_rng(0)
    rates = [np.resize([0.1, 0.9], n), np.linspace(0.5, 0.95, n), np.linspace(0.98, 0.3, n), *rng.random((5, n))]
    for p in rates:
        going, stopped = np.ones((1, 1)), 0.0
        for k in range(1, n + 1):
            q = p[k - 1]
            going = np.pad(going, ((0, 1), (0, 0))) * (1 - q) + np.pad(going, ((1, 0), (0, 0))) * q
            going = np.pad(going, ((0, 0), (0, 1))) * (1 - q) + np.pad(going, ((0, 0), (1, 0))) * q
            stopped += float(going[plan.stops(k)[0]].sum())
            going = np.where(plan.stops(k)[0], 0.0, going)
        assert stopped <= 0.05


def ever_in_untied(crossed: Callable[[int, int], bool], n: int, p_win: float) -> float:
    """P(crossed within n untied pairs), each won with chance p_win: what ties can only delay."""
    going, total = np.ones(1), 0.0
    for k in range(1, n + 1):
        going = np.append(going, 0.0) * (1 - p_win) + np.append(0.0, going) * p_win
        here = np.array([crossed(w, k - w) for w in range(k + 1)])
        total += float(going[here].sum())
        going = np.where(here, 0.0, going)
    return total


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.2])
def test_e_process_on_untied_pairs(alpha: float) -> None:
    """Exact: 200 untied pairs, equally good arms and worse ones."""
    equal, worse = (ever_in_untied(lambda w, x: e_value(w, x) >= 1 / alpha, 200, p) for p in (0.5, 0.45))
    assert worse < equal <= alpha
    assert equal > alpha / 4


def test_peeking_with_a_sign_test_breaks_it() -> None:
    """The exact sign test (for scores of paired trials the permutation test of signs) after every untied pair."""
    table = {(w, k - w): bool(binom.sf(w - 1, k, 0.5) <= 0.05) for k in range(1, 101) for w in range(k + 1)}
    assert ever_in_untied(lambda w, x: table[w, x], 50, 0.5) > 0.12
    assert ever_in_untied(lambda w, x: table[w, x], 100, 0.5) > 0.16


SCORES = {  # laws of the scores 0 to 4 of two arms, the first not better: P(D > 0) <= P(D < 0)
    "spread": ([0.2] * 5, [0.2] * 5),
    "heavy ties": ([0, 0, 0, 0.3, 0.7], [0, 0, 0, 0.3, 0.7]),
    "ceiling": ([0, 0, 0, 0.05, 0.95], [0, 0, 0, 0.05, 0.95]),
    "at the ceiling": ([0, 0, 0, 0.01, 0.99], [0, 0, 0, 0.01, 0.99]),
    "unequal spread": ([0, 0, 1, 0, 0], [0.25, 0.25, 0, 0.25, 0.25]),
    "worse": ([0.1, 0.2, 0.2, 0.2, 0.3], [0, 0, 0.2, 0.3, 0.5]),
}


@pytest.mark.parametrize("name", SCORES)
def test_e_process_on_scores(name: str) -> None:
    """200 pairs, alpha .2, 1000 studies."""
    rng = np.random.default_rng(11)
    first, second = (rng.choice(5, (1000, 200), p=law) for law in SCORES[name])
    wrong = np.mean([(e_path(d) >= 5).any() for d in first - second])
    assert wrong <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 1000)


def false_families(rule: StopRule, draw: Callable[[], np.ndarray], better: np.ndarray, studies: int) -> float:
    """Share of studies with any false statement; draw gives outcomes (blocks, arms), `better[i, j]` is the truth."""
    wrong = 0
    for _ in range(studies):
        arms = {str(i): column.tolist() for i, column in enumerate(draw().T)}
        paths = judge_stop(rule, arms).pairs
        said = [(p.winner, p.second if p.winner == p.first else p.first) for p in paths if p.winner]
        wrong += any(not better[int(winner), int(loser)] for winner, loser in said)
    return wrong / studies


def best_first(arms: int, best: int) -> np.ndarray:
    """(P, P) truth: the first `best` arms are better than the rest, all others equal."""
    order = np.arange(arms) < best
    return np.asarray(order[:, None] & ~order[None, :])


FAMILIES = [([0.5] * 3, 0), ([0.8] * 3, 0), ([0.95] * 3, 0), ([0.98, 0.6, 0.6], 1), ([1.0, 1.0, 0.7], 2)]
STUDIES = [pytest.param(250), pytest.param(4000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("studies", STUDIES)
@pytest.mark.parametrize(("rates", "best"), FAMILIES)
def test_families_on_success(rates: list[float], best: int, studies: int) -> None:
    """Three arms, alpha .2 for all three pairs and both directions, 20 blocks."""
    rng = np.random.default_rng(21)
    rule = StopRule(outcome="success", alpha=0.2, pairs=20)
    wrong = false_families(rule, lambda: (rng.random((20, 3)) < rates).astype(float), best_first(3, best), studies)
    assert wrong <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / studies)


@pytest.mark.parametrize("studies", STUDIES)
@pytest.mark.parametrize(
    ("laws", "best"),
    [
        ([SCORES["spread"][0]] * 3, 0),
        ([SCORES["heavy ties"][0]] * 3, 0),
        ([SCORES["ceiling"][0]] * 3, 0),
        ([[0, 0, 0, 0, 1], SCORES["spread"][0], SCORES["spread"][0]], 1),
    ],
)
def test_families_on_scores(laws: list[list[float]], best: int, studies: int) -> None:
    """Three arms, Holm's steps over six statements, alpha .2, 60 blocks."""
    rng = np.random.default_rng(31)
    rule = StopRule(outcome="score", alpha=0.2, pairs=60)

    def draw() -> np.ndarray:
        return np.stack([rng.choice(5, 60, p=law) for law in laws], axis=1).astype(float)

    assert false_families(rule, draw, best_first(3, best), studies) <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / studies)


def test_a_family_that_shares_nothing_breaks_it() -> None:
    """Three pairs at the whole of alpha each: a false statement in far more than alpha of the studies."""
    rng = np.random.default_rng(41)
    plan = design(20, 0.2)
    wrong = 0
    for _ in range(600):
        x = rng.random((20, 3)) < 0.5
        wrong += any(plan.decide(x[:, i], x[:, j]).winner for i, j in ((0, 1), (0, 2), (1, 2)))
    assert wrong / 600 > 0.2 + 3 * np.sqrt(0.2 * 0.8 / 600)


@pytest.mark.parametrize("outcome", ["success", "score"])
def test_looking_after_every_trial_is_what_was_computed(outcome: str) -> None:
    """Whoever asks after every single trial is told to stop at the block that the whole sequence stops at."""
    rng = np.random.default_rng(51)
    rule = StopRule(outcome=outcome, alpha=0.2, pairs=20)  # type: ignore[arg-type]
    for _ in range(10):
        x = (rng.random((20, 2)) < [0.9, 0.5]).astype(float)
        whole = judge_stop(rule, {"a": x[:, 0].tolist(), "b": x[:, 1].tolist()}).pairs[0]
        told = None
        for done in range(41):
            given: dict[str, list[float | None]] = {"a": [None] * 20, "b": [None] * 20}
            for trial in range(done):
                given["ab"[trial % 2]][trial // 2] = float(x[trial // 2, trial % 2])
            if (now := judge_stop(rule, given)).may_stop:
                told = (now.blocks, now.pairs[0].winner)
                break
        assert told == (whole.stopped or 20, whole.winner)
