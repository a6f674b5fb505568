"""The permutation law of the rank sum, against enumeration of every shuffle and against scipy."""

import json
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from surehand.exceptions import ShapeError
from surehand.measure import rank_sums
from surehand.measure.kruskal import kruskal_permutation
from surehand.measure.ordinal import Permutation, approximation, matchups, permutation_test
from surehand.measure.rank_sums import Block, drawn_tails, exact_tails

HSR = {"A": np.repeat(4, 20), "B": np.repeat([3, 4], [5, 15]), "C": np.repeat([2, 3, 4], [2, 6, 12])}
PERMUTATION = {"A>B": 0.0235620236, "A>C": 0.0016380016, "B>C": 0.1462607530}
APPROXIMATION = {"A>B": 0.0097252220, "A>C": 0.0010057143, "B>C": 0.1274636001}
RNG = np.random.default_rng(0)


def shuffles(sizes: list[tuple[int, int]]) -> list[list[int]]:
    """Every choice of the first policy's places, block after block, blocks being (trials, of the first)."""
    starts = np.cumsum([0] + [size for size, _ in sizes])
    choices = [
        [[s + i for i in c] for c in combinations(range(k), n)] for s, (k, n) in zip(starts, sizes, strict=False)
    ]
    return [[i for part in parts for i in part] for parts in product(*choices)]


def enumerated(a: np.ndarray, b: np.ndarray, block_a: np.ndarray, block_b: np.ndarray) -> Permutation:
    scores, block = np.concatenate([a, b]), np.concatenate([block_a, block_b])
    first = np.repeat([True, False], [len(a), len(b)])
    order = np.lexsort((~first, block))
    ranks = np.rint(2 * stats.rankdata(scores)).astype(int)[order]
    sizes = [(int((block == k).sum()), int((first & (block == k)).sum())) for k in np.unique(block)]
    seen = ranks[first[order]].sum()
    sums = np.array([ranks[chosen].sum() for chosen in shuffles(sizes)])
    above, below, equal = (sums >= seen).mean(), (sums <= seen).mean(), (sums == seen).mean()
    return Permutation(above, below, min(1.0, 2 * min(above, below)), above - equal / 2, True, 0)


rows = st.lists(st.integers(1, 4), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(rows, rows)
def test_every_shuffle(a: list[int], b: list[int]) -> None:
    one, other = np.array(a), np.array(b)
    found = permutation_test(one, other, rng=RNG)
    assert found.exact
    np.testing.assert_allclose(found, enumerated(one, other, 0 * one, 0 * other), atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 2)), min_size=2, max_size=10))
def test_every_shuffle_within_blocks(trials: list[tuple[int, bool, int]]) -> None:
    score, first, block = (np.array(column) for column in zip(*trials, strict=True))
    a, b, blocks = score[first], score[~first], (block[first], block[~first])
    found = permutation_test(a, b, rng=RNG, blocks=blocks)
    if len(a) and len(b):
        np.testing.assert_allclose(found, enumerated(a, b, *blocks), atol=1e-10)
    else:
        assert found[:3] == (1.0, 1.0, 1.0)


def test_pairs_are_sign_flips(rng: np.random.Generator) -> None:
    """Against every pattern of signs on the differences of midranks."""
    a, b = rng.integers(1, 5, 10), rng.integers(1, 4, 10)
    ranks = 2 * stats.rankdata(np.concatenate([a, b]))
    differences = ranks[:10] - ranks[10:]
    sums = np.array([np.dot(signs, differences) for signs in product((-1, 1), repeat=10)])
    found = permutation_test(a, b, rng=rng, blocks=(np.arange(10), np.arange(10)))
    assert found.greater == pytest.approx((sums >= differences.sum()).mean(), abs=1e-12)
    assert found.less == pytest.approx((sums <= differences.sum()).mean(), abs=1e-12)


def test_hsr_trials() -> None:
    for pair, p in PERMUTATION.items():
        a, b = HSR[pair[0]], HSR[pair[2]]
        found = permutation_test(a, b, rng=RNG)
        assert found.greater == pytest.approx(p, abs=1e-9) and found.two_sided == pytest.approx(2 * p, abs=2e-9)
        assert permutation_test(b, a, rng=RNG).less == found.greater
        assert approximation(a, b).greater == pytest.approx(APPROXIMATION[pair], abs=1e-9)
    assert matchups(HSR["B"], HSR["C"]) == pytest.approx((0.325, 0.15, 0.525, 0.5875, 0.175, 235.0))


