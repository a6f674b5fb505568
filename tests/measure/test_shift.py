"""Shift monitors against counting loops, integrals and definitions; their promises are in tests/promises."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from surehand.exceptions import FormatError, NotEnoughData, ShapeError, SurehandError
from surehand.measure.shift import ShiftMonitor, bets, log_martingale
from surehand.measure.shift_adaptive import AdaptiveLimit
from surehand.measure.shift_bets import JUMP
from surehand.measure.shift_ranks import Ranks, fixed_p_values, online_p_values
from surehand.measure.shift_violations import STAKES, ViolationMonitor, log_evidence
from surehand.measure.shift_weighted import WeightedRisk

VALUES = st.lists(st.one_of(st.integers(0, 4).map(float), st.sampled_from([math.inf, math.nan, 0.5])), max_size=60)


def by_counting(pool: list[float], new: list[float], rng: np.random.Generator, grow: bool) -> list[float]:
    bag, found = [math.inf if v != v else v for v in pool], []
    for v in (math.inf if v != v else v for v in new):
        above, equal = sum(c > v for c in bag), sum(c == v for c in bag)
        found.append((above + (1 - rng.random()) * (equal + 1)) / (len(bag) + 1))
        if grow:
            bag.append(v)
    return found


@given(pool=VALUES, new=VALUES, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=100)
def test_p_values_equal_counting(pool: list[float], new: list[float], seed: int) -> None:
    for function, grow in ((online_p_values, True), (fixed_p_values, False)):
        got = function(np.array(pool), np.array(new), rng=np.random.default_rng(seed))
        np.testing.assert_allclose(got, by_counting(pool, new, np.random.default_rng(seed), grow), rtol=1e-12)


def test_p_values_of_many_equal_the_stream() -> None:
    rng = np.random.default_rng(0)
    pool, new = np.round(rng.normal(size=300), 2), np.round(rng.normal(size=3000) + 0.3, 2)
    monitor = ShiftMonitor(pool, rng=np.random.default_rng(7))
    states = [monitor.update(v) for v in new.tolist()]
    p = online_p_values(pool, new, rng=np.random.default_rng(7))
    np.testing.assert_allclose([s.log_evidence for s in states], log_martingale(p), rtol=1e-9, atol=1e-9)
    assert states[-1].highest == max(s.log_evidence for s in states)
    first = int(np.argmax(log_martingale(p) >= math.log(100))) + 1
    assert states[-1].alarm == first and states[first - 2].alarm is None


def test_ranks_against_a_list(rng: np.random.Generator) -> None:
    bag, other = Ranks(np.array([3.0, 1.0, 3.0])), Ranks()
    plain = [3.0, 1.0, 3.0]
    for value in rng.integers(0, 50, 3000).astype(float).tolist():
        bag.add(value)
        plain.append(value)
    assert len(bag._sorted) <= 6  # arrays of growing size, so that a look-up stays short
    for value in (10.0, -1.0, 49.0, 10.5):
        assert bag.counts(value) == (sum(x > value for x in plain), plain.count(value))
    other.add(math.nan)
    bag.merge(other)
    np.testing.assert_array_equal(bag.values(), np.sort([*plain, math.inf]))
    assert len(bag) == len(plain) + 1 and bag.counts(math.inf) == (0, 1)


def test_bets_are_fair() -> None:
    for bet in range(bets(np.ones(1), both=True).shape[-1]):
        whole = quad(lambda p, bet=bet: float(bets(np.array(p), both=True)[bet]), 0, 1, limit=500)[0]
        assert whole == pytest.approx(1, abs=1e-6)
    assert (bets(np.array([1e-300, 1e-9, 0.5, 1.0]), both=True) >= 0).all()


def test_martingale_equals_the_recursion(rng: np.random.Generator) -> None:
    p = rng.random((2, 40)) ** 1.5
    for run in range(2):
        capital = np.full(7, 1 / 7)
        for n in range(40):
            capital = capital * bets(p[run, n])
            assert log_martingale(p)[run, n] == pytest.approx(math.log(capital.sum()), rel=1e-9, abs=1e-12)
            capital = (1 - JUMP) * capital + JUMP * capital.sum() / 7
    assert log_martingale(np.full(20_000, 0.01))[-1] > 800  # far beyond what a float holds
    with pytest.raises(SurehandError, match="above 0"):
        log_martingale(np.array([0.0]))


def test_state_in_words() -> None:
    monitor = ShiftMonitor(np.arange(100.0), alpha=0.05, rng=np.random.default_rng(0))
    assert str(monitor.compute()) == "no alarm: evidence of the scores up to 1 of 20 in 0 episodes"
    for _ in range(20):
        monitor.update(1000.0)
    assert str(monitor.compute()) == "alarm at episode 2 of 20: the scores changed (false alarms ≤ 0.05)"
    for _ in range(500):
        state = monitor.update(-1000.0)
    assert state.alarm == 2 and state.log_evidence < state.highest  # an alarm stays
    for bad in (0, 1, math.nan):
        with pytest.raises(SurehandError, match="alpha"):
            ShiftMonitor(np.arange(9.0), bad, rng=np.random.default_rng(0))
    with pytest.raises(NotEnoughData, match="calibration values"):
        ShiftMonitor(np.zeros(0), rng=np.random.default_rng(0))
    with pytest.raises(SurehandError, match="jump"):
        ShiftMonitor(np.arange(9.0), rng=np.random.default_rng(0), jump=1.0)
    with pytest.raises(ShapeError, match="one number per episode"):
        fixed_p_values(np.zeros((2, 2)), np.zeros(2), rng=np.random.default_rng(0))


def test_violation_monitor_equals_the_product() -> None:
    """K = Π(1 + ν_e(W_e − ε)) with the ν it announced before each episode, within 0 and 1/ε."""
    rng = np.random.default_rng(1)
    w = np.where(rng.random(400) < 0.2, rng.random(400), 0.0)
    monitor, log = ViolationMonitor(0.05), 0.0
    path = log_evidence(w, 0.05)
    for e, risk in enumerate(w.tolist()):
        assert 0 <= monitor.bet <= 1 / 0.05
        log += math.log(1 + monitor.bet * (risk - 0.05))
        assert monitor.update(risk).log_evidence == pytest.approx(log, rel=1e-9, abs=1e-9) == path[e]
    assert monitor.compute().alarm is not None
    assert "executed violations against 0.05 changed" in str(monitor.compute())
    assert max(STAKES) < 1


def test_violations_wait_for_their_turn() -> None:
    late, plain = ViolationMonitor(0.1), ViolationMonitor(0.1)
    for w in (0.0, 1.0, 0.0, 1.0):
        expected = plain.update(w)
    assert late.update(1.0, 3).episodes == 0 and late.waiting == 1
    assert late.update(0.0, 0).episodes == 1
    late.update(0.0, 2)
    assert late.update(1.0, 1) == expected and late.waiting == 0
    for place in (0, 3):
        with pytest.raises(SurehandError, match="counted already"):
            late.update(0.0, place)
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(SurehandError, match="0 to 1"):
            late.update(bad)
        with pytest.raises(SurehandError, match="0 to 1"):
            log_evidence(np.array([bad]), 0.1)
    with pytest.raises(SurehandError, match="epsilon"):
        ViolationMonitor(0.0)


def test_monitors_go_on_after_a_restart(tmp_path: Path) -> None:
    """Half of the episodes, a file, the other half: the same as all in one go."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=400) + 0.5
    whole = ShiftMonitor(rng.normal(size=80), 0.3, rng=np.random.default_rng(1), both=True)
    again = ShiftMonitor.load(whole.arrays(), rng=np.random.default_rng(1))
    for value in values.tolist():
        expected = whole.update(value)
    for value in values[:200].tolist():
        again.update(value)
    np.savez(tmp_path / "scores.npz", **again.arrays())  # type: ignore[arg-type]
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as arrays:
        again = ShiftMonitor.load(arrays, rng=again.rng)
    for value in values[200:].tolist():
        state = again.update(value)
    assert state == expected and state.alarm is not None

    violations = ViolationMonitor(0.1, 0.3)
    for place in (0, 1, 5, 3):
        violations.update(float(place == 1), place)
    copy = ViolationMonitor.load(violations.arrays())
    assert copy.compute() == violations.compute() and copy.waiting == 2
    assert copy.update(1.0, 2) == violations.update(1.0, 2)
    with pytest.raises(FormatError, match="not a saved monitor"):
        ViolationMonitor.load({"share": np.ones(6)})
    for load in (ViolationMonitor.load, lambda a: ShiftMonitor.load(a, rng=rng)):
        with pytest.raises(FormatError, match="not a saved monitor"):
            load({"watch": np.ones(6), "share": np.ones(6)})
    with pytest.raises(FormatError, match="6 bets, expected 13"):
        ShiftMonitor.load(whole.arrays() | {"share": np.ones(6)}, rng=rng)


