"""The generator makes the committed data again, and its kinematics are those of the model it ships."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from demo_data import evaluate
from demo_data.demonstrator import record
from demo_data.learner import HORIZON, D, chunks
from demo_data.recordings import ENVIRONMENT, demonstrations
from demo_data.robot import HIGH, LOW, mjcf, point_in_base, solve_arm, to_world, tool_in_base
from demo_data.world import BUTTON, CAN, CUBE, HOME, new_world

import surehand as sh
from surehand.demo import demo_folder
from surehand.kinematics import Kinematics

STORED = 1 / 1024  # a value on the edge between two stored ones may fall either way on another machine
COLUMNS = [ENVIRONMENT, "tool_object_distance"]


def test_first_episodes_come_out_again() -> None:
    committed = sh.open_lerobot(demo_folder() / "dataset").read([0, 1, 2], columns=COLUMNS)
    again = list(demonstrations(3, seed=3))
    assert [len(part) for part in again] == np.bincount(committed.episode).tolist()
    assert committed.state is not None
    np.testing.assert_allclose(np.vstack([part.action for part in again]), committed.action, atol=STORED)
    np.testing.assert_allclose(np.vstack([part.state for part in again]), committed.state, atol=STORED)  # type: ignore[misc]
    for name in COLUMNS:
        stored = committed.columns[name].reshape(len(committed), -1)
        made = np.concatenate([part.columns[name].reshape(len(part), -1) for part in again])
        np.testing.assert_allclose(made, stored, atol=STORED)


def test_model_has_the_generators_kinematics(rng: np.random.Generator) -> None:
    assert (demo_folder() / "robot.xml").read_text(encoding="utf-8") == mjcf()
    q = np.hstack([rng.uniform(LOW, HIGH, (50, 8)), rng.uniform(-2, 2, (50, 3))])
    position, rotation = to_world(q[:, 8:], *tool_in_base(q[:, :5]))
    model = Kinematics.for_layout(demo_folder() / "robot.xml", "tool", sh.robot("hsr"), base=(8, 9, 10))
    found, turned = model.forward(q)
    np.testing.assert_allclose(found, position, atol=1e-9)
    np.testing.assert_allclose(turned, rotation, atol=1e-9)


def test_recorded_reach_is_object_minus_tool() -> None:
    recorded = sh.open_lerobot(demo_folder() / "dataset").read([0, 5, 100], columns=[ENVIRONMENT])
    assert recorded.state is not None
    seen = recorded.columns[ENVIRONMENT].astype(float)
    tool, _ = tool_in_base(recorded.state[:, :5].astype(float))
    np.testing.assert_allclose(seen[:, 4:], seen[:, :3] - tool, atol=4 * STORED)


def test_arm_solution_reaches_the_point() -> None:
    across = np.array([np.cos(0.3), np.sin(0.3), 0.0])
    arm = solve_arm(np.array([0.4, 0.02, 0.5]), np.pi, across, start=HOME[:5])
    position, tool = tool_in_base(arm)
    np.testing.assert_allclose(position, [0.4, 0.02, 0.5], atol=1e-3)
    assert abs(tool[:, 1] @ across) < 0.01 and abs(tool[0, 2]) < 0.02 and tool[2, 2] < -0.9


@pytest.mark.parametrize("task", [CUBE, CAN, BUTTON])
def test_demonstrator_mostly_succeeds(task: int) -> None:
    assert sum(record(task, np.random.default_rng([9, i])) is not None for i in range(6)) >= 4


def test_a_policy_that_stands_still_never_succeeds() -> None:
    still = np.concatenate([HOME, np.zeros(3)])
    success = evaluate.successes(lambda seen: np.tile(still, (len(seen), HORIZON, 1)), 5, seed=0)
    assert success.shape == (3, 5) and not success.any()


def test_closing_far_from_the_object_holds_nothing(rng: np.random.Generator) -> None:
    world = new_world(np.array([CUBE, CAN]), rng)
    for _ in range(10):
        world.step(np.tile([*HOME[:5], 0, 0, 0, 0, 0, 0], (2, 1)))
    assert not world.held.any() and (world.joints[:, 5] < 0.01).all()


def test_base_moves_in_its_own_frame(rng: np.random.Generator) -> None:
    world = new_world(np.array([CAN]), rng)
    world.base[:] = [0, 0, np.pi / 2]
    for _ in range(20):
        world.step(np.array([[*HOME, 0.2, 0, 0]]))
    assert world.base[0, 1] > 0.35 and abs(world.base[0, 0]) < 1e-9
    ahead = np.array([[0, world.base[0, 1] + 1, 0.5]])
    np.testing.assert_allclose(point_in_base(world.base, ahead), [[1, 0, 0.5]], atol=1e-9)


def test_chunks_repeat_the_last_action() -> None:
    found = chunks(np.arange(3.0)[:, None])
    assert found.shape == (3, HORIZON, 1) and found[1, :, 0].tolist() == [1, 2, 2, 2, 2, 2, 2, 2]


@pytest.mark.slow
def test_first_checkpoint_comes_out_again(tmp_path: Path) -> None:
    import make_demo_data

    shutil.copytree(demo_folder() / "dataset", tmp_path / "dataset")
    (row,) = make_demo_data.run_mlp(tmp_path, seed=3, saves=(500,))
    again, committed = (
        sh.read_predictions(root / "predictions" / "mlp-000500.parquet") for root in (tmp_path, demo_folder())
    )
    assert again.prediction.shape[-1] == D
    # Other BLAS builds add in another order, and 500 steps of training carry that on: near, not equal.
    np.testing.assert_allclose(again.prediction, committed.prediction, atol=0.02)
    stated = json.loads((demo_folder() / "outcomes.json").read_text(encoding="utf-8"))["outcomes"][0]
    np.testing.assert_allclose(row["successes"], stated["successes"], atol=10)  # type: ignore[arg-type]
