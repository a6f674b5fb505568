"""Offline numbers against the robot: the HSR trials' known answer, joins, units, runs, and what is never claimed."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from surehand import __version__
from surehand.decide.agree import judge_agreement
from surehand.decide.agree_join import runs_and_steps, shared_runs
from surehand.decide.agree_offline import Metric, Offline, offline_columns, offline_table
from surehand.decide.agree_robot import Robot, robot_means, robot_trials
from surehand.decide.agreement import AgreementRecord, MetricAgreement
from surehand.decide.selectors import LAST, Selector
from surehand.decide.within_run_judge import FEW
from surehand.exceptions import NotEnoughData, SurehandError
from surehand.formats.rubrics import read_rubric
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials, read_trials
from surehand.frames import ErrorTable
from surehand.measure.ranking import kendall, sign_flip

# Montagut Bofi et al. (2026): errors of the two π0.5 checkpoints and of SmolVLA's row "B32 40k", all × 1e-3.
HSR = ErrorTable(
    ("baseline 80k", "expert-only 3k", "B32 40k"),
    ("arm", "gripper", "head", "base"),
    1e-3 * np.array([[0.30, 4.31, 0.05, 1.85], [0.59, 2.21, 0.06, 1.72], [0.883, 3.773, 0.007, 3.175]]),
    None,
    1e-3 * np.array([1.04, 0.95, 1.611]),
)
SCORES = {"baseline": [4] * 20, "ours": [3] * 5 + [4] * 15, "smolvla": [2] * 2 + [3] * 6 + [4] * 12}
JOIN = dict(zip(HSR.checkpoints, SCORES, strict=True))


def sheet(scores: dict[str, list[int]]) -> Trials:
    return Trials(tuple(Trial(i, name, score=float(s)) for name, row in scores.items() for i, s in enumerate(row)))


def by_name(record: AgreementRecord) -> dict[str, MetricAgreement]:
    return {m.metric: m for m in record.metrics}


def hsr(trials: Trials, join: dict[str, str], seed: int = 0) -> AgreementRecord:
    robot = robot_trials(trials, rubric=read_rubric("hsr"))
    return judge_agreement(offline_table(HSR), robot, rng=np.random.default_rng(seed), join=join)


def test_hsr_arm_alone_is_consistent_and_nothing_is_established() -> None:
    record = hsr(sheet(SCORES), JOIN)
    standing = {m.metric: m.standing for m in record.metrics}
    others = ("total", "gripper", "head", "base")
    assert standing == {"arm": "consistent", **dict.fromkeys(others, "inconsistent")}
    assert record.policies == ["baseline", "ours", "smolvla"] and record.best == "arm"
    assert "only arm is consistent" in str(record) and "three policies cannot establish it" in str(record)
    assert "once in 6" in str(record) and " p = " not in str(record)
    tau = by_name(record)["arm"].coefficients[0]
    assert tau.p == tau.p_smallest == pytest.approx(1 / 6) and tau.p_family == pytest.approx(4 / 6)
    # Statistics of the trials alone: baseline > smolvla is what they resolve.
    assert by_name(record)["arm"].resolved == 1 and by_name(record)["arm"].resolved_right == 1
    assert by_name(record)["gripper"].resolved_right == 0
    assert np.isnan(by_name(record)["arm"].coefficients[2].p)  # Pearson below six policies


def test_hsr_from_its_own_files(shared: Path) -> None:
    trials = read_trials(shared / "hsr_trials/robot_trials.csv")
    record = hsr(trials, dict(zip(HSR.checkpoints, trials.policies, strict=True)))
    assert [m.metric for m in record.metrics if m.standing == "consistent"] == ["arm"]


def test_order_of_the_hsr_trials_under_the_posterior() -> None:
    """P(A > B > C) is .78 under Dirichlet(½) over the rubric's four levels (.895 by plain bootstrap, which cannot doubt
    a policy that scored 4 every time); and the order agrees by exactly that share where errors are taken as given."""
    arm = by_name(hsr(sheet(SCORES), JOIN))["arm"]
    assert arm.order_same == pytest.approx(0.78, abs=0.015) and arm.resampled == "trials"
    plain = robot_trials(sheet(SCORES))
    rng = np.random.default_rng(0)
    drawn = np.stack([s[rng.integers(0, 20, (20_000, 20))].mean(axis=1) for s in plain.scores], axis=1)
    assert ((drawn[:, 0] > drawn[:, 1]) & (drawn[:, 1] > drawn[:, 2])).mean() == pytest.approx(0.895, abs=0.01)


def test_both_sides_are_resampled_with_weights_shared_over_policies() -> None:
    """Errors that rise and fall together by episode keep their order however episodes are drawn; alone they would not.

    With errors known to ±.002, ±.005 and ±.01 and independent, the share with τ = 1 falls well below the trials' own.
    """
    rng = np.random.default_rng(0)
    mean, se, episodes = np.array([0.050, 0.058, 0.066]), np.array([0.002, 0.005, 0.01]), 40
    own = mean + se * np.sqrt(episodes) * stats.zscore(rng.normal(size=(episodes, 3)), axis=0)
    together = mean * (1 + 2 * stats.zscore(rng.normal(size=(episodes, 1)), axis=0))
    robot = robot_trials(sheet(SCORES), rubric=read_rubric("hsr"))
    shares = {}
    for name, sums in (("own", own), ("together", together)):
        metric = Metric("arm", sums.mean(axis=0), "robot", False, sums, np.ones(episodes))
        record = judge_agreement(Offline(tuple(SCORES), (metric,), episodes), robot, rng=rng)
        assert record.metrics[0].resampled == "trials and episodes"
        shares[name] = record.metrics[0].order_same
    assert 0.3 < shares["own"] < 0.65
    assert shares["together"] > 0.7


NAMES = ("act", "bc", "flow", "pi", "octo", "rt")
MEANS = dict(zip(NAMES, (0.9, 0.75, 0.6, 0.5, 0.35, 0.1), strict=True))


def agreement(columns: dict[str, list[float]], means: dict[str, float] = MEANS, **how: object) -> AgreementRecord:
    offline = offline_columns(list(means), {k: np.array(v, float) for k, v in columns.items()}, **how)  # type: ignore[arg-type]
    return judge_agreement(offline, robot_means(means, "success"), rng=np.random.default_rng(0))


def test_standings_of_six_policies() -> None:
    record = agreement({"good": [1, 2, 3, 4, 5, 6], "bad": [6, 5, 4, 3, 2, 1], "none": [3, 1, 5, 2, 6, 4]})
    assert [m.standing for m in record.metrics] == ["agrees", "disagrees", "cannot tell"]
    assert record.best == "good" and record.selected_from == 3
    tau = record.metrics[0].coefficients[0]
    assert tau.p == pytest.approx(1 / 720) and 1 / 720 < tau.p_family < 0.01
    assert np.isnan(tau.low) and record.metrics[0].resampled == "" and record.draws == 0
    assert "no trials behind the robot's numbers" in record.warnings[0]
    assert "selected from 3 metrics" in str(record) and "bad orders them the other way round" in str(record)


def test_higher_is_better_where_declared() -> None:
    """A simulated success rate: the same numbers agree or disagree by what they mean."""
    columns = {"simulated": [0.8, 0.7, 0.5, 0.45, 0.3, 0.2]}
    assert agreement(columns, higher=["simulated"]).metrics[0].standing == "agrees"
    assert not agreement(columns, higher=["simulated"]).metrics[0].lower_is_better
    assert agreement(columns).metrics[0].standing == "disagrees"


@pytest.mark.parametrize(
    ("task", "mmrv", "r"),
    [
        ("google_robot_pick_coke_can", 0.0313, 0.9754),
        ("google_robot_move_near", 0.111, 0.856),
        ("google_robot_close_drawer", 0.1233, 0.771),
        ("widowx_carrot_on_plate", 0.1113, 0.571),
    ],
)
def test_simpler(shared: Path, task: str, mmrv: float, r: float) -> None:
    tables = json.loads((shared / "simpler_tables/simpler_tables.json").read_text())
    real, simulated = tables["real"][task], tables["simpler"][task]
    record = agreement({"success": [simulated[policy] for policy in real]}, real, higher=["success"])
    found = {c.name: c for c in record.metrics[0].coefficients}
    assert found["mmrv"].value == pytest.approx(mmrv, abs=1e-4) and found["pearson"].value == pytest.approx(r, abs=1e-3)
    assert np.isnan(found["pearson"].p) == (len(real) < 6)
    assert (record.metrics[0].standing in ("consistent", "inconsistent")) == (len(real) < 5)


@pytest.mark.parametrize("policies", [2, 3, 4])
def test_few_policies_have_no_p_in_the_sentence(policies: int) -> None:
    means = dict(list(MEANS.items())[:policies])
    for values in (range(policies), range(policies, 0, -1)):
        record = agreement({"m": list(values)}, means)
        assert record.metrics[0].standing in ("consistent", "inconsistent")
        assert "p =" not in str(record) and "establish" in str(record)


def test_robot_that_tells_nothing_apart() -> None:
    record = agreement({"m": [1, 2, 3, 4, 5, 6]}, dict.fromkeys(NAMES, 0.5))
    assert record.metrics[0].standing == "cannot tell" and "nothing can agree" in str(record)


def test_names_must_meet() -> None:
    offline = offline_columns(["a", "b 1k", "c"], {"m": np.arange(3.0)})
    robot = robot_means({"a": 1.0, "b": 0.5, "d": 0.2})
    rng = np.random.default_rng(0)
    with pytest.raises(SurehandError, match="offline alone b 1k, c; on the robot alone b, d; --join OFFLINE=ROBOT"):
        judge_agreement(offline, robot, rng=rng)
    with pytest.raises(SurehandError, match=r"--join names 'bb', no robot policy among a, b, d; did you mean 'b'\?"):
        judge_agreement(offline, robot, rng=rng, join={"b 1k": "bb"})
    with pytest.raises(SurehandError, match="a and c are all 'a' on the robot"):
        judge_agreement(offline, robot, rng=rng, join={"c": "a"})
    record = judge_agreement(offline, robot, rng=rng, join={"b 1k": "b"}, matched=True)
    assert record.policies == ["a", "b"]
    assert "left out, without a partner: offline alone c; on the robot alone d" in record.warnings
    with pytest.raises(NotEnoughData, match="1 of the policies are on both sides"):
        judge_agreement(offline, robot_means({"a": 1.0, "x": 0.0}), rng=rng, matched=True)


def test_trials_bring_their_rubric_or_say_so() -> None:
    robot = robot_trials(sheet(SCORES))
    assert robot.levels.tolist() == [2, 3, 4] and "no rubric named" in robot.warnings[0]
    assert robot_trials(sheet(SCORES), rubric=read_rubric("hsr")).levels.tolist() == [1, 2, 3, 4]
    success = robot_trials(sheet(SCORES), "success", read_rubric("hsr"))
    assert success.outcome == "success" and success.values.tolist() == [1.0, 0.75, 0.6]
    with pytest.raises(SurehandError, match="--rubric says which are successes"):
        robot_trials(sheet(SCORES), "success")
    with pytest.raises(SurehandError, match="score 7 is no level of rubric hsr"):
        robot_trials(sheet({"a": [7], "b": [4]}), rubric=read_rubric("hsr"))


def test_scores_without_levels_are_drawn_from_the_trials(rng: np.random.Generator) -> None:
    scores = {name: rng.normal(mean, 1, 30) for name, mean in (("a", 2.0), ("b", 0.0))}
    robot = robot_trials(Trials(tuple(Trial(i, n, score=x) for n, row in scores.items() for i, x in enumerate(row))))
    assert not robot.graded and "60 different scores are no rubric" in robot.warnings[0]
    drawn = robot.resample(4000, rng)
    assert drawn.mean(axis=0) == pytest.approx(robot.values, abs=0.02)
    assert drawn.std(axis=0) == pytest.approx([scores[n].std() / np.sqrt(31) for n in ("a", "b")], rel=0.1)


def test_metrics_from_elsewhere_have_names_as_rules() -> None:
    named = [Selector.parse(f"offline/{n}") for n in ("normalised:mean_std/arm@contact", "/total", "robot/arm@1")]
    assert [str(one) for one in named] == ["arm contact (normalised:mean_std)", "total", "arm step 1 (robot units)"]


def test_void_and_corrected_trials_do_not_count() -> None:
    rows = (
        Trial(1, "a", success=True),
        Trial(2, "a", success=False, corrects=1),
        Trial(3, "a", success=True, void=True, void_rule="cable"),
        Trial(1, "b", success=True),
    )
    assert robot_trials(Trials(rows)).values.tolist() == [0.0, 1.0]


def test_a_metric_that_some_lack_is_left_out_aloud() -> None:
    record = agreement({"m": [1, 2, 3, 4, 5, 6], "gap": [1, 2, np.nan, 4, 5, 6]})
    assert [m.metric for m in record.metrics] == ["m"] and "left out, not every policy has it: gap" in record.warnings
    with pytest.raises(SurehandError, match="gap has no number for flow"):
        agreement({"gap": [1, 2, np.nan, 4, 5, 6]})


def run_names(runs: int, checkpoints: int) -> list[str]:
    return [f"run{r} {1000 * (c + 1):06d}" for r in range(runs) for c in range(checkpoints)]


def training(runs: int, checkpoints: int, rng: np.random.Generator) -> tuple[Offline, Robot]:
    """Runs whose success `total` follows, and `arm` does not."""
    success = rng.uniform(0.1, 0.9, runs * checkpoints)
    columns = {"total": 1 - success + 0.02 * rng.normal(size=len(success)), "arm": rng.uniform(size=len(success))}
    names = run_names(runs, checkpoints)
    return offline_columns(names, columns), robot_means(dict(zip(names, success, strict=True)), "success")


def test_checkpoints_of_one_run_share_a_clock(rng: np.random.Generator) -> None:
    offline, robot = training(1, 8, rng)
    record = judge_agreement(offline, robot, rng=rng)
    assert record.within_run is not None and {m.standing for m in record.metrics} == {"cannot tell"}
    assert all(np.isnan(c.p) for m in record.metrics for c in m.coefficients) and np.isnan(record.clock[0].p)
    assert "share a clock" in str(record) and "without a p-value" in str(record)
    (run,) = record.within_run.runs
    values = dict(zip(offline.policies, offline.metrics[0].values.tolist(), strict=True))
    total, order = np.array([values[n] for n in run_names(1, 8)]), np.array([record.robot[n] for n in run_names(1, 8)])
    assert next(iter(run.tau.values())) == pytest.approx(kendall(-total, order))
    assert record.clock[0].value == pytest.approx(kendall(np.arange(8), order))
    overruled = judge_agreement(offline, robot, rng=rng, exchangeable=True)
    assert overruled.within_run is None and overruled.metrics[0].standing == "agrees"
    assert "--exchangeable" in overruled.methods["policies"]


def test_the_run_is_the_unit_of_several(rng: np.random.Generator) -> None:
    offline, robot = training(8, 5, rng)
    record = judge_agreement(offline, robot, rng=rng)
    assert [m.standing for m in record.metrics] == ["agrees", "cannot tell"]
    assert record.within_run is not None and len(record.within_run.runs) == 8
    saved = [run.regret[LAST] - next(iter(run.regret.values())) for run in record.within_run.runs]
    assert record.within_run.comparisons[0].p == pytest.approx(sign_flip(np.array(saved), rng=rng))
    taus = np.array([next(iter(run.tau.values())) for run in record.within_run.runs])
    tau = record.metrics[0].coefficients[0]
    reach = stats.t.ppf(0.975, 7) * taus.std(ddof=1) / np.sqrt(8)
    assert tau.value == pytest.approx(taus.mean()) and tau.low == pytest.approx(taus.mean() - reach)
    assert "all 40320 exchanges of runs" in tau.method and "more of a run than its clock" in str(record)


def test_too_few_or_unequal_runs_are_not_judged(rng: np.random.Generator) -> None:
    few = judge_agreement(*training(4, 5, rng), rng=rng)
    assert {m.standing for m in few.metrics} == {"cannot tell"} and "4 runs are too few" in str(few)
    assert few.within_run is not None and {c.verdict for c in few.within_run.comparisons} == {FEW}
    offline, robot = training(6, 5, rng)
    names = tuple(name.replace("run3 005000", "run3 006000") for name in offline.policies)
    offline = Offline(names, offline.metrics)
    odd = judge_agreement(offline, Robot(names, robot.values, "success", robot.levels), rng=rng)
    assert {m.standing for m in odd.metrics} == {"cannot tell"} and "different steps" in str(odd)


def test_lone_checkpoints_are_left_out_of_runs(rng: np.random.Generator) -> None:
    names = [*run_names(1, 4), "pi 2k", "octo"]
    offline = offline_columns(names, {"m": np.arange(6.0)})
    record = judge_agreement(offline, robot_means(dict(zip(names, np.linspace(1, 0, 6), strict=True))), rng=rng)
    assert len(record.policies) == 4
    said = "left out, their runs have no second checkpoint: pi 2k, octo; to compare across runs"
    assert any(warning.startswith(said) for warning in record.warnings)


def test_which_checkpoints_share_a_run() -> None:
    names = ("act 20k", "act 10k", "flow 10k", "pi05_ours")
    offline, robot = offline_columns(names, {"m": np.arange(4.0)}), robot_means(dict.fromkeys(names, 1.0))
    runs, steps = runs_and_steps(offline, robot)
    assert steps == [20_000, 10_000, 10_000, None]
    assert shared_runs(runs, steps) == {"act": [1, 0]}


def test_clusters_are_drawn_whole(rng: np.random.Generator) -> None:
    """One draw's weights serve every metric and policy: equal metrics come out equal, draw by draw."""
    sums, pairs = rng.uniform(size=(12, 3)), rng.integers(5, 9, 12).astype(float)
    metrics = tuple(Metric(n, sums.sum(0) / pairs.sum(), "robot", False, sums, pairs) for n in ("a", "b"))
    offline = Offline(("x", "y", "z"), metrics, 12)
    a, b = offline.resample(3000, rng)
    assert a.shape == (3000, 3) and np.array_equal(a, b)
    assert -a.mean(axis=0) == pytest.approx(metrics[0].values, rel=0.02)


