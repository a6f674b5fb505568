"""The main job on the embedded data: errors of eight checkpoints, the verdict, and what happened in closed loop."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import stats

from surehand.decide.choice import Choice
from surehand.demo import demo_folder
from surehand.errors.plan import Plan
from surehand.errors.record import ErrorsRecord
from surehand.errors.run import measure_errors
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.predictions import open_predictions
from surehand.formats.rounds import open_rounds
from surehand.formats.trials import Trials, read_trials
from surehand.layout import Layout
from surehand.splits import Split, lerobot_split

NEAR = 0.08  # metres between tool and thing that count as near contact
FRACTION = 0.25  # of each task's episodes, as the checkpoints were trained
EXECUTED = 4  # leading steps of each chunk that were carried out in closed loop


def run_demo(seed: int = 0, progress: Callable[[str, float], None] = lambda what, share: None) -> ErrorsRecord:
    """The record of the embedded checkpoints, their closed-loop successes among its notes."""
    folder = demo_folder()
    dataset = open_lerobot(folder / "dataset")
    files = [open_predictions(path) for path in sorted((folder / "predictions").glob("mlp-*.parquet"))]
    kinematics = find_spec("mujoco") is not None  # an extra: without it the page has no tool pose
    plan = Plan(
        layout=Layout.parse(files[0].metadata["layout"]),
        split=demo_split(dataset),
        robot="simulated mobile manipulator",
        evidence=("the layout that the checkpoints were trained with",),
        executed=EXECUTED,
        phase=f"distance:tool_object_distance:{NEAR}",
        watch="arm",
        model=folder / "robot.xml" if kinematics else None,
        site="tool" if kinematics else "",
        seed=seed,
    )
    record = measure_errors(dataset, plan, files, progress)
    notes = [*record.methods.notes, outcomes_note(record.choice), rounds_note(folder / "rounds.parquet")]
    methods = record.methods.model_copy(update={"notes": notes})
    return record.model_copy(update={"dataset": "embedded demo data", "methods": methods})


def demo_split(dataset: LeRobotFolder) -> Split:
    """The embedded dataset's training and held-out episodes."""
    return lerobot_split(dict(zip(dataset.episodes.tolist(), dataset.episode_tasks, strict=True)), FRACTION)


def outcomes_note(choice: Choice | None) -> str:
    """How often each checkpoint succeeded in the physics that recorded the data, and where the offline pick stands."""
    trials = read_trials(demo_folder() / "trials.csv")
    names = [name for name in trials.policies if name.startswith("mlp")]
    listed = ", ".join(f"{name} {success_rate(trials[name])}" for name in names)
    note = f"Closed loop, {len(trials[names[0]])} episodes each, 95 % Wilson interval: {listed}."
    if choice is None or choice.best not in names:
        return note
    best = max(names, key=lambda name: float(np.mean(trials[name].successes)))
    return f"{note} The pick is {choice.best}; {best} succeeded most often."


def success_rate(trials: Trials) -> str:
    """The share of successes with its 95 % Wilson (1927) interval, as `32 % (27–38)`."""
    good = trials.successes
    low, high = stats.binomtest(int(good.sum()), len(good)).proportion_ci(method="wilson")
    return f"{100 * good.mean():.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def rounds_note(path: Path) -> str:
    """What the file of decision rounds holds."""
    rounds = open_rounds(path)
    first = next(iter(rounds))
    return (
        f"{rounds.rows} decision rounds with {len(first.score)} candidates each, every one tried, lie in {path.name}."
    )
