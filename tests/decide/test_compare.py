"""Comparisons of policies by their trials: the paper's numbers, designs by brute force, labels, sentences, refusals."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from surehand.decide.compare import compare_trials
from surehand.decide.compare_tests import adjust, label_of
from surehand.decide.comparison import Comparison, Pair
from surehand.decide.comparison import Test as OneTest
from surehand.exceptions import FormatError, NotEnoughData, SurehandError
from surehand.formats.rubrics import read_rubric
from surehand.formats.schedules import Item, Schedule, StopRule
from surehand.formats.trials import Trial, Trials, read_trials
from surehand.measure.ranking import holm

HSR = {"pi05_baseline_80k": (0, 0, 0, 20), "pi05_ours": (0, 0, 5, 15), "hsr_smolvla_40k": (0, 2, 6, 12)}
LETTERS = dict(zip("ABC", HSR, strict=True))


def scored(policy: str, scores: Sequence[float], blocks: Sequence[str] = (), start: int = 1) -> list[Trial]:
    return [
        Trial(i, policy, score=float(score), block=blocks[i - start] if blocks else "", position=i)
        for i, score in enumerate(scores, start=start)
    ]


def hsr() -> Trials:
    rows = [row for policy, counts in HSR.items() for row in scored(policy, np.repeat([1, 2, 3, 4], counts).tolist())]
    return Trials(tuple(rows))


@pytest.fixture(scope="module")
def record() -> Comparison:
    return compare_trials(hsr(), rng=np.random.default_rng(0), rubric=read_rubric("hsr"))


def pair_of(record: Comparison, first: str, second: str) -> Pair:
    return next(pair for pair in record.pairs if (pair.first, pair.second) == (first, second))


def named(pair: Pair, name: str, outcome: str = "score") -> OneTest:
    return next(test for test in pair.tests if (test.name, test.outcome) == (name, outcome))


# What regression_values.json calls a value -> where the record has it.
TESTS = {
    "mwu_asym_cc": ("approximation", "score"),
    "perm_exact": ("permutation", "score"),
    "uncond_exact_mwuz": ("unconditional", "score"),
    "brunnermunzel": ("brunner-munzel", "score"),
    "fisher": ("fisher", "success"),
    "barnard": ("barnard", "success"),
    "boschloo": ("boschloo", "success"),
}
# The file's values are of scipy, which loses a table whose z equals the one seen up to rounding: 20 of 20 against 12 of
# 20 is as far out as 8 of 20 against 0 of 20, and at a common rate of ½ both count.
ROUNDED_AWAY = {("A>C", "barnard")}


def check_known(record: Comparison, three: Comparison, known: dict[str, dict[str, dict[str, float]]]) -> int:
    """How many of the file's values the record has, all to 6 digits.

    The file's unconditional values are suprema over the three levels that were seen (`three`). Over all four of the
    rubric the worst distribution of A>B lies inside, at (.487, .013, .013, .487): .0096025 instead of .0095996.
    """

    def of(name: str, key: str) -> Pair:
        levels = three if key.startswith("uncond") else record
        return pair_of(levels, *(LETTERS[letter] for letter in name.split(">")))

    seen = 0
    for name, values in known["pairs"].items():
        pair = of(name, "")
        found = {
            "U": pair.u, "cliffs_delta": pair.cliff, "cles": pair.win_rate, "p_gt": pair.wins, "p_lt": pair.losses,
            "p_tie": pair.ties, "mean_diff": pair.mean_difference,
            "perm_midp_greater": named(pair, "permutation").p_one_mid,
            **{f"post_success_{row.name.lower()}": row.better for row in pair.success_priors},
        }  # fmt: skip
        for key, where in TESTS.items():
            test = named(of(name, key), *where)
            if (name, key) not in ROUNDED_AWAY:
                found |= {f"{key}_greater": test.p_one, f"{key}_two": test.p}
        missing = set(values) - set(found)
        assert missing <= {f"{key}_{side}" for n, key in ROUNDED_AWAY if n == name for side in ("greater", "two")}
        for key, value in found.items():
            assert value == pytest.approx(values[key], abs=5e-7), (name, key)
        seen += len(found)
    for key, adjusted in known["holm"].items():
        stem, side = key.rsplit("_", 1)
        for name, value in adjusted.items():
            test = named(of(name, key), *TESTS[stem])
            if (name, stem) not in ROUNDED_AWAY:
                assert (test.p_holm if side == "two" else test.p_one_holm) == pytest.approx(value, abs=5e-7), (
                    key,
                    name,
                )
                seen += 1
    return seen


def test_known_answers_from_the_papers_sheet(shared: Path) -> None:
    folder = shared / "hsr_trials"
    known = json.loads((folder / "regression_values.json").read_text())
    trials = read_trials(folder / "robot_trials.csv")
    found = compare_trials(trials, rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    three = compare_trials(trials, rng=np.random.default_rng(0), rubric=[2, 3, 4])
    assert check_known(found, three, known) == 24 * 3 - 2 + 10 * 3 - 1  # all but scipy's three


def test_known_answers_typed_in(record: Comparison) -> None:
    ab, ac, bc = (pair_of(record, LETTERS[a], LETTERS[b]) for a, b in ("AB", "AC", "BC"))
    permutation = [named(pair, "permutation") for pair in (ab, ac, bc)]
    assert [t.p_one for t in permutation] == pytest.approx([0.02356202, 0.00163800, 0.14626075], abs=5e-9)
    assert [t.p_holm for t in permutation] == pytest.approx([0.09424809, 0.00982801, 0.29252151], abs=5e-9)
    unconditional = [named(pair, "unconditional").p_holm for pair in (ab, ac, bc)]
    assert unconditional == pytest.approx([0.0384102, 0.0067078, 0.2681983], abs=5e-7)
    assert [pair.label for pair in (ac, ab, bc)] == ["robust", "fragile", "not resolved"]
    barnard = named(ac, "barnard", "success")
    assert barnard.p_one == pytest.approx(0.00111797, abs=1e-7)  # not scipy's .000899
    newcombe = [2 * limit - 1 for limit in (ab.intervals[1].low, ab.intervals[1].high)]
    assert newcombe == pytest.approx([-0.110, 0.544], abs=5e-4)
    dirichlet = [2 * limit - 1 for limit in (ac.intervals[0].low, ac.intervals[0].high)]
    assert dirichlet == pytest.approx([0.115, 0.580], abs=0.01)
    assert record.omnibus[0].p == pytest.approx(0.0080, abs=0.0008)
    assert [policy.policy for policy in record.policies] == list(HSR)
    assert record.policies[1].scores == {"3": 5, "4": 15} and record.policies[1].mean == 3.75
    assert [round(row.better, 2) for row in ab.priors] == pytest.approx([0.947, 0.976, 0.990], abs=0.007)


def test_the_front_door_says_it_in_one_sentence() -> None:
    t = hsr()
    found = compare_trials(t["baseline"], t["ours"], rng=np.random.default_rng(0))
    assert str(found) == (
        "pi05_baseline_80k wins 62 % of match-ups with pi05_ours, ties counted half (exact p = 0.024 one-sided, 0.047 "
        "two-sided; 20 vs 20): fragile (over 3 pairs p = 0.094 by permutation, 0.038 by the unconditional test)"
    )
    assert found.family == 3 and len(found.pairs) == 1 and len(found.policies) == 2
    assert "no rubric was given" in " ".join(found.warnings)


def test_policies_that_were_chosen_from_nothing_are_adjusted_over_themselves() -> None:
    t = hsr()
    alone = [Trials(t[name].rows) for name in ("baseline", "ours")]
    found = compare_trials(*alone, rng=np.random.default_rng(0), rubric=[1, 2, 3, 4])
    assert (found.family, found.pairs[0].label) == (1, "robust")
    assert found.pairs[0].tests[0].p_holm == found.pairs[0].tests[0].p


def test_the_same_whatever_the_order_of_arguments(record: Comparison) -> None:
    t = hsr()
    names = list(HSR)
    for order in (names, names[::-1]):
        again = compare_trials(*(t[name] for name in order), rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
        assert again.model_dump_json(exclude={"created"}) == record.model_dump_json(exclude={"created"})


def test_a_record_is_what_its_file_holds(record: Comparison, tmp_path: Path) -> None:
    assert Comparison.load(record.save(tmp_path / "r.json")).model_dump_json() == record.model_dump_json()


def one(name: str, p: float, p_one: float, p_holm: float = 0.0) -> OneTest:
    return OneTest(name=name, p=p, p_one=p_one, p_holm=p_holm)


def test_a_test_that_speaks_for_the_other_policy_does_not_count() -> None:
    for_it, against, silent = (one("x", 0.02, *rest) for rest in ((0.01, 0.02), (0.99, 0.02), (0.01, float("nan"))))
    assert label_of([for_it, for_it, against], 0.05) == "robust"
    assert label_of([for_it, against], 0.05) == label_of([silent, for_it], 0.05) == "fragile"
    assert label_of([against, silent, for_it], 0.05) == "not resolved"
    assert label_of([for_it, for_it], 0.02) == "not resolved"


def test_second_tests_are_one_family_whatever_the_designs() -> None:
    pairs = [[one("permutation", 0.01, 0.005), one("unconditional", 0.04, 0.02), one("fisher", 0.01, 0.005)],
             [one("permutation", 0.02, 0.01), one("unconditional sign", 0.03, 0.015)]]  # fmt: skip
    found = adjust(pairs)
    assert [test.p_holm for tests in found for test in tests] == pytest.approx([0.02, 0.06, 0.01, 0.02, 0.06])
    assert found[1][1].p_one_holm == pytest.approx(0.03)


def test_policies_beside_the_chosen_ones_count_once_per_sheet() -> None:
    """Two sheets with a policy c each: a and b were chosen from four, whatever those were called."""
    here = replace(Trials((*scored("a", [4, 4, 3]), *scored("c", [3, 3, 2]))), source="x.csv")
    there = replace(Trials((*scored("b", [3, 2, 3]), *scored("c", [4, 1, 1]))), source="y.csv")
    found = compare_trials(here["a"], there["b"], rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    assert (found.family, len(found.pairs)) == (6, 1)


# -- designs --


def flipped(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """(greater, less) by every pattern of exchanges within pairs."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([a, b]))
    n, seen = len(a), ranks[: len(a)].sum()
    sums = [sum(ranks[i + n * s] for i, s in enumerate(signs)) for signs in product((0, 1), repeat=n)]
    return float(np.mean(np.array(sums) >= seen - 1e-9)), float(np.mean(np.array(sums) <= seen + 1e-9))


