"""Plans from pilots: what to plan on, what the pilots alone suggest, and what is said where no number would do."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import surehand
from surehand.decide.planning import Planning, detectable, plan_trials
from surehand.decide.planning_pilots import from_counts, from_successes, from_trials
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.rubrics import read_rubric
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials

A, B = [0, 0, 20], [0, 5, 15]


@pytest.fixture(scope="module")
def plan() -> Planning:
    return plan_trials(B, A, levels=[2, 3, 4], names=("ours", "baseline"), n=20)


def test_a_plan_of_the_hsr_pilots(plan: Planning) -> None:
    assert [p.policy for p in plan.pilots] == ["baseline", "ours"]  # the better one first
    assert [p.mean for p in plan.pilots] == [4.0, 3.75]
    assert plan.surehand == surehand.__version__
    assert plan.needed_plug_in == 31 and plan.needed is not None and 58 <= plan.needed <= 62
    assert plan.limit == pytest.approx(0.987, abs=0.003)
    at = {p.trials: p for p in plan.curve}
    assert at[20].plug_in == pytest.approx(0.585, abs=1e-3) and at[20].assurance < at[20].plug_in
    assert at[plan.needed].assurance == pytest.approx(0.8, abs=0.01)
    assert plan.detectable is not None and plan.detectable.levels == pytest.approx(0.313, abs=0.003)
    needs = {p.prior: p.needed or 999 for p in plan.priors}
    assert needs[0.25] < needs[0.5] == plan.needed < needs[1.0]  # at a ceiling the prior decides
    assert any("always scored alike" in warning for warning in plan.warnings)


def test_the_sentence(plan: Planning) -> None:
    assert str(plan) == (
        f"{plan.needed} trials per policy resolve baseline over ours with probability 80 % (two-sided exact "
        "permutation test, α = 0.05), averaged over what the pilots leave open; 31 if their shares were the truth; "
        "20 per policy do so with 43 %; 20 find a fall of 0.31 levels from baseline with 80 %."
    )


def test_a_plan_comes_back_from_its_file(plan: Planning, tmp_path: Path) -> None:
    assert Planning.load(plan.save(tmp_path / "plan.json")) == plan


def test_the_same_seed_gives_the_same_plan() -> None:
    first, second = (plan_trials([3, 7], [6, 4], levels=[0, 1], seed=4) for _ in range(2))
    assert first.model_dump(exclude={"created"}) == second.model_dump(exclude={"created"})


def test_where_the_direction_is_in_doubt_no_number_does() -> None:
    plan = plan_trials([4, 16], [6, 14], levels=[0, 1], names=("a", "b"))
    assert plan.needed is None and plan.limit < 0.8 and plan.needed_plug_in
    assert str(plan).startswith("No number of trials resolves a over b with 80 % assurance: after these pilots it is")
    assert max(p.assurance for p in plan.curve) <= plan.limit
    assert [p.needed for p in plan.priors] == [None] * 3


def test_pilots_that_tie_say_so() -> None:
    same, even = ([1, 2, 3, 5], [1, 2, 3, 5]), ([5, 10, 5], [8, 4, 8])  # whose shares round; of different spread
    for pilots in (([2, 18], [2, 18]), same, even):
        plan = plan_trials(*pilots, levels=range(len(pilots[0])))
        assert str(plan).startswith("The pilots do not say which") and plan.needed is plan.needed_plug_in is None


def test_a_fall_of_success_starts_at_the_pilots_rate() -> None:
    plan = plan_trials([2, 18], [12, 8], levels=[0, 1], names=("a", "b"), n=6)
    assert plan.detectable is not None and plan.detectable.shares
    assert f"6 find success that falls from a's 90 % to {100 * plan.detectable.shares[1]:.0f} % with" in str(plan)


def test_more_pairs_need_more_trials() -> None:
    one, three = (plan_trials([1, 19], [9, 11], levels=[0, 1], pairs=pairs) for pairs in (1, 3))
    assert one.needed and three.needed and three.needed > one.needed
    assert "over 3 pairs" in str(three) and "α / 3" in three.methods["pairs"]


def test_senseless_wishes_are_refused() -> None:
    for wrong in ({"target": 1.0}, {"pairs": 0}, {"alpha": 0.0}, {"test": "fisher"}):
        with pytest.raises(SurehandError):
            plan_trials(A, B, levels=[2, 3, 4], **wrong)


def test_detectable_in_one_sentence() -> None:
    assert detectable(2, 20).startswith(
        "20 trials per policy find, 4 times in 5, success that falls from 100 % to 69 %, or from 50 % to 8 % ("
    )
    said = detectable([1, 2, 3, 4], 20, alpha=0.05, pairs=3)
    assert "a fall of 0.42 levels from a policy that always reaches the top, and of" in said
    assert "from one spread evenly over the rubric" in said and "over 3 pairs" in said
    assert "no difference 4 times in 5" in detectable(4, 3)
    with pytest.raises(SurehandError):
        detectable(1, 20)


def trials(*rows: tuple[str, float | None, bool | None]) -> Trials:
    return Trials(tuple(Trial(i, p, score=s, success=ok) for i, (p, s, ok) in enumerate(rows)))


def test_pilots_from_trials() -> None:
    sheet = trials(("new", 4, None), ("new", 3, None), ("old", 2, None), ("old", 2, None), ("third", 1, None))
    seen = from_trials(sheet, ["old", "new"])
    assert seen.names == ("old", "new") and seen.levels == [1, 2, 3, 4] and "that were seen" in seen.notes[0]
    assert [c.tolist() for c in seen.counts] == [[0, 2, 0, 0], [0, 0, 1, 1]]
    assert from_trials(sheet, ["old", "new"], read_rubric("hsr")).notes == ()
    successes = trials(("new", None, True), ("old", None, False), ("old", None, True))
    assert [c.tolist() for c in from_trials(successes, []).counts] == [[0, 1], [1, 1]]


def test_pilots_that_do_not_fit_are_refused() -> None:
    sheet = trials(("new", 4, None), ("old", 2, None), ("third", 7, None))
    with pytest.raises(FormatError, match="name them: --policy A --policy B"):
        from_trials(sheet, [])
    with pytest.raises(FormatError, match="are both new"):
        from_trials(sheet, ["new", "new"])
    with pytest.raises(FormatError, match="score 7 is none of the levels 1, 2, 3, 4"):
        from_trials(sheet, ["new", "third"], read_rubric("hsr"))
    with pytest.raises(FormatError, match="every trial scored 4"):
        from_trials(trials(("a", 4, None), ("b", 4, None)), [])
    for text in ("1", "a,b", "0,0", "1,-2", "1,,2", "1.5,2"):
        with pytest.raises(FormatError):
            from_counts(text, text)
    with pytest.raises(FormatError, match="the rubric hsr has 4 levels"):
        from_counts("1,2", "2,1", read_rubric("hsr"))
    for successes in (["3/2", "1/2"], ["1/2"], ["a/b", "1/2"], ["0/0", "1/2"]):
        with pytest.raises(FormatError):
            from_successes(successes)


def test_counts_and_successes() -> None:
    assert np.stack(from_successes(["18/20", " 12 / 20"]).counts).tolist() == [[2, 18], [8, 12]]
    found = from_counts("0,0,5,15", "0, 2, 6, 12", read_rubric("hsr"))
    assert found.levels == [1, 2, 3, 4] and found.counts[1].tolist() == [0, 2, 6, 12]


@given(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9]{1,3}[,/][0-9]{1,3}", fullmatch=True)))
def test_any_text_is_counts_or_refused_in_one_line(text: str) -> None:
    for counts in (True, False):
        try:
            found = from_counts(text, text) if counts else from_successes([text, text])
        except FormatError as error:
            assert "\n" not in str(error)
        else:
            assert all(c.sum() > 0 and len(c) == len(found.levels) for c in found.counts)
