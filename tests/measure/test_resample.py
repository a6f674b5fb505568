"""Intervals against scipy's bootstrap and statsmodels' cluster-robust errors; unknown stays unknown."""

import numpy as np
import pytest
import scipy.stats
from statsmodels.api import OLS

from surehand.measure.logratio import log_ratios, lower_limits, simultaneous_limits
from surehand.measure.paired import paired_limits
from surehand.measure.resample import ratio_interval, skill_interval, unit_warnings


def episodes(rng: np.random.Generator, units: int, columns: int = 3) -> tuple[np.ndarray, np.ndarray]:
    counts = rng.integers(20, 80, units).astype(float)
    effect = np.exp(0.6 * rng.standard_normal((units, columns)))
    return rng.gamma(counts[:, None] / 4) * effect, counts


def test_percentile_is_scipys(rng: np.random.Generator) -> None:
    num, den = episodes(rng, 150)
    found = ratio_interval(num, den, rng=rng, draws=40_000)
    assert found.method == "percentile"
    for column in range(3):
        theirs = scipy.stats.bootstrap(
            (num[:, column], den),
            lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=40_000,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        width = theirs.high - theirs.low
        assert found.low[column] == pytest.approx(theirs.low, abs=0.02 * width)
        assert found.high[column] == pytest.approx(theirs.high, abs=0.02 * width)


def test_cr1_t_is_statsmodels(rng: np.random.Generator) -> None:
    lengths = rng.integers(5, 20, 12)
    episode = np.repeat(np.arange(12), lengths)
    frames = rng.gamma(2.0, size=len(episode)) * np.exp(0.5 * rng.standard_normal(12))[episode]
    fit = OLS(frames, np.ones(len(frames))).fit(cov_type="cluster", cov_kwds={"groups": episode}, use_t=True)
    num = np.bincount(episode, frames)[:, None]
    found = ratio_interval(num, lengths.astype(float), rng=rng, method="CR1-t")
    mean, reach = fit.params[0], scipy.stats.t.ppf(0.975, 11) * fit.bse[0]
    assert found.low[0] == pytest.approx(mean * np.exp(-reach / mean))
    assert found.high[0] == pytest.approx(mean * np.exp(reach / mean))


def test_stratified_cr1_t_is_a_loop(rng: np.random.Generator) -> None:
    num, den = episodes(rng, 10, 1)
    task = np.repeat(["a", "b", "c"], [2, 3, 5])
    theta = num[:, 0].sum() / den.sum()
    psi = (num[:, 0] - theta * den) / num[:, 0].sum()
    variance = sum(np.var(psi[task == t], ddof=1) * (task == t).sum() for t in "abc")
    found = ratio_interval(num, den, rng=rng, strata=task)
    assert found.method == "CR1-t"
    assert found.low[0] == pytest.approx(theta * np.exp(-scipy.stats.t.ppf(0.975, 7) * np.sqrt(variance)))


def test_bootstrap_t_is_a_loop() -> None:
    rng = np.random.default_rng(3)
    num, den = episodes(rng, 12, 1)
    a, b = num[:, 0], den
    fast = log_ratios(num, den[:, None], draws=4000, rng=np.random.default_rng(9))
    index = np.random.default_rng(9).integers(0, 12, size=(4000, 12), dtype=np.uint32)
    slow = []
    for rows in index:
        top, bottom = a[rows], b[rows]
        se = np.sqrt(12 / 11 * ((top / top.sum() - bottom / bottom.sum()) ** 2).sum())
        slow.append((np.log(top.sum() / bottom.sum()) - np.log(a.sum() / b.sum())) / se)
    np.testing.assert_allclose(fast.t[:, 0], slow, rtol=1e-6)
    assert ratio_interval(num, den, rng=rng).method == "bootstrap-t"


@pytest.mark.parametrize("units", [0, 1])
def test_below_two_episodes_there_is_no_interval(rng: np.random.Generator, units: int) -> None:
    found = ratio_interval(np.ones((units, 2)), np.ones(units), rng=rng)
    assert found.method == "none"
    assert np.isnan(found.low).all() and np.isnan(found.high).all()
    assert "no interval" in found.warnings[0]


def test_two_episodes_never_give_a_short_interval(rng: np.random.Generator) -> None:
    found = ratio_interval(np.array([[1.0], [2.0]]), np.ones(2), rng=rng)
    assert found.low[0] < 0.01 and found.high[0] > 100


def test_warnings_name_the_number() -> None:
    assert "only 12 episodes" in unit_warnings(12)[0]
    assert unit_warnings(20) == ()
    assert "1 sessions" in unit_warnings(1, "sessions")[0]


def test_pooling_single_tasks_is_said_aloud(rng: np.random.Generator) -> None:
    num, den = episodes(rng, 30)
    found = ratio_interval(num, den, rng=rng, strata=np.array([*range(4), *[9] * 26]))
    assert any("4 single-episode tasks pooled" in line for line in found.warnings)
    assert not ratio_interval(num, den, rng=rng, strata=np.repeat([0, 1], 15)).warnings


def test_episodes_without_frames_of_the_phase_do_not_count(rng: np.random.Generator) -> None:
    num, den = episodes(rng, 8)
    padded = ratio_interval(np.vstack([num, np.zeros((30, 3))]), np.append(den, np.zeros(30)), rng=rng)
    assert any("only 8 episodes" in line for line in padded.warnings)


def test_a_zero_or_dead_column_has_no_interval(rng: np.random.Generator) -> None:
    num, den = episodes(rng, 30)
    num[:, 0], num[:, 1] = 0, np.nan
    found = ratio_interval(num, den, rng=rng)
    assert np.isnan(found.low[:2]).all() and np.isfinite([found.low[2], found.high[2]]).all()


def test_units_of_measurement_do_not_matter(rng: np.random.Generator) -> None:
    num, den = episodes(rng, 15)
    one = ratio_interval(num, den, rng=np.random.default_rng(4))
    tiny = ratio_interval(num * 1e-12, den, rng=np.random.default_rng(4))
    np.testing.assert_allclose(tiny.low, one.low * 1e-12, rtol=1e-9)
    np.testing.assert_allclose(tiny.high, one.high * 1e-12, rtol=1e-9)


def test_skill_against_itself_half_and_an_idle_rival(rng: np.random.Generator) -> None:
    rival, den = episodes(rng, 40)
    num = rival * [1.0, 0.5, 1.0]
    value, found = skill_interval(num, rival, den, floor=np.array([0, 0, 1e9]), rng=rng)
    np.testing.assert_allclose(value, [0, 0.5, np.nan], atol=1e-12)
    # Paired: a policy that is half as wrong in every episode is so without doubt.
    np.testing.assert_allclose(found.low, value, atol=1e-6)
    np.testing.assert_allclose(found.high, value, atol=1e-6)


def test_skill_interval_is_scipys_paired_bootstrap(rng: np.random.Generator) -> None:
    (num, den), (rival, _) = episodes(rng, 150, 1), episodes(rng, 150, 1)
    value, found = skill_interval(num, rival, den, rng=rng, draws=40_000)
    theirs = scipy.stats.bootstrap(
        (num[:, 0], rival[:, 0]),
        lambda a, b, axis: 1 - a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        n_resamples=40_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert found.low[0] == pytest.approx(theirs.low, abs=0.03 * width)
    assert found.high[0] == pytest.approx(theirs.high, abs=0.03 * width)
    assert found.low[0] < value[0] < found.high[0]


def test_simultaneous_limits_are_wider_and_nested(rng: np.random.Generator) -> None:
    num, den = episodes(rng, 40, 20)
    one = ratio_interval(num, den, rng=np.random.default_rng(1))
    low, high = simultaneous_limits(num, den, level=0.95, draws=10_000, rng=np.random.default_rng(1))
    assert (low < one.low).all() and (high > one.high).all()
    few, _ = simultaneous_limits(num[:, :3], den, level=0.95, draws=10_000, rng=np.random.default_rng(1))
    assert (few > low[:3]).all()


def test_simultaneous_limits_know_nothing_from_one_episode(rng: np.random.Generator) -> None:
    low, high = simultaneous_limits(np.ones((1, 2)), np.ones(1), level=0.95, draws=10, rng=rng)
    assert (low == 0).all() and np.isinf(high).all()
    assert np.isnan(lower_limits(np.ones((1, 2)), np.ones((1, 2)), level=0.95, draws=10, rng=rng)).all()


def test_paired_limits_are_those_of_the_same_ratios(rng: np.random.Generator) -> None:
    """All pairs at once, by the fast path, against log ratios of the spelled-out columns."""
    num = rng.gamma(2.0, size=(25, 3, 2)) * np.exp(rng.standard_normal((25, 1, 1)))
    low = paired_limits(num, level=0.9, draws=3000, rng=np.random.default_rng(5))
    first, second = np.triu_indices(3, 1)
    a, b = (num[:, side].reshape(25, -1) for side in (first, second))
    slow = simultaneous_limits(a, b, level=0.9, draws=3000, rng=np.random.default_rng(5))
    np.testing.assert_allclose(low[first, second].ravel(), slow[0], rtol=1e-6)
    np.testing.assert_allclose(1 / low[second, first].ravel(), slow[1], rtol=1e-6)
    assert (low[np.arange(3), np.arange(3)] == 1).all()


def test_paired_limits_know_nothing_of_zero_sums_or_one_episode(rng: np.random.Generator) -> None:
    num = rng.gamma(2.0, size=(25, 3, 1))
    num[:, 0] = 0
    low = paired_limits(num, level=0.9, draws=500, rng=rng)[:, :, 0]
    assert low[0, 1] == low[1, 0] == 0 and low[1, 2] > 0
    assert paired_limits(num[:1], level=0.9, draws=500, rng=rng)[1, 2, 0] == 0


def test_bootstrap_t_does_not_take_strata(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="strata"):
        ratio_interval(np.ones((4, 1)), np.ones(4), rng=rng, strata=np.zeros(4), method="bootstrap-t")
