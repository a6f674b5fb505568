"""Stopping by a rule written beforehand: which blocks count, what families need, and what may be said meanwhile."""

import numpy as np
import pytest

from surehand.decide.stopping import Stopping, complete_blocks, judge_stop
from surehand.exceptions import NotEnoughData, ShapeError
from surehand.formats.schedules import StopRule
from surehand.measure.betting import e_value
from surehand.measure.sequential import design

SUCCESS = StopRule(outcome="success", alpha=0.05, pairs=20)
SCORE = StopRule(outcome="score", alpha=0.05, pairs=20)
GOOD, BAD = [1.0] * 20, [0.0] * 20


def decided(found: Stopping) -> int:
    """Pairs of arms of which one is found better."""
    return sum(pair.stopped is not None for pair in found.pairs)


def test_only_complete_blocks_from_the_first_on() -> None:
    """A block that one arm lacks ends what counts, whatever lies behind it and however the other arms did."""
    outcomes = {"a": [1.0, 1.0, None, 1.0], "b": [0.0, 0.0, 0.0, 0.0], "c": [1.0, 0.0, 1.0]}
    assert complete_blocks(outcomes).tolist() == [[1, 0, 1], [1, 0, 0]]
    found = judge_stop(SUCCESS, outcomes)
    assert found.blocks == 2
    assert all(path.steps[-1].pairs == 2 for path in found.pairs)
    assert judge_stop(SUCCESS, {"a": [None, *GOOD], "b": [0.0, *BAD]}).blocks == 0
    assert judge_stop(SUCCESS, {"a": [float("nan"), *GOOD], "b": [0.0, *BAD]}).blocks == 0


@pytest.mark.parametrize("rule", [SUCCESS, SCORE])
def test_before_the_first_trial(rule: StopRule) -> None:
    found = judge_stop(rule, {"a": [], "b": [], "c": []})
    assert (found.may_stop, found.blocks, found.planned, decided(found)) == (False, 0, 20, 0)
    assert [path.steps for path in found.pairs] == [[], [], []]


def test_two_arms_on_success() -> None:
    """The first block at which the two-sided design crosses, and not one before; what comes later changes nothing."""
    at = design(20, 0.05).decide(GOOD, BAD).stopped
    assert at is not None
    assert not judge_stop(SUCCESS, {"a": GOOD[: at - 1], "b": BAD[: at - 1]}).may_stop
    for more in (at, at + 1, 20):
        found = judge_stop(SUCCESS, {"a": GOOD[:more], "b": BAD[:more]})
        assert found.may_stop
        assert (found.pairs[0].stopped, found.pairs[0].winner) == (at, "a")
    turned = judge_stop(SUCCESS, {"a": GOOD[:at] + BAD[:9], "b": BAD[:at] + GOOD[:9]})
    assert turned.pairs[0].winner == "a"
    assert judge_stop(SUCCESS, {"a": BAD, "b": GOOD}).pairs[0].winner == "b"


def test_two_arms_on_scores() -> None:
    """One pair, both directions: the e-value has to reach 2/alpha; ties carry nothing."""
    wins = next(w for w in range(99) if e_value(w, 0) >= 40)
    a, b = [4.0, 3.0] * wins, [3.0, 3.0] * wins
    found = judge_stop(SCORE.model_copy(update={"pairs": 100}), {"a": a, "b": b})
    assert found.may_stop
    path = found.pairs[0]
    assert (path.stopped, path.winner) == (2 * wins - 1, "a")
    assert [step.upper for step in path.steps] == [40.0] * len(path.steps)
    assert path.steps[-1].statistic == pytest.approx(e_value(wins, 0))
    assert len(path.steps) == path.stopped
    assert judge_stop(SCORE, {"a": b[:20], "b": a[:20]}).pairs[0].winner == "b"


@pytest.mark.parametrize("rule", [SUCCESS, SCORE])
def test_a_family_shares_alpha(rule: StopRule) -> None:
    """With three arms each pair needs more, and the study goes on until all pairs are decided."""
    alone = judge_stop(rule, {"a": GOOD, "b": BAD}).pairs[0].stopped
    found = judge_stop(rule, {"a": GOOD[:18], "b": BAD[:18], "c": BAD[:18]})
    assert alone is not None
    assert [path.stopped is not None for path in found.pairs] == [True, True, False]
    assert found.pairs[0].stopped is not None
    assert found.pairs[0].stopped > alone
    assert not found.may_stop
    assert decided(found) == 2
    over = judge_stop(rule, {"a": GOOD, "b": BAD, "c": BAD})
    assert over.may_stop
    assert "planned end" in over.sentence


def test_shares_of_a_family() -> None:
    found = judge_stop(SUCCESS, {"a": GOOD, "b": BAD, "c": BAD})
    assert [path.alpha for path in found.pairs] == pytest.approx([0.05 / 3] * 3)
    expected = design(20, 0.05 / 3).decide(GOOD, BAD).stopped
    assert [path.stopped for path in found.pairs] == [expected, expected, None]


