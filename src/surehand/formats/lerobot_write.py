"""LeRobot datasets (v2.1, v3.0) of numbers and images, written so that an unmodified lerobot loads them."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_files import LAYOUTS, Episode
from surehand.formats.lerobot_images import count_levels, holds_images, image_feature, level_summary
from surehand.formats.lerobot_rows import EpisodeReader, episode_slices, first_not_finite
from surehand.formats.lerobot_stats import pool_stats
from surehand.formats.records import write_text
from surehand.frames import Actions, Stats

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
COUNTERS = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
VALUES_PER_PASS = 16_000_000  # 64 to 128 MB held at a time for exact quantiles


def write_lerobot(
    root: str | os.PathLike[str],
    episodes: Iterable[Actions],
    *,
    version: str = "v3.0",
    fps: float | None = None,
    robot_type: str | None = None,
    names: Sequence[str] | None = None,
    state_names: Sequence[str] | None = None,
    file_megabytes: float = 100,
) -> Path:
    """The folder written: a dataset of all whole episodes in `episodes`, numbered 0, 1, 2 in the order they come.

    `fps` and names default to what the first `Actions` carries; its further `columns` become features of their own,
    those of shape (N, h, w, 3) and dtype uint8 images (PNG inside the data files, as lerobot keeps them).
    Memory stays constant in the number of episodes. Statistics cover every frame and their quantiles are exact
    (lerobot averages those of the episodes). The folder appears whole or not at all.
    Raises FormatError for a folder that holds files, an unknown version or a value that is not finite, ShapeError
    where episodes disagree or one has no frames.
    """
    target = Path(root)
    if version not in LAYOUTS:
        raise FormatError(f"cannot write version {version!r}; choose {' or '.join(LAYOUTS)}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FormatError(f"{target} exists and is not empty; choose a new folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            temporary.chmod(0o755)
            draft = _Draft(temporary, version, robot_type, file_megabytes)
            try:
                for actions in episodes:
                    draft.add(_complete(actions, fps, names, state_names))
                draft.close()
            finally:
                draft.files.release()
            os.replace(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise FormatError(
            f"cannot write {target}: {error.strerror or error}; choose a folder you may write to"
        ) from None
    return target


def _complete(
    actions: Actions, fps: float | None, names: Sequence[str] | None, state_names: Sequence[str] | None
) -> Actions:
    """The same actions, with the rate and names that the caller stated in place of their own."""
    return replace(
        actions,
        fps=actions.fps if fps is None else fps,
        names=actions.names if names is None else tuple(names),
        state_names=actions.state_names if state_names is None else tuple(state_names),
    )


class _Draft:
    """A dataset being written: features fixed by the first episode, counts and tasks that grow."""

    def __init__(self, root: Path, version: str, robot_type: str | None, file_megabytes: float) -> None:
        self.root, self.version, self.robot_type, self.file_megabytes = root, version, robot_type, file_megabytes
        self.files = LAYOUTS[version](root, int(file_megabytes * 2**20))
        self.features: dict[str, dict[str, Any]] = {}
        self.fps = 0.0
        self.tasks: dict[str, int] = {}
        self.frames = self.count = 0
        self.episode_stats: dict[str, list[Stats]] = {}
        self.levels: dict[str, np.ndarray] = {}  # of image columns (3, 256), over all frames

    def add(self, actions: Actions) -> None:
        """Writes every episode of these actions."""
        features = _features(actions)
        if not self.features:
            self.features, self.fps = features, actions.fps
            if not self.fps > 0:
                raise FormatError("the frame rate is unknown; state it with fps=")
        if features != self.features or actions.fps != self.fps:
            changed = next(
                (key for key in {**features, **self.features} if features.get(key) != self.features.get(key)), "fps"
            )
            raise ShapeError(
                f"episode {self.count} differs from the first in {changed!r}: {features.get(changed, actions.fps)}"
            )
        if not len(actions):
            raise ShapeError(f"episode {self.count} has no frames; leave it out")
        for number, rows in episode_slices(actions.episode):
            self._add_episode(number, actions.take(rows))

    def _add_episode(self, number: int, actions: Actions) -> None:
        n = len(actions)
        if (actions.frame != np.arange(n)).any():
            raise FormatError(
                f"episode {number}: frames do not count 0 to {n - 1}; whole episodes in order can be written"
            )
        if bad := first_not_finite(actions.action, actions.episode, actions.frame):
            raise FormatError(f"cannot write the action of {bad}")
        index, task = self._index_tasks(actions)
        timestamp = actions.timestamp if actions.timestamp is not None else actions.frame / self.fps
        columns: dict[str, np.ndarray] = {"action": actions.action}
        if actions.state is not None:
            columns["observation.state"] = actions.state
        columns |= actions.columns
        columns |= {
            "timestamp": timestamp.astype(np.float32),
            "frame_index": np.arange(n),
            "episode_index": np.full(n, self.count),
            "index": np.arange(self.frames, self.frames + n),
            "task_index": task,
        }
        stats = {key: self._summary(key, values) for key, values in columns.items()}
        for key, values in stats.items():
            if key in self.levels:
                continue
            parts = self.episode_stats.setdefault(key, [])
            here = Stats(values["mean"], values["std"], values["min"], values["max"], count=n)
            # Pooled as we go, so that the parts do not grow with the number of episodes.
            parts[:] = [pooled] if parts and (pooled := pool_stats([*parts, here], key)) else [here]
        self.files.add(Episode(self.count, self.frames, n, index, columns, stats))
        self.frames, self.count = self.frames + n, self.count + 1

    def _summary(self, key: str, values: np.ndarray) -> dict[str, np.ndarray]:
        if not holds_images(values):
            return summary(values)
        counts = count_levels(values)
        self.levels[key] = self.levels.get(key, 0) + counts
        return level_summary(counts, QUANTILES)

    def _index_tasks(self, actions: Actions) -> tuple[tuple[str, ...], np.ndarray]:
        """The episode's task texts in order of appearance, and each frame's task index in the dataset (N,)."""
        _, first, inverse = np.unique(actions.task, return_index=True, return_inverse=True)
        texts = [actions.tasks[i] if 0 <= i < len(actions.tasks) else "" for i in actions.task[first]]
        order = [texts[i] for i in np.argsort(first)]
        numbers = {text: self.tasks.setdefault(text, len(self.tasks)) for text in order}
        return tuple(numbers), np.array([numbers[text] for text in texts], dtype=np.int64)[inverse.ravel()]

    def close(self) -> None:
        """Writes what is known only at the end: tasks, info and the statistics of all frames."""
        if not self.count:
            raise ShapeError("no episode to write; a dataset needs at least one")
        self.files.close(list(self.tasks))
        info = {
            "codebase_version": self.version,
            "robot_type": self.robot_type,
            "total_episodes": self.count,
            "total_frames": self.frames,
            "total_tasks": len(self.tasks),
            **self.files.info(self.count),
            "fps": int(self.fps) if float(self.fps).is_integer() else self.fps,
            "splits": {"train": f"0:{self.count}"},
            "video_path": None,
            "features": self.features,
        }
        write_text(self.root / "meta" / "info.json", json.dumps(info, indent=4, ensure_ascii=False) + "\n")
        if self.version == "v3.0":
            write_text(self.root / "meta" / "stats.json", json.dumps(self._whole_stats(), indent=4) + "\n")

    def _whole_stats(self) -> dict[str, dict[str, list[Any]]]:
        whole: dict[str, dict[str, list[Any]]] = {}
        for key, counts in self.levels.items():
            values = level_summary(counts, QUANTILES)
            whole[key] = {name: array.tolist() for name, array in values.items()} | {"count": [self.frames]}
        for key, parts in self.episode_stats.items():
            pooled = parts[0]
            moments = {name: getattr(pooled, name).tolist() for name in ("min", "max", "mean", "std")}
            quantiles = exact_quantiles(self.root, key, len(moments["mean"]), self.frames)
            whole[key] = {**moments, "count": [self.frames], **quantiles}
        return whole


def _features(actions: Actions) -> dict[str, dict[str, Any]]:
    """info.json's features of these actions; ShapeError where names, shapes or dtypes cannot be stored."""
    found = {"action": _feature("action", actions.action, actions.names)}
    if actions.state is not None:
        found["observation.state"] = _feature("observation.state", actions.state, actions.state_names)
    for key, values in actions.columns.items():
        if key in found or key in COUNTERS or "/" in key:
            raise FormatError(f"a further column cannot be called {key!r}; rename it")
        found[key] = _feature(key, values, None)
    counters = {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in COUNTERS.items()}
    return found | counters


