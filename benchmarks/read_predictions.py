"""Speed of reading predictions: every batch of 100 million action values against pyarrow reading the same columns.

Prints the median, over interleaved repetitions, of our time divided by the faster of pyarrow's two ways (the whole
table with its threads, and record batches), and the peak memory of a process that reads with surehand alone.

    python benchmarks/read_predictions.py [--values 100_000_000] [--repeats 7]
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from surehand.formats.predictions import open_predictions, write_predictions
from surehand.frames import Predictions

HORIZON, DIMS, FRAMES = 16, 11, 300
COLUMNS = ["episode", "frame", "draw", "length", "prediction"]


def episodes(values: int) -> Iterator[Predictions]:
    """Smooth random walks, as actions are: one episode of 300 frames at a time."""
    rng = np.random.default_rng(0)
    for episode in range(values // (FRAMES * HORIZON * DIMS)):
        path = np.cumsum(rng.normal(scale=0.01, size=(FRAMES + HORIZON, DIMS)), axis=0)
        chunks = np.lib.stride_tricks.sliding_window_view(path, HORIZON, axis=0)[:FRAMES].transpose(0, 2, 1)
        noisy = chunks + rng.normal(scale=0.003, size=chunks.shape)
        yield Predictions(
            prediction=noisy[:, None].astype(np.float32),
            episode=np.full(FRAMES, episode),
            frame=np.arange(FRAMES),
            length=np.minimum(HORIZON, np.arange(FRAMES, 0, -1)),
            checkpoint="40k",
        )


def read_ours(path: Path) -> None:
    for _ in open_predictions(path).batches():
        pass


def read_table(path: Path) -> None:
    pq.read_table(path, columns=COLUMNS)


def read_record_batches(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        for _ in file.iter_batches(columns=COLUMNS, batch_size=65_536):
            pass


def seconds(read: Callable[[Path], None], path: Path) -> float:
    start = time.perf_counter()
    read(path)
    return time.perf_counter() - start


def peak_megabytes(path: Path) -> float:
    """Peak memory of a fresh process that only iterates over the file."""
    command = [sys.executable, __file__, "--only-read", str(path)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=100_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only-read", type=Path)
    chosen = parser.parse_args()
    if chosen.only_read:
        read_ours(chosen.only_read)
        status = Path("/proc/self/status").read_text()  # getrusage would count the parent's memory
        print(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024)  # type: ignore[index]
        return
    with tempfile.TemporaryDirectory() as folder:
        path = write_predictions(Path(folder) / "p.parquet", episodes(chosen.values))
        times = [
            [seconds(read, path) for read in (read_ours, read_table, read_record_batches)]
            for _ in range(chosen.repeats + 1)
        ][1:]  # the first round warms the file cache
        ours, table, batches = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(a / min(b, c) for a, b, c in times)
        print(f"{chosen.values:,} values, {path.stat().st_size / 1e6:.0f} MB")
        print(f"median seconds: surehand {ours:.3f}, pyarrow table {table:.3f}, pyarrow record batches {batches:.3f}")
        print(f"median ratio to the faster pyarrow: {ratio:.2f} (1.0 is as fast as pyarrow can)")
        print(f"peak memory of a process that reads with surehand: {peak_megabytes(path):.0f} MB")


if __name__ == "__main__":
    main()
