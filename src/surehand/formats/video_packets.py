"""The packets of a video and which of them hold the pictures of an episode's frames; nothing is decoded for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError


@dataclass(frozen=True)
class Clip:
    """One episode of one camera inside a video file."""

    path: Path
    begin: float  # seconds into the file
    fps: float
    episode: int
    length: int  # frames

    def where(self, frame: int) -> str:
        """As in `film.mp4: episode 3, frame 17`."""
        return f"{self.path}: episode {self.episode}, frame {frame}"


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """The packets of a stretch of video in the file's order (P,); nothing is decoded for it."""

    pts: np.ndarray  # presentation time, in units of `base`
    key: np.ndarray  # whether decoding can begin here
    shown: np.ndarray  # whether its picture is meant to be seen
    base: float  # seconds
    start: int  # pts that was sought
    complete: bool  # whether the video's own end was reached

    @classmethod
    def read(cls, file: Any, stream: Any, first: float, last: float) -> "PacketIndex":
        """All packets from the last keyframe at or before `first` (seconds) to those that follow `last`."""
        base, begin = float(stream.time_base), stream.start_time or 0
        start = max(int(first / base), begin)
        packets, complete = _scan(file, stream, start, last / base)
        if start > begin and not (packets and packets[0][1] and packets[0][0] <= start):
            start = begin  # the seek came too late, as in files whose index is poor
            packets, complete = _scan(file, stream, start, last / base)
        pts = np.array([packet[0] for packet in packets], np.int64)
        key, shown = (np.array([packet[i] for packet in packets], bool) for i in (1, 2))
        return cls(pts, key, shown, base, start, complete)

    def nearest(self, clip: Clip, frames: np.ndarray) -> np.ndarray:
        """Which packet holds the picture of each frame (n,); FormatError for a frame without one."""
        order = np.flatnonzero(self.shown)
        order = order[np.argsort(self.pts[order], kind="stable")]
        times = self.pts[order] * self.base
        due = clip.begin + frames / clip.fps
        if not len(times):
            raise FormatError(f"{clip.where(int(frames[0]))}: the video holds no picture from {due[0]:.3f} s on")
        after = np.clip(np.searchsorted(times, due), 1, max(len(times) - 1, 1))
        after = np.minimum(after, len(times) - 1)
        before = np.maximum(after - 1, 0)
        best = np.where(np.abs(times[after] - due) < np.abs(times[before] - due), after, before)
        off = np.abs(times[best] - due) * clip.fps
        if (off >= 0.5).any():
            i = int(np.argmax(off >= 0.5))
            raise FormatError(
                f"{clip.where(int(frames[i]))} is due at {due[i]:.3f} s, {self._why(clip, times, due[i])}"
            )
        return order[best]

    def _why(self, clip: Clip, times: np.ndarray, due: float) -> str:
        """Why there is no picture at that time."""
        if due > times[-1] and self.complete:
            return (
                f"but the video ends with a picture at {times[-1]:.3f} s; the episode has {clip.length} frames at "
                f"{clip.fps:g} per second: the file is cut off or another's, download it again"
            )
        gaps = np.diff(times) * 1000 if len(times) > 1 else np.zeros(1)
        return (
            f"but the nearest picture is {np.abs(times - due).min() * 1000:.0f} ms away; pictures come "
            f"{gaps.min():.0f} to {gaps.max():.0f} ms apart, not {1000 / clip.fps:.0f}: encode it at a constant rate"
        )

    def stretches(self, chosen: np.ndarray) -> list[tuple[int, int]]:
        """(begin, end) of the runs of packets to decode for these, each begun by a keyframe."""
        keys = np.flatnonzero(self.key)
        runs: list[tuple[int, int]] = []
        for packet in sorted(chosen.tolist()):
            at = int(np.searchsorted(keys, packet, side="right")) - 1
            stop = int(keys[at + 1]) if at + 1 < len(keys) else len(self.pts)
            if at > 0 and self.pts[packet] < self.pts[keys[at]]:
                at -= 1  # shown before the keyframe that it is stored after: it needs the group before, too
            begin = int(keys[max(at, 0)]) if len(keys) else 0
            while runs and begin <= runs[-1][1]:
                earlier = runs.pop()
                begin, stop = min(begin, earlier[0]), max(stop, earlier[1])
            runs.append((begin, stop))
        return runs


def _scan(file: Any, stream: Any, start: int, last: float) -> tuple[list[tuple[int, bool, bool]], bool]:
    """(pts, keyframe, shown) of the packets from `start` to the second keyframe after `last`; whether the film ended.

    The second, since pictures shown before a keyframe may be stored after it.
    """
    packets: list[tuple[int, bool, bool]] = []
    beyond = 0
    for packet in read_packets(file, stream, start):
        beyond += bool(packet.is_keyframe and packet.pts > last)
        if beyond == 2:
            return packets, False
        packets.append((packet.pts, packet.is_keyframe, not packet.is_discard))
    return packets, True


def read_packets(file: Any, stream: Any, start: int) -> Iterator[Any]:
    """The packets from the keyframe at or before `start` on: the same ones at every call."""
    file.seek(start, stream=stream)
    return (packet for packet in file.demux(stream) if packet.pts is not None and packet.size)
