"""Speed of video pictures: frames per second through Pictures, cold and warm, beside PyAV's own sequential decoding.

A dataset of 640 × 480 pixels and two cameras is made on the spot, in AV1 as lerobot encodes and in H.264. Every round
decodes the same films with PyAV alone (each picture to RGB, one after the other), then through an empty cache, then
through the full one, and once every tenth frame through an empty one. Medians of the rounds; ratio above 1 = faster.

    python benchmarks/video.py [--episodes 3] [--frames 150] [--rounds 5]
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.pictures import Pictures
from surehand.formats.records import read_json, write_text
from surehand.frames import Actions

HEIGHT, WIDTH, FPS = 480, 640, 30
CAMERAS = ("observation.images.head", "observation.images.hand")
CODECS = {
    "av1": ("libsvtav1", {"g": "2", "crf": "30", "preset": "12"}),  # lerobot's own settings
    "h264": ("libx264", {"g": "2", "crf": "30"}),
}
STRIDE = 10


def scene(camera: int, frame: int, texture: np.ndarray) -> np.ndarray:
    """A textured wall that the camera moves along, and a block that moves before it (h, w, 3)."""
    x, y = 3 * frame % WIDTH, 2 * frame % HEIGHT
    picture = np.ascontiguousarray(texture[camera, y : y + HEIGHT, x : x + WIDTH])
    picture[200:280, 5 * frame % 500 :][:, :80] = (200, 40, 40)
    return picture


def film(path: Path, codec: str, pictures: Iterator[np.ndarray]) -> None:
    """Nothing; writes the pictures as lerobot would."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    name, options = CODECS[codec]
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(name, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def make(root: Path, codec: str, episodes: int, frames: int) -> LeRobotFolder:
    """A v2.1 dataset with one film per episode and camera."""
    actions = (
        Actions(
            action=np.zeros((frames, 2), np.float32),
            episode=np.full(frames, episode),
            frame=np.arange(frames),
            task=np.zeros(frames, np.int64),
            tasks=("look",),
            fps=float(FPS),
        )
        for episode in range(episodes)
    )
    write_lerobot(root, actions, version="v2.1")
    info = read_json(root / "meta" / "info.json")
    info["video_path"] = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    for camera in CAMERAS:
        info["features"][camera] = {"dtype": "video", "shape": [HEIGHT, WIDTH, 3], "names": None}
    write_text(root / "meta" / "info.json", json.dumps(info))
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 2 * HEIGHT // 8, 2 * WIDTH // 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
    texture = np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)
    for number, camera in enumerate(CAMERAS):
        for episode in range(episodes):
            path = root / info["video_path"].format(episode_chunk=0, video_key=camera, episode_index=episode)
            film(path, codec, (scene(number, 50 * episode + frame, texture) for frame in range(frames)))
    return open_lerobot(root)


def alone(root: Path, threads: str) -> int:
    """Pictures decoded by PyAV alone: every film of the dataset, each picture to RGB."""
    import av

    count = 0
    for path in sorted(root.rglob("*.mp4")):
        with av.open(str(path)) as file:
            file.streams.video[0].thread_type = threads
            for frame in file.decode(video=0):
                frame.to_ndarray(format="rgb24")
                count += 1
    return count


def through(dataset: LeRobotFolder, cache: Path, stride: int = 1) -> int:
    """Pictures that Pictures hands over, sixteen at a time, after preparing each episode."""
    seen = Pictures(dataset, CAMERAS, cache)
    count = 0
    for row in dataset.rows:
        every = np.arange(0, row.length, stride)
        seen.prepare([row.index], lambda _, every=every: every)  # type: ignore[misc]
        for first in range(0, len(every), 16):
            for camera in CAMERAS:
                count += len(seen.frames(row.index, camera, every[first : first + 16]))
    assert not seen.warnings, seen.warnings
    return count


def rate(work: Callable[[], int]) -> float:
    """Pictures per second."""
    start = time.perf_counter()
    return work() / (time.perf_counter() - start)


def main() -> None:
    """Prints one line per codec."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=3)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    os.environ.setdefault("SVT_LOG", "1")  # the encoder tells its settings otherwise
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        for codec in CODECS:
            dataset = make(Path(folder) / codec, codec, chosen.episodes, chosen.frames)
            found: dict[str, list[float]] = {name: [] for name in ("plain", "threads", "cold", "warm", "tenth")}
            for number in range(chosen.rounds):
                cache, sparse = (Path(folder) / f"{codec}-{number}{kind}" for kind in ("", "-tenth"))
                found["plain"].append(rate(lambda: alone(dataset.root, "SLICE")))  # noqa: B023
                found["threads"].append(rate(lambda: alone(dataset.root, "AUTO")))  # noqa: B023
                found["cold"].append(rate(lambda: through(dataset, cache)))  # noqa: B023
                found["warm"].append(rate(lambda: through(dataset, cache)))  # noqa: B023
                found["tenth"].append(STRIDE * rate(lambda: through(dataset, sparse, STRIDE)))  # noqa: B023
                for made in (cache, sparse):
                    shutil.rmtree(made)
            ratios = {
                name: median(here / there for here, there in zip(found[name], found["plain"], strict=True))
                for name in ("cold", "warm", "tenth")
            }
            speed = {name: median(values) for name, values in found.items()}
            print(
                f"{codec}: PyAV alone {speed['plain']:.0f} frames/s ({speed['threads']:.0f} with its frame threads); "
                f"Pictures cold {speed['cold']:.0f}, ratio {ratios['cold']:.2f}; warm {speed['warm']:.0f}, ratio "
                f"{ratios['warm']:.1f}; every tenth, cold: passes {speed['tenth']:.0f}, ratio {ratios['tenth']:.1f}"
            )


if __name__ == "__main__":
    main()
