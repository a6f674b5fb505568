"""E-values against numerical integration, and the properties that Ville's inequality asks for."""

from fractions import Fraction
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from surehand.exceptions import ShapeError
from surehand.measure.betting import e_holm, e_path, e_value, evidence, log_e_values

COUNTS = st.integers(0, 60)


@given(COUNTS, COUNTS)
def test_is_the_integral(wins: int, losses: int) -> None:
    found = quad(lambda t: 2 * (2 * t) ** wins * (2 * (1 - t)) ** losses, 0.5, 1, epsabs=0, epsrel=1e-10, limit=200)[0]
    assert e_value(wins, losses) == pytest.approx(found, rel=1e-7)


@given(COUNTS, COUNTS)
def test_fair_bets(wins: int, losses: int) -> None:
    """A martingale where win and loss are equally likely, and a win pays more than a loss: a supermartingale below."""
    won, lost = e_value(wins + 1, losses), e_value(wins, losses + 1)
    assert (won + lost) / 2 == pytest.approx(e_value(wins, losses), rel=1e-9)
    assert won > lost


def test_large_counts() -> None:
    """Far beyond what floats hold: all of 5000 pairs won gives 2^5001/5001, all lost 1/5001."""
    found = log_e_values(np.array([5000, 0, 100]), np.array([0, 5000, 4900]))
    assert found[0] == pytest.approx(5001 * np.log(2) - np.log(5001), rel=1e-12)
    assert found[1] == pytest.approx(-np.log(5001), rel=1e-9)
    tail = sum(comb(5001, i) for i in range(101))  # integers, exact
    assert found[2] == pytest.approx(log(tail) - log(5001 * comb(5000, 100)), abs=1e-7)
    assert e_value(5000, 0) == np.inf
    with pytest.raises(ShapeError, match="counts, got -1"):
        e_value(-1, 2)


@given(COUNTS, COUNTS)
def test_is_a_ratio_of_integers(wins: int, losses: int) -> None:
    n = wins + losses
    exact = Fraction(sum(comb(n + 1, i) for i in range(wins + 1)), (n + 1) * comb(n, wins))
    assert e_value(wins, losses) == pytest.approx(float(exact), rel=1e-10)


def test_path_skips_ties() -> None:
    found = e_path(np.array([0, 1, 0, 2.5, -1, 0]))
    assert found == pytest.approx([e_value(w, lost) for w, lost in ((0, 0), (1, 0), (1, 0), (2, 0), (2, 1), (2, 1))])
    both = evidence(np.array([0, 1, 0, 2.5, -1, 0]))
    assert both.first == pytest.approx(found)
    assert both.second[-1] == pytest.approx(e_value(1, 2))
    assert e_path(np.array([])).shape == (0,)
    with pytest.raises(ShapeError, match="one finite difference per pair"):
        e_path(np.array([1.0, np.nan]))


@given(st.lists(st.floats(0, 500), min_size=1, max_size=6), st.sampled_from([0.05, 0.1, 0.3]))
def test_holm_is_closed_testing(values: list[float], alpha: float) -> None:
    """A hypothesis falls exactly if every set that holds it has a member at size/alpha or more."""
    e = np.array(values)
    rejected = e_holm(e, alpha)
    for i in range(len(e)):
        sets = [s for s in range(1, 2 ** len(e)) if s >> i & 1]
        members = [[j for j in range(len(e)) if s >> j & 1] for s in sets]
        assert rejected[i] == all(max(e[m]) * alpha >= len(m) for m in members)


def test_holm_leaves_the_unknown() -> None:
    assert e_holm(np.array([np.nan, 100.0, 30.0]), 0.05).tolist() == [False, True, False]
    assert e_holm(np.array([20.0, 40.0]), 0.05).tolist() == [True, True]
    assert e_holm(np.array([]), 0.05).tolist() == []


def test_robot_trials_in_random_order(shared: Path) -> None:
    """Known: baseline > SmolVLA at one-sided .05 after 17 pairs (median), 1/E at twenty pairs .018; never > ours."""
    rows = np.genfromtxt(shared / "hsr_trials/robot_trials.csv", delimiter=",", dtype=str, skip_header=1)
    base, ours, small = (
        rows[rows[:, 0] == name, 2].astype(float) for name in ("pi05_baseline_80k", "pi05_ours", "hsr_smolvla_40k")
    )
    rng = np.random.default_rng(4)
    paths = np.array([e_path(rng.permutation(base) - rng.permutation(small)) for _ in range(4000)])
    assert (paths.max(axis=1) >= 20).all()
    assert np.median((paths >= 20).argmax(axis=1) + 1) == 17
    assert np.median(1 / paths[:, -1]) == pytest.approx(0.018, abs=5e-4)
    against_ours = np.array([e_path(rng.permutation(base) - rng.permutation(ours)) for _ in range(300)])
    assert against_ours.max() < 20
    assert np.median(1 / against_ours[:, -1]) == pytest.approx(0.095, abs=1e-3)