def test_pairs_are_told_apart_within_blocks() -> None:
    """Two objects, one easy and one hard: within them the better policy always wins."""
    rows: list[Trial] = []
    for policy, hard, easy in (("a", 0.3, 1.0), ("b", 0.0, 0.7), ("c", 0.0, 0.7)):
        for block, share in (("hard", hard), ("easy", easy)):
            rows += [Trial(len(rows), policy, block=block, success=i < share * 12) for i in range(12)]
    robot = robot_trials(Trials(tuple(rows)))
    offline = offline_columns(["a", "b", "c"], {"m": np.array([1.0, 2.0, 3.0])})
    with_blocks = judge_agreement(offline, robot, rng=np.random.default_rng(0)).metrics[0].resolved
    without = Robot(robot.policies, robot.values, "success", robot.levels, robot.scores)
    assert with_blocks == 2 > judge_agreement(offline, without, rng=np.random.default_rng(0)).metrics[0].resolved


def test_the_record_comes_back_from_its_file(tmp_path: Path) -> None:
    assert hsr(sheet(SCORES), JOIN).surehand == __version__
    record = hsr(sheet(SCORES), JOIN)
    again = AgreementRecord.load(record.save(tmp_path / "agreement.json"))
    assert (
        again.sentence == record.sentence and again.metrics[1].model_dump_json() == record.metrics[1].model_dump_json()
    )


