"""Makes surehand's embedded demo data: `python tools/make_demo_data.py --out src/surehand/demo/data`.

Demonstrations become a dataset; a learner trained on its training episodes leaves checkpoints; their predictions on the
held-out episodes and their closed-loop successes are written beside it. Everything follows from the seed. What was
designed and why stands in src/surehand/demo/README.md.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# One thread per process: sums of another order would change the last digits of what is learned.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from demo_data import evaluate  # noqa: E402
from demo_data.learner import HORIZON, train_flow, train_mlp  # noqa: E402
from demo_data.recordings import ENVIRONMENT, observations, rounded, training_chunks, write_dataset  # noqa: E402
from demo_data.robot import LAYOUT, mjcf  # noqa: E402
from demo_data.world import TASKS  # noqa: E402

from surehand.formats.lerobot import LeRobotFolder, open_lerobot  # noqa: E402
from surehand.formats.predictions import write_predictions  # noqa: E402
from surehand.formats.records import write_text  # noqa: E402
from surehand.frames import Actions, Predictions, Space  # noqa: E402
from surehand.layout import Layout  # noqa: E402
from surehand.splits import Split, lerobot_split  # noqa: E402

SEED = 3  # the design was settled on seeds 1 and 2; this one was then run once
EPISODES = 156
HELD_OUT = 0.25  # 13 of 52 episodes of each task
SAVES = (500, 1000, 2000, 3000, 4000, 6000, 8000, 12000)
FLOW_STEPS = 12000
DRAWS = 4
EVERY, EVERY_FLOW = 2, 4  # every second (fourth) held-out frame is predicted
TRIALS, TRIALS_SEED = 100, 1  # closed-loop episodes per task
STEPS_PER_UNIT = 512  # predictions are stored as multiples of 1/512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--saves", type=int, nargs="+", default=SAVES, help="optimiser steps with a checkpoint")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent, prefix=".demo-") as draft:
        made = Path(draft) / "data"
        make(made, options.seed, options.episodes, options.saves)
        shutil.rmtree(options.out, ignore_errors=True)
        shutil.move(made, options.out)


def make(out: Path, seed: int, episodes: int, saves: Iterable[int]) -> None:
    """Everything, into an empty folder."""
    folder = write_dataset(out / "dataset", episodes, seed)
    write_text(out / "robot.xml", mjcf())
    with ProcessPoolExecutor(2) as pool:
        parts = [pool.submit(run_mlp, out, seed, tuple(saves)), pool.submit(run_flow, out, seed)]
        outcomes = [row for part in parts for row in part.result()]
    record = {
        "what": "closed-loop successes in the kinematic world that recorded the demonstrations, per task",
        "data_identity": folder.identity(),
        "split": split_of(folder).rule,
        "tasks": list(TASKS),
        "episodes_per_task": TRIALS,
        "executed_steps": evaluate.EXECUTED,
        "seed": TRIALS_SEED,
        "outcomes": outcomes,
    }
    write_text(out / "outcomes.json", json.dumps(record, indent=1) + "\n")


def split_of(folder: LeRobotFolder) -> Split:
    """Training and held-out episodes, as lerobot-train would part them."""
    return lerobot_split(dict(zip(folder.episodes.tolist(), folder.episode_tasks, strict=True)), HELD_OUT)


def run_mlp(out: Path, seed: int, saves: tuple[int, ...]) -> list[dict[str, object]]:
    """One outcome per checkpoint; its predictions are written on the way."""
    folder, outcomes = open_lerobot(out / "dataset"), []
    train, held_out = read_split(folder, EVERY)
    for policy in train_mlp(observations(train), training_chunks(train), saves, seed):
        chunk = policy.predict(observations(held_out))
        write(out, folder, held_out, policy.name, chunk[:, None], {"seed": seed, "generator": "deterministic"})
        outcomes.append(outcome(policy.name, evaluate.successes(policy.predict, TRIALS, TRIALS_SEED)))
    return outcomes


def run_flow(out: Path, seed: int) -> list[dict[str, object]]:
    """The outcome of the stochastic policy, one draw per decision; its predictions hold several draws per frame."""
    folder, rng = open_lerobot(out / "dataset"), np.random.default_rng([seed, 1])
    train, held_out = read_split(folder, EVERY_FLOW)
    policy = train_flow(observations(train), training_chunks(train), FLOW_STEPS, seed)
    draws = np.stack([policy.draw(observations(held_out), rng) for _ in range(DRAWS)], axis=1)
    write(out, folder, held_out, policy.name, draws, {"seed": seed, "generator": "noise"})
    return [outcome(policy.name, evaluate.successes(lambda seen: policy.draw(seen, rng), TRIALS, TRIALS_SEED))]


def read_split(folder: LeRobotFolder, every: int) -> tuple[Actions, Actions]:
    """All training frames, and every n-th frame of the held-out episodes."""
    split = split_of(folder)
    held_out = folder.read(split.held_out, columns=[ENVIRONMENT])
    return folder.read(split.train, columns=[ENVIRONMENT]), held_out.take(held_out.frame % every == 0)


def write(
    out: Path, folder: LeRobotFolder, at: Actions, name: str, prediction: np.ndarray, metadata: dict[str, object]
) -> None:
    """Predictions (N, K, H, D) of the frames `at`, with the steps that end inside the episode marked valid."""
    ends = dict(zip(folder.episodes.tolist(), folder.lengths.tolist(), strict=True))
    left = np.array([ends[episode] for episode in at.episode.tolist()]) - at.frame
    predictions = Predictions(
        prediction=rounded(prediction, STEPS_PER_UNIT),
        episode=at.episode,
        frame=at.frame,
        length=np.minimum(left, HORIZON),
        checkpoint=name,
        space=Space(reference="absolute"),
        metadata=metadata,
        task=at.task,
        tasks=at.tasks,
    )
    path = out / "predictions" / f"{name.replace(' ', '-')}.parquet"
    write_predictions(path, predictions, layout=Layout.parse(LAYOUT), data_identity=folder.identity())


def outcome(name: str, success: np.ndarray) -> dict[str, object]:
    """One row of outcomes.json: successes per task, in the order of `tasks`."""
    return {"checkpoint": name, "successes": success.sum(axis=1).tolist()}


if __name__ == "__main__":
    main()
