"""Errors from Parquet against pyarrow reading the same columns, over 100 million action values, in constant memory.

Three times over one dataset and one file of predictions: pyarrow reading the columns, errors by group (read, align,
accumulate), and the whole of `measure_errors` with gripper events and motion. Prints median ratios and the peak memory
of the process; exits 1 above the promise.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow.parquet as pq

from surehand.align import pair
from surehand.errors.plan import Plan
from surehand.errors.recording import Recording
from surehand.errors.run import BATCH, measure_errors
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.predictions import open_predictions, write_predictions
from surehand.frames import Actions, Predictions
from surehand.measure.error import ErrorAccumulator
from surehand.robots import robot
from surehand.splits import listed_split

HSR, HORIZON, FRAMES = robot("hsr"), 16, 500
VALUES = 100_000_000
EPISODES = VALUES // (HORIZON * HSR.size * FRAMES)
COLUMNS = ["episode", "frame", "draw", "length", "prediction"]
RECORDED = ["action", "episode_index", "frame_index", "task_index", "timestamp"]
MEMORY_LIMIT, RATIO_LIMIT, REPEATS = 1e9, 1.5, 5


def episodes(rng: np.random.Generator) -> Iterator[Actions]:
    for index in range(EPISODES + 1):  # one episode is left for training
        action = np.cumsum(rng.normal(size=(FRAMES, HSR.size)), axis=0).astype(np.float32) / 10
        yield Actions(
            action=action,
            episode=np.full(FRAMES, index),
            frame=np.arange(FRAMES),
            task=np.zeros(FRAMES, np.int64),
            timestamp=np.arange(FRAMES) / 10,
            tasks=("drift",),
            names=HSR.names,
            fps=10.0,
        )


def predictions(recorded: Iterator[Actions], rng: np.random.Generator) -> Iterator[Predictions]:
    for one in recorded:
        rows = np.minimum(np.arange(FRAMES)[:, None] + np.arange(HORIZON), FRAMES - 1)
        noise = rng.normal(scale=0.1, size=(FRAMES, 1, HORIZON, HSR.size)).astype(np.float32)
        yield Predictions(
            prediction=one.action[rows][:, None] + noise,
            episode=one.episode,
            frame=one.frame,
            length=np.full(FRAMES, HORIZON),
            checkpoint="noisy",
        )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, file = Path(folder) / "dataset", Path(folder) / "noisy.parquet"
        rng = np.random.default_rng(0)
        write_lerobot(root, episodes(rng))
        dataset = open_lerobot(root)
        held_out = range(1, EPISODES + 1)
        write_predictions(file, predictions((dataset.read([e]) for e in held_out), rng))
        size = file.stat().st_size / 1e6
        print(f"{EPISODES * FRAMES:,} frames × {HORIZON} steps × {HSR.size} joints, {size:.0f} MB on disk")

        def read() -> None:
            pq.read_table(file, columns=COLUMNS)
            pq.read_table(root / "data", columns=RECORDED)

        def errors() -> None:
            sums = ErrorAccumulator(HSR.size, HORIZON, period=HSR.period)
            recording = Recording(dataset.batches(held_out, BATCH))
            for batch in open_predictions(file).batches():
                sums.update(pair(batch, recording.upto(batch.episode[0], batch.episode[-1])))
            sums.compute()

        split = listed_split(dataset.episodes, f"1..{EPISODES}")

        def everything() -> None:
            measure_errors(dataset, Plan(HSR, split, rivals=(), draws=1000), [open_predictions(file)])

        streamed = timed(errors)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # before pyarrow reads it all at once
        print(f"errors by group: {streamed:.2f} s, peak memory of the process {peak / 1e6:.0f} MB")
        rounds = [(timed(read), timed(errors), timed(everything)) for _ in range(REPEATS)]
        ratio = median(e / r for r, e, _ in rounds)
        whole = median(w / r for r, _, w in rounds)
        seconds = [median(column) for column in zip(*rounds, strict=True)]
        print(f"pyarrow {seconds[0]:.2f} s, errors {seconds[1]:.2f} s, with motion and grippers {seconds[2]:.2f} s")
        print(f"errors / pyarrow: {ratio:.2f} (at most {RATIO_LIMIT}); with everything: {whole:.2f}")
        if ratio > RATIO_LIMIT or peak > MEMORY_LIMIT:
            sys.exit("slower or larger than promised")


main()
