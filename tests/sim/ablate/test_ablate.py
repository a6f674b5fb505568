"""The ablation: its plan, what its rules read from a finished run, and two tiny runs from start to page."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from surehand.decide.within_run import WithinRun
from surehand.exceptions import FormatError, NotEnoughData, SurehandError
from surehand.sim.ablate.cell import CellResult, CheckpointResult, Job, Outcome
from surehand.sim.ablate.plan import MOST_CELLS, Plan, read_plan
from surehand.sim.ablate.run import judge_cells, read_cells, run_missing
from surehand.sim.ablate.selectors import minimax, run_of
from surehand.sim.rollout import play

PLAN = Path(__file__).parents[3] / "experiments" / "within-run" / "plan.json"
COLUMNS = ("arm", "gripper", "total", "arm@near", "total@near", "arm@first", "total@first")


@pytest.fixture
def plan() -> Plan:
    return read_plan(PLAN)


def changed(plan: Plan, **changes: object) -> Plan:
    return Plan.model_validate(json.loads(plan.model_dump_json()) | changes)


def finished(plan: Plan, number: int = 0, steps: int = 3) -> CellResult:
    """A run with made-up numbers: errors of two groups in both spaces, success that rises."""
    cell = list(plan.cells())[number]
    rng = np.random.default_rng(number)
    table = {space: {column: 1.0 for column in COLUMNS} for space in ("robot", "std")}
    checkpoints = [
        CheckpointResult(
            step=100 * (i + 1),
            train_loss=1 / (i + 1),
            validation_loss=0.5,
            errors={space: {column: float(rng.uniform(0.1, 1)) for column in COLUMNS} for space in table},
            tool_position=0.01 * (i + 1),
            selection={"pick": Outcome(successes=2 * i, episodes=10), "press": Outcome(successes=i, episodes=10)},
            score={"pick": Outcome(successes=i, episodes=10, void=i), "press": Outcome(successes=10, episodes=10)},
        )
        for i in range(steps)
    ]
    return CellResult(
        name=cell.name,
        number=cell.number,
        demonstrations_seed=cell.number,
        body=cell.body,
        nudges=cell.nudges,
        learner=cell.learner,
        size=cell.size,
        seed=cell.seed,
        plan_hash=plan.hash(),
        versions={"surehand": "0"},
        mean_action=table,
        checkpoints=checkpoints,
        seconds={"training": 3.0},
    )


def test_the_committed_plan_is_the_one_the_page_describes(plan: Plan) -> None:
    cells = list(plan.cells())
    assert [sum(c.part == part.name for c in cells) for part in plan.parts] == [30, 5, 10]
    assert len({c.name for c in cells}) == len({c.number for c in cells}) == len(cells) <= MOST_CELLS
    headline = cells[:30]
    kinds = itertools.product(plan.parts[0].learners, plan.parts[0].sizes, range(5))
    assert {(c.learner, c.size, c.seed) for c in headline} == set(kinds)
    assert all(len(learner.checkpoints) == 10 for learner in plan.learners.values())
    spaces = [{name.removeprefix(f"{s}/") for name in plan.selectors if name.startswith(s)} for s in ("robot", "std")]
    assert spaces[0] == spaces[1], "every action error is compared in both spaces"
    assert min(plan.score_episodes, 3 * 34) >= 100
    page = (PLAN.parents[2] / "docs" / "within-run.md").read_text()
    assert {h.key for h in plan.hypotheses} == {line[2:4] for line in page.splitlines() if line.startswith("| H")}


def test_a_plan_is_named_by_what_it_says(plan: Plan, tmp_path: Path) -> None:
    assert read_plan(plan.save(tmp_path / "copy.json")).hash() == plan.hash()
    assert changed(plan, created="", surehand="9").hash() == plan.hash()
    assert changed(plan, near=0.09).hash() != plan.hash()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tasks": ["wipe"]}, "wipe"),
        ({"held_out": 41}, "whole multiples of 3 tasks"),
        ({"selectors": ["std/total"]}, "none of its selectors"),
        ({"selectors": ["total"]}, "unknown selector"),
        ({"learners": {}}, "no settings for learner 'mlp'"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(plan: Plan, tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(json.loads(plan.model_dump_json()) | change))
    with pytest.raises(SurehandError, match=said) as found:
        read_plan(path)
    assert "\n" not in str(found.value)


def test_rules_read_what_they_say(plan: Plan) -> None:
    cell = finished(plan)
    run = run_of(cell, ["std/arm@near", "robot/total", "tool position", "last checkpoint", "train loss"], plan.floor)
    assert run.values["std/arm@near"].tolist() == [c.errors["std"]["arm@near"] for c in cell.checkpoints]
    assert run.values["robot/total"].tolist() == [c.errors["robot"]["total"] for c in cell.checkpoints]
    assert int(run.values["tool position"].argmin()) == 0
    assert int(run.values["last checkpoint"].argmin()) == int(run.values["train loss"].argmin()) == 2
    assert run.selection.tolist() == [0.0, 0.15, 0.3]
    assert run.score.tolist() == [0.5, 0.55, 0.6]


def test_rules_of_groups_that_a_robot_lacks_are_left_out(plan: Plan) -> None:
    run = run_of(finished(plan), plan.selectors, plan.floor)
    assert not {"std/head", "robot/base", "random checkpoint"} & set(run.values)
    assert {"std/arm", "robot/gripper", "std/minimax"} <= set(run.values)


def test_minimax_is_the_worst_ratio_above_the_floor(plan: Plan) -> None:
    cell = finished(plan, steps=2)
    for checkpoint, arm, gripper in zip(cell.checkpoints, (0.4, 0.1), (0.0, 0.001), strict=True):
        checkpoint.errors["std"] |= {"arm": arm, "gripper": gripper}
    ratios = [(0.4 + 0.01) / (0.1 + 0.01), (0.001 + 0.01) / (0.0 + 0.01)]
    assert minimax(cell, "std", 0.01) == pytest.approx(ratios)


def test_finished_runs_are_kept_and_those_of_another_plan_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="no finished run"):
        judge_cells(plan, tmp_path)
    for number in (0, 1):
        cell = finished(plan, number)
        cell.save(tmp_path / "cells" / f"{cell.name}.json")
    record = judge_cells(plan, tmp_path)
    assert [run.name for run in record.headline.runs] == ["mobile-mlp-42-0", "mobile-act-42-0"]
    assert record.others == []
    assert any("2 of 45 planned runs" in warning for warning in record.warnings)
    assert any("6 episodes stopped" in warning for warning in record.warnings)
    with pytest.raises(FormatError, match="choose another folder"):
        read_cells(changed(plan, near=0.05), tmp_path)


def test_another_plan_never_overwrites_one(plan: Plan, tmp_path: Path) -> None:
    plan.save(tmp_path / "plan.json")
    with pytest.raises(FormatError, match="is another plan"):
        run_missing(plan.small(), tmp_path, processes=1)
    assert read_plan(tmp_path / "plan.json").hash() == plan.hash()


@pytest.mark.slow
def test_the_small_version_runs_from_start_to_page(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs; one of them interrupted and taken up again is the same, number by number."""
    small = plan.small()
    assert run_missing(small, tmp_path) == 2
    cell, result = next(iter(read_cells(small, tmp_path).items()))
    Job(small, cell, tmp_path).result.unlink()
    played = itertools.count()

    def interrupted(*arguments: object, **options: object) -> object:
        if next(played) == 8:  # in the second of three checkpoints
            raise KeyboardInterrupt
        return play(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("surehand.sim.ablate.cell.play", interrupted)
        run_missing(small, tmp_path, processes=1)
    assert len(list(Job(small, cell, tmp_path).scratch.glob("checkpoint-*.json"))) == 1
    assert run_missing(small, tmp_path, processes=1) == 1
    again = read_cells(small, tmp_path)[cell]
    same = {"created": "", "seconds": {}}
    assert again.model_copy(update=same) == result.model_copy(update=same)
    assert not list((tmp_path / "work").iterdir())
    record = judge_cells(small, tmp_path)
    assert isinstance(record, WithinRun)
    assert len(record.headline.runs) == 2
    assert {c.verdict for c in record.headline.comparisons} == {"not enough runs"}
    rule = record.headline.runs[0].values
    assert all(np.isfinite(values).all() for values in rule.values())