def test_regression_values(shared: Path) -> None:
    known = json.loads((shared / "hsr_trials" / "regression_values.json").read_text())["pairs"]
    for pair, values in known.items():
        a, b = HSR[pair[0]], HSR[pair[2]]
        found, about, all_pairs = permutation_test(a, b, rng=RNG), approximation(a, b), matchups(a, b)
        for name, value in {
            "perm_exact_greater": found.greater,
            "perm_exact_two": found.two_sided,
            "perm_midp_greater": found.mid_greater,
            "mwu_asym_cc_greater": about.greater,
            "mwu_asym_cc_two": about.two_sided,
            "U": all_pairs.u,
            "cliffs_delta": all_pairs.cliff,
            "cles": all_pairs.win_rate,
            "p_gt": all_pairs.wins,
            "p_lt": all_pairs.losses,
            "p_tie": all_pairs.ties,
        }.items():
            assert value == pytest.approx(values[name], abs=1e-9), (pair, name)


def test_the_library_that_ignores_ties_disagrees() -> None:
    """scipy's method "exact" takes tied scores for distinct ones: four times the p-value at a ceiling."""
    wrong = stats.mannwhitneyu(HSR["A"], HSR["B"], alternative="greater", method="exact").pvalue
    assert wrong > 3 * permutation_test(HSR["A"], HSR["B"], rng=RNG).greater


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=30), st.lists(st.integers(1, 6), min_size=1, max_size=30))
def test_approximation_is_scipys(a: list[int], b: list[int]) -> None:
    found = approximation(np.array(a), np.array(b))
    if len(set(a + b)) == 1:
        assert found == (1.0, 1.0, 1.0)
        return
    for side, p in zip(("greater", "less", "two-sided"), found, strict=True):
        assert p == pytest.approx(stats.mannwhitneyu(a, b, alternative=side, method="asymptotic").pvalue, abs=1e-12)


