"""Filter, then select: against choosing candidate by candidate."""

import numpy as np
import pytest
from scipy.stats import binom

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.candidates import Candidates, filtered_conditional_risk, filtered_joint_risk


def drawn(n: int, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tied scores, tied preferences, faults, and labels missing where there is a fault."""
    score = rng.integers(0, 11, (n, k)) / 10
    score[rng.random((n, k)) < 0.05] = np.nan
    preference = rng.integers(0, 4, (n, k)).astype(float)
    preference[rng.random((n, k)) < 0.03] = np.nan
    violation = (rng.random((n, k)) < 0.3 * np.nan_to_num(score)).astype(float)
    violation[np.isnan(score)] = np.nan
    return score, violation, preference


def pick(score: np.ndarray, preference: np.ndarray, threshold: float) -> int:
    """The best-preferred candidate below the threshold, the first among equals; −1 for none."""
    best = -1
    for j in range(len(score)):
        if np.isfinite(preference[j]) and score[j] < threshold and (best < 0 or preference[j] > preference[best]):
            best = j
    return best


@pytest.mark.parametrize("k", [1, 2, 5])
def test_is_the_loop(k: int, rng: np.random.Generator) -> None:
    score, violation, preference = drawn(300, k, rng)
    found = Candidates(score, violation, preference)
    levels = np.arange(0, 1.15, 0.05)
    loss = np.zeros((300, len(levels)), bool)
    for i, level in enumerate(levels):
        chosen = np.array([pick(s, p, level) for s, p in zip(score, preference, strict=True)])
        executed, bad = found.at(level)
        assert (executed == (chosen >= 0)).all()
        loss[:, i] = (chosen >= 0) & (violation[np.arange(300), chosen] == 1)
        assert (bad == loss[:, i]).all()
        assert found.shares(level)[0] == executed.mean()
    worst = np.maximum.accumulate(loss, axis=1)  # sup over the stricter thresholds
    assert (worst == (found.critical[:, None] < levels)).all()
    # Where nothing is filtered a fault does not change the pick: whoever is preferred but has no score is held.
    first = np.array([int(np.argmax(np.nan_to_num(p, nan=-np.inf))) for p in preference])
    chosen = np.where(np.isnan(preference).all(axis=1), np.nan, score[np.arange(300), first])
    assert (found.picks().score == np.nan_to_num(chosen, nan=np.inf)).all()


def test_joint(rng: np.random.Generator) -> None:
    candidates = Candidates(*drawn(800, 4, rng))
    found = filtered_joint_risk(candidates, epsilon=0.05, delta=0.1)
    levels = np.unique(candidates.critical)
    good = [x for x in levels if binom.cdf((candidates.critical < x).sum(), 800, 0.05) <= 0.1]
    assert found.threshold == max(good)
    assert found.executed == candidates.at(found.threshold)[0].mean()
    assert filtered_joint_risk(candidates, epsilon=0.05, delta=None).delta is None


def test_conditional(rng: np.random.Generator) -> None:
    candidates = Candidates(*drawn(800, 4, rng))
    found = filtered_conditional_risk(candidates, np.arange(0.1, 1.1, 0.1), epsilon=0.1, delta=0.1, start=0.3)
    executed, bad = candidates.at(found.threshold)
    at = np.flatnonzero(found.tested == found.threshold)[0]
    assert found.issued and (found.units[at], found.violating[at]) == (executed.sum(), bad.sum())
    assert "K = 4" in str(found)
    none = filtered_conditional_risk(candidates, [0.05, 0.5], epsilon=0.001, delta=0.1, start=0)
    assert not none.issued and none.needed == 2302 and "always abstain" in str(none)


def test_refused(rng: np.random.Generator) -> None:
    score, violation, preference = drawn(30, 4, rng)
    score[7, 2], preference[7, 2], violation[7, 2] = 0.3, 1, np.nan
    with pytest.raises(
        ShapeError, match=r"row 7, candidate 2.* needs labels of all K, else calibrate on the pick alone"
    ):
        Candidates(score, violation, preference)
    with pytest.raises(ShapeError, match=r"are \(N, K\)"):
        Candidates(score, violation[:, :2], preference)
    with pytest.raises(NotEnoughData, match="no decisions"):
        Candidates(score[:0], violation[:0], preference[:0])
