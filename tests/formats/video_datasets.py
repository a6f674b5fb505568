"""Small LeRobot datasets with videos: numbers by our writer, pictures that carry their own episode and frame."""

import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions

KEY = "observation.images.head"
HEIGHT, WIDTH, BLOCK, BITS = 64, 96, 16, 6
FPS = 10
CODECS = {
    "av1": ("libsvtav1", {"g": "2", "crf": "10", "preset": "8"}),  # lerobot takes crf 30, too blurred for small blocks
    "h264": ("libx264", {"g": "2", "crf": "30"}),
    "h264 long": ("libx264", {"g": "250", "crf": "23"}),  # groups of many pictures, stored out of order
    "h264 open": ("libx264", {"g": "6", "crf": "23", "x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0"}),
}


def scene(episode: int, frame: int) -> np.ndarray:
    """(h, w, 3): grey that drifts, above it the numbers of episode and frame as black and white blocks."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = (90 + 3 * frame % 60, 120, 140 - 5 * (episode % 8))
    for line, number in enumerate((episode, frame)):
        for bit in range(BITS):
            block = picture[line * BLOCK : (line + 1) * BLOCK, bit * BLOCK : (bit + 1) * BLOCK]
            block[:] = 235 if number >> bit & 1 else 20
    return picture


def read_scene(picture: np.ndarray) -> tuple[int, int]:
    """(episode, frame) that a picture says it is, compressed as it may be."""
    centres = picture[BLOCK // 2 : 2 * BLOCK : BLOCK, BLOCK // 2 : BITS * BLOCK : BLOCK].mean(axis=-1) > 128
    episode, frame = (centres * 2 ** np.arange(BITS)).sum(axis=1).tolist()
    return episode, frame


def encode(
    path: Path,
    pictures: Sequence[np.ndarray],
    codec: str = "h264",
    *,
    fps: float = FPS,
    times: Sequence[float] | None = None,
) -> None:
    """Nothing; writes a film of the pictures, at `times` seconds where they are not 1/fps apart."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    name, options = CODECS[codec]
    base = Fraction(1, 10_000)
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(name, rate=Fraction(fps).limit_denominator(1000), options=options)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        if times is not None:
            stream.time_base = stream.codec_context.time_base = base
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[i] / base), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def plain(path: Path) -> list[np.ndarray]:
    """Every picture of a film in its order, by PyAV and nothing else."""
    import av

    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def numbers(lengths: Sequence[int]) -> Iterator[Actions]:
    """Episodes of actions alone."""
    for episode, length in enumerate(lengths):
        yield Actions(
            action=np.arange(2 * length, dtype=np.float32).reshape(length, 2),
            episode=np.full(length, episode),
            frame=np.arange(length),
            task=np.zeros(length, np.int64),
            tasks=("look",),
            fps=float(FPS),
        )


def video_dataset(
    root: Path,
    version: str = "v3.0",
    lengths: Sequence[int] = (7, 12, 5, 9),
    codec: str = "h264",
    *,
    cameras: Sequence[str] = (KEY,),
    per_file: int = 3,
    film: Callable[..., None] = encode,
    look: Callable[[int, int], np.ndarray] = scene,
) -> Path:
    """The folder written: a dataset whose cameras see `look`; v3.0 has `per_file` episodes to a film."""
    write_lerobot(root, numbers(lengths), version=version)
    shape = look(0, 0).shape
    info_path = root / "meta" / "info.json"
    info = json.loads(info_path.read_text())
    for camera in cameras:
        names = ["height", "width", "channels"]
        info["features"][camera] = {"dtype": "video", "shape": list(shape), "names": names}
    if version == "v3.0":
        info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
        table = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet")
        for camera in cameras:
            where: dict[str, list[float]] = {"chunk_index": [], "file_index": []}
            where |= {"from_timestamp": [], "to_timestamp": []}
            for first in range(0, len(lengths), per_file):
                pictures, chunk, number = [], first // per_file % 2, first // per_file // 2
                for episode in range(first, min(first + per_file, len(lengths))):
                    begin = len(pictures) / FPS
                    pictures += [look(episode, frame) for frame in range(lengths[episode])]
                    for column, value in zip(where.values(), (chunk, number, begin, len(pictures) / FPS), strict=True):
                        column.append(value)
                film(
                    root / info["video_path"].format(video_key=camera, chunk_index=chunk, file_index=number),
                    pictures,
                    codec,
                )
            for name, values in where.items():
                table = table.append_column(f"videos/{camera}/{name}", pa.array(values))
        pq.write_table(table, root / "meta/episodes/chunk-000/file-000.parquet")
    else:
        info["video_path"] = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
        for camera in cameras:
            for episode, length in enumerate(lengths):
                path = info["video_path"].format(episode_chunk=0, video_key=camera, episode_index=episode)
                film(root / path, [look(episode, frame) for frame in range(length)], codec)
    info_path.write_text(json.dumps(info))
    return root
