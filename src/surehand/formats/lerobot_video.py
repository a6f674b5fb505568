"""Pictures of LeRobot's videos: which file and moment hold a frame, and exactly that picture, through PyAV."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from errno import EPERM
from types import ModuleType
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.lerobot_meta import EpisodeRow, fill
from surehand.formats.video_packets import Clip, PacketIndex, read_packets

# Film files alone: a playlist in their place could name other files, or the network.
FILMS = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"}


def find_clip(dataset: LeRobotFolder, row: EpisodeRow, camera: str) -> Clip:
    """Where a camera's pictures of an episode lie; FormatError where the metadata or the file is missing."""
    root, template = dataset.root, dataset.info.get("video_path")
    begin = 0.0
    if dataset.version == "v3.0":
        part = row.videos.get(camera)
        if part is None or part.chunk is None or part.file is None or part.begin is None:
            raise FormatError(
                f"{root}/meta/episodes: episode {row.index} lacks videos/{camera}/chunk_index, file_index or "
                "from_timestamp; download the dataset again"
            )
        path = fill(root, "video_path", template, video_key=camera, chunk_index=part.chunk, file_index=part.file)
        begin = float(part.begin)
        end = begin + row.length / dataset.fps if part.end is None else float(part.end)
        if not 0 <= begin < math.inf or not (end - begin) * dataset.fps > row.length - 0.5:
            raise FormatError(  # what follows is another episode's
                f"{root}/meta/episodes: episode {row.index} has {row.length} frames at {dataset.fps:g} per second, its "
                f"part of the video {camera} runs from {begin:g} to {end:g} s; correct one of them"
            )
    else:
        chunk = row.index // int(dataset.info.get("chunks_size", 1000))
        path = fill(root, "video_path", template, video_key=camera, episode_chunk=chunk, episode_index=row.index)
    if not path.is_file():
        raise FormatError(f"{path}: no such file, episode {row.index} through {camera}; fetch the dataset's videos/")
    return Clip(path, begin, dataset.fps, row.index, row.length)


def decode_clip(clip: Clip, frames: np.ndarray, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """The pictures (h, w, 3) uint8 RGB of these ascending frames (n,), one by one.

    Frame i is the picture whose presentation time is nearest `begin + i/fps`, and less than half a frame from it.
    Groups of pictures that hold none of them are not decoded, and pictures between them not converted. Raises
    FormatError where a picture is missing or the file damaged, ShapeError where it is not `size` (h, w).
    """
    if not len(frames):
        return
    with _opened(clip) as (file, stream):
        with _named(f"{clip.path}: damaged or cut off"):
            index = PacketIndex.read(
                file,
                stream,
                clip.begin + (frames[0] - 0.5) / clip.fps,
                clip.begin + (frames[-1] + 0.5) / clip.fps,
            )
        chosen = index.nearest(clip, frames)
        found = _decode(file, stream, index, chosen)
        for frame, pts in zip(frames.tolist(), index.pts[chosen].tolist(), strict=True):
            with _named(f"{clip.where(frame)} or one soon after it cannot be decoded"):
                picture = next(found, None)
            if picture is None or picture.pts != pts or picture.is_corrupt:
                raise FormatError(f"{clip.where(frame)}: cannot be decoded; the file is damaged, download it again")
            if (picture.height, picture.width) != size:
                raise ShapeError(
                    f"{clip.where(frame)} is {picture.width} × {picture.height} pixels, info.json says "
                    f"{size[1]} × {size[0]}; correct one of them"
                )
            yield picture.to_ndarray(format="rgb24")


def _decode(file: Any, stream: Any, index: PacketIndex, chosen: np.ndarray) -> Iterator[Any]:
    """PyAV's frames of the chosen packets, in order of presentation; fewer where the decoder drops one."""
    wanted = set(index.pts[chosen].tolist())
    packets = enumerate(read_packets(file, stream, index.start))
    for begin, end in index.stretches(chosen):
        missing = int(((chosen >= begin) & (chosen < end)).sum())
        for place, packet in packets:
            for picture in packet.decode() if place >= begin else ():
                if picture.pts in wanted:
                    missing -= 1
                    yield picture
            if place == end - 1 or not missing:
                break
        if missing:  # those that the decoder still holds
            yield from (picture for picture in stream.codec_context.decode(None) if picture.pts in wanted)
        stream.codec_context.flush_buffers()


@contextmanager
def _opened(clip: Clip) -> Iterator[tuple[Any, Any]]:
    """(file, its video stream)."""
    av = need_av()
    with ExitStack() as stack:
        with _named(f"{clip.path}: no video, or cut off"):
            file = stack.enter_context(av.open(str(clip.path.absolute()), options=FILMS))
        if not file.streams.video:
            raise FormatError(f"{clip.path}: holds no video; download it again")
        stream = file.streams.video[0]
        stream.thread_type = "AUTO"
        yield file, stream


@contextmanager
def _named(what: str) -> Iterator[None]:
    """FFmpeg's complaints as FormatError in one line."""
    try:
        yield
    except need_av().error.FFmpegError as error:
        # FFmpeg's "Operation not permitted" is that of seeking in a film without pictures.
        reason = "no picture in it" if error.errno == EPERM else str(error.strerror or error).splitlines()[0]
        raise FormatError(f"{what} ({reason}); download it again") from None


def need_av() -> ModuleType:
    """PyAV, or one line that says how to get it."""
    try:
        import av
    except ImportError:
        raise SurehandError("video needs PyAV; pip install 'surehand[video]'") from None
    return av
