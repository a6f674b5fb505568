"""Conditional risk: counts by loops, p-values by scipy.stats, the sequence by walking it; and what is refused."""

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.decisions import Decisions
from surehand.measure.executed_counts import count_episodes, count_units, draw_slots
from surehand.measure.learn_then_test import (
    achieved_conditional,
    begin_at_counts,
    binomial_p,
    conditional_risk,
    fixed_sequence,
)
from surehand.measure.rao_scott import rao_scott_p
from surehand.measure.required import smallest_n

GRID = np.linspace(0.05, 1, 20)


def episodes(n: int, rng: np.random.Generator, risk: float = 0.3) -> Decisions:
    """Lengths 1 to 12, scores on a coarse grid so that ties with the thresholds occur."""
    lengths = rng.integers(1, 13, n)
    score = rng.integers(0, 41, lengths.sum()) / 40
    score[rng.random(len(score)) < 0.01] = np.nan
    violation = rng.random(len(score)) < risk * np.nan_to_num(score) ** 3
    return Decisions(score, violation, np.repeat(np.arange(n), lengths), "halt")


def test_counts(rng: np.random.Generator) -> None:
    log = episodes(200, rng)
    executed, violating = count_episodes(log, GRID)
    for g, level in enumerate(GRID):
        for e in range(200):
            rows = np.flatnonzero(log.episode == e)
            runs = [all(log.score[rows[: i + 1]] < level) for i in range(len(rows))]
            assert executed[e, g] == sum(runs)
            assert violating[e, g] == log.violation[rows[runs]].sum()
    units, bad = count_units(log.risk, log.violation, GRID)
    assert (units == executed.sum(axis=0)).all() and (bad == violating.sum(axis=0)).all()


def test_counts_of_many_at_once(rng: np.random.Generator) -> None:
    risk, violation = rng.integers(0, 21, (3, 4, 50)) / 20, rng.random((3, 4, 50)) < 0.2
    units, bad = count_units(risk, violation, GRID)
    assert (units == (risk[..., None] < GRID).sum(axis=2)).all()
    assert (bad == ((risk[..., None] < GRID) & violation[..., None]).sum(axis=2)).all()


def test_counts_in_chunks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    log = episodes(57, rng)
    whole = count_episodes(log, GRID)
    monkeypatch.setattr("surehand.measure.executed_counts.CHUNK", 10)
    for one, other in zip(whole, count_episodes(log, GRID), strict=True):
        assert (one == other).all()


def test_p_values_are_exact_tails() -> None:
    found = binomial_p(np.array([0, 45, 200]), np.array([0, 0, 4]), 0.05)
    assert found == pytest.approx([1.0, 0.95**45, binomtest(4, 200, 0.05, alternative="less").pvalue])


def test_sequence_is_walked(rng: np.random.Generator) -> None:
    p = rng.random((300, 12)) ** 4
    begin = rng.integers(0, 14, 300).clip(0, 12)
    found = fixed_sequence(p, begin, 0.1)
    for row, first, last in zip(p, begin, found, strict=True):
        plain = -1
        for g in range(first, 12):
            if row[g] > 0.1:
                break
            plain = g
        assert last == plain


def test_begin_where_enough_are_executed() -> None:
    units = np.array([[10, 44, 50, 140, 200], [0, 0, 0, 0, 44], [10, 46, 47, 48, 49]])
    n = units[:, -1]
    # n = 200: three times 45; n = 44: never enough; n = 49: 45 of them, as .8·49 is less.
    assert begin_at_counts(units, n, 0.05, 0.1).tolist() == [3, 5, 1]
    assert begin_at_counts(units[:1], np.array([100]), 0.05, 0.1).tolist() == [3]  # .8·100 = 80


@pytest.mark.parametrize("method", ["binomial", "betting", "rao-scott"])
def test_result_is_the_last_of_a_run(method: str, rng: np.random.Generator) -> None:
    log = episodes(1500, rng)
    found = conditional_risk(
        log, GRID, epsilon=0.05, delta=0.1, method=method, t_max=12, rng=np.random.default_rng(1), start=0.6
    )
    assert found.issued and found.guarantee == ("approximate" if method == "rao-scott" else "exact")
    passed = found.p <= 0.1
    assert passed[:-1].all() and found.tested[0] == 0.6
    assert found.threshold == found.tested[passed][-1]
    assert passed.all() == (found.tested[-1] == 1.0)
    assert str(found).startswith(
        f"{found.guarantee}: at most 0.05 of executed decisions violate, confidence 0.9: execute"
    )


def test_slots_are_one_per_episode(rng: np.random.Generator) -> None:
    log = episodes(3000, rng)
    slots = draw_slots(log, 12, rng)
    assert np.bincount(slots, minlength=13)[1:].min() > 180  # uniform whatever the length
    risk, _ = log.at_slots(slots)
    assert (risk[slots > log.lengths] == np.inf).all()


def test_single_uses_every_decision() -> None:
    rng = np.random.default_rng(2)
    score = rng.random(400)
    log = Decisions(score, rng.random(400) < 0.1 * score**3, np.arange(400), "single")
    found = conditional_risk(log, GRID, epsilon=0.05, delta=0.1, method="binomial", t_max=1, rng=rng)
    at = np.flatnonzero(found.tested == found.threshold)[0]
    assert found.units[at] == (score < found.threshold).sum()
    assert "if the risk crosses that once" in str(found)
    with pytest.raises(ShapeError, match="the most is 1, not 5"):
        conditional_risk(log, GRID, epsilon=0.05, delta=0.1, method="binomial", t_max=5, rng=rng)


