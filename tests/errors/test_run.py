"""The record against loops that share no code with it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surehand.decide.select import select_checkpoint
from surehand.errors.plan import Plan
from surehand.errors.record import ErrorsRecord
from surehand.errors.recorded import recorded_errors
from surehand.errors.run import measure_errors
from surehand.exceptions import NotEnoughData, ShapeError, SpaceError, SurehandError
from surehand.formats.lerobot import LeRobotFolder, open_lerobot, read_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.predictions import open_predictions, read_predictions, write_predictions
from surehand.frames import Space, Stats
from surehand.layout import Layout
from surehand.splits import lerobot_split, listed_split

LAYOUT = Layout.parse("arm(lift:prismatic[m] flex):revolute[rad] gripper:gripper[0..1] base(x y):velocity[m/s]")


def plan(dataset: Path, **changes: object) -> Plan:
    return replace(Plan(LAYOUT, listed_split(range(12), "8..11"), draws=500), **changes)


def loop_error(dataset: Path, file: Path, columns: list[int], first_frame: int, keep=lambda e, f: True) -> float:
    """Mean squared error over columns, valid steps and frames from `first_frame` on: the slow and obvious way."""
    said, recorded = read_predictions(file), read_lerobot(dataset)
    target = {(int(e), int(f)): a for e, f, a in zip(recorded.episode, recorded.frame, recorded.action, strict=True)}
    squares = []
    for n in range(len(said)):
        e, f = int(said.episode[n]), int(said.frame[n])
        if f < first_frame:
            continue
        for h in range(said.prediction.shape[2]):
            if (e, f + h) in target and keep(e, f + h):
                mean = said.prediction[n, :, h].astype(float).mean(axis=0)
                squares.append((mean - target[e, f + h])[columns] ** 2)
    return float(np.mean(squares))


def test_group_errors_equal_a_loop(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset), [open_predictions(p) for p in predictions])
    for policy, file in zip(record.policies, predictions, strict=False):
        assert policy.errors["arm"].value == pytest.approx(loop_error(dataset, file, [0, 1], 1), rel=1e-6)
        assert policy.errors["gripper"].value == pytest.approx(loop_error(dataset, file, [2], 1), rel=1e-6)
        # base y never moves in training: it is dead, and only the total over all dimensions counts it
        assert policy.errors["base"].value == pytest.approx(loop_error(dataset, file, [3], 1), rel=1e-6)
        assert policy.errors["total"].value == pytest.approx(loop_error(dataset, file, [0, 1, 2, 3], 1), rel=1e-6)
        every = loop_error(dataset, file, [0, 1, 2, 3, 4], 1)
        assert policy.errors["total (all dims)"].value == pytest.approx(every, rel=1e-6)
    assert record.groups[2].dead == ["y"]


def test_without_hold_last_the_first_frame_counts_too(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset, rivals=()), [open_predictions(predictions[0])])
    assert record.policies[0].errors["arm"].value == pytest.approx(
        loop_error(dataset, predictions[0], [0, 1], 0), rel=1e-6
    )
    assert len(record.policies) == 1


def test_intervals_hold_their_value_and_skill_is_one_minus_the_ratio(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset), [open_predictions(p) for p in predictions])
    policies = {policy.name: policy for policy in record.policies}
    for policy in policies.values():
        for name, value in policy.errors.items():
            if name != "total (all dims)" and np.isfinite(value.low):
                assert value.low <= value.value <= value.high
    mine, rival = policies["step 100"], policies["hold last"]
    for group in ("arm", "base", "total"):
        ratio = mine.errors[group].value / rival.errors[group].value
        assert mine.skill["hold last"][group].value == pytest.approx(1 - ratio)


def test_the_choice_names_what_the_total_hides(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(
        open_lerobot(dataset), plan(dataset, watch="arm", space="std"), [open_predictions(p) for p in predictions[:2]]
    )
    assert record.choice is not None
    picks = {pick.rule: pick.best for pick in record.choice.picks}
    assert picks["group:arm"] == "step 200" and picks["group:base"] == "step 100"
    assert record.choice.units == 4 and record.choice.space == "std"


def test_draws_are_scored_as_draws(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset), [open_predictions(predictions[2])])
    drawn = record.policies[0].stochastic
    assert drawn is not None and drawn.draws == 3
    best, mean, one = (part["arm"].value for part in (drawn.best_of_k, drawn.mean_of_k, drawn.one_draw))
    assert mean < one and best < one
    assert mean == pytest.approx(record.policies[0].errors["arm"].value)
    assert one == pytest.approx(0.05**2, rel=0.2) and mean == pytest.approx(0.05**2 / 3, rel=0.2)


def test_phases_by_a_column_split_the_error(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(
        open_lerobot(dataset), plan(dataset, phase="column:near"), [open_predictions(predictions[0])]
    )
    assert record.phases == ["near=0", "near=1"]
    near = {(e, f): bool(v) for e, f, v in zip(*_near(dataset), strict=True)}
    expected = loop_error(dataset, predictions[0], [0, 1], 1, keep=lambda e, f: near[e, f])
    assert record.policies[0].phases["near=1"]["arm"].value == pytest.approx(expected, rel=1e-6)


def _near(dataset: Path) -> tuple[list[int], list[int], list[int]]:
    recorded = open_lerobot(dataset).read(columns=["near"])
    return recorded.episode.tolist(), recorded.frame.tolist(), recorded.columns["near"].ravel().tolist()


def test_clusters_widen_the_unit(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset, cluster="session"), [open_predictions(predictions[0])])
    assert "session" in record.methods.unit
    # episodes 8..11 are one session: one unit supports no interval, and that is said
    assert np.isnan(record.policies[0].errors["arm"].low)
    assert any("1 session" in line for line in record.warnings)
    with pytest.raises(SurehandError, match="changes inside episode"):
        measure_errors(open_lerobot(dataset), plan(dataset, cluster="near"), [open_predictions(predictions[0])])


def test_a_perfect_policy_scores_zero_and_moves_like_the_recording(dataset: Path, oracle_file: Path) -> None:
    oracle = measure_errors(open_lerobot(dataset), plan(dataset), [open_predictions(oracle_file)]).policies[0]
    assert oracle.errors["total"].value == 0.0
    assert oracle.skill["hold last"]["total"].value == 1.0
    assert oracle.motion["arm"].path_ratio == pytest.approx(1.0)
    assert oracle.gripper["gripper"].missed == 0 and oracle.gripper["gripper"].spurious == 0
    assert oracle.gripper["gripper"].matched == 4


def test_the_record_survives_its_file_and_carries_evidence(
    dataset: Path, predictions: list[Path], tmp_path: Path
) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset), [open_predictions(p) for p in predictions])
    again = ErrorsRecord.load(record.save(tmp_path / "record.json"))
    assert again.model_dump_json() == record.model_dump_json()
    evidence = recorded_errors(again)
    assert evidence.checkpoints == ("step 100", "step 200", "mix") and evidence.units == 4
    for i, policy in enumerate(again.policies[:3]):
        assert evidence.errors[i, -1] == pytest.approx(policy.errors["total"].value)


def test_what_cannot_be_compared_is_refused(dataset: Path, predictions: list[Path], tmp_path: Path) -> None:
    folder = open_lerobot(dataset)
    with pytest.raises(NotEnoughData, match="none of the 2 held-out episodes"):
        split = listed_split(range(12), "0,1")
        measure_errors(folder, plan(dataset, split=split), [open_predictions(predictions[0])])
    with pytest.raises(SurehandError, match="two prediction files call their checkpoint 'step 100'"):
        measure_errors(folder, plan(dataset), [open_predictions(predictions[0])] * 2)
    short = read_predictions(predictions[0])
    cut = replace(short, prediction=short.prediction[:, :, :2], length=np.full(len(short), 2), checkpoint="short")
    write_predictions(tmp_path / "short.parquet", cut)
    with pytest.raises(ShapeError, match=r"4 steps.*2"):
        measure_errors(
            folder, plan(dataset), [open_predictions(p) for p in (predictions[0], tmp_path / "short.parquet")]
        )
    with pytest.raises(SurehandError, match="no column 'speed'"):
        measure_errors(folder, plan(dataset, phase="column:speed"), [])


def test_real_robot_idle_side_is_said_to_halve_the_total(shared: Path) -> None:
    from surehand.robots import robot

    folder = open_lerobot(shared / "g1_inspire_v21")
    layout = robot("g1_inspire")
    record = measure_errors(folder, Plan(layout, listed_split(range(100), "80..99"), rivals=("hold",), draws=500))
    idle = [group.name for group in record.groups if group.idle]
    assert idle == ["left_arm", "left_hand"]
    (line,) = [line for line in record.warnings if "hardly move" in line]
    assert "13 of 26 joints" in line and "2.0× lower" in line


def test_normalised_predictions_score_as_in_robot_units(dataset: Path, predictions: list[Path], tmp_path: Path) -> None:
    folder = open_lerobot(dataset)
    stats = Stats(mean=np.array([0.1, -0.2, 0.5, 0.0, 0.0]), std=np.array([0.5, 2.0, 0.4, 0.1, 1.0]), source="policy")
    said = read_predictions(predictions[0])
    normalised = (said.prediction - stats.mean) / stats.std
    made = replace(said, prediction=normalised.astype(np.float32), space=Space("normalised", "mean_std"))
    write_predictions(tmp_path / "normalised.parquet", made)
    files = [open_predictions(tmp_path / "normalised.parquet")]
    with pytest.raises(SpaceError, match="statistics"):
        measure_errors(folder, plan(dataset), files)
    robot = measure_errors(folder, plan(dataset), [open_predictions(predictions[0])]).policies[0]
    undone = measure_errors(folder, plan(dataset, stats=stats), files).policies[0]
    assert undone.errors["arm"].value == pytest.approx(robot.errors["arm"].value, rel=1e-5)
    untouched = measure_errors(folder, plan(dataset, stats=stats), [open_predictions(predictions[0])])
    assert "recorded in robot units" in untouched.methods.normalisation  # the statistics undid nothing there
    # errors in normalised space are divided by the policy's own normaliser, not by what training happens to say
    scaled = measure_errors(folder, plan(dataset, stats=stats, space="normalised"), files)
    joints = scaled.policies[0].joints
    assert joints["arm.flex"] == pytest.approx(robot.joints["arm.flex"] / 2.0**2, rel=1e-5)
    assert "policy" in scaled.methods.space


@pytest.mark.parametrize(
    ("words", "phases", "said"),
    [
        ("gripper", ["free", "contact"], "(offline): contact from 5 frames before"),
        ("distance:near:0.5", ["free", "contact"], "(causal): contact where the tool is nearer than 0.5"),
        ("speed:observation.state:0.3", ["free", "contact"], "slower than 0.3"),
        ("speed:observation.state", ["free", "contact"], "a quarter of the training frames"),
        ("none", ["all"], "none"),
    ],
)
def test_phase_words(dataset: Path, predictions: list[Path], words: str, phases: list[str], said: str) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset, phase=words), [open_predictions(predictions[0])])
    assert record.phases == phases and said in record.methods.phases
    split = record.policies[0].phases
    assert set(split) == (set(phases) if len(phases) > 1 else set())


@pytest.mark.parametrize("words", ["moon", "distance:near", "speed:", "distance:near:far"])
def test_phase_words_that_cannot_be_read(dataset: Path, words: str) -> None:
    with pytest.raises(SurehandError):
        measure_errors(open_lerobot(dataset), plan(dataset, phase=words))


def test_nothing_to_measure_is_said(dataset: Path) -> None:
    with pytest.raises(SurehandError, match="nothing to measure"):
        measure_errors(open_lerobot(dataset), plan(dataset, rivals=()))


def test_predictions_of_another_dataset_are_refused(dataset: Path, predictions: list[Path], tmp_path: Path) -> None:
    said = read_predictions(predictions[0])
    write_predictions(tmp_path / "other.parquet", replace(said, episode=said.episode + 3))
    with pytest.raises(SurehandError, match=r"predicts 3 episodes .* first is 12"):
        measure_errors(open_lerobot(dataset), plan(dataset), [open_predictions(tmp_path / "other.parquet")])


def test_rivals_are_scored_on_the_pairs_that_checkpoints_answered(
    dataset: Path, predictions: list[Path], tmp_path: Path
) -> None:
    said = read_predictions(predictions[0]).take(slice(0, None, 2))
    cut = replace(said, length=np.where(said.frame % 4 == 0, 2, 4), checkpoint="cut")
    file = open_predictions(write_predictions(tmp_path / "cut.parquet", cut))
    cut_policy, *rivals = measure_errors(open_lerobot(dataset), plan(dataset), [file]).policies
    for rival in rivals:
        assert rival.by_episode.pairs == cut_policy.by_episode.pairs
        ratio = cut_policy.errors["arm"].value / rival.errors["arm"].value
        assert cut_policy.skill[rival.name]["arm"].value == pytest.approx(1 - ratio)


def test_choosing_again_from_a_record_says_the_same(dataset: Path, predictions: list[Path], tmp_path: Path) -> None:
    files = [open_predictions(p) for p in predictions[:2]]
    for cluster, unit in (("", "episode"), ("pair", "cluster")):
        record = measure_errors(_with_pairs(dataset, tmp_path), plan(dataset, cluster=cluster), files)
        again = select_checkpoint(recorded_errors(record), rng=np.random.default_rng(0), draws=500)
        assert record.choice is not None and again.unit == record.choice.unit == unit
        assert again.units == record.choice.units == (4 if cluster == "" else 2)
        for mine, theirs in zip(again.picks, record.choice.picks, strict=True):
            assert (mine.rule, mine.best, mine.tied, mine.note) == (theirs.rule, theirs.best, theirs.tied, theirs.note)


def _with_pairs(dataset: Path, tmp_path: Path) -> LeRobotFolder:
    """The same recording with a column that two neighbouring episodes share."""
    if not (tmp_path / "pairs").exists():
        whole = open_lerobot(dataset).read(columns=["session"])
        episodes = [whole.take(whole.episode == e) for e in range(12)]
        paired = [replace(e, columns={"pair": e.episode[:, None] // 2}) for e in episodes]
        write_lerobot(tmp_path / "pairs", paired, robot_type="toy")
    return open_lerobot(tmp_path / "pairs")


def test_the_mean_of_k_has_one_interval_wherever_it_stands(dataset: Path, predictions: list[Path]) -> None:
    policy = measure_errors(open_lerobot(dataset), plan(dataset), [open_predictions(predictions[2])]).policies[0]
    assert policy.stochastic is not None
    for group, value in policy.stochastic.mean_of_k.items():
        assert value.model_dump() == pytest.approx(policy.errors[group].model_dump(), nan_ok=True)


def test_a_task_of_one_episode_is_said_to_be_pooled(dataset: Path, predictions: list[Path]) -> None:
    split = listed_split(range(12), "8,9,10")
    record = measure_errors(open_lerobot(dataset), plan(dataset, split=split), [open_predictions(predictions[0])])
    assert any("1 of 2 tasks have a single held-out episode" in line for line in record.warnings)


def test_grippers_carry_their_own_error_and_what_happens_outside(dataset: Path, predictions: list[Path]) -> None:
    record = measure_errors(open_lerobot(dataset), plan(dataset, phase="gripper"), [open_predictions(predictions[0])])
    policy = record.policies[0]
    events = policy.gripper["gripper"]
    assert events.error_inside == pytest.approx(policy.phases["contact"]["gripper"].value)
    assert events.error_outside == pytest.approx(policy.phases["free"]["gripper"].value)
    assert events.off_frames >= abs(events.delay_frames) and events.spurious_outside >= 0
    assert "offline" in record.methods.phases


def test_without_training_episodes_the_missing_rivals_are_named(dataset: Path, tmp_path: Path) -> None:
    everything = plan(dataset, split=listed_split(range(12), "0..11"))
    record = measure_errors(open_lerobot(dataset), everything)
    assert [p.name for p in record.policies] == ["hold last", "state as action"]
    assert any("no task mean and no nearest neighbour" in line for line in record.warnings)


def test_predictions_that_name_other_data_are_pointed_out(
    dataset: Path, predictions: list[Path], tmp_path: Path
) -> None:
    folder, said = open_lerobot(dataset), read_predictions(predictions[0])
    for name, identity in (("same", folder.identity()), ("other", "0123456789abcdef")):
        write_predictions(tmp_path / f"{name}.parquet", said, data_identity=identity)
    quiet = measure_errors(folder, plan(dataset), [open_predictions(tmp_path / "same.parquet")])
    assert not any("other data" in line for line in quiet.warnings)
    warned = measure_errors(folder, plan(dataset), [open_predictions(tmp_path / "other.parquet")])
    assert any("step 100 says it was predicted on other data" in line for line in warned.warnings)


PLANAR = """
<mujoco><worldbody><body name="first"><joint name="lift" axis="0 0 1"/><geom size=".1"/>
<body name="second" pos="1 0 0"><joint name="flex" axis="0 0 1"/><geom size=".1"/><site name="tip" pos="1 0 0"/></body>
</body></worldbody></mujoco>
"""


def test_tool_pose_of_a_planar_arm_in_the_record(
    dataset: Path, predictions: list[Path], tmp_path: Path, need: Callable[[str], None]
) -> None:
    need("mujoco")
    (tmp_path / "arm.xml").write_text(PLANAR)
    both_turn = Layout.parse("arm(lift flex):revolute[rad] gripper:gripper[0..1] base(x y):velocity[m/s]")
    model = plan(dataset, layout=both_turn, model=tmp_path / "arm.xml", site="tip", executed=2)
    found = measure_errors(open_lerobot(dataset), model, [open_predictions(predictions[0])]).policies[0].task_space
    assert found is not None and found.site == "tip"
    said, recorded = read_predictions(predictions[0]), read_lerobot(dataset)
    target = {(int(e), int(f)): a for e, f, a in zip(recorded.episode, recorded.frame, recorded.action, strict=True)}
    misses = []
    for n in range(len(said)):
        key = (int(said.episode[n]), int(said.frame[n]) + 1)  # the last of two executed steps
        if key in target and said.frame[n] > 0:
            misses.append(np.linalg.norm(_tip(said.prediction[n, 0, 1]) - _tip(target[key])))
    assert found.position.value == pytest.approx(np.mean(misses), rel=1e-5)
    assert found.shares["gripper"] == 0 and sum(found.shares.values()) == pytest.approx(1, abs=0.05)


def _tip(action: np.ndarray) -> np.ndarray:
    """Two links of one metre, turned by the first two joints."""
    first, second = float(action[0]), float(action[0] + action[1])
    return np.array([np.cos(first) + np.cos(second), np.sin(first) + np.sin(second)])


def test_hold_last_on_a_real_robot_is_pinned(shared: Path) -> None:
    from surehand.robots import robot

    folder = open_lerobot(shared / "g1_inspire_v21")
    split = lerobot_split(dict(zip(folder.episodes.tolist(), folder.episode_tasks, strict=True)), 0.1)
    record = measure_errors(folder, Plan(robot("g1_inspire"), split, rivals=("hold",), draws=200))
    recorded = folder.read(list(split.held_out))
    squares = []  # every frame after the first of its episode, every step that lies inside the episode
    for episode in split.held_out:
        action = recorded.action[recorded.episode == episode].astype(float)
        for t in range(1, len(action)):
            squares.append(((action[t : t + 16] - action[t - 1]) ** 2).mean(axis=1))
    held = record.policies[0].errors["total"].value
    assert held == pytest.approx(np.concatenate(squares).mean(), rel=1e-6)
    assert held == pytest.approx(0.00189, abs=5e-6)


def test_choosing_within_a_phase_is_the_same_from_the_record(dataset: Path, predictions: list[Path]) -> None:
    """The record keeps its episodes phase by phase: a later choice says what choosing at once would have said."""
    files = [open_predictions(p) for p in predictions[:2]]
    asked = plan(dataset, phase="column:near", rule="group:arm@near=1")
    at_once = measure_errors(open_lerobot(dataset), asked, files).choice
    record = measure_errors(open_lerobot(dataset), plan(dataset, phase="column:near"), files)
    later = select_checkpoint(recorded_errors(record), rule="group:arm@near=1", rng=np.random.default_rng(0), draws=500)
    assert at_once is not None
    mine, theirs = (next(p for p in c.picks if p.rule == "group:arm@near=1") for c in (at_once, later))
    assert (mine.best, mine.tied) == (theirs.best, theirs.tied) and mine.value == pytest.approx(theirs.value)
    with pytest.raises(SurehandError, match="there are near=0, near=1"):
        select_checkpoint(recorded_errors(record), rule="group:arm@contact", rng=np.random.default_rng(0))
