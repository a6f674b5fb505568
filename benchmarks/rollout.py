"""Speed of closed loops: a training run's checkpoints one after the other, and decisions with branched candidates.

One MLP run (40 nudged picks, 1000 steps, 16 checkpoints), then 60 episodes of every checkpoint: both together against
their promise of 3 minutes on two cores. Then decisions with 8 candidates of 8 steps, every one tried in a branch,
against the promise of 3000 an hour. The rival in the same run is the plain loop: one scene after the other, every
candidate carried out step by step from a saved state. Run it on an idle machine.

    python benchmarks/rollout.py [--processes 2] [--episodes 60]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from surehand.formats.lerobot import open_lerobot
from surehand.formats.rounds import open_rounds
from surehand.policies.protocol import Policy
from surehand.sim.campaign import Campaign
from surehand.sim.campaign_run import roll_out
from surehand.sim.env import TaskEnv
from surehand.sim.follow import Variation
from surehand.sim.learners import load_policy
from surehand.sim.learners.settings import training
from surehand.sim.learners.train import train
from surehand.sim.observation import ENVIRONMENT, observation
from surehand.sim.record import Recipe, record
from surehand.sim.robot import body
from surehand.sim.rollout import rollout_scenes

RUN_SECONDS, DECISIONS_PER_HOUR = 180, 3000
K, SIGMA, EXECUTE = 8, 0.2, 4


def demonstrations(folder: Path, processes: int) -> Path:
    """A dataset of 40 picks and one of 10 to hold out."""
    for name, episodes, seed in (("train", 40, 0), ("held", 10, 1)):
        record(Recipe(("pick",), episodes, "mobile", seed, Variation(nudges=True)), folder / name, processes=processes)
    return folder


def run_seconds(folder: Path, episodes: int, processes: int) -> tuple[float, float, list[str]]:
    """Seconds of training and of the rollouts of 16 checkpoints, and the checkpoints' folders."""
    recorded, held_out = (open_lerobot(folder / name).read(columns=[ENVIRONMENT]) for name in ("train", "held"))
    recipe = training("mlp", steps=1000, checkpoints=16)
    begin = time.perf_counter()
    trained = train(recipe, recorded, held_out, folder / "run", layout=body("mobile").layout)
    middle = time.perf_counter()
    checkpoints = [str(trained.checkpoint(int(step))) for step in trained.steps]
    roll_out(Campaign(tuple(checkpoints), ("pick",), episodes), folder / "rolled", processes=processes)
    return middle - begin, time.perf_counter() - middle, checkpoints


def branched_per_second(folder: Path, checkpoint: str, episodes: int, processes: int) -> tuple[int, float]:
    """Decisions with branched candidates, and seconds of the whole command."""
    campaign = Campaign(
        (checkpoint,), ("pick",), episodes, candidates=K, generator="perturbation", sigma=SIGMA, branch=True
    )
    begin = time.perf_counter()
    roll_out(campaign, folder / "branched", processes=processes)
    seconds = time.perf_counter() - begin
    return sum(file.rows for file in map(open_rounds, (folder / "branched" / "rounds").iterdir())), seconds


def plain_seconds(policy: Policy, scene: int) -> float:
    """Seconds per decision of one episode in the plain loop."""
    rng = np.random.default_rng(0)
    env = TaskEnv("pick")
    seen, _ = env.reset(seed=scene)
    decisions, over = 0, False
    begin = time.perf_counter()
    while not over:
        chunk = policy.infer(observation(env, seen))["actions"]
        decisions += 1
        start = env.save()
        for _ in range(K):
            for action in chunk + 0.02 * rng.normal(size=chunk.shape[1]):
                env.step(action)
            env.restore(start)
        for action in chunk[:EXECUTE]:
            seen, _, done, late, _ = env.step(action)
            over = over or done or late
    return (time.perf_counter() - begin) / decisions


def main() -> None:
    """Prints the measured speeds beside what is promised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--episodes", type=int, default=60)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.processes} processes")
    with tempfile.TemporaryDirectory() as name:
        folder = demonstrations(Path(name), options.processes)
        learning, rolling, checkpoints = run_seconds(folder, options.episodes, options.processes)
        print(
            f"16 checkpoints: trained in {learning:.0f} s, {options.episodes} episodes each in {rolling:.0f} s, "
            f"together {learning + rolling:.0f} s (promised {RUN_SECONDS})"
        )
        decisions, seconds = branched_per_second(folder, checkpoints[-1], options.episodes, options.processes)
        plain = plain_seconds(load_policy(checkpoints[-1]), rollout_scenes(0, 1)[0])
        print(
            f"{K} × 8 branches: {decisions} decisions in {seconds:.0f} s, {3600 * decisions / seconds:.0f} an hour "
            f"(promised {DECISIONS_PER_HOUR}); plain loop, one process: {3600 / plain:.0f} an hour"
        )
    if learning + rolling > RUN_SECONDS or 3600 * decisions / seconds < DECISIONS_PER_HOUR:
        raise SystemExit("a promise was missed")


if __name__ == "__main__":
    main()
