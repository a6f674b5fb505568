"""The energy score against a double loop and against its defining property: the true distribution scores best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.exceptions import NotEnoughData, ShapeError, SpaceError
from surehand.frames import Pairs
from surehand.layout import Layout
from surehand.measure.scale import Scale, robot_scale
from surehand.measure.stochastic import EnergySums, energy_score

LAYOUT = Layout.parse("arm(a:revolute[rad] b:continuous[deg]) gripper pad(1)")
STD = Scale("std", "", "", np.array([2.0, 30.0, 0.5, 1.0]))
NONE_DEAD = np.zeros(4, bool)


def make(rng: np.random.Generator, lengths: list[int], draws: int, horizon: int = 3) -> Pairs:
    frame = np.concatenate([np.arange(n) for n in lengths])
    n = len(frame)
    return Pairs(
        prediction=rng.normal(size=(n, draws, horizon, 4)) * [2, 300, 1, 1],
        target=rng.normal(size=(n, horizon, 4)) * [2, 300, 1, 1],
        valid=frame[:, None] + np.arange(horizon) < np.repeat(lengths, lengths)[:, None],
        episode=np.repeat(np.arange(len(lengths)), lengths),
        frame=frame,
        task=np.zeros(n, int),
    )


def distance(x: np.ndarray, y: np.ndarray, columns: list[int]) -> float:
    d = x - y
    d[1] = abs(np.exp(1j * np.deg2rad(x[1])) - np.exp(1j * np.deg2rad(y[1]))) * 180 / np.pi
    return float(np.sqrt(((d / STD.values)[columns] ** 2).sum()))


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3), draws=st.integers(2, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_equals_the_double_loop(lengths: list[int], draws: int, seed: int) -> None:
    pairs = make(np.random.default_rng(seed), lengths, draws)
    got = energy_score(pairs, LAYOUT, STD, NONE_DEAD)
    for c, columns in enumerate(([0, 1], [2], [0, 1, 2])):
        scores = []
        for n in range(len(pairs)):
            for h in range(3):
                if not pairs.valid[n, h]:
                    continue
                x, y = pairs.prediction[n, :, h], pairs.target[n, h]
                near = np.mean([distance(a, y, columns) for a in x])
                apart = [distance(x[i], x[j], columns) for i in range(draws) for j in range(draws) if i != j]
                scores.append(near - 0.5 * np.mean(apart))
        assert got.table()[c] == pytest.approx(np.mean(scores), rel=1e-10, abs=1e-12)
        assert got.counts.sum() == len(scores)


@given(cut=st.integers(0, 12), filler=st.sampled_from([np.nan, np.inf, 1e300]))
@settings(deadline=None, max_examples=20)
def test_merges_and_ignores_padded_steps(cut: int, filler: float) -> None:
    pairs = make(np.random.default_rng(0), [5, 4, 3], 3)
    whole = energy_score(pairs, LAYOUT, STD, NONE_DEAD)
    pairs.prediction.swapaxes(1, 2)[~pairs.valid] = filler
    pairs.target[~pairs.valid] = filler
    a, b = (energy_score(pairs.take(rows), LAYOUT, STD, NONE_DEAD) for rows in (slice(0, cut), slice(cut, None)))
    merged: EnergySums = a.merge(b)
    np.testing.assert_allclose(merged.sums, whole.sums, rtol=1e-12)
    np.testing.assert_array_equal(merged.counts, whole.counts)
    with pytest.raises(ShapeError, match="cannot merge"):
        a.merge(energy_score(make(np.random.default_rng(0), [2], 2), LAYOUT, STD, NONE_DEAD))


def test_the_true_distribution_scores_best(rng: np.random.Generator) -> None:
    """Proper scoring (Gneiting & Raftery 2007): too sure, too vague and off-centre draws all score worse."""
    n, draws = 4000, 4
    layout = Layout.parse("arm(a b):revolute[rad]")
    scale = Scale("std", "", "", np.ones(2))
    target = rng.normal(size=(n, 1, 2))
    noise = rng.normal(size=(n, draws, 1, 2))
    rows = np.arange(n)

    def score(spread: float, off: float) -> float:
        pairs = Pairs(off + spread * noise, target, np.ones((n, 1), bool), rows, rows * 0, rows * 0)
        return float(energy_score(pairs, layout, scale, np.zeros(2, bool)).table()[-1])

    truth = score(1.0, 0.0)
    assert truth < min(score(0.4, 0.0), score(2.0, 0.0), score(1.0, 0.7))
    certain = score(0.0, 0.0)  # identical draws: the plain distance
    assert certain == pytest.approx(np.linalg.norm(target[:, 0], axis=1).mean(), rel=1e-12)


def test_what_the_score_needs_is_said(rng: np.random.Generator) -> None:
    with pytest.raises(NotEnoughData, match="at least 2 draws per frame, got 1"):
        energy_score(make(rng, [3], 1), LAYOUT, STD, NONE_DEAD)
    with pytest.raises(SpaceError, match="std or range units, got robot"):
        energy_score(make(rng, [3], 2), LAYOUT, robot_scale(4), NONE_DEAD)
    dead = np.array([False, False, True, False])
    got = energy_score(make(rng, [3], 2), LAYOUT, STD, dead).table()
    assert np.isnan(got[1]) and np.isfinite(got[[0, 2]]).all()
    empty = energy_score(make(rng, [3], 2).take(slice(0, 0)), LAYOUT, STD, NONE_DEAD)
    assert np.isnan(empty.table()).all()
