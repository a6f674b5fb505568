"""STAC against triple loops, its mean under no change, and what the stream compares with what."""

from math import exp, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.exceptions import ShapeError, SurehandError
from surehand.layout import Layout
from surehand.measure.chunk_space import ChunkSpace
from surehand.measure.consistency import ConsistencyStream, median_beta, stac_mmd, stac_single
from surehand.measure.scale import Scale

LAYOUT = Layout.parse("arm(a b:continuous[deg]) gripper:gripper[0..1] pad(1)")
SPACE = ChunkSpace(LAYOUT, Scale("std", "", "", np.array([2.0, 30.0, 0.5, 1.0])), LAYOUT.is_pad)


def draw(rng: np.random.Generator, k: int, horizon: int = 5) -> np.ndarray:
    return rng.normal(size=(k, horizon, 4)) * [2, 200, 0.5, 9]


def square(x: np.ndarray, y: np.ndarray) -> float:
    """Mean square distance of stretches (h, D) over steps and three joints."""
    total = 0.0
    for a, b in zip(x, y, strict=True):
        turn = abs(np.exp(1j * np.deg2rad(a[1])) - np.exp(1j * np.deg2rad(b[1]))) * 180 / np.pi
        total += ((a[0] - b[0]) / 2) ** 2 + (turn / 30) ** 2 + ((a[2] - b[2]) / 0.5) ** 2
    return total / (3 * len(x))


@given(k=st.integers(2, 5), m=st.integers(2, 5), shift=st.integers(0, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_equal_the_loops(k: int, m: int, shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after, beta = draw(rng, k), draw(rng, m), float(rng.uniform(0.5, 20))
    x, y = [c[shift:] for c in before], [c[: 5 - shift] for c in after]
    kernel = lambda a, b: exp(-square(a, b) / beta)  # noqa: E731
    across = np.mean([kernel(a, b) for a in x for b in y])
    same = [np.mean([kernel(a, b) for a in z for b in z]) for z in (x, y)]
    others = [np.mean([kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j]) for z in (x, y)]
    assert stac_mmd(before, after, shift, SPACE, beta=beta) == pytest.approx(sum(others) - 2 * across, abs=1e-9)
    biased = stac_mmd(before, after, shift, SPACE, beta=beta, biased=True)
    assert biased == pytest.approx(sum(same) - 2 * across, abs=1e-9)
    assert biased >= -1e-12
    assert stac_single(before[0], after[0], shift, SPACE) == pytest.approx(np.sqrt(square(x[0], y[0])), rel=1e-9)
    both = [*x, *y]
    pairs = [square(both[i], both[j]) for i in range(len(both)) for j in range(i)]
    assert median_beta(before, after, shift, SPACE) == pytest.approx(np.median(pairs), rel=1e-9)


def test_unbiased_means_zero_without_change_and_biased_follows_the_spread() -> None:
    rng = np.random.default_rng(1)
    found = {}
    for sigma in (0.05, 0.5):
        pairs = [(sigma * draw(rng, 6), sigma * draw(rng, 6)) for _ in range(400)]
        plain = np.array([stac_mmd(a, b, 1, SPACE, beta=1.0) for a, b in pairs])
        assert abs(plain.mean()) < 4 * plain.std() / 20
        found[sigma] = np.mean([stac_mmd(a, b, 1, SPACE, beta=1.0, biased=True) for a, b in pairs])
    assert found[0.5] > 3 * found[0.05]  # nothing changed, only the knob
    moved = [stac_mmd(a, b + np.array([1.0, 0, 0, 0]), 1, SPACE) for a, b in pairs]
    assert np.mean(moved) > 5 * plain.std() / 20


def test_the_stream_compares_within_an_episode(rng: np.random.Generator) -> None:
    stream = ConsistencyStream(SPACE, beta=2.0)
    a, b, c = (draw(rng, 4) for _ in range(3))
    assert isnan(stream.update(0, 0, a, 1).single)
    second = stream.update(0, 2, b, 3)
    assert second.single == stac_single(a[1], b[3], 2, SPACE)
    assert second.mmd == stac_mmd(a, b, 2, SPACE, beta=2.0)
    assert isnan(stream.update(0, 7, c, 0).mmd)  # five steps later nothing overlaps
    assert isnan(stream.update(1, 0, a, 0).single)  # a new episode
    none = stream.update(1, 1, b, -1)
    assert isnan(none.single) and not isnan(none.mmd)
    assert isnan(stream.update(1, 2, c, 0).single)  # there was no pick before
    broken = c.copy()
    broken[0, 0, 0] = np.nan
    assert isnan(stream.update(1, 3, broken, 1).mmd)
    assert isnan(stream.update(1, 4, c, 1).mmd)
    with pytest.raises(SurehandError, match="in order"):
        stream.update(1, 4, c, 1)


def test_refusals(rng: np.random.Generator) -> None:
    a = draw(rng, 3)
    assert isnan(stac_mmd(a[:1], a, 1, SPACE)) and isnan(stac_single(a[0], a[1], 5, SPACE))
    assert isnan(median_beta(a, a, 9, SPACE))
    with pytest.raises(ShapeError, match="same H and D"):
        stac_mmd(a, a[:, :4], 1, SPACE)
    with pytest.raises(SurehandError, match="above 0"):
        stac_mmd(a, a, 1, SPACE, beta=0)
    with pytest.raises(SurehandError, match="0 or more"):
        stac_mmd(a, a, -1, SPACE)
