"""The judgement on training runs: picks, regret, hypotheses, and what is said where there is too little."""

import numpy as np
import pytest

from surehand.decide.selectors import LAST, RANDOM, Selector
from surehand.decide.within_run import Hypothesis, WithinRun
from surehand.decide.within_run_judge import FEW, NOTHING, OPEN, REVERSED, SMALL, SUPPORTED, Run, judge, lowest
from surehand.exceptions import NotEnoughData, ShapeError, SurehandError


def run(name: str, score: list[float], selection: list[float] | None = None, **values: list[float]) -> Run:
    steps = np.arange(1, len(score) + 1) * 100
    return Run(
        name,
        "mlp",
        40,
        0,
        steps,
        np.array(score if selection is None else selection),
        np.array(score),
        {key.replace("_", "/"): np.array(v, float) for key, v in values.items()},
    )


def expects(better: str, worse: str) -> Hypothesis:
    return Hypothesis(key="H1", claim="one chooses better", better=better, worse=worse)


def test_regret_is_measured_on_other_episodes_than_the_best_was_named_on() -> None:
    one = run("a", [0.2, 0.9, 0.7], [0.1, 0.5, 0.6], std_total=[1, 2, 3], robot_total=[3, 2, 1], robot_arm=[3, 1, 2])
    result = judge([one], []).runs[0]
    assert result.best == [300]
    assert result.picks == {"std/total": [100], "robot/total": [300], "robot/arm": [200], RANDOM: [100, 200, 300]}
    assert result.regret == pytest.approx({"std/total": 0.5, "robot/total": 0.0, "robot/arm": -0.2, RANDOM: 0.1})
    assert result.tau["robot/total"] == pytest.approx(1 / 3)


def test_checkpoints_a_rule_cannot_tell_apart_are_drawn_among() -> None:
    one = run("a", [0.2, 0.8, 0.6, 1.0], [0.5, 0.9, 0.1, 0.9], std_total=[1, 1, 2, 3])
    result = judge([one], []).runs[0]
    assert (result.best, result.picks["std/total"]) == ([200, 400], [100, 200])
    assert result.regret["std/total"] == pytest.approx(0.9 - 0.5)


def test_a_rule_without_a_number_picks_nothing() -> None:
    runs = [run("a", [0.1, 0.9], std_total=[1, np.nan]), run("b", [0.1, 0.9], std_total=[1, 2])]
    judged = judge(runs, [])
    assert judged.runs[0].picks["std/total"] == []
    rule = judged.rules[0]
    assert (rule.regret.value, rule.regret.runs, rule.undefined) == (0.8, 1, 1)
    assert not lowest(np.array([np.nan, 1.0])).any()


def many(saved: list[float]) -> list[Run]:
    """Runs in which `robot/arm` picks the best checkpoint and `std/arm` one that is so much worse."""
    return [run(f"r{i}", [0.9 - s, 0.9], [0.1, 0.2], std_arm=[1, 2], robot_arm=[2, 1]) for i, s in enumerate(saved)]


@pytest.mark.parametrize(
    ("saved", "verdict"),
    [
        ([0.3, 0.2, 0.4, 0.3, 0.25, 0.35, 0.3], SUPPORTED),
        ([0.03, 0.02, 0.04, 0.03, 0.025, 0.035, 0.03], SMALL),
        ([-0.03, -0.02, -0.04, -0.03, -0.025, -0.035, -0.03], REVERSED),
        ([0.01, -0.01, 0.02, -0.02, 0.0, 0.01, -0.01], NOTHING),
        ([0.3, -0.2, 0.4, -0.3, 0.2, -0.3, 0.1], OPEN),
        ([0.3, 0.2, 0.4], FEW),
        ([0.3, 0.2, 0.4, 0.3, 0.25], FEW),  # all five agree, and p is still 2/32
    ],
)
def test_verdicts(saved: list[float], verdict: str) -> None:
    judged = judge(many(saved), [expects("robot/arm", "std/arm")])
    found = judged.comparisons[0]
    assert found.verdict == verdict
    assert found.difference.value == pytest.approx(np.mean(saved), abs=1e-12)
    assert (". 1 of 1 expectations" in judged.sentence) == (verdict in (SUPPORTED, SMALL))