def test_holm_over_scores() -> None:
    """Six statements (three pairs, two directions): the first needs 6/alpha, the next 5/alpha, the last 4/alpha."""
    level = [120.0, 100.0, 80.0]
    best, middle, worst = [2.0] * 20, [1.0] * 20, [0.0] * 20
    found = judge_stop(SCORE, {"a": best, "b": middle, "c": worst})
    needed = next(w for w in range(99) if e_value(w, 0) >= level[0])
    assert [path.stopped for path in found.pairs] == [needed] * 3  # all at once: E is the same for all
    # b ties with c at first, so that pair comes later, when two are out: 4/alpha is enough
    late = next(w for w in range(99) if e_value(w, 0) >= level[2])
    found = judge_stop(SCORE, {"a": best, "b": [0.0] * 10 + [1.0] * 10, "c": worst})
    assert found.pairs[2].stopped == 10 + late
    assert found.pairs[2].steps[0].upper == 120
    assert found.pairs[2].steps[-1].upper >= 80
    assert late < needed


def test_decided_stays_decided() -> None:
    """A pair whose e-value falls again after it was decided remains decided: the promise is about ever being wrong."""
    a, b = [1.0] * 9 + [0.0] * 11, [0.0] * 9 + [1.0] * 11
    path = judge_stop(SCORE, {"a": a, "b": b}).pairs[0]
    assert path.winner == "a"
    assert path.stopped is not None
    assert path.stopped <= 9


def test_the_planned_end() -> None:
    """Undecided at the planned end: one may stop, nothing is claimed, and trials past it are not looked at."""
    same = [1.0, 0.0] * 20
    found = judge_stop(SUCCESS, {"a": same, "b": same})
    assert (found.may_stop, found.blocks, decided(found)) == (True, 20, 0)
    assert found.pairs[0].winner == ""
    assert not judge_stop(SUCCESS, {"a": same[:19], "b": same[:19]}).may_stop
    tail = judge_stop(SCORE, {"a": [1.0] * 20 + [9.0] * 20, "b": [1.0] * 40})
    assert decided(tail) == 0
    assert len(tail.pairs[0].steps) == 20


@pytest.mark.parametrize("rule", [SUCCESS, SCORE])
def test_the_sentence_favours_nobody(rule: StopRule) -> None:
    """Whoever still scores reads it: the same words whoever leads, and no arm in them."""
    ahead = judge_stop(rule, {"K7": GOOD[:12], "Q2": BAD[:12]})
    behind = judge_stop(rule, {"K7": BAD[:12], "Q2": GOOD[:12]})
    level = judge_stop(rule, {"K7": GOOD[:12], "Q2": GOOD[:12]})
    assert ahead.may_stop
    assert ahead.sentence == behind.sentence
    assert not level.may_stop
    assert not any(word in found.sentence for found in (ahead, level) for word in ("K7", "Q2", "better", "win", "lead"))


def test_corrected_outcomes_are_judged_afresh() -> None:
    """The judgement knows no past: a corrected trial can take back what was decided before."""
    at = design(20, 0.05).decide(GOOD, BAD).stopped
    assert at is not None
    outcomes = {"a": GOOD[:at], "b": BAD[:at]}
    assert judge_stop(SUCCESS, outcomes).may_stop
    assert not judge_stop(SUCCESS, outcomes | {"a": [0.0, *GOOD[: at - 1]]}).may_stop


def test_illustrations_say_so() -> None:
    for rule in (SUCCESS, SCORE):
        shown = judge_stop(rule, {"a": GOOD, "b": BAD}, planned=False).pairs[0]
        assert not shown.planned
        assert "not planned before the first trial" in shown.sentence
        assert "illustration" not in judge_stop(rule, {"a": GOOD, "b": BAD}).pairs[0].sentence


@pytest.mark.slow
def test_long_illustrations_end_early() -> None:
    """More pairs than a design can plan: what is shown is the design for the most it can, on the first of them."""
    rule = StopRule(outcome="success", alpha=0.05, pairs=600)
    with pytest.raises(ShapeError, match="1 to 500 pairs, got 600"):
        judge_stop(rule, {"a": GOOD * 30, "b": GOOD * 30})
    found = judge_stop(rule, {"a": GOOD * 30, "b": GOOD * 30}, planned=False)
    assert (found.blocks, found.planned, found.pairs[0].steps[-1].pairs) == (500, 500, 500)


def test_refused() -> None:
    with pytest.raises(NotEnoughData, match="two or more"):
        judge_stop(SUCCESS, {"a": GOOD})
    with pytest.raises(ShapeError, match="got 3; give successes"):
        judge_stop(SUCCESS, {"a": [3.0], "b": [1.0]})


def test_many_arms_share_one_design(rng: np.random.Generator) -> None:
    """Ten arms, forty-five pairs: every pair has its path, all in the order of the arms."""
    outcomes = {f"arm{i}": list((rng.random(30) < 0.1 * i).astype(float)) for i in range(10)}
    found = judge_stop(StopRule(outcome="success", alpha=0.05, pairs=50), outcomes)
    assert len(found.pairs) == 45
    assert (found.pairs[0].first, found.pairs[-1].second) == ("arm0", "arm9")
    assert all(path.winner in ("", path.second, path.first) for path in found.pairs)
    assert found.pairs[8].winner == "arm9"