def two(a: Sequence[float], b: Sequence[float], blocks_a: Sequence[str], blocks_b: Sequence[str]) -> Trials:
    return Trials((*scored("a", a, blocks_a), *scored("b", b, blocks_b)))


def test_nobody_wins_where_match_ups_are_even() -> None:
    """All 4s, or the same scores: no policy is said to win; nor is a share of match-ups the share of pairs."""
    said = str(compare_trials(two([4, 4, 4], [4, 4, 4], [], []), rng=np.random.default_rng(0)))
    assert "a ties all match-ups with b (" in said and "wins" not in said
    said = str(compare_trials(two([1, 4, 2], [2, 4, 1], [], []), rng=np.random.default_rng(0)))
    assert "a wins as many match-ups with b as it loses (" in said


def test_pairs_that_are_not_complete_are_counted_as_such() -> None:
    ours, theirs = ["s1", "s2", "s3", "s4"], ["s2", "s3", "s4", "s5"]
    said = str(compare_trials(two([4, 4, 3, 4], [1, 2, 3, 1], ours, theirs), rng=np.random.default_rng(0)))
    assert "4 vs 4, paired in 3 blocks)" in said
    said = str(compare_trials(two([4, 4, 3, 4], [1, 2, 3, 1], ours, ours), rng=np.random.default_rng(0)))
    assert "4 vs 4, paired)" in said