def _feature(key: str, values: np.ndarray, names: Sequence[str] | None) -> dict[str, Any]:
    if holds_images(values):
        return image_feature(values)
    if values.dtype.kind not in "fiub" or values.ndim > 2:
        found = f"{values.dtype}{list(values.shape[1:])}"
        raise ShapeError(
            f"column {key!r} holds {found} per frame; one number or one vector, "
            "or an image (h, w, 3) uint8, can be written"
        )
    size = values.shape[1] if values.ndim == 2 else 1
    if names is not None and len(names) != size:
        raise ShapeError(f"{len(names)} names for {size} dimensions of {key!r}")
    return {"dtype": str(values.dtype), "shape": [size], "names": list(names) if names is not None else None}


def summary(values: np.ndarray) -> dict[str, np.ndarray]:
    """Per-dimension min, max, mean, std and exact quantiles of one episode's values (N,) or (N, D): each (D,)."""
    table = values.reshape(len(values), -1).astype(np.float64)
    quantiles = np.quantile(table, list(QUANTILES.values()), axis=0)
    return {
        "min": table.min(axis=0),
        "max": table.max(axis=0),
        "mean": table.mean(axis=0),
        "std": table.std(axis=0),
        **dict(zip(QUANTILES, quantiles, strict=True)),
    }


def exact_quantiles(root: Path, key: str, size: int, frames: int) -> dict[str, list[float]]:
    """q01 to q99 of every frame of one feature, each (D,), some dimensions per pass so that memory stays bounded."""
    at_once = max(1, VALUES_PER_PASS // frames)
    parts = []
    for first in range(0, size, at_once):
        block = np.concatenate([values[:, first : first + at_once] for values in _values(root, key)])
        parts.append(
            np.stack(
                [np.quantile(column, list(QUANTILES.values())) for column in block.T.astype(np.float64, order="C")]
            )
        )
    table = np.concatenate(parts)  # (D, 5)
    return {name: table[:, i].tolist() for i, name in enumerate(QUANTILES)}


def _values(root: Path, key: str) -> Iterator[np.ndarray]:
    folder = open_lerobot(root)
    reader = EpisodeReader([key, "episode_index"], shared_files=folder.version == "v3.0")
    for row in folder.rows:
        values = reader.read([row])[key]
        yield values.reshape(len(values), -1)
