"""Speed of the simulated robot: control steps, branches and demonstrations, each against its promise.

Control steps are 0.1 s with forces read at every substep, by one process, in expert episodes of the 11-column robot,
contact included. Branches are 8 candidates of 8 steps in the middle of a grasp, checked equal to the plain loop to the
last bit: what the expert does next, offset by 2 % of each column's range, once per candidate or (shaken) anew at every
step, which makes contact dearer. Medians of 20 calls; a neighbour on the second core doubles the time, so run it on an
idle machine. Demonstrations are 120 picks written as a dataset.

    python benchmarks/sim.py [--episodes 40] [--processes 2]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from surehand.sim.env import TaskEnv
from surehand.sim.experts import expert
from surehand.sim.model import SUBSTEPS
from surehand.sim.record import Recipe, record
from surehand.sim.tasks import TASKS

STEPS_PER_SECOND = 800
BRANCH_MILLISECONDS = 50
DEMONSTRATIONS, DEMONSTRATION_SECONDS = 120, 30
K, H = 8, 8


def steps_per_second(task: str, episodes: int) -> tuple[float, float]:
    """Control steps per second of env.step alone, and of whole episodes with the expert and new scenes."""
    env = TaskEnv(task)
    stepping, steps = 0.0, 0
    begin = time.perf_counter()
    for seed in range(episodes):
        env.reset(seed=seed)
        follower, over = expert(env), False
        while not over:
            action = follower.act()
            start = time.perf_counter()
            _, _, done, late, _ = env.step(action)
            stepping += time.perf_counter() - start
            over = done or late
            steps += 1
    return steps / stepping, steps / (time.perf_counter() - begin)


def branch_milliseconds(threads: int, repeats: int, shaken: bool) -> tuple[list[float], list[float], bool]:
    """Sorted times of one call through mujoco.rollout and of the plain loop, and whether both agree bit by bit."""
    env = TaskEnv("pick")
    env.reset(seed=1)
    follower = expert(env)
    while env.forces[0] < 5:  # until the hand holds the thing
        env.step(follower.act())
    world, start = env.world, env.world.save()
    rng = np.random.default_rng(0)
    point, ahead = env.save(), []
    for _ in range(H):
        ahead.append(follower.act())
        env.step(ahead[-1])
    env.restore(point)
    spread = 0.02 * (env.body.high - env.body.low)
    chunks = np.array(ahead) + rng.normal(size=(K, H if shaken else 1, env.body.size)) * spread
    world.branch(chunks, threads)
    fast, slow, equal = [], [], True
    for _ in range(repeats):
        begin = time.perf_counter()
        branches = world.branch(chunks, threads)
        fast.append(1e3 * (time.perf_counter() - begin))
        begin = time.perf_counter()
        for chunk, forces in zip(chunks, branches.forces, strict=True):
            world.restore(start)
            plain = [world.advance(action) for action in chunk]
            equal = equal and np.array_equal(plain, forces)
        slow.append(1e3 * (time.perf_counter() - begin))
        world.restore(start)
    return sorted(fast), sorted(slow), equal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    kept = True
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for task in TASKS:
        stepping, whole = steps_per_second(task, chosen.episodes)
        kept = kept and stepping >= STEPS_PER_SECOND
        print(
            f"{task:5s}: {stepping:.0f} control steps/s, {whole:.0f} with expert and new scenes "
            f"({SUBSTEPS} substeps, forces at each; promised {STEPS_PER_SECOND})"
        )
    for threads, shaken in ((1, False), (2, False), (1, True), (2, True)):
        fast, slow, equal = branch_milliseconds(threads, 20, shaken)
        kept = kept and equal and (threads == 1 or shaken or statistics.median(fast) < BRANCH_MILLISECONDS)
        print(
            f"{K} x {H} branch steps, {'shaken' if shaken else 'offset'}, {threads} threads: "
            f"median {statistics.median(fast):.1f} ms through mujoco.rollout (shortest {fast[0]:.1f}), "
            f"{statistics.median(slow):.1f} ms in a plain loop, bit-equal: {equal} "
            f"(promised {BRANCH_MILLISECONDS} ms, offset, two threads)"
        )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        done = record(Recipe(("pick",), DEMONSTRATIONS), Path(folder) / "set", processes=chosen.processes)
        seconds = time.perf_counter() - begin
    kept = kept and seconds < DEMONSTRATION_SECONDS
    print(
        f"{DEMONSTRATIONS} demonstrations ({done.frames} frames) on {chosen.processes} processes: {seconds:.1f} s "
        f"(promised {DEMONSTRATION_SECONDS} s)"
    )
    if not kept:
        raise SystemExit("a promise was missed")


if __name__ == "__main__":
    main()