def test_pairs_are_flipped_and_signed(rng: np.random.Generator) -> None:
    a, b = rng.integers(2, 5, 9), rng.integers(1, 4, 9)
    names = [f"s{i}" for i in range(9)]
    found = compare_trials(two(a, b, names, names), rng=rng, rubric=read_rubric("hsr"))
    (pair,) = found.pairs
    assert pair.design == "paired" and pair.within is not None
    greater, less = flipped(a, b) if pair.first == "a" else flipped(b, a)
    assert pair.tests[0].p_one == pytest.approx(greater)
    assert pair.tests[0].p == pytest.approx(min(1, 2 * min(greater, less)))
    assert pair.tests[1].name == "unconditional sign"
    won, lost = (a > b).mean(), (a < b).mean()
    won, lost = (won, lost) if pair.first == "a" else (lost, won)
    assert (pair.within.wins, pair.within.losses) == pytest.approx((won, lost))
    assert pair.within.low < pair.within.win_rate < pair.within.high
    assert {t.name for t in pair.tests} >= {"mcnemar"} and not {t.name for t in pair.tests} & {"fisher", "barnard"}


def test_order_of_rows_does_not_unpair() -> None:
    names = [str(i) for i in range(6)]
    straight = two([4, 4, 3, 4, 2, 4], [3, 4, 2, 3, 1, 3], names, names)
    mixed = Trials(tuple(straight.rows[i] for i in (3, 8, 0, 11, 5, 2, 7, 1, 10, 4, 6, 9)))
    one, other = (compare_trials(t, rng=np.random.default_rng(0)) for t in (straight, mixed))
    assert one.model_dump_json(exclude={"created"}) == other.model_dump_json(exclude={"created"})


