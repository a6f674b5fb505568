"""Novelty models against scipy and plain formulas, where covariance has no inverse, and through a file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import mahalanobis

from surehand.exceptions import FormatError, NotEnoughData, ShapeError, SurehandError
from surehand.measure.novelty import Mahalanobis, Neighbours, Novelty, RandomDistillation, load_novelty


def shrunk(x: np.ndarray) -> np.ndarray:
    """Ledoit & Wolf (2004), lemma 3.2 to 3.5, with loops: the covariance of x (N, V), shrunk to its mean variance."""
    z = x - x.mean(axis=0)
    n, v = z.shape
    s = sum(np.outer(row, row) for row in z) / n
    m = np.trace(s) / v
    norm = lambda a: (a**2).sum() / v  # noqa: E731
    d2 = norm(s - m * np.eye(v))
    b2 = min(sum(norm(np.outer(row, row) - s) for row in z) / n**2, d2)
    return np.asarray(b2 / d2 * m * np.eye(v) + (1 - b2 / d2) * s)


def all_models(x: np.ndarray) -> list[Novelty]:
    rng = np.random.default_rng(5)
    return [Mahalanobis.fit(x), Neighbours.fit(x, 3, rng=rng), RandomDistillation.fit(x, rng=rng, features=40)]


@given(n=st.integers(3, 60), v=st.integers(1, 12), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_mahalanobis_equals_the_formulas(n: int, v: int, seed: int) -> None:
    """Also with fewer embeddings than dimensions, where the plain covariance has no inverse."""
    rng = np.random.default_rng(seed)
    x, new = rng.normal(size=(n, v)) @ rng.normal(size=(v, v)), rng.normal(size=(4, v)) * 3
    scale = x.std(axis=0)
    if v == 1:  # nothing to shrink towards: the variance itself
        expected = np.abs(new - x.mean(axis=0))[:, 0] / scale[0]
    else:
        inverse = np.linalg.inv(shrunk(x / scale))
        expected = [mahalanobis(row / scale, x.mean(axis=0) / scale, inverse) / np.sqrt(v) for row in new]
    np.testing.assert_allclose(Mahalanobis.fit(x).risk(new), expected, rtol=1e-6)


def test_rank_deficient_training(rng: np.random.Generator) -> None:
    x = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 20))  # three directions of twenty
    x = np.hstack([x, np.full((500, 1), 7.0), x[:, :1]])  # a constant and a copy
    off = np.zeros((1, 22))
    off[0, 20] = 1.0
    for model in all_models(x):
        inside, outside = model.risk(x[:50]), model.risk(x[:50] + 5 * off)
        assert np.isfinite(inside).all() and np.isfinite(outside).all()
        assert outside.mean() > inside.mean()
    assert Mahalanobis.fit(x).risk(x).mean() < 1.5
    with pytest.raises(NotEnoughData, match="all 9 training embeddings are equal"):
        Mahalanobis.fit(np.ones((9, 3)))


@given(n=st.integers(4, 80), v=st.integers(1, 6), k=st.integers(1, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_neighbours_equal_a_tree(n: int, v: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, new = rng.normal(size=(n, v)) * 7 + 100, rng.normal(size=(5, v)) * 7 + 100
    tree = cKDTree((x - x.mean(axis=0)) / x.std(axis=0))
    found = tree.query((new - x.mean(axis=0)) / x.std(axis=0), k=[k])[0][:, 0] / np.sqrt(v)
    np.testing.assert_allclose(Neighbours.fit(x, k, rng=rng).risk(new), found, rtol=1e-9)
    assert (Neighbours.fit(x, 1, rng=rng).risk(x) == 0).all()


def test_neighbours_keep_some_of_many(rng: np.random.Generator) -> None:
    model = Neighbours.fit(rng.normal(size=(3000, 4)), 2, most=500, rng=rng)
    assert model.points.shape == (500, 4)
    assert len({tuple(row) for row in model.points.tolist()}) == 500
    assert np.isfinite(model.risk(rng.normal(size=(4000, 4)))).all()  # more than one block


def test_distillation_is_ridge_on_fixed_features(rng: np.random.Generator) -> None:
    x = rng.normal(size=(70, 5)) * 3 + 1
    model = RandomDistillation.fit(x, rng=np.random.default_rng(0), features=30, targets=4, ridge=2.0)

    def through(network: np.ndarray, rows: np.ndarray) -> np.ndarray:
        z = (rows - x.mean(axis=0)) / x.std(axis=0)
        return np.sqrt(2) * np.cos(z @ network[:5] + network[5])

    said, seen = through(model.target, x), through(model.features, x)
    # The intercept is not penalised: ridge on centred columns, then the mean put back.
    a, b = seen - seen.mean(axis=0), said - said.mean(axis=0)
    slope = np.linalg.lstsq(np.vstack([a, np.sqrt(2.0) * np.eye(30)]), np.vstack([b, np.zeros((30, 4))]), rcond=None)[0]
    new = rng.normal(size=(6, 5)) * 5
    guess = said.mean(axis=0) + (through(model.features, new) - seen.mean(axis=0)) @ slope
    np.testing.assert_allclose(model.risk(new), ((through(model.target, new) - guess) ** 2).mean(axis=1), rtol=1e-8)


def test_all_tell_new_from_known() -> None:
    rng = np.random.default_rng(2)
    mixing = rng.normal(size=(8, 16))
    train, known = (rng.normal(size=(n, 8)) @ mixing for n in (800, 300))
    new = known + 4 * rng.normal(size=(300, 16))
    for model in all_models(train):
        pairs = model.risk(new)[:, None] > model.risk(known)[None]
        assert pairs.mean() > 0.9, model.kind


def test_through_a_file_with_numpy_alone(rng: np.random.Generator, tmp_path: Path) -> None:
    x, new = rng.normal(size=(40, 6)), rng.normal(size=(5, 6))
    new[2, 1] = np.inf
    for model in all_models(x):
        path = tmp_path / f"{model.kind}.npz"
        np.savez(path, **model.arrays())  # type: ignore[arg-type]
        with np.load(path, allow_pickle=False) as arrays:
            again = load_novelty(arrays)
        np.testing.assert_array_equal(again.risk(new), model.risk(new))
        assert np.isnan(again.risk(new)[2]) and np.isfinite(np.delete(again.risk(new), 2)).all()
        assert again.risk(new[:0]).shape == (0,)
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, numpy as np; from surehand.measure.novelty import load_novelty\n"
            f"load_novelty(np.load({str(path)!r})).risk(np.zeros((1, 6))); print('scipy' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "False"


def test_refusals(rng: np.random.Generator) -> None:
    x = rng.normal(size=(10, 3))
    with pytest.raises(NotEnoughData, match="at least 12"):
        Neighbours.fit(x, 12, rng=rng)
    with pytest.raises(SurehandError, match="expected k"):
        Neighbours.fit(x, 0, rng=rng)
    with pytest.raises(SurehandError, match="above 0"):
        RandomDistillation.fit(x, rng=rng, ridge=0)
    with pytest.raises(ShapeError, match=r"expected \(M, 3\)"):
        Mahalanobis.fit(x).risk(x[:, :2])
    with pytest.raises(ShapeError, match=r"expected \(N, V\)"):
        Mahalanobis.fit(x[0])
    with pytest.raises(FormatError, match="kind 'tree'"):
        load_novelty({"kind": np.array("tree")})
    with pytest.raises(FormatError, match="whiten missing"):
        load_novelty({"kind": np.array("mahalanobis"), "mean": np.zeros(2)})
    x[4, 0] = np.nan
    with pytest.raises(SurehandError, match="training embedding 4"):
        Mahalanobis.fit(x)
