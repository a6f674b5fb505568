"""What the embedded demo data promise: identity, shapes, size, and the numbers that docs/demo.md states."""

import re
from pathlib import Path

import numpy as np
import pytest
from make_demo_data import half
from summarise_demo import SPACES, TASKS, measure, rates

import surehand as sh
from surehand.demo import demo_folder
from surehand.demo.run import demo_split, outcomes_note, success_rate
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.records import read_json
from surehand.formats.rounds import open_rounds
from surehand.formats.trials import read_trials
from surehand.frames import Round
from surehand.kinematics import Kinematics
from surehand.layout import Layout
from surehand.measure.scale import ErrorSpace
from surehand.robots import find_robot
from surehand.sim.model import CHANNELS
from surehand.sim.robot import body
from surehand.sim.tasks import task

DOCS = (Path(__file__).parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")
PREDICTIONS = sorted((demo_folder() / "predictions").glob("*.parquet"))
ENVIRONMENT = "observation.environment_state"


@pytest.fixture(scope="module")
def folder() -> LeRobotFolder:
    return sh.open_lerobot(demo_folder() / "dataset")


@pytest.fixture(scope="module")
def rounds() -> list[Round]:
    return open_rounds(demo_folder() / "rounds.parquet").read()


def test_dataset_is_what_the_readme_says(folder: LeRobotFolder) -> None:
    recorded = folder.read(columns=[ENVIRONMENT, "tool_object_distance", "nudge"])
    assert (folder.version, folder.fps, len(folder.episodes), len(folder.tasks)) == ("v3.0", 10, 120, 9)
    assert recorded.action.shape[1] == 11 and recorded.state is not None and recorded.state.shape[1] == 11
    assert (
        len(read_json(folder.root / "meta" / "sim.json")["environment_names"]) == recorded.columns[ENVIRONMENT].shape[1]
    )
    assert find_robot(folder.action_names, folder.size).robot == "hsr"
    assert f"{len(recorded):,} frames".replace(",", " ") in _readme()


def _readme() -> str:
    return (demo_folder().parent / "README.md").read_text(encoding="utf-8")


def test_package_stays_small() -> None:
    assert sum(path.stat().st_size for path in demo_folder().rglob("*") if path.is_file()) < 6_000_000


@pytest.mark.parametrize("path", PREDICTIONS, ids=lambda path: path.stem)
def test_predictions_are_of_held_out_frames(path: Path, folder: LeRobotFolder) -> None:
    file, flow = sh.open_predictions(path), "flow" in path.stem
    assert (file.horizon, file.dims, file.draws) == (8, 11, 4 if flow else 1)
    assert file.metadata["data_identity"] == folder.identity()
    assert Layout.parse(file.metadata["layout"]) == body("mobile").layout
    predictions = file.read()
    assert set(predictions.episode) == set(demo_split(folder).held_out)
    assert set(predictions.frame % (4 if flow else 2)) == {0}
    lengths = dict(zip(folder.episodes.tolist(), folder.lengths.tolist(), strict=True))
    left = np.array([lengths[episode] for episode in predictions.episode.tolist()]) - predictions.frame
    np.testing.assert_array_equal(predictions.length, np.minimum(left, 8))
    np.testing.assert_array_equal(predictions.prediction, half(predictions.prediction))


def test_draws_differ_and_are_not_all_noise() -> None:
    (path,) = (path for path in PREDICTIONS if "flow" in path.stem)
    draws = sh.read_predictions(path).prediction
    spread = draws.std(axis=1).mean(axis=(0, 1))
    assert (spread > 0.001).all() and (spread < draws.std(axis=(0, 1, 2))).all()


def test_model_has_its_tool_where_the_robot_saw_it(folder: LeRobotFolder) -> None:
    recorded = folder.read([0, 5, 100], columns=[ENVIRONMENT])
    names = read_json(folder.root / "meta" / "sim.json")["environment_names"]
    tool = [names.index(name) for name in ("tool_x", "tool_y", "tool_z")]
    model = Kinematics.for_layout(demo_folder() / "robot.xml", "tool", body("mobile").layout, base=(8, 9, 10))
    assert recorded.state is not None
    at_home = recorded.state.astype(float)
    at_home[:, 8:] = 0.0  # the base's frame is where positions are observed
    found, _ = model.forward(at_home)
    # Encoders are read with 0.5 mrad of noise, positions with up to 2 mm.
    np.testing.assert_allclose(found, recorded.columns[ENVIRONMENT][:, tool], atol=0.012)


def test_trials_cover_every_checkpoint_alike() -> None:
    trials = read_trials(demo_folder() / "trials.csv")
    assert set(trials.policies) == {sh.open_predictions(path).checkpoint for path in PREDICTIONS}
    assert len(trials.policies) == 9
    scenes = {tuple(row.start_pose for row in trials[policy].counted) for policy in trials.policies}
    assert len(scenes) == 1 and len(scenes.pop()) == 120


def test_success_is_told_with_its_wilson_interval() -> None:
    trials = read_trials(demo_folder() / "trials.csv")["mlp 003000"]
    n, p, z = len(trials.successes), trials.successes.mean(), 1.959964
    middle, half_width = (p + z**2 / (2 * n)), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (100 * (middle + sign * half_width) / (1 + z**2 / n) for sign in (-1, 1))
    assert success_rate(trials) == f"{100 * p:.0f} % ({low:.0f}–{high:.0f})"
    assert f"mlp 003000 {success_rate(trials)}" in outcomes_note(None)


def test_rounds_have_eight_branched_candidates(rounds: list[Round]) -> None:
    assert len(rounds) == open_rounds(demo_folder() / "rounds.parquet").rows and 200 <= len(rounds) < 1000
    assert f"{len(rounds)} decision rounds" in _readme()
    for item in rounds:
        assert item.candidates.shape == (8, 8, 11) and item.selected == 0 and item.executed
        assert (item.generator, item.knob, item.value) == ("noise", "temperature", 1.0)
        assert item.violation is not None and len(item.violation) == 8
        branched = {name: trace for name, trace in item.traces.items() if name.startswith("branch_")}
        assert {len(trace) for trace in branched.values()} == {8} and not branched["branch_diverged"].any()
        np.testing.assert_array_equal(item.candidates, half(item.candidates))


def test_branch_of_the_pick_is_what_happened(rounds: list[Round]) -> None:
    for item in rounds:
        for channel in CHANNELS:
            peak = item.traces[f"force_{channel}"].max()
            assert item.traces[f"branch_force_{channel}"][item.selected] == pytest.approx(peak, rel=1e-3, abs=1e-3)
        assert item.traces["branch_success"][item.selected] >= _ends_well(item, rounds)


def _ends_well(item: Round, rounds: list[Round]) -> bool:
    """Whether this is the last decision of an episode that stopped before its time was up: it succeeded then."""
    last = max(other.step for other in rounds if other.episode == item.episode)
    steps = len(item.traces["distance"])
    return item.step == last and item.step + steps < task(item.initial_state.split()[0]).steps


def test_branch_labels_follow_from_forces_and_ranges(rounds: list[Round]) -> None:
    """A branch violates where a force is above the task's limit, or arm or head are commanded beyond their range."""
    robot = body("mobile")
    for item in rounds:
        limits = task(item.initial_state.split()[0]).limits
        forces = {name: item.traces[f"branch_force_{name}"] for name in limits}
        above = np.any([forces[name] > most for name, most in limits.items()], axis=0)
        executed = item.candidates[:, : len(item.traces["distance"]), robot.limited]
        low, high = robot.low[robot.limited], robot.high[robot.limited]
        beyond = np.any((executed < low - 2e-3) | (executed > high + 2e-3), axis=(1, 2))
        within = np.all((executed > low + 2e-3) & (executed < high - 2e-3), axis=(1, 2))  # beside what rounding moves
        sure = above | beyond | within
        assert item.violation is not None
        np.testing.assert_array_equal(item.violation[sure].astype(bool), (above | beyond)[sure])


@pytest.mark.parametrize(("space", "factor"), SPACES)
def test_documented_errors_are_the_datas(space: ErrorSpace, factor: float, folder: LeRobotFolder) -> None:
    stated = _table(f"Errors in {space} units")
    measured = measure(demo_folder(), folder, space)
    assert stated.keys() == measured.keys()
    for name, errors in measured.items():
        found = factor * np.array([*errors.table(), errors.table("near")[0]])
        np.testing.assert_allclose(stated[name][1:], found, atol=6e-5 if factor == 1 else 6e-3, err_msg=name)


def test_documented_successes_are_the_files() -> None:
    stated, found = _table("Success in closed loop"), rates(demo_folder())
    assert stated.keys() == found.keys()
    for name, row in found.items():
        np.testing.assert_allclose(stated[name], [row[key] for key in ("all", *TASKS)], atol=6e-3, err_msg=name)


def test_verdicts_are_the_documented_ones(folder: LeRobotFolder) -> None:
    masked = {"robot": {"gripper", "arm", "base"}, "std": {"gripper", "base"}}
    for space, _ in SPACES:
        errors = {n: e for n, e in measure(demo_folder(), folder, space).items() if n.startswith("mlp")}
        choice = sh.select_checkpoint(errors, rng=np.random.default_rng(0))
        picks = {pick.rule: pick.best for pick in choice.picks}
        assert choice.best == "mlp 000183" and picks["group:gripper"] == "mlp 000981"
        assert {alarm.group for alarm in choice.masking} == masked[space]
    success = {name: row["all"] for name, row in rates(demo_folder()).items() if name.startswith("mlp")}
    assert max(success, key=lambda name: success[name]) == "mlp 000561"


def _table(title: str) -> dict[str, list[float]]:
    """The numbers of one table in docs/demo.md by checkpoint."""
    section = DOCS.split(f"## {title}")[1].split("\n## ")[0]
    rows = (line.strip("|").split("|") for line in section.splitlines() if re.match(r"\| (mlp|flow) ", line))
    return {row[0].strip(): [float(cell) for cell in row[1:]] for row in rows}