def test_two_ways_of_counting_agree(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing the smaller levels, the dynamic program, and (several blocks) shifting and the Fourier transform."""
    one = [Block((3, 9, 7, 5, 8), 14)]
    several = [
        Block((3, 2, 0, 1, 4), 5),
        Block((1, 0, 4, 4, 1), 6),
        Block((3, 2, 0, 1, 4), 5),
        Block((0, 0, 1, 0, 1), 1),
    ]
    ranks = np.array([5, 20, 41, 60, 77])
    for blocks, limit, value in ((one, "MOST_LOOKUPS", 0), (several, "MOST_STEPS", 200), (several, "MOST_TABLES", 5)):
        middle = sum(block.take * int(np.dot(block.pool, ranks)) // sum(block.pool) for block in blocks)
        for seen in range(middle - 200, middle + 200, 3):
            first = exact_tails(blocks, ranks, seen)
            with monkeypatch.context() as patch:
                patch.setattr(rank_sums, limit, value)
                second = exact_tails(blocks, ranks, seen)
            assert first is not None and second is not None
            np.testing.assert_allclose(first, second, atol=1e-12)


def test_fourier_does_not_claim_more_than_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [Block((4 + k % 3, 4), 4) for k in range(24)]
    monkeypatch.setattr(rank_sums, "MOST_STEPS", 0)
    found = exact_tails(blocks, np.array([1, 9]), sum(9 * 4 for _ in blocks))
    assert found is not None and found.above == rank_sums.ROUNDED


def test_draws_agree_with_counting(rng: np.random.Generator) -> None:
    blocks, ranks = [Block((30, 20, 40), 45), Block((9, 1, 10), 8)], np.array([31, 81, 141])
    seen = 53 * sum(block.pool[1] for block in blocks) + 3100
    exact, drawn = exact_tails(blocks, ranks, seen), drawn_tails(blocks, ranks, seen, 20_000, rng)
    assert exact is not None
    np.testing.assert_allclose(drawn[:2], exact[:2], atol=0.02)


def test_many_levels_and_many_trials_are_drawn(rng: np.random.Generator) -> None:
    a, b = rng.normal(0.2, 1, 150), rng.normal(0, 1, 150)
    found = permutation_test(a, b, rng=rng, draws=4000)
    assert not found.exact and found.draws == 4000
    about = approximation(a, b)
    assert found.greater == pytest.approx(about.greater, abs=4 * np.sqrt(about.greater / 4000))
    assert permutation_test(a + 9, b, rng=rng, draws=999).greater == 1 / 1000  # never 0


def test_two_hundred_trials_each_are_counted(rng: np.random.Generator) -> None:
    a, b = rng.choice(4, 200, p=[0.1, 0.2, 0.3, 0.4]), rng.choice(4, 200, p=[0.15, 0.25, 0.25, 0.35])
    found = permutation_test(a, b, rng=rng)
    assert found.exact
    assert found.mid_greater == pytest.approx(approximation(a, b).greater, rel=0.02)
    assert found.greater + found.less > 1


def test_p_on_the_boundary_is_not_above_it() -> None:
    """Of the 20 ways to choose 3 trials of 6, one: 1/20 and not 0.05000000000000003."""
    assert permutation_test(np.array([4, 5, 6]), np.array([1, 2, 3]), rng=RNG).greater == 0.05


@pytest.mark.parametrize(("a", "b"), [([], []), ([4], []), ([], [3, 4]), ([4, 4], [4, 4, 4]), ([4], [4])])
def test_nothing_comes_from_nothing(a: list[int], b: list[int]) -> None:
    one, other = np.array(a, float), np.array(b, float)
    assert permutation_test(one, other, rng=RNG)[:4] == (1.0, 1.0, 1.0, 1.0) or len(a) * len(b) > 0
    assert permutation_test(one, other, rng=RNG).two_sided == 1.0
    assert approximation(one, other) == (1.0, 1.0, 1.0)
    assert np.isnan(matchups(one, other).win_rate) == (not a or not b)


def test_one_trial_each_and_blocks_of_one_policy() -> None:
    assert permutation_test(np.array([4]), np.array([1]), rng=RNG)[:3] == (0.5, 1.0, 1.0)
    apart = permutation_test(np.array([4, 4, 4]), np.array([1, 1, 1]), rng=RNG, blocks=(np.zeros(3), np.ones(3)))
    assert apart[:3] == (1.0, 1.0, 1.0)
    one_block = permutation_test(np.array([4, 4, 4]), np.array([1, 1, 1]), rng=RNG, blocks=(np.zeros(3), np.zeros(3)))
    assert one_block.greater == 0.05
    named = permutation_test(
        np.array([4, 2]), np.array([1, 1]), rng=RNG, blocks=(np.array(["x", "y"]), np.array(["x", "y"]))
    )
    assert named.greater == 0.25


def test_scores_that_are_no_scores() -> None:
    for bad in (np.array([1.0, np.nan]), np.array([np.inf, 1.0])):
        with pytest.raises(ShapeError, match=r"score \d of the first policy is not a finite number"):
            permutation_test(bad, np.array([1.0]), rng=RNG)
    with pytest.raises(ShapeError, match="one row"):
        matchups(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ShapeError, match="one block label per trial"):
        permutation_test(np.ones(2), np.ones(2), rng=RNG, blocks=(np.ones(2), np.ones(3)))


def test_kruskal_against_every_shuffle(rng: np.random.Generator) -> None:
    groups = [np.array([1, 2, 2]), np.array([2, 3]), np.array([3, 3, 1])]
    scores = np.concatenate(groups)
    seen = stats.kruskal(*groups).statistic
    hits = total = 0
    for first in combinations(range(8), 3):
        rest = [i for i in range(8) if i not in first]
        for second in combinations(rest, 2):
            third = [i for i in rest if i not in second]
            total += 1
            hits += stats.kruskal(*(scores[list(part)] for part in (first, second, third))).statistic >= seen - 1e-9
    p, how = kruskal_permutation(groups, rng=rng)
    assert p == pytest.approx(hits / total, abs=1e-12) and how.startswith("exact")
    drawn = kruskal_permutation(groups, rng=rng, blocks=[np.zeros(3), np.zeros(2), np.zeros(3)], draws=20_000)
    assert drawn[0] == pytest.approx(p, abs=0.02) and drawn[1] == "Monte Carlo, 20000 draws"


def test_kruskal_on_hsr_and_on_two_policies(rng: np.random.Generator) -> None:
    assert kruskal_permutation(list(HSR.values()), rng=rng)[0] == pytest.approx(0.0080, abs=0.0003)
    pair = kruskal_permutation([HSR["A"], HSR["B"]], rng=rng)[0]
    assert pair == pytest.approx(permutation_test(HSR["A"], HSR["B"], rng=rng).two_sided, abs=1e-12)
    many = [rng.integers(1, 5, 60) for _ in range(5)]
    assert kruskal_permutation(many, rng=rng)[0] == pytest.approx(stats.kruskal(*many).pvalue, abs=0.03)


def test_kruskal_within_blocks_is_blind_to_blocks(rng: np.random.Generator) -> None:
    """Scores that differ by block alone, policies unevenly spread over blocks: nothing, unless blocks are forgotten."""
    block = [np.repeat([0, 1], [18, 2]), np.repeat([0, 1], [2, 18]), np.repeat([0, 1], [10, 10])]
    assert kruskal_permutation(block, rng=rng, blocks=block)[0] == 1.0
    assert kruskal_permutation(block, rng=rng)[0] < 0.001


def test_kruskal_of_nothing(rng: np.random.Generator) -> None:
    assert kruskal_permutation([np.ones(3), np.zeros(0)], rng=rng) == (1.0, "fewer than two policies have trials")
    assert kruskal_permutation([np.ones(3), np.ones(2)], rng=rng) == (1.0, "all scores tie")
    with pytest.raises(ShapeError, match="one block label"):
        kruskal_permutation([np.ones(3), np.ones(2)], rng=rng, blocks=[np.ones(3)])
    with pytest.raises(ShapeError, match="policy 2"):
        kruskal_permutation([np.ones(3), np.array([np.nan])], rng=rng)
