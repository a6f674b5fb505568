"""The model confidence set against arch's, and where it must differ."""

import numpy as np
import pytest
from arch.bootstrap import MCS

from surehand.measure.modelset import influence_losses, model_confidence_set


def losses(rng: np.random.Generator, units: int = 120, models: int = 8) -> np.ndarray:
    shared = rng.normal(size=(units, 1))
    return shared + rng.normal(size=(units, models)) + np.linspace(0, 0.6, models)


def test_p_values_are_archs(rng: np.random.Generator) -> None:
    data = losses(rng)
    theirs = MCS(data, 0.05, reps=10_000, block_size=1, bootstrap="circular", seed=1)
    theirs.compute()
    ours = model_confidence_set(data, rng=rng, studentise=False)
    expected = theirs.pvalues["Pvalue"].sort_index().to_numpy()
    np.testing.assert_allclose(ours.p_values, expected, atol=0.015)
    assert 0.05 < np.median(expected) < 0.95  # not only trivial p-values were compared
    assert list(np.flatnonzero(ours.included)) == theirs.included


def test_with_many_even_units_studentising_changes_little(rng: np.random.Generator) -> None:
    data = losses(rng, 2000, 5)
    ours = model_confidence_set(data, rng=np.random.default_rng(1))
    original = model_confidence_set(data, rng=np.random.default_rng(1), studentise=False)
    np.testing.assert_allclose(ours.p_values, original.p_values, atol=0.02)


def test_on_few_skewed_units_the_default_is_the_careful_one() -> None:
    rng = np.random.default_rng(3)
    data = np.exp(1.5 * rng.standard_normal((15, 6)))
    default = model_confidence_set(data, rng=np.random.default_rng(1))
    careful = model_confidence_set(data, rng=np.random.default_rng(1), studentise=True)
    original = model_confidence_set(data, rng=np.random.default_rng(1), studentise=False)
    np.testing.assert_array_equal(default.p_values, careful.p_values)
    assert (careful.p_values >= original.p_values).all()
    assert careful.p_values.min() > original.p_values.min() + 0.1


def test_one_clear_winner_stands_alone(rng: np.random.Generator) -> None:
    data = rng.normal(size=(100, 4)) * 0.1 + [1, 0, 1, 1]
    found = model_confidence_set(data, rng=rng, draws=2000)
    assert found.included.tolist() == [False, True, False, False]
    assert found.p_values[1] == 1 and found.p_values[0] < 0.01


def test_identical_models_are_never_told_apart(rng: np.random.Generator) -> None:
    one = rng.normal(size=(50, 1))
    found = model_confidence_set(np.hstack([one, one, one]), rng=rng, draws=500)
    np.testing.assert_array_equal(found.p_values, 1)
    shifted = model_confidence_set(np.hstack([one, one + 0.25]), rng=rng, draws=500)
    assert shifted.included.tolist() == [True, False]


def test_influence_losses_average_to_the_ratio_and_reproduce_it(rng: np.random.Generator) -> None:
    den = rng.integers(10, 90, 60).astype(float)
    num = rng.gamma(den[:, None], size=(60, 3))
    rows = influence_losses(num, den)
    np.testing.assert_allclose(rows.mean(axis=0), num.sum(axis=0) / den.sum())
    even = influence_losses(num, np.full(60, 7.0))
    np.testing.assert_allclose(even, num / 7)


@pytest.mark.parametrize("units", [0, 1])
def test_below_two_units_every_model_stays(rng: np.random.Generator, units: int) -> None:
    found = model_confidence_set(np.ones((units, 3)), rng=rng)
    assert found.included.all() and np.isnan(found.p_values).all()


def test_a_single_model_is_its_own_set(rng: np.random.Generator) -> None:
    found = model_confidence_set(np.ones((5, 1)), rng=rng)
    assert found.included.tolist() == [True] and found.p_values.tolist() == [1]
