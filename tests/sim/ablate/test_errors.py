"""The ruler of an ablation against plain loops: spaces, groups, near contact, first action, steps that exist."""

from pathlib import Path

import numpy as np
import pytest

from surehand.frames import Actions, Predictions
from surehand.sim.ablate.errors import DISTANCE, Ruler
from surehand.sim.follow import Variation
from surehand.sim.learners.chunks import Inputs, make_chunks
from surehand.sim.learners.policy import SPACE
from surehand.sim.observation import ENVIRONMENT
from surehand.sim.record import demonstrate
from surehand.sim.robot import body as find_body

BODY, H, EXECUTE, NEAR = find_body("mobile"), 5, 3, 0.08


def recorded(scenes: list[int]) -> Actions:
    """Presses by the expert, as a recording gives them."""
    parts = [demonstrate("press", "mobile", scene, Variation()) for scene in scenes]
    lengths = [len(part["action"]) for part in parts]
    names = BODY.layout.names
    return Actions(
        action=np.concatenate([part["action"] for part in parts]),
        state=np.concatenate([part["state"] for part in parts]),
        columns={key: np.concatenate([part[key] for part in parts]) for key in (ENVIRONMENT, DISTANCE)},
        episode=np.repeat(range(len(scenes)), lengths),
        frame=np.concatenate([np.arange(n) for n in lengths]),
        task=np.zeros(sum(lengths), np.int64),
        tasks=("press the button gently",),
        names=names,
        state_names=names,
        fps=10.0,
    )


def predictions(held_out: Actions, offset: np.ndarray) -> Predictions:
    """The recorded chunks, each off by `offset` (N, H, D)."""
    assert held_out.state is not None
    chunks = make_chunks(held_out, Inputs(held_out.state.shape[1], 0, held_out.tasks), H)
    return Predictions(
        prediction=(chunks.target + offset)[:, None],
        episode=held_out.episode,
        frame=held_out.frame,
        length=chunks.valid.sum(axis=1),
        checkpoint="made up",
        space=SPACE,
        metadata={},
        task=held_out.task,
        tasks=held_out.tasks,
    )


@pytest.fixture(scope="module")
def demonstrations() -> tuple[Actions, Actions]:
    return recorded([1, 2]), recorded([3, 4])


@pytest.fixture
def ruler(demonstrations: tuple[Actions, Actions], tmp_path: Path) -> Ruler:
    return Ruler.of(*demonstrations, BODY, NEAR, EXECUTE, tmp_path)


def by_hand(held_out: Actions, offset: np.ndarray, scale: np.ndarray, columns: list[int], part: str) -> float:
    """Mean squared offset over the steps that exist, of those columns, in that part."""
    squares = []
    for row in range(len(held_out)):
        for h in range(1 if part == "first" else H):
            at = row + h
            if at >= len(held_out) or held_out.episode[at] != held_out.episode[row]:
                continue
            if part == "near" and not held_out.columns[DISTANCE].ravel()[at] < NEAR:
                continue
            squares.append(((offset[row, h] / scale)[columns] ** 2).mean())
    return float(np.mean(squares))


def test_every_column_is_the_mean_of_what_it_names(ruler: Ruler, demonstrations: tuple[Actions, Actions]) -> None:
    training, held_out = demonstrations
    offset = np.random.default_rng(0).normal(0.0, 0.01, (len(held_out), H, BODY.size)).astype(np.float32)
    errors, _ = ruler.measure(predictions(held_out, offset))
    span = np.ptp(training.action, axis=0)
    live = [i for i in range(BODY.size) if span[i] > 1e-4]
    groups = {name: [int(i) for i in BODY.layout.columns(name) if i in live] for name in BODY.layout.groups}
    scales = {"robot": np.ones(BODY.size), "std": np.where(span > 1e-4, training.action.std(axis=0), 1.0)}
    assert len(groups["arm"]) == 5 and set(errors) == set(scales)
    for space, scale in scales.items():
        for name, columns in {**groups, "total": live}.items():
            for part, key in (("", name), ("near", f"{name}@near"), ("first", f"{name}@first")):
                if columns:
                    wanted = by_hand(held_out, offset, scale, columns, part)
                    assert errors[space][key] == pytest.approx(wanted, rel=1e-4), (space, key)
    assert errors["std"]["arm@near"] != errors["std"]["arm"] != errors["std"]["arm@first"]


def test_the_mean_action_has_the_error_of_the_spread(ruler: Ruler, demonstrations: tuple[Actions, Actions]) -> None:
    training, held_out = demonstrations
    found = ruler.mean_action(predictions(held_out, np.zeros((1, 1, 1), np.float32)))
    wanted = ((held_out.action - training.action.mean(axis=0)) ** 2)[:, BODY.layout.columns("arm")].mean()
    assert found["robot"]["arm@first"] == pytest.approx(wanted, rel=1e-4)


def test_the_tool_is_measured_at_the_last_executed_step(ruler: Ruler, demonstrations: tuple[Actions, Actions]) -> None:
    offset = np.zeros((1, H, BODY.size), np.float32)
    offset[:, EXECUTE - 1, BODY.layout.names.index("arm_lift_joint")] = 0.02  # m, straight up
    offset[:, EXECUTE, :5] = 0.5
    errors, tool = ruler.measure(predictions(demonstrations[1], offset))
    assert tool == pytest.approx(0.02, abs=1e-5)
    assert errors["robot"]["head"] == 0.0 < errors["robot"]["arm"]