def test_holm_counts_every_comparison_of_the_judgement() -> None:
    runs = many([0.3, 0.2, 0.4, 0.3, 0.25, 0.35, 0.3])
    alone, together = (judge(runs, [expects("robot/arm", "std/arm")] * n).comparisons[0] for n in (1, 3))
    assert alone.p == together.p == 2 / 2**7
    assert together.p_holm == pytest.approx(3 * alone.p_holm)


def test_rules_that_came_equally_close_are_all_named() -> None:
    def closest(*best: str) -> str:
        picks = {rule: [2, 1] if rule in best else [1, 2] for rule in ("std_arm", "std_total", "std_base", "robot_arm")}
        return judge([run("a", [0.4, 0.9], **picks)], []).sentence

    assert ". Closest of 4 rules: base (std units), 0." in closest("std_base")
    assert ". Closest of 4 rules: arm (std units) and base (std units), 0." in closest("std_base", "std_arm")
    assert ". Closest of 4 rules: arm (std units) and 3 others, 50." in closest()


def test_regret_is_split_by_learner_and_size() -> None:
    runs = [
        Run(f"{learner}{size}", learner, size, 0, np.arange(2), np.array([0, 1.0]), np.array([1 - lost, 1.0]), values)
        for learner, size, lost in (("mlp", 40, 0.1), ("mlp", 120, 0.2), ("act", 40, 0.3), ("act", 120, 0.6))
        for values in [{"std/total": np.array([0.0, 1.0]), LAST: np.array([0.0, -1.0])}]
    ]
    rule = judge(runs, []).rules[0]
    values = {kind: seen.value for kind, seen in rule.by.items()}
    assert values == pytest.approx({"mlp": 0.15, "act": 0.45, "40 demonstrations": 0.2, "120 demonstrations": 0.4})
    assert rule.worst == pytest.approx(0.6)


def test_what_cannot_be_judged_is_refused_in_one_line() -> None:
    one = run("a", [0.1, 0.9], std_total=[1, 2])
    with pytest.raises(NotEnoughData, match="no finished run"):
        judge([], [])
    with pytest.raises(SurehandError, match="'std/arm', which was not measured"):
        judge([one], [expects("std/arm", "std/total")])
    with pytest.raises(SurehandError, match="different rules"):
        judge([one, run("b", [0.1, 0.9], std_arm=[1, 2])], [])
    with pytest.raises(ShapeError, match="one length"):
        run("a", [0.1, 0.9], std_total=[1, 2, 3])


@pytest.mark.parametrize("name", ["total", "std/", "raw/total", "std/arm@", "std/arm@last", "last"])
def test_unknown_rules_are_refused(name: str) -> None:
    with pytest.raises(SurehandError, match="unknown selector"):
        Selector.parse(name)


def test_rules_say_their_space() -> None:
    said = [str(Selector.parse(n)) for n in ("std/arm@near", "robot/total@first", "tool position", LAST)]
    assert said == ["arm near contact (std units)", "total first action (robot units)", "tool position (metres)", LAST]


def test_the_record_comes_back_from_its_file(tmp_path: object) -> None:
    judged = judge(many([0.3, 0.2]), [expects("robot/arm", "std/arm")], name="mobile", title="mobile robot")
    common = {"title": "t", "plan_hash": "0", "tasks": ["pick"], "level": 0.95, "alpha": 0.05, "margin": 0.05}
    record = WithinRun(**common, seed=0, draws=10, headline=judged)  # type: ignore[arg-type]
    path = record.save(f"{tmp_path}/within-run.json")
    assert WithinRun.load(path).model_dump_json() == record.model_dump_json()
    assert str(record).startswith("Mobile robot, 2 runs: the checkpoint picked by arm (robot units) was 0 points")