def test_blocks_of_several_are_shuffled_within(rng: np.random.Generator) -> None:
    from itertools import combinations

    from scipy.stats import rankdata

    a, b = np.array([4, 3, 4, 2]), np.array([3, 1, 3, 2])
    blocks = ["x", "x", "y", "y"]
    (pair,) = compare_trials(two(a, b, blocks, blocks), rng=rng, rubric=read_rubric("hsr")).pairs
    ranks = rankdata(np.concatenate([a, b]))
    x, y = ranks[[0, 1, 4, 5]], ranks[[2, 3, 6, 7]]
    sums = [x[list(i)].sum() + y[list(j)].sum() for i, j in product(combinations(range(4), 2), repeat=2)]
    assert pair.design == "blocked"
    assert pair.tests[0].p_one == pytest.approx(np.mean(np.array(sums) >= ranks[:4].sum() - 1e-9))
    assert pair.tests[1].name == "unconditional" and "blocks ignored" in pair.tests[1].method
    assert {"stratified"} <= {t.name for t in pair.tests}


@pytest.mark.parametrize(
    ("blocks_a", "blocks_b", "expected"),
    [
        ("", "", "independent"),
        ("xxxx", "xxxx", "independent"),
        ("1234", "1234", "paired"),
        ("1234", "1235", "paired"),
        ("1123", "1123", "blocked"),
        ("1234", "5678", "independent"),
    ],
)
def test_the_design_is_what_the_blocks_show(blocks_a: str, blocks_b: str, expected: str) -> None:
    t = two([4, 3, 4, 4], [3, 3, 2, 4], list(blocks_a), list(blocks_b))
    found = compare_trials(t, rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    assert found.pairs[0].design == expected
    assert any("no block in common" in w for w in found.warnings) == (blocks_b == "5678")


def test_a_sheet_with_some_blocks_is_independent_and_says_so() -> None:
    rows = list(two([4, 3], [3, 3], ["1", "2"], ["1", "2"]).rows)
    rows[0] = replace(rows[0], block="")
    found = compare_trials(Trials(tuple(rows)), rng=np.random.default_rng(0))
    assert found.pairs[0].design == "independent"
    assert any("some trials of" in w and "have no block" in w for w in found.warnings)
    with pytest.raises(SurehandError, match="trial 1 of 'a' has none"):
        compare_trials(Trials(tuple(rows)), rng=np.random.default_rng(0), design="paired")


def test_asking_for_pairs_where_a_block_holds_several() -> None:
    t = two([4, 3], [3, 3], ["1", "1"], ["1", "2"])
    with pytest.raises(SurehandError, match="block '1' holds a policy more than once"):
        compare_trials(t, rng=np.random.default_rng(0), design="paired")


def test_uneven_blocks_have_no_second_test_and_are_never_robust() -> None:
    """Nine of ten trials of the one on the easy day: ignoring days would credit the policy with the weather."""
    t = two([4] * 18 + [1] * 2, [3] * 2 + [1] * 18, ["easy"] * 18 + ["hard"] * 2, ["easy"] * 2 + ["hard"] * 18)
    (pair,) = compare_trials(t, rng=np.random.default_rng(0), rubric=read_rubric("hsr")).pairs
    assert np.isnan(pair.tests[1].p) and "not spread evenly" in pair.tests[1].method
    assert pair.label != "robust"


def test_blocks_that_point_the_other_way_are_said() -> None:
    easy, hard = ["easy"], ["hard"]
    t = two([3] * 9 + [1], [4] + [2] * 9, easy * 9 + hard, easy + hard * 9)
    found = compare_trials(t, rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    assert found.pairs[0].first == "a" and found.pairs[0].label == "not resolved"
    assert any("inside blocks b did better than a" in w for w in found.warnings)


# -- success, void, scorers, scales --


def test_success_alone_is_compared_as_success() -> None:
    rows = [Trial(i, p, success=i <= won) for p, won in (("a", 20), ("b", 12)) for i in range(1, 21)]
    found = compare_trials(Trials(tuple(rows)), rng=np.random.default_rng(0))
    assert found.outcome == "success" and found.rubric == [0, 1] and found.policies[0].successes == 20
    (pair,) = found.pairs
    assert named(pair, "permutation", "success").p_one == pytest.approx(0.001638001638)
    assert named(pair, "unconditional", "success").p_one == pytest.approx(
        named(pair, "barnard", "success").p_one, abs=1e-7
    )
    assert pair.label == "robust" and found.policies[0].scores == {}
    assert [limits.method for limits in pair.difference] == ["Newcombe", "Miettinen-Nurminen"]


def test_scores_that_merely_repeat_success_are_compared_as_success() -> None:
    rows = [Trial(i, p, score=100.0 * (i % 2), success=bool(i % 2)) for p in "ab" for i in range(1, 5)]
    assert compare_trials(Trials(tuple(rows)), rng=np.random.default_rng(0)).outcome == "success"
    turned = [replace(row, success=not row.success) for row in rows]
    assert compare_trials(Trials(tuple(turned)), rng=np.random.default_rng(0)).outcome == "score"


def test_a_success_that_was_written_goes_before_the_rubric() -> None:
    rows = (*scored("a", [4, 4]), *scored("b", [3, 3]))
    rows = (replace(rows[0], success=False), *rows[1:])
    found = compare_trials(Trials(rows), rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    assert [p.successes for p in found.policies] == [1, 0]


def test_void_trials_do_not_count_and_their_worst_case_is_shown() -> None:
    void = [Trial(90 + i, "a", void=True, void_rule="dropped before the start") for i in range(6)]
    rows = (*scored("a", [4] * 20), *scored("b", [3] * 6 + [4] * 14), *void)
    found = compare_trials(Trials(rows), rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    (pair,) = found.pairs
    assert found.policies[0].void == 6 and found.policies[0].void_rules == {"dropped before the start": 6}
    assert pair.trials == (20, 20) and pair.label == "robust" and pair.void_worst_label == "not resolved"
    assert any("void trials matter" in w and "instead of robust" in w for w in found.warnings)
    direct = compare_trials(
        Trials((*scored("a", [4] * 20 + [1] * 6), *scored("b", [3] * 6 + [4] * 14))),
        rng=np.random.default_rng(0), rubric=read_rubric("hsr"), 
    )  # fmt: skip
    p = {direct.pairs[0].first: direct.pairs[0].tests[0].p}
    assert pair.void_worst[0].p == pytest.approx(p.popitem()[1])


def test_in_pairs_a_void_trial_stands_in_for_the_one_that_was_run_again() -> None:
    names = [str(i) for i in range(8)]
    good = two([4] * 8, [3] * 8, names, names)
    void = Trial(50, "a", block="3", void=True, void_rule="camera fell")
    found = compare_trials(Trials((*good.rows, void)), rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    (pair,) = found.pairs
    worse = compare_trials(two([4, 4, 4, 1, 4, 4, 4, 4], [3] * 8, names, names), rng=np.random.default_rng(0),
                           rubric=read_rubric("hsr"))  # fmt: skip
    assert pair.design == "paired"
    assert [t.p for t in pair.void_worst] == [t.p for t in worse.pairs[0].tests[:2]]


def test_corrected_trials_count_once() -> None:
    rows = (*scored("a", [1, 4]), *scored("b", [3, 3]), Trial(3, "a", score=4.0, corrects=1))
    found = compare_trials(Trials(rows), rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    assert {p.policy: p.scores for p in found.policies}["a"] == {"4": 2}


def test_two_scorers(rng: np.random.Generator) -> None:
    first, second = rng.integers(1, 5, (2, 40))
    rows = [replace(row, second_score=float(second[i])) for i, row in enumerate(scored("a", first))]
    found = compare_trials(Trials((*rows, *scored("b", first))), rng=rng, rubric=read_rubric("hsr"))
    table = np.zeros((4, 4))
    np.add.at(table, (first - 1, second - 1), 1)
    known = cohens_kappa(table, weights=None, wt="quadratic")
    assert found.agreement is not None
    assert (found.agreement.trials, found.agreement.equal) == (40, int((first == second).sum()))
    assert found.agreement.kappa.value == pytest.approx(known.kappa)


def test_a_continuous_scale_is_judged_by_the_studentised_permutation(rng: np.random.Generator) -> None:
    rows = (*scored("a", rng.normal(1, 1, 25).tolist()), *scored("b", rng.normal(0, 1, 25).tolist()))
    found = compare_trials(Trials(rows), rng=rng)
    (pair,) = found.pairs
    assert pair.tests[1].name == "brunner-munzel permutation" and found.rubric == []
    assert [limits.method for limits in pair.intervals] == ["Newcombe"] and pair.priors == []
    assert any("continuous scale" in w for w in found.warnings)


# -- rules for stopping --


def schedule(blocks: int, stop: StopRule | None) -> Schedule:
    items = [
        Item(position=2 * i + j + 1, block=f"b{i}", arm=arm, code=arm)
        for i in range(blocks) for j, arm in enumerate(("K", "Q"))
    ]  # fmt: skip
    return Schedule(
        study="s", rubric=read_rubric("hsr"), arms=["K", "Q"], items=items, seed=0, commitment="", stop=stop
    )


def in_blocks(a: Sequence[float], b: Sequence[float]) -> Trials:
    return two(a, b, [f"b{i}" for i in range(len(a))], [f"b{i}" for i in range(len(b))])


def test_a_planned_rule_has_the_last_word() -> None:
    rule = StopRule(outcome="score", pairs=40)
    found = compare_trials(in_blocks([4] * 12, [2] * 12), rng=np.random.default_rng(0), schedule=schedule(40, rule))
    (pair,), (path,) = found.pairs, found.paths
    assert path.planned and path.stopped and path.winner == "a" and pair.label == "robust" and not pair.fixed
    assert pair.sentence.startswith("a is better than b, decided after")
    assert any("p-values of a fixed number of trials do not" in w for w in found.warnings)


def test_fixed_size_p_values_decide_nothing_under_a_rule() -> None:
    """Six clean pairs: p = .03 for a number of trials fixed beforehand, and no claim for one that was looked at."""
    rule = StopRule(outcome="score", pairs=40)
    t = in_blocks([4] * 6, [2] * 6)
    fixed = compare_trials(t, rng=np.random.default_rng(0), rubric=read_rubric("hsr"))
    found = compare_trials(t, rng=np.random.default_rng(0), schedule=schedule(40, rule))
    assert fixed.pairs[0].label == "robust"
    assert found.pairs[0].label == "not resolved" and found.pairs[0].tests[0].p < 0.05
    assert str(found).endswith("; a won 100 % of match-ups, ties counted half, over all 6 vs 6 trials")
    assert "p = " not in str(found) and "robust" not in str(found)


def test_a_tiny_p_is_never_zero() -> None:
    found = compare_trials(Trials((*scored("a", [4] * 30), *scored("b", [1] * 30))), rng=np.random.default_rng(0))
    assert "(exact p < 0.0001 one-sided, < 0.0001 two-sided; 30 vs 30)" in str(found)


def test_the_rule_travels_with_what_the_store_gave() -> None:
    t = replace(in_blocks([4] * 6, [2] * 6), metadata={"stop": {"outcome": "score", "pairs": 40}})
    assert not compare_trials(t["a"], t["b"], rng=np.random.default_rng(0), rubric=[1, 2, 3, 4]).pairs[0].fixed


def test_ending_early_without_a_rule_is_said() -> None:
    t = in_blocks([4] * 12, [2] * 12)
    found = compare_trials(t, rng=np.random.default_rng(0), schedule=schedule(20, None))
    assert any("ended early: 24 of 40 planned" in w for w in found.warnings)
    whole = compare_trials(t, rng=np.random.default_rng(0), schedule=schedule(12, None))
    assert not any("ended early" in w for w in whole.warnings)
    assert (whole.study, whole.schedule) == ("s", schedule(12, None).identity)


def test_an_illustration_is_no_claim(record: Comparison) -> None:
    found = compare_trials(hsr(), rng=np.random.default_rng(0), rubric=read_rubric("hsr"), illustrate=True)
    assert [pair.label for pair in found.pairs] == [pair.label for pair in record.pairs]
    assert len(found.paths) == 3 and not any(path.planned for path in found.paths) and not record.paths


def test_a_path_follows_the_order_in_which_trials_were_run() -> None:
    """Not the order of the rows: a sheet sorted by score would stop at once."""
    run = [4, 1, 2, 4, 1, 4, 3, 4]
    rows = [*scored("a", run), *scored("b", [2, 3, 2, 2, 3, 2, 4, 1])]
    by_score = sorted(rows, key=lambda row: -(row.score or 0))
    found = [
        compare_trials(Trials(tuple(order)), rng=np.random.default_rng(0), rubric=read_rubric("hsr"), illustrate=True)
        for order in (rows, by_score)
    ]
    assert found[0].paths[0].model_dump_json() == found[1].paths[0].model_dump_json()
    assert len(found[0].paths[0].steps) == 8


# -- what is refused --


@pytest.mark.parametrize(
    ("trials", "kind", "message"),
    [
        ([], NotEnoughData, "needs trials of two or more policies, got none"),
        ([Trials(tuple(scored("a", [1, 2])))], NotEnoughData, "got only 'a'"),
        ([Trials(tuple(scored("a", [1]))), Trials(tuple(scored("a", [2])))], SurehandError, "'a' was given twice"),
        (
            [Trials((*scored("a", [1]), Trial(1, "b", void=True, void_rule="x")))],
            NotEnoughData,
            r"no trial of 'b' counts \(1 void\)",
        ),
        ([Trials((*scored("a", [1]), *scored("b", [5])))], FormatError,
         r"trial 1 of 'b': score 5 is no level of rubric hsr \(1 to 4\)"),
        ([Trials((*scored("a", [1]), Trial(1, "b", success=True)))], FormatError, "trial 1 of 'a' has no success"),
    ],
)  # fmt: skip
def test_refusals(trials: list[Trials], kind: type[Exception], message: str) -> None:
    rubric = read_rubric("hsr") if "level" in message else None
    with pytest.raises(kind, match=message):
        compare_trials(*trials, rng=np.random.default_rng(0), rubric=rubric)


def test_asking_for_scores_that_are_not_there_names_the_first_trial() -> None:
    t = Trials((*scored("a", [1, 2]), Trial(7, "b", success=True)))
    with pytest.raises(FormatError, match="trial 7 of 'b' has no score"):
        compare_trials(t, rng=np.random.default_rng(0), outcome="score")


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"level": 1}, {"outcome": "luck"}, {"design": "crossed"}])
def test_settings_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(SurehandError, match=r"expected|between 0 and 1"):
        compare_trials(hsr(), rng=np.random.default_rng(0), **wrong)  # type: ignore[arg-type]


# -- whatever the trials --


@st.composite
def anything(draw: st.DrawFn) -> Trials:
    blocks = draw(st.sampled_from(["none", "pairs", "some"]))
    rows = []
    for policy in "abc"[: draw(st.integers(2, 3))]:
        scores = draw(st.lists(st.integers(1, 4), min_size=1, max_size=7))
        for i, score in enumerate(scores, start=1):
            block = {"none": "", "pairs": str(i), "some": draw(st.sampled_from("xyz"))}[blocks]
            void = i > 1 and draw(st.integers(0, 5)) == 0
            rows.append(Trial(i, policy, block=block, score=float(score), void=void, void_rule="fell" if void else ""))
    return Trials(tuple(rows))


@settings(max_examples=20, deadline=None)
@given(anything())
def test_whatever_the_trials_the_record_is_consistent(trials: Trials) -> None:
    found = compare_trials(trials, rng=np.random.default_rng(0), rubric=read_rubric("hsr"), draws=500)
    assert len(found.pairs) == found.family == len(found.policies) * (len(found.policies) - 1) // 2
    assert str(found) and Comparison.model_validate_json(found.model_dump_json()).sentence == str(found)
    for pair in found.pairs:
        assert pair.win_rate >= 0.5 and pair.wins + pair.losses + pair.ties == pytest.approx(1)
        for test in pair.tests:
            assert np.isnan(test.p) or 0 < test.p <= test.p_holm <= 1
        for limits in pair.intervals:
            assert 0 <= limits.low <= limits.high <= 1
    for place in (0, 1):
        adjusted = holm(np.array([pair.tests[place].p for pair in found.pairs]))
        np.testing.assert_allclose([pair.tests[place].p_holm for pair in found.pairs], adjusted)
