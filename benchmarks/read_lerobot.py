"""How fast LeRobot datasets are read: 1 000 episodes × 300 frames, 11-D action and 8-D state, beside pyarrow alone.

Run: python benchmarks/read_lerobot.py
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions

EPISODES, FRAMES, DIMS, STATE = 1_000, 300, 11, 8
COLUMNS = ["action", "observation.state", "timestamp", "frame_index", "episode_index", "task_index"]
STREAM = """
import re, sys
from pathlib import Path
from surehand.formats.lerobot import open_lerobot
import pyarrow.parquet, pyarrow.compute  # what any reader pays
def peak():  # of this process alone; getrusage would count its parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
rows = sum(len(batch) for _ in range(3) for batch in open_lerobot(sys.argv[1]).batches())
print(rows, peak() - before)
"""


def episodes(rng: np.random.Generator) -> Iterator[Actions]:
    """EPISODES made-up episodes, one at a time."""
    for episode in range(EPISODES):
        yield Actions(
            action=rng.normal(size=(FRAMES, DIMS)).astype(np.float32),
            episode=np.full(FRAMES, episode),
            frame=np.arange(FRAMES),
            task=np.zeros(FRAMES, dtype=np.int64),
            state=rng.normal(size=(FRAMES, STATE)).astype(np.float32),
            tasks=("move",),
            fps=30.0,
        )


def seconds(work: Callable[[], object], repeats: int = 7) -> float:
    """Median wall-clock seconds of one call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def peer(root: Path) -> object:
    """The same columns through pyarrow.dataset, as an Arrow table."""
    import pyarrow.dataset as ds

    return ds.dataset(root / "data").to_table(columns=COLUMNS)


def main() -> None:
    """Prints one line per format."""
    base = Path(tempfile.mkdtemp())
    held_out = list(range(9, EPISODES, 10))
    try:
        source = base / "v3.0"
        start = time.perf_counter()
        write_lerobot(source, episodes(np.random.default_rng(0)))
        print(f"write v3.0: {time.perf_counter() - start:.2f} s")
        write_lerobot(base / "v2.1", open_lerobot(source).batches(), version="v2.1")
        for version in ("v3.0", "v2.1"):
            root = base / version
            whole = seconds(lambda root=root: open_lerobot(root).read())
            alone = seconds(lambda root=root: peer(root))
            part = seconds(lambda root=root: open_lerobot(root).read(held_out))
            batches = seconds(lambda root=root: [len(batch) for batch in open_lerobot(root).batches()])
            identity = seconds(lambda root=root: open_lerobot(root).identity(), 3)
            rows, growth = subprocess.check_output([sys.executable, "-c", STREAM, root], text=True).split()
            print(
                f"{version}: read {whole:.3f} s, pyarrow.dataset {alone:.3f} s, ratio {whole / alone:.2f}; "
                f"10 % held out {part:.3f} s; batches {batches:.3f} s; identity {identity:.3f} s; "
                f"streaming {rows} rows adds {float(growth):.0f} MB"
            )
        assert seconds(lambda: open_lerobot(source).read()) < 1.0, "v3.0 must be read in under 1 s"
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
