"""What the embedded demo data promise: identity, shapes, size, and the numbers that docs/demo.md states."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from summarise_demo import measure

import surehand as sh
from surehand.demo import demo_folder
from surehand.formats.lerobot import LeRobotFolder
from surehand.layout import Layout
from surehand.measure.scale import ErrorSpace
from surehand.robots import find_robot
from surehand.splits import lerobot_split

DOCS = Path(__file__).parents[2] / "docs" / "demo.md"
PREDICTIONS = sorted((demo_folder() / "predictions").glob("*.parquet"))


@pytest.fixture(scope="module")
def folder() -> LeRobotFolder:
    return sh.open_lerobot(demo_folder() / "dataset")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, object]:
    return json.loads((demo_folder() / "outcomes.json").read_text(encoding="utf-8"))


def test_dataset_is_what_the_readme_says(folder: LeRobotFolder) -> None:
    recorded = folder.read(columns=["observation.environment_state", "tool_object_distance"])
    assert (folder.version, folder.fps, len(folder.episodes), len(folder.tasks)) == ("v3.0", 10, 156, 3)
    assert recorded.action.shape[1] == 11 and recorded.state is not None and recorded.state.shape[1] == 8
    assert recorded.columns["observation.environment_state"].shape[1] == 7
    assert 60 < folder.lengths.mean() < 120
    assert find_robot(folder.action_names, folder.size).robot == "hsr"


def test_package_stays_small() -> None:
    assert sum(path.stat().st_size for path in demo_folder().rglob("*") if path.is_file()) < 3_000_000


@pytest.mark.parametrize("path", PREDICTIONS, ids=lambda path: path.stem)
def test_predictions_are_of_held_out_frames(path: Path, folder: LeRobotFolder, outcomes: dict[str, object]) -> None:
    split = lerobot_split(dict(zip(folder.episodes.tolist(), folder.episode_tasks, strict=True)), 0.25)
    file = sh.open_predictions(path)
    assert (file.horizon, file.dims, file.draws) == (8, 11, 4 if "flow" in path.stem else 1)
    assert file.metadata["data_identity"] == outcomes["data_identity"] == folder.identity()
    assert Layout.parse(file.metadata["layout"]).groups == ("arm", "gripper", "head", "base")
    predictions = file.read()
    assert set(predictions.episode) == set(split.held_out) and outcomes["split"] == split.rule
    lengths = dict(zip(folder.episodes.tolist(), folder.lengths.tolist(), strict=True))
    left = np.array([lengths[episode] for episode in predictions.episode.tolist()]) - predictions.frame
    np.testing.assert_array_equal(predictions.length, np.minimum(left, 8))


def test_draws_differ_and_are_not_all_noise() -> None:
    draws = sh.read_predictions(demo_folder() / "predictions" / "flow-012000.parquet").prediction
    spread = draws.std(axis=1).mean(axis=(0, 1))
    assert (spread > 0.001).all() and (spread < draws.std(axis=(0, 1, 2))).all()


def test_outcomes_cover_every_checkpoint(outcomes: dict[str, object]) -> None:
    names = {row["checkpoint"] for row in outcomes["outcomes"]}  # type: ignore[attr-defined]
    assert names == {sh.open_predictions(path).checkpoint for path in PREDICTIONS}
    assert len(names) == 9


@pytest.mark.parametrize(("space", "factor"), [("robot", 1e3), ("std", 1.0)])
def test_documented_errors_are_the_datas(space: ErrorSpace, factor: float, folder: LeRobotFolder) -> None:
    section = DOCS.read_text(encoding="utf-8").split(f"Errors in {space} units")[1].split("\n## ")[0]
    stated = {
        row[0].strip(): [float(cell) for cell in row[1:]]
        for row in (line.strip("|").split("|") for line in section.splitlines() if re.match(r"\| (mlp|flow) ", line))
    }
    measured = measure(demo_folder(), folder, space)
    assert stated.keys() == measured.keys()
    for name, errors in measured.items():
        found = factor * np.array([*errors.table(), errors.table("near")[0]])
        np.testing.assert_allclose(stated[name][1:], found, atol=6e-5 if factor == 1 else 6e-3, err_msg=name)


def test_documented_successes_are_the_files(outcomes: dict[str, object]) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for row in outcomes["outcomes"]:  # type: ignore[attr-defined]
        assert f"| {row['checkpoint']} | {sum(row['successes']) / 300:.2f} |" in text


def test_masking_alarm_stands_as_documented(folder: LeRobotFolder) -> None:
    errors = {n: e for n, e in measure(demo_folder(), folder, "robot").items() if n.startswith("mlp")}
    choice = sh.select_checkpoint(errors, rng=np.random.default_rng(0))
    assert choice.best == "mlp 001000"
    assert {alarm.group for alarm in choice.masking} == {"arm", "gripper"}
