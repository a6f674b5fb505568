"""Sums per cluster, strata and resampling weights against loops and known moments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.measure.clusters import by_cluster, cluster_weights, pool_strata, resampled_sums


def test_by_cluster_is_a_loop(rng: np.random.Generator) -> None:
    values, cluster = rng.normal(size=(30, 2, 3)), rng.integers(0, 7, 30)
    expected = [sum(v for v, c in zip(values, cluster, strict=True) if c == one) for one in np.unique(cluster)]
    np.testing.assert_allclose(by_cluster(values, cluster), expected)


def test_weights_draw_every_unit_equally_often(rng: np.random.Generator) -> None:
    weights = cluster_weights(8, 20_000, rng)
    assert (weights.sum(axis=1) == 8).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(weights.var(axis=0), 1 - 1 / 8, atol=0.05)


def test_rao_wu_keeps_the_variance_of_small_strata(rng: np.random.Generator) -> None:
    """Variance over draws is Σ_h n_h/(n_h−1) Σ (x − mean_h)², unbiased; plain resampling loses (n_h−1)/n_h of it."""
    strata = np.repeat([0, 1, 2], [2, 3, 5])
    x = rng.normal(size=10)
    sums = cluster_weights(10, 200_000, rng, strata) @ x
    parts = [x[strata == h] for h in range(3)]
    expected = sum(len(p) / (len(p) - 1) * ((p - p.mean()) ** 2).sum() for p in parts)
    plain = sum(((p - p.mean()) ** 2).sum() for p in parts)
    assert sums.var() == pytest.approx(expected, rel=0.02)
    assert plain < 0.8 * expected  # the test can tell the two apart
    assert sums.mean() == pytest.approx(x.sum(), abs=0.02)


def test_a_stratum_of_one_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="pool_strata"):
        cluster_weights(3, 10, rng, np.array([0, 0, 1]))


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=20))
def test_pooled_strata_hold_two_units_or_more(labels: list[str]) -> None:
    strata, pooled = pool_strata(np.array(labels))
    assert np.bincount(strata).min() >= 2
    assert pooled == sum(labels.count(one) == 1 for one in labels)
    whole = [i for i, one in enumerate(labels) if labels.count(one) > 1]
    for i in whole:  # labels with two units or more stay together
        assert all(strata[i] == strata[j] for j in whole if labels[i] == labels[j])


def test_blocks_of_draws_are_one_draw(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = rng.normal(size=(6, 3))
    whole = resampled_sums(columns, 100, np.random.default_rng(1))
    monkeypatch.setattr("surehand.measure.clusters.BLOCK", 6 * 7)
    np.testing.assert_allclose(resampled_sums(columns, 100, np.random.default_rng(1)), whole)