def test_the_robots_ties_are_written_as_such() -> None:
    record = agreement({"m": [1, 2, 3]}, {"a": 0.9, "b": 0.4, "c": 0.4})
    assert "(a > b = c)" in str(record) and str(record).startswith("m is consistent") and "once in 3" in str(record)


def test_published_successes_are_shares_of_trials() -> None:
    for wrong in (1.5, -0.2, 85.0):
        with pytest.raises(SurehandError, match=r"no share of trials; give 0\.85 for 85 %"):
            robot_means({"a": 1.0, "b": wrong}, "success")
    assert robot_means({"a": 4.0, "b": 85.0}).outcome == "score"


def test_equal_means_tie_however_their_trials_add_up() -> None:
    """.1 + .1 + .4 is not .4 + .1 + .1 to the last bit."""
    scores = {"a": (0.4, 0.1, 0.1), "b": (0.1, 0.1, 0.4), "c": (0.1, 0.1, 0.1)}
    rows = tuple(Trial(i, name, score=x) for name, row in scores.items() for i, x in enumerate(row))
    robot = robot_trials(Trials(rows))
    assert np.mean(scores["a"]) != np.mean(scores["b"]) and robot.values[0] == robot.values[1]
    offline = offline_columns(list(scores), {"m": np.array([2.0, 1.0, 3.0])})
    assert "(a = b > c)" in str(judge_agreement(offline, robot, rng=np.random.default_rng(0)))
