"""The main job on the embedded data: errors of eight checkpoints, the verdict, and what happened in closed loop."""

from collections.abc import Callable
from importlib.util import find_spec

from surehand.demo import demo_folder
from surehand.errors.plan import Plan
from surehand.errors.record import ErrorsRecord
from surehand.errors.run import measure_errors
from surehand.formats.lerobot import open_lerobot
from surehand.formats.predictions import open_predictions
from surehand.formats.records import read_json
from surehand.layout import Layout
from surehand.splits import lerobot_split

# An HSR's joints; the base is commanded in velocities here, which the preset leaves open.
LAYOUT = Layout.parse(
    "arm(lift:prismatic[m] flex roll wrist_flex wrist_roll):revolute[rad] gripper:gripper[0..1] "
    "head(pan tilt):revolute[rad] base(x y theta:velocity[rad/s]):velocity[m/s]"
)
NEAR = 0.08  # metres between tool and object that count as near contact
FRACTION = 0.25  # of each task's episodes, as the checkpoints were trained


def run_demo(seed: int = 0, progress: Callable[[str, float], None] = lambda what, share: None) -> ErrorsRecord:
    """The record of the embedded checkpoints, their closed-loop successes among its notes."""
    folder = demo_folder()
    dataset = open_lerobot(folder / "dataset")
    kinematics = find_spec("mujoco") is not None  # an extra: without it the page has no tool pose
    tasks = dict(zip(dataset.episodes.tolist(), dataset.episode_tasks, strict=True))
    plan = Plan(
        layout=LAYOUT,
        split=lerobot_split(tasks, FRACTION),
        robot="HSR-class, kinematic",
        evidence=("declared by the demo, which made the data",),
        executed=4,
        phase=f"distance:tool_object_distance:{NEAR}",
        watch="arm",
        model=folder / "robot.xml" if kinematics else None,
        site="tool" if kinematics else "",
        seed=seed,
    )
    files = [open_predictions(path) for path in sorted((folder / "predictions").glob("mlp-*.parquet"))]
    record = measure_errors(dataset, plan, files, progress)
    notes = [*record.methods.notes, outcomes_note(record)]
    methods = record.methods.model_copy(update={"notes": notes})
    return record.model_copy(update={"dataset": "embedded demo data", "methods": methods})


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
