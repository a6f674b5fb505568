"""Exact sequential design: against every sequence, probabilities carried forward, and known stopping times."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from surehand.exceptions import ShapeError
from surehand.measure.sequential import Design, design
from surehand.measure.sequential_boundary import nodes

FINE = np.concatenate([np.linspace(0, 1, 1001), 1 - np.geomspace(1e-5, 1e-2, 40), np.geomspace(1e-5, 1e-2, 40)])


def false_stops(plan: Design, p: np.ndarray) -> np.ndarray:
    """(looks, P) P(stopped for the first by this look) with both arms at p, probabilities carried forward pair by pair.

    Nothing here is shared with the design but its table: states, not ways; every p on its own, not a polynomial.
    """
    going = {(0, 0): np.ones_like(p)}
    stopped, by_look = np.zeros_like(p), []
    for k in range(1, plan.n_max + 1):
        after: dict[tuple[int, int], np.ndarray] = {}
        for (a, b), chance in going.items():
            for i, j in product((0, 1), repeat=2):
                step = chance * (p if i else 1 - p) * (p if j else 1 - p)
                after[a + i, b + j] = after.get((a + i, b + j), 0) + step
        going = {}
        for (a, b), chance in after.items():
            if k in plan.looks and a >= plan.upper[k, b]:
                stopped = stopped + chance
            else:
                going[a, b] = chance
        by_look.append(stopped)
    return np.array(by_look)


@pytest.mark.parametrize(("n", "alpha", "sides"), [(3, 0.3, 1), (5, 0.2, 1), (5, 0.3, 2), (6, 0.1, 2)])
def test_every_sequence(n: int, alpha: float, sides: int) -> None:
    """Chances from the recursion equal those from walking through all 4^n sequences with `decide`."""
    plan = design(n, alpha, sides=sides)  # type: ignore[arg-type]
    p_a, p_b = 0.7, 0.4
    first = second = pairs = 0.0
    for a in product((0, 1), repeat=n):
        for b in product((0, 1), repeat=n):
            chance = np.prod(np.where(a, p_a, 1 - p_a)) * np.prod(np.where(b, p_b, 1 - p_b))
            stop = plan.decide(a, b)
            first += chance * (stop.winner == 1)
            second += chance * (stop.winner == -1)
            pairs += chance * (stop.stopped or n)
    assert plan.operating(p_a, p_b) == pytest.approx((first, second, pairs), rel=1e-12)
    assert first > 0
    assert (second > 0) == (sides == 2)


@pytest.mark.parametrize(("n", "alpha"), [(8, 0.05), (20, 0.05), (20, 0.005), (50, 0.05), (35, 0.3)])
def test_spending_at_every_look(n: int, alpha: float) -> None:
    """At no p and no look more than alpha·k/n is spent; the bound is proven for all p and nearly reached."""
    plan = design(n, alpha, sides=1)
    by_look = false_stops(plan, FINE)
    assert (by_look.max(axis=1) <= alpha * np.arange(1, n + 1) / n).all()
    assert by_look[-1].max() <= plan.type_one <= alpha
    assert plan.spent == pytest.approx(by_look.max(axis=1), rel=2e-3, abs=1e-9)


def test_nothing_is_left_over() -> None:
    """One more state anywhere at the last look, where a run can get, would break alpha at some p."""
    plan = design(20, 0.05, sides=1)
    tried = 0
    for b in range(20):
        wider = plan.upper.copy()
        wider[20, b] -= 1
        if wider[20, b] <= b or wider[20, b] > 20:
            continue
        tried += 1
        image = 20 - wider[20, b]  # states come with their mirror image, failures and successes exchanged
        wider[20, image] = min(wider[20, image], 20 - b)
        worse = Design(20, 0.05, 1, plan.looks, wider, plan.spent, plan.type_one)
        assert false_stops(worse, FINE)[-1].max() > 0.05 * 0.998 or same_chances(plan, worse)
    assert tried > 10


def same_chances(plan: Design, other: Design) -> bool:
    """Whether the added states cannot be reached."""
    return bool(np.allclose(false_stops(plan, FINE)[-1], false_stops(other, FINE)[-1], rtol=1e-12, atol=0))


@pytest.mark.parametrize("n", [7, 20, 50])
def test_regions_are_monotone(n: int) -> None:
    """More successes of the first, fewer of the second: a test that stopped for the first still stops."""
    plan = design(n, 0.05, sides=1)
    for k in plan.looks:
        stops = plan.stops(k)[0]
        assert (stops[1:] >= stops[:-1]).all()
        assert (stops[:, :-1] >= stops[:, 1:]).all()
        assert (stops == stops[::-1, ::-1].T).all()  # failures are as good as successes
    assert np.diff(plan.upper[1:, :], axis=1)[np.tril_indices(n, -1)].min() >= 0


def test_worst_case_lies_on_the_diagonal() -> None:
    plan = design(30, 0.05, sides=1)
    grid = np.linspace(0, 1, 21)
    chance = np.array([[plan.operating(a, b).first for b in grid] for a in grid])
    assert (np.diff(chance, axis=0) >= -1e-15).all()
    assert (np.diff(chance, axis=1) <= 1e-15).all()
    assert chance[np.tril_indices(21, -1)[::-1]].max() <= plan.type_one


def test_bound_between_nodes() -> None:
    """Polynomials of full degree stay below `slack` times their largest value on the nodes."""
    rng = np.random.default_rng(3)
    degree = 12
    grid = nodes(degree)
    s = np.arange(degree + 1)
    dense = np.linspace(0, 1, 20_001)
    for _ in range(200):
        weights = rng.exponential(size=degree + 1) ** 4
        weights = weights + weights[::-1]  # the same at p and 1 − p
        here = (weights[:, None] * grid.powers * grid.others[::-1]).sum(axis=0).max()
        there = (weights * dense[:, None] ** s * (1 - dense[:, None]) ** s[::-1]).sum(axis=1).max()
        assert there <= here * grid.slack
    angles = np.linspace(0, np.pi, 100_001)
    wave = (1 + np.cos(degree * angles)) / 2  # the polynomial that comes nearest to the bound
    p = (np.arange(24 * degree) * 2 + 1) * np.pi / (48 * degree)
    seen = (1 + np.cos(degree * p)) / 2
    assert seen.max() < wave.max() <= seen.max() * grid.slack


def scores(shared: Path) -> dict[str, np.ndarray]:
    rows = np.genfromtxt(shared / "hsr_trials/robot_trials.csv", delimiter=",", dtype=str, skip_header=1)
    return {str(name): rows[rows[:, 0] == name, 2].astype(float) for name in np.unique(rows[:, 0])}


def stopping_times(plan: Design, a: np.ndarray, b: np.ndarray, orders: int = 300) -> np.ndarray:
    rng = np.random.default_rng(1)
    found = [plan.decide(rng.permutation(a), rng.permutation(b)).stopped for _ in range(orders)]
    return np.array([pairs for pairs in found if pairs])


@pytest.mark.parametrize(("n", "smolvla", "ours"), [(20, 12, 17), (50, 14, 21)])
def test_robot_trials_in_random_order(shared: Path, n: int, smolvla: int, ours: int) -> None:
    """HSR trials, one-sided .05: at least as early as the design the numbers are known of (median 12/17 and 14/-)."""
    success = {name: values == 4 for name, values in scores(shared).items()}
    base, mine, small = (success[k] for k in ("pi05_baseline_80k", "pi05_ours", "hsr_smolvla_40k"))
    plan = design(n, 0.05, sides=1)
    against_small, against_mine = stopping_times(plan, base, small), stopping_times(plan, base, mine)
    assert len(against_small) == len(against_mine) == 300
    assert np.median(against_small) <= smolvla
    assert np.median(against_mine) <= ours
    assert len(stopping_times(plan, mine, small)) <= (24 if n == 20 else 9)


@pytest.mark.parametrize(
    ("p_a", "p_b", "power", "pairs"),
    [(1.0, 0.75, 0.999, 22.7), (0.95, 0.75, 0.846, 31.7), (0.75, 0.6, 0.410, 41.7), (0.7, 0.4, 0.870, 27.8)],
)
def test_power_at_fifty_pairs(p_a: float, p_b: float, power: float, pairs: float) -> None:
    """At least the power of the plain boundary in z, with no more trials."""
    found = design(50, 0.05, sides=1).operating(p_a, p_b)
    assert found.first >= power
    assert found.pairs <= pairs


def test_two_sided_is_both_directions() -> None:
    both, one = design(20, 0.05), design(20, 0.025, sides=1)
    assert (both.upper == one.upper).all()
    rng = np.random.default_rng(2)
    for _ in range(50):
        a, b = rng.random(20) < 0.9, rng.random(20) < 0.3
        there, back = both.decide(a, b), both.decide(b, a)
        assert (there.stopped, there.winner) == (back.stopped, -back.winner)
        assert one.decide(b, a).winner == 0


def test_path_says_where_it_stops() -> None:
    plan = design(20, 0.05)
    a, b = [1] * 20, [0, 1] * 10
    stop = plan.decide(a, b)
    assert stop.winner == 1
    for step in stop.path[:-1]:
        assert not (step.difference >= step.upper or step.difference <= step.lower)
    last = stop.path[-1]
    assert last.pairs == stop.stopped
    assert last.difference >= last.upper
    assert last.lower == -last.upper


def test_looks_left_out() -> None:
    """Fewer looks: nothing stops between them, and what they may spend is what the share of pairs allows."""
    plan = design(20, 0.05, sides=1, looks=(10, 20))
    assert plan.decide([1] * 9, [0] * 9) == (None, 0, [])
    assert plan.decide([1] * 20, [0] * 20).stopped == 10
    assert false_stops(plan, FINE)[9].max() <= 0.025
    assert false_stops(plan, FINE)[-1].max() <= 0.05
    assert plan.operating(1.0, 0.75).first >= design(20, 0.05, sides=1).operating(1.0, 0.75).first


def test_pairs_past_the_plan_do_not_count() -> None:
    plan = design(5, 0.05)
    assert plan.decide([1, 0] * 20, [0, 1] * 20).stopped is None
    assert len(plan.decide([1, 0] * 20, [0, 1] * 20).path) == 5


def test_computed_once() -> None:
    assert design(20, 0.05) is design(20, 0.05, looks=range(1, 21))
    with pytest.raises(ValueError, match="read-only"):
        design(20, 0.05).upper[3, 3] = 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_max": 0}, "1 to 500 pairs, got 0"),
        ({"n_max": 501}, "got 501"),
        ({"n_max": 10, "alpha": 1.0}, "alpha lies between 0 and 1, got 1.0"),
        ({"n_max": 10, "looks": (0, 5)}, "between 1 and n_max = 10"),
        ({"n_max": 10, "looks": ()}, "leave them out"),
        ({"n_max": 10, "sides": 3}, "sides is 1 or 2"),
    ],
)
def test_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        design(**arguments)  # type: ignore[arg-type]


def test_scores_are_no_successes() -> None:
    plan = design(10)
    for bad in ([4.0, 3.0], [float("nan"), 1.0]):
        with pytest.raises(ShapeError, match="counts successes"):
            plan.decide(bad, [1.0, 0.0])
    with pytest.raises(ShapeError, match="got 2 and 1 trials"):
        plan.decide([1, 0], [1])


@pytest.mark.slow
def test_two_hundred_pairs() -> None:
    plan = design(200, 0.05, sides=1)
    p = np.array([0.001, 0.01, 0.3, 0.5, 0.87, 0.95, 0.98, 0.995])
    found = np.array([plan.operating(q, q).first for q in p])
    assert found.max() <= plan.type_one <= 0.05
    assert found[3] > 0.045
