"""Speed of pictures: rendering, recordings with images, and reading them back.

Pictures per second of one process for each size, scenes changing; then picks recorded with both cameras, and their
images read. Software rendering uses every core it finds, so run it on an idle machine.

    python benchmarks/pictures.py [--pictures 300] [--episodes 40] [--processes 2]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from surehand.formats.lerobot import open_lerobot
from surehand.sim.env import TaskEnv
from surehand.sim.record import CAMERAS, Recipe, record

SIZES = (64, 96, 224, 480)


def pictures_per_second(size: int, count: int) -> float:
    """Square pictures of both cameras in turn, thirty to a scene; making the scenes does not count."""
    env = TaskEnv("pick")
    spent = 0.0
    for number in range(count):
        if number % 30 == 0:
            env.reset(seed=number)
        start = time.perf_counter()
        env.picture(CAMERAS[number % 2], size, size)
        spent += time.perf_counter() - start
    return count / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    pictures_per_second(64, 2)  # the first one starts OpenGL
    for size in SIZES:
        print(f"{size} x {size}: {pictures_per_second(size, chosen.pictures):.0f} pictures/s")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        recipe = Recipe(("pick",), chosen.episodes, cameras=CAMERAS)
        done = record(recipe, Path(folder) / "set", processes=chosen.processes)
        seconds = time.perf_counter() - begin
        megabytes = sum(path.stat().st_size for path in done.path.rglob("*.parquet")) / 1e6
        begin = time.perf_counter()
        open_lerobot(done.path).read(columns=[f"observation.images.{camera}" for camera in CAMERAS])
        reading = time.perf_counter() - begin
    print(
        f"{chosen.episodes} picks ({done.frames} frames, both cameras at {recipe.image_size} x {recipe.image_size}) on "
        f"{chosen.processes} processes: {seconds:.1f} s, {megabytes:.1f} MB; read back in {reading:.1f} s"
    )


if __name__ == "__main__":
    main()
