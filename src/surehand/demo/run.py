"""The main job on the embedded data: errors of eight checkpoints, the verdict, and what happened in closed loop."""

from collections.abc import Callable

from surehand.demo import demo_folder
from surehand.errors.plan import Plan
from surehand.errors.record import ErrorsRecord
from surehand.errors.run import measure_errors
from surehand.formats.lerobot import open_lerobot
from surehand.formats.predictions import open_predictions
from surehand.formats.records import read_json
from surehand.robots import find_robot
from surehand.splits import lerobot_split

NEAR = 0.08  # metres between tool and object that count as near contact
FRACTION = 0.25  # of each task's episodes, as the checkpoints were trained


def run_demo(seed: int = 0, progress: Callable[[str, float], None] = lambda what, share: None) -> ErrorsRecord:
    """The record of the embedded checkpoints, their closed-loop successes among its notes."""
    folder = demo_folder()
    dataset = open_lerobot(folder / "dataset")
    match = find_robot(dataset.action_names, dataset.size, robot_type=dataset.robot_type)
    tasks = dict(zip(dataset.episodes.tolist(), dataset.episode_tasks, strict=True))
    plan = Plan(
        layout=match.layout,
        split=lerobot_split(tasks, FRACTION),
        robot=match.robot or "",
        evidence=match.evidence,
        executed=4,
        phase=f"distance:tool_object_distance:{NEAR}",
        watch="arm",
        model=folder / "robot.xml",
        site="tool",
        seed=seed,
    )
    files = [open_predictions(path) for path in sorted((folder / "predictions").glob("mlp-*.parquet"))]
    record = measure_errors(dataset, plan, files, progress)
    notes = [*record.methods.notes, outcomes_note(record)]
    return record.model_copy(update={"methods": record.methods.model_copy(update={"notes": notes})})


def outcomes_note(record: ErrorsRecord) -> str:
    """How often each checkpoint succeeded in the world that recorded the data, and where the offline pick stands."""
    found = read_json(demo_folder() / "outcomes.json")
    episodes = found["episodes_per_task"] * len(found["tasks"])
    share = {row["checkpoint"]: sum(row["successes"]) / episodes for row in found["outcomes"]}
    listed = ", ".join(f"{name} {100 * share[name]:.0f} %" for name in share)
    note = f"Closed loop, {episodes} episodes each: {listed}."
    if record.choice is None or record.choice.best not in share:
        return note
    best = max(share, key=lambda name: share[name])
    pick = record.choice.best
    return f"{note} The pick {pick} succeeded in {100 * share[pick]:.0f} %, the best was {best}."