LIMITS = st.one_of(st.integers(0, 6).map(float), st.sampled_from([math.inf, -math.inf]))


@given(
    episodes=st.lists(st.tuples(LIMITS, st.integers(0, 4)), min_size=1, max_size=25),
    weight=st.integers(0, 5),
    epsilon=st.sampled_from([0.05, 0.2, 0.3, 0.5]),
)
@settings(deadline=None, max_examples=150)
def test_weighted_limit_is_the_supremum(episodes: list[tuple[float, int]], weight: int, epsilon: float) -> None:
    critical, known = (np.array(x, float) for x in zip(*episodes, strict=True))
    if not known.sum():
        return
    risk = WeightedRisk().update(critical[:3], known[:3]).merge(WeightedRisk().update(critical[3:], known[3:]))
    got = risk.compute(np.array([float(weight)]), epsilon)
    allowed = lambda limit: (  # noqa: E731
        (known * (limit > critical)).sum() + weight <= epsilon * (known.sum() + weight) * (1 + 1e-12)
    )
    grid = [limit for limit in np.concatenate([np.arange(-1, 8, 0.5), [math.inf]]) if allowed(limit)]
    if not grid:
        assert got.limit[0] == -math.inf and not got.feasible[0]
    elif grid[-1] == math.inf:
        assert got.limit[0] == math.inf
    else:
        assert got.limit[0] == max(grid) and not allowed(np.nextafter(got.limit[0], 9))


