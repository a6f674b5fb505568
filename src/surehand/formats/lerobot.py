"""LeRobot datasets (v2.0, v2.1, v3.0) read from disk with pyarrow: the recorded actions, frame by frame."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats import lerobot_meta as meta
from surehand.formats import lerobot_stats
from surehand.formats.lerobot_images import AT_ONCE, image_shape
from surehand.formats.lerobot_rows import EpisodeReader, episode_slices, first_not_finite
from surehand.frames import Actions, Stats
from surehand.splits import check_episodes

STATE_KEYS = ("observation.state", "state")
COUNTERS = ("timestamp", "frame_index", "episode_index", "task_index")


def open_lerobot(root: str | PathLike[str], action_key: str | None = None, *, check: bool = True) -> "LeRobotFolder":
    """The dataset in this folder, its metadata read and its frames not yet.

    `action_key` names the action feature where it is neither "action" nor "actions". `check=False` lets names that
    contradict shapes pass, for the doctor to report. Raises FormatError for a missing or foreign file, ShapeError
    with both counts for names that contradict shapes.
    """
    folder = Path(root)
    info = meta.read_info(folder)
    path, features = folder / "meta" / "info.json", info["features"]
    action_key = meta.find_action_key(features, action_key, path)
    state_key = next((key for key in STATE_KEYS if key in features), None)
    # Names against shapes first: a folder that holds info.json alone is refused for the right reason.
    action_names = meta.feature_names(features, action_key, path, check=check)
    state_names = meta.feature_names(features, state_key, path, check=check) if state_key else None
    return LeRobotFolder(
        root=folder,
        info=info,
        rows=tuple(meta.read_episodes(folder, info)),
        tasks=meta.read_tasks(folder, info),
        action_key=action_key,
        state_key=state_key,
        size=meta.feature_size(features, action_key, path),
        action_names=action_names,
        state_names=state_names,
    )


def read_lerobot(root: str | PathLike[str], episodes: Sequence[int] | None = None) -> Actions:
    """What the dataset recorded, whole episodes in the given order (all, ascending, where none are given)."""
    return open_lerobot(root).read(episodes)


@dataclass(frozen=True, eq=False)
class LeRobotFolder:
    """A LeRobot dataset on disk: what its metadata says, and its frames on request."""

    root: Path
    info: dict[str, Any]
    rows: tuple[meta.EpisodeRow, ...]  # (E,) ascending
    tasks: tuple[str, ...]  # by task_index
    action_key: str
    state_key: str | None
    size: int  # D
    action_names: tuple[str, ...] | None
    state_names: tuple[str, ...] | None

    @property
    def version(self) -> str:
        """Format version: v2.0, v2.1 or v3.0."""
        return str(self.info["codebase_version"])

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self.info["fps"])

    @property
    def robot_type(self) -> str | None:
        """The robot as the dataset calls it, or None."""
        name = self.info.get("robot_type")
        return name if isinstance(name, str) and name else None

    @property
    def features(self) -> dict[str, Any]:
        """Every feature that info.json declares, images included."""
        return dict(self.info["features"])

    @property
    def cameras(self) -> tuple[str, ...]:
        """The features that hold pictures, as videos or as image columns."""
        return tuple(key for key, feature in self.features.items() if feature.get("dtype") in ("image", "video"))

    @cached_property
    def episodes(self) -> np.ndarray:
        """Episode numbers, ascending (E,) int64."""
        return np.array([row.index for row in self.rows], dtype=np.int64)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Frames of each episode as the metadata states them (E,) int64."""
        return np.array([row.length for row in self.rows], dtype=np.int64)

    @property
    def episode_tasks(self) -> tuple[str, ...]:
        """First task of each episode, "" where it has none (E): what lerobot-train splits by."""
        return tuple(row.tasks[0] if row.tasks else "" for row in self.rows)

    def stats(self, key: str | None = None) -> Stats | None:
        """The dataset's own statistics of a feature (the action by default), or None where it keeps none."""
        return lerobot_stats.read_stats(self.root, self.info, key or self.action_key)

    def episode_stats(self, key: str | None = None) -> dict[int, Stats]:
        """The statistics that the dataset keeps per episode, of the action by default; empty where it keeps none."""
        return lerobot_stats.read_episode_stats(self.root, self.info, key or self.action_key)

    def read(
        self, episodes: Sequence[int] | np.ndarray | None = None, columns: Sequence[str] = (), *, check: bool = True
    ) -> Actions:
        """Whole episodes in the given order, all of them where none are given; see `batches`."""
        return self._actions(self._choose(episodes), self._reader(columns), columns, check)

    def batches(
        self,
        episodes: Sequence[int] | np.ndarray | None = None,
        frames: int = 65_536,
        columns: Sequence[str] = (),
        *,
        check: bool = True,
    ) -> Iterator[Actions]:
        """The same in batches of at most `frames` frames, an episode never cut.

        Memory holds one batch and the row groups it touches: lerobot writes one per episode, its converter one per
        file of at most 100 MB.

        `columns` names further features to carry along; images come as (N, h, w, 3) uint8, so ask for fewer frames.
        Raises SplitError for episodes that the dataset lacks,
        FormatError or ShapeError where a file contradicts the metadata, and, unless `check` is off, FormatError for
        NaN or infinity in an action (episode, frame and dimension named) and for frames that do not count 0, 1, 2.
        """
        reader = self._reader(columns, min(max(frames, 1), 65_536))
        for rows in _together(self._choose(episodes), frames):
            yield self._actions(rows, reader, columns, check)

    def identity(self) -> str:
        """First 16 hex digits of a SHA-256 over actions, states, tasks, names, rate and robot of every episode.

        The same recordings have the same identity in every format version and file layout.
        """
        return self._identity

    @cached_property
    def _identity(self) -> str:
        names = (self.action_names, self.state_names, self.fps, self.robot_type)
        whole = hashlib.sha256(json.dumps(names).encode())
        for row, (episode, digest) in zip(self.rows, self.episode_hashes().items(), strict=True):
            whole.update(json.dumps([episode, row.length, row.tasks, digest]).encode())
        return whole.hexdigest()[:16]

    def episode_hashes(self, episodes: Sequence[int] | np.ndarray | None = None) -> dict[int, str]:
        """Per episode the SHA-256 of its actions and states alone: equal recordings have equal hashes."""
        found = {row.index: hashlib.sha256().hexdigest() for row in self._choose(episodes)}
        for batch in self.batches(episodes, check=False):
            for episode, rows in episode_slices(batch.episode):
                parts = [batch.action[rows]] + ([] if batch.state is None else [batch.state[rows]])
                digest = hashlib.sha256()
                for part in parts:
                    digest.update(f"{part.dtype}{part.shape}".encode())
                    digest.update(np.ascontiguousarray(part).data)
                found[episode] = digest.hexdigest()
        return found

    def _choose(self, episodes: Sequence[int] | np.ndarray | None) -> list[meta.EpisodeRow]:
        if episodes is None:
            return list(self.rows)
        wanted = [int(episode) for episode in episodes]
        check_episodes(wanted, self.episodes.tolist())
        by_index = {row.index: row for row in self.rows}
        return [by_index[episode] for episode in wanted]

    def _reader(self, columns: Sequence[str], step: int = 65_536) -> EpisodeReader:
        images: dict[str, tuple[int, int]] = {}
        for name in columns:
            declared = self.info["features"].get(name)
            if declared is None:
                raise FormatError(f"{self.root}: no feature {name!r}; it has {', '.join(self.info['features'])}")
            if declared.get("dtype") == "video":
                raise FormatError(f"{self.root}: {name!r} holds pictures of a video; numbers and images are read")
            if declared.get("dtype") == "image":
                images[name] = image_shape(declared, f"{self.root}: feature {name!r}")
        keys = [self.action_key, *([self.state_key] if self.state_key else []), *COUNTERS, *columns]
        step = min(step, AT_ONCE) if images else step
        return EpisodeReader(list(dict.fromkeys(keys)), shared_files=self.version == "v3.0", step=step, images=images)

    def _actions(
        self, rows: Sequence[meta.EpisodeRow], reader: EpisodeReader, columns: Sequence[str], check: bool
    ) -> Actions:
        found = reader.read(rows)
        lengths = [row.length for row in rows]
        if sum(lengths) and self.action_key not in found:
            raise FormatError(
                f"{self.root}: info.json declares {self.action_key!r}, but the data files have no such column"
            )
        for name in columns:
            if sum(lengths) and name not in found:
                raise FormatError(f"{self.root}: info.json declares {name!r}, but the data files have no such column")
        episode = np.repeat(np.array([row.index for row in rows], dtype=np.int64), lengths)
        counted = np.concatenate([np.arange(n) for n in lengths]) if lengths else np.zeros(0, dtype=np.int64)
        frame = found.get("frame_index", counted).astype(np.int64, copy=False)
        action = _floats(found.get(self.action_key), len(episode), self.size, f"{self.root}: {self.action_key!r}")
        state = None
        if self.state_key is not None and (self.state_key in found or not len(episode)):
            size = meta.feature_size(self.info["features"], self.state_key, self.root / "meta" / "info.json")
            state = _floats(found.get(self.state_key), len(episode), size, f"{self.root}: {self.state_key!r}")
        if check:
            self._check(action, episode, frame, counted, found)
        timestamp = found.get("timestamp")
        return Actions(
            action=action,
            episode=episode,
            frame=frame,
            task=self._task(rows, lengths, found),
            state=state,
            timestamp=None if timestamp is None else timestamp.astype(np.float64),
            columns={name: found[name] for name in columns if name in found},
            tasks=self.tasks,
            names=self.action_names,
            state_names=self.state_names,
            fps=self.fps,
            source=str(self.root),
        )

    def _task(self, rows: Sequence[meta.EpisodeRow], lengths: list[int], found: dict[str, np.ndarray]) -> np.ndarray:
        """Task index of each frame (N,); where the data has no such column, that of the episode's first task."""
        if "task_index" in found:
            return found["task_index"].astype(np.int64, copy=False)
        index = {task: i for i, task in reversed(list(enumerate(self.tasks)))}
        first = [index.get(row.tasks[0], 0) if row.tasks else 0 for row in rows]
        return np.repeat(np.array(first, dtype=np.int64), lengths)

    def _check(
        self,
        action: np.ndarray,
        episode: np.ndarray,
        frame: np.ndarray,
        counted: np.ndarray,
        found: dict[str, np.ndarray],
    ) -> None:
        """Nothing, or FormatError naming the first frame that contradicts the metadata or holds NaN or infinity."""

        def refuse(wrong: np.ndarray, what: str, values: np.ndarray) -> None:
            if wrong.any():
                row = int(np.argmax(wrong))
                raise FormatError(f"{self.root}: episode {episode[row]}, frame {counted[row]} {what} {values[row]}")

        if "episode_index" in found:
            refuse(found["episode_index"] != episode, "carries episode_index", found["episode_index"])
        refuse(frame != counted, "carries frame_index", frame)
        if "task_index" in found and self.tasks:
            task = found["task_index"]
            refuse((task < 0) | (task >= len(self.tasks)), f"has, of {len(self.tasks)} tasks, task_index", task)
        if bad := first_not_finite(action, episode, frame):
            raise FormatError(
                f"{self.root}: action of {bad}; run surehand doctor, then repair or leave the episode out"
            )


def _together(rows: Sequence[meta.EpisodeRow], frames: int) -> Iterator[list[meta.EpisodeRow]]:
    """Consecutive episodes in groups of at most `frames` frames, at least one episode each."""
    waiting: list[meta.EpisodeRow] = []
    total = 0
    for row in rows:
        if waiting and total + row.length > frames:
            yield waiting
            waiting, total = [], 0
        waiting.append(row)
        total += row.length
    if waiting:
        yield waiting


def _floats(values: np.ndarray | None, n: int, size: int, what: str) -> np.ndarray:
    """(N, size) float32 or float64 as stored; ShapeError where the rows have another size than info.json declares."""
    if values is None:
        return np.zeros((n, size), dtype=np.float32)
    values = values[:, None] if values.ndim == 1 else values  # lerobot stores shape [1] as a plain column
    if values.shape[1:] != (size,):
        raise ShapeError(
            f"{what} has shape [{size}] in info.json, {list(values.shape[1:])} in the data; correct one of them"
        )
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