def test_none_and_why(rng: np.random.Generator) -> None:
    few = episodes(30, rng)
    found = conditional_risk(few, GRID, epsilon=0.05, delta=0.1, method="binomial", t_max=12, rng=rng)
    assert not found.issued and found.threshold == -np.inf and found.needed == 45 and len(found.tested) == 0
    assert "always abstain" in str(found) and "needs 45 executed units at least" in str(found)
    bad = episodes(1000, rng, risk=5.0)
    found = conditional_risk(bad, [0.9, 1.0], epsilon=0.05, delta=0.1, method="binomial", t_max=12, rng=rng, start=0.9)
    assert not found.issued and len(found.tested) == 1 and "fails at the first threshold 0.9 (p = " in str(found)


def test_what_is_no_number_certifies_nothing() -> None:
    assert fixed_sequence(np.array([0.01, np.nan, 0.01]), 0, 0.1) == 0
    assert fixed_sequence(np.array([np.nan]), 0, 0.1) == -1


def test_refused(rng: np.random.Generator) -> None:
    log = episodes(100, rng)
    for method in ("rao_scott", "exact", ""):  # an approximate p-value must not come out as an exact one
        with pytest.raises(ShapeError, match="expected binomial, betting or rao-scott"):
            conditional_risk(log, GRID, epsilon=0.05, delta=0.1, method=method, t_max=12, rng=rng)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="more than the declared most of 5"):
        conditional_risk(log, GRID, epsilon=0.05, delta=0.1, method="binomial", t_max=5, rng=rng)
    with pytest.raises(ShapeError, match="give rng"):
        conditional_risk(log, GRID, epsilon=0.05, delta=0.1, method="binomial", t_max=12)
    with pytest.raises(ShapeError, match="give start, chosen on other episodes"):
        conditional_risk(log, GRID, epsilon=0.05, delta=0.1, method="betting", t_max=12)
    with pytest.raises(ShapeError, match="begin at 2, above the last threshold 1"):
        conditional_risk(log, GRID, epsilon=0.05, delta=0.1, method="binomial", t_max=12, rng=rng, start=2)
    with pytest.raises(ShapeError, match="rising list"):
        conditional_risk(log, [1, 0.5], epsilon=0.05, delta=0.1, method="binomial", t_max=12, rng=rng)


def test_achieved() -> None:
    rng = np.random.default_rng(0)
    log = episodes(500, rng)
    found = achieved_conditional(log, 0.7, delta=0.1, t_max=12, rng=np.random.default_rng(4))
    risk, violation = log.at_slots(draw_slots(log, 12, np.random.default_rng(4)))
    m, k = (risk < 0.7).sum(), (violation & (risk < 0.7)).sum()
    assert (found.units, found.violating) == (m, k)
    assert found.epsilon == pytest.approx(beta.ppf(0.9, k + 1, m - k))
    with pytest.raises(NotEnoughData, match="no slot is executed below -1"):
        achieved_conditional(log, -1.0, delta=0.1, t_max=12, rng=rng)


def by_hand(m: list[int], k: list[int], epsilon: float) -> float:
    """Rao-Scott as theory has it, one threshold."""
    pairs = [(a, b) for a, b in zip(m, k, strict=True) if a]
    total, bad, e = sum(a for a, _ in pairs), sum(b for _, b in pairs), len(pairs)
    rate = bad / total
    n = float(e)
    if bad:
        effect = e / (e - 1) * sum((b - rate * a) ** 2 for a, b in pairs) / total**2 / (rate * (1 - rate) / total)
        n = min(total, total / effect)
        if sum(b > 0 for _, b in pairs) < 5:
            n = min(n, e)
    return float(beta.cdf(1 - epsilon, n - n * rate, n * rate + 1))


@pytest.mark.parametrize("violators", [0, 1, 4, 5, 20])
def test_rao_scott(violators: int, rng: np.random.Generator) -> None:
    m = rng.integers(0, 13, (60, 3))
    k = np.where(np.arange(60)[:, None] < violators, rng.integers(0, 2, (60, 3)) * np.minimum(m, 1), 0)
    found = rao_scott_p(m, k, 0.05)
    assert found == pytest.approx([by_hand(m[:, g].tolist(), k[:, g].tolist(), 0.05) for g in range(3)])
    stacked = rao_scott_p(np.stack([m, m]), np.stack([k, k]), 0.05)
    assert stacked == pytest.approx(np.stack([found, found]))


def test_rao_scott_of_clusters(rng: np.random.Generator) -> None:
    """Violations that come together: the design effect, and not the number of decisions, decides."""
    m = rng.integers(1, 13, (40, 3))
    k = np.where(np.arange(40)[:, None] < 8, rng.binomial(m, 0.3), 0)
    found = rao_scott_p(m, k, 0.1)
    assert found == pytest.approx([by_hand(m[:, g].tolist(), k[:, g].tolist(), 0.1) for g in range(3)])
    assert (found > binomial_p(m.sum(axis=0), k.sum(axis=0), 0.1) + 0.001).all()


def test_rao_scott_without_evidence() -> None:
    nothing = rao_scott_p(np.zeros((5, 2), int), np.zeros((5, 2), int), 0.05)
    one = rao_scott_p(np.array([[4], [0]]), np.array([[2], [0]]), 0.05)
    assert nothing.tolist() == [1, 1] and one[0] > 0.9
    assert smallest_n(0.05, 0.1) == 45
    clean = rao_scott_p(np.full((45, 1), 10), np.zeros((45, 1), int), 0.05)
    assert clean[0] == pytest.approx(0.95**45)  # episodes, not decisions