def test_weighted_without_shift_is_conformal_risk_control(rng: np.random.Generator) -> None:
    """Equal weights: the largest λ with (Σ L + 1)/(n + 1) ≤ ε, and as many effective episodes as there are."""
    critical = np.where(rng.random(200) < 0.4, rng.random(200), np.inf)
    got = WeightedRisk().update(critical, np.full(200, 3.0)).compute(np.array([3.0]), 0.1)
    assert got.limit[0] == np.sort(critical)[int(0.1 * 201 - 1)]
    assert got.effective == pytest.approx(200)
    few = WeightedRisk().update(np.full(18, np.inf), np.ones(18)).compute(np.array([1.0, 0.5, np.inf]), 0.05)
    assert few.limit.tolist() == [-math.inf, math.inf, -math.inf]  # 19 episodes is the least at .05
    assert "18 weighted episodes are worth 18.0; 33% of deployed ones have a limit" in str(few)
    unlike = WeightedRisk().update(np.full(100, np.inf), np.r_[np.ones(99), 99.0]).compute(np.ones(1), 0.1)
    assert unlike.effective == pytest.approx(198**2 / (99 + 99**2))
    assert WeightedRisk().update(np.array([np.nan]), np.ones(1)).compute(np.ones(1), 0.6).limit[0] == -math.inf


def test_weighted_refusals() -> None:
    with pytest.raises(NotEnoughData, match="weights above 0"):
        WeightedRisk().compute(np.ones(1), 0.1)
    with pytest.raises(SurehandError, match="finite"):
        WeightedRisk().update(np.ones(1), np.array([np.nan]))
    with pytest.raises(ShapeError, match="one each"):
        WeightedRisk().update(np.ones(2), np.ones(3))
    with pytest.raises(SurehandError, match="from 0"):
        WeightedRisk().update(np.ones(2), np.ones(2)).compute(np.array([-1.0]), 0.1)
    with pytest.raises(SurehandError, match="epsilon"):
        WeightedRisk().update(np.ones(2), np.ones(2)).compute(np.ones(1), 0.0)


@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=200),
    step=st.sampled_from([0.01, 0.1, 0.5]),
    start=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(deadline=None, max_examples=60)
def test_adaptive_bound_holds_for_every_sequence(scores: list[float], step: float, start: float) -> None:
    """An adversary who violates whenever anything is executed."""
    limit = AdaptiveLimit(0.1, step=step, low=0.0, high=1.0, start=start)
    assert math.isnan(limit.bound) and math.isnan(limit.mean_loss) and "no episode yet" in str(limit)
    for score in scores:
        limit.update(float(score < limit.limit))
        assert limit.mean_loss <= limit.bound + 1e-12 and limit.limit <= 1.0
    assert "not a certificate" in str(limit)


def test_adaptive_follows_a_change_and_refuses_gaps() -> None:
    rng = np.random.default_rng(0)
    limit = AdaptiveLimit(0.1, step=0.02, low=0.0, high=1.0, start=0.5)
    losses = []
    for e in range(6000):
        score = rng.random()
        wrong = rng.random() < (score if e < 3000 else min(1.0, 2 * score))  # twice as dangerous from then on
        losses.append(float(wrong and score < limit.limit))
        limit.update(losses[-1])
    assert np.mean(losses[:3000]) == pytest.approx(0.1, abs=0.02)
    assert np.mean(losses[4000:]) == pytest.approx(0.1, abs=0.02)
    with pytest.raises(SurehandError, match="every label"):
        limit.update(math.nan)
    for bad in ({"step": 0.0}, {"start": 2.0}, {"low": 1.0, "start": 1.0}, {"high": math.inf}):
        with pytest.raises(SurehandError, match="expected a step"):
            AdaptiveLimit(0.1, **({"step": 0.1, "low": 0.0, "high": 1.0, "start": 0.5} | bad))
    with pytest.raises(SurehandError, match="epsilon"):
        AdaptiveLimit(1.0, step=0.1, low=0.0, high=1.0, start=0.5)
    closed = AdaptiveLimit(0.1, step=0.1, low=0.0, high=1.0, start=0.0)
    with pytest.raises(SurehandError, match="nothing may be executed"):
        closed.update(1.0)
