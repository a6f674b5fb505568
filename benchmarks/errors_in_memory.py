"""Accumulating errors of predictions in memory against one plain numpy pass, and the memory of a long stream.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/errors_in_memory.py. Exits with 1 where a promise is broken.
"""

import argparse
import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from surehand.frames import Pairs
from surehand.measure.error import ErrorAccumulator

LIMIT_RATIO = 2.0
LIMIT_BYTES = 1 << 30


def make_pairs(rng: np.random.Generator, frames: int, horizon: int, dims: int, length: int, first: int = 0) -> Pairs:
    """Random pairs of whole episodes of `length` frames; the last H−1 chunks of each reach past its end."""
    frame = np.arange(frames) % length
    return Pairs(
        prediction=rng.standard_normal((frames, 1, horizon, dims), dtype=np.float32),
        target=rng.standard_normal((frames, horizon, dims), dtype=np.float32),
        valid=frame[:, None] + np.arange(horizon) < length,
        episode=first + np.arange(frames) // length,
        frame=frame,
        task=np.zeros(frames, np.int64),
    )


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio(frames: int, horizon: int, dims: int, repeats: int) -> dict[str, float]:
    """Median of the paired time ratios, and the two median times in milliseconds."""
    pairs = make_pairs(np.random.default_rng(0), frames, horizon, dims, 300)
    p, t = pairs.prediction[:, 0], pairs.target

    def plain() -> object:
        return ((p - t) ** 2).sum()

    def ours() -> object:
        return ErrorAccumulator(dims, horizon).update(pairs).compute()

    plain(), ours()
    gc.disable()
    both = [(seconds(ours), seconds(plain)) for _ in range(repeats)]
    gc.enable()
    return {
        "ratio": statistics.median(a / b for a, b in both),
        "ours_ms": 1e3 * statistics.median(a for a, _ in both),
        "plain_ms": 1e3 * statistics.median(b for _, b in both),
    }


def stream(values: int, horizon: int, dims: int) -> dict[str, float]:
    """Peak memory of this process after `values` action values went through one accumulator in batches."""
    accumulator, rng = ErrorAccumulator(dims, horizon), np.random.default_rng(0)
    batch, length, seen, episodes = 30_000, 300, 0, 0
    start = time.perf_counter()
    while seen < values:
        accumulator.update(make_pairs(rng, batch, horizon, dims, length, episodes))
        seen, episodes = seen + batch * horizon * dims, episodes + batch // length
    total = accumulator.compute()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"values": seen, "episodes": len(total.episode), "seconds": time.perf_counter() - start, "peak_bytes": peak}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--values", type=int, default=100_000_000)
    options = parser.parse_args()
    streamed = stream(options.values, 16, 11)  # first: the ratio's arrays would count in its peak
    small = ratio(options.frames, 16, 11, options.repeats)
    large = ratio(options.frames // 8, 50, 26, options.repeats)
    print(json.dumps({"H16_D11": small, "H50_D26": large, "stream": streamed}, indent=1))
    ok = max(small["ratio"], large["ratio"]) <= LIMIT_RATIO and streamed["peak_bytes"] < LIMIT_BYTES
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
