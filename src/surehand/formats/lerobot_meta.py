"""What a LeRobot dataset says of itself: info.json, features and their names, episodes and tasks."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.parquet import read_table
from surehand.formats.records import read_json

VERSIONS = ("v2.0", "v2.1", "v3.0")
VIDEO_COLUMNS = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
MISSING_TASKS = 10_000  # gaps that a task table may have, after episodes were deleted


@dataclass(frozen=True)
class VideoPart:
    """Where v3.0 metadata says that an episode lies in a camera's videos; None where it says nothing."""

    chunk: int | None
    file: int | None
    begin: float | None  # seconds into the file
    end: float | None


@dataclass(frozen=True)
class EpisodeRow:
    """One episode as the metadata lists it: its frames, its tasks, and the Parquet file that holds its rows."""

    index: int
    length: int
    tasks: tuple[str, ...]
    path: Path
    videos: Mapping[str, VideoPart] = field(default_factory=dict, hash=False)  # by camera, of v3.0 alone


def read_info(root: Path) -> dict[str, Any]:
    """meta/info.json; FormatError where it is absent, lacks a field or states a version that is not read here."""
    path = root / "meta" / "info.json"
    if not path.is_file():
        raise FormatError(
            f"{root} is no LeRobot dataset: meta/info.json is missing; point at the folder that holds meta/"
        )
    info: dict[str, Any] = read_json(path)
    read_features(info, path)
    version = info.get("codebase_version")
    if version not in VERSIONS:
        raise FormatError(
            f"{path}: codebase_version {version!r}; {', '.join(VERSIONS)} are read, convert it with lerobot"
        )
    fps = info.get("fps")
    if not isinstance(fps, int | float) or not 0 < fps < math.inf:
        raise FormatError(f"{path}: fps must be a positive number, found {fps!r}")
    return info


def read_features(info: Any, path: Path) -> dict[str, Any]:
    """The features of an info.json; FormatError where they are not objects."""
    if not isinstance(info, dict) or not isinstance(info.get("features"), dict):
        raise FormatError(f"{path}: expected an object with 'features'; is it a LeRobot info.json?")
    for key, feature in info["features"].items():
        if not isinstance(feature, dict):
            raise FormatError(f"{path}: feature {key!r} is {feature!r}; expected an object with dtype and shape")
    features: dict[str, Any] = info["features"]
    return features


def find_action_key(features: Mapping[str, Any], wanted: str | None, path: Path) -> str:
    """The feature that holds the actions: the one asked for, else "action", else "actions" (openpi's conversions)."""
    candidates = [key for key in features if key.split(".")[0] in ("action", "actions")]
    if wanted is not None:
        if wanted not in features:
            raise FormatError(f"{path}: no feature {wanted!r}; action-like features: {', '.join(candidates) or 'none'}")
        return wanted
    for key in ("action", "actions"):
        if key in features:
            return key
    hint = f"choose one with action_key=: {', '.join(candidates)}" if candidates else f"it has {', '.join(features)}"
    raise FormatError(f"{path}: no feature 'action' or 'actions'; {hint}")


def feature_size(features: Mapping[str, Any], key: str, path: Path) -> int:
    """Number of dimensions of a vector feature; ShapeError where its shape has more than one axis."""
    shape = features[key].get("shape")
    if not isinstance(shape, list) or len(shape) != 1 or not isinstance(shape[0], int) or shape[0] < 1:
        raise ShapeError(f"{path}: feature {key!r} has shape {shape}; expected one axis, as [7]")
    return shape[0]


def feature_names(features: Mapping[str, Any], key: str, path: Path, *, check: bool = True) -> tuple[str, ...] | None:
    """The joint names of a vector feature, flattened, or None where it has none.

    Datasets in the wild write a list, a nested list, {"motors": [...]} or any other single key, {"x": 0, "y": 1}, or
    null; one label for several dimensions names the vector, not its joints, and counts as none.
    Raises ShapeError with both counts where names contradict the shape (unless `check` is off).
    """
    names = tuple(_flatten(features[key].get("names")))
    size = feature_size(features, key, path)
    if not names or (len(names) == 1 and size > 1):
        return None
    if check and len(names) != size:
        raise ShapeError(
            f"{path}: {len(names)} names for shape {size} of feature {key!r}; correct names or shape there"
        )
    return names


def _flatten(names: Any) -> Iterator[str]:
    if isinstance(names, dict):
        if names and all(isinstance(place, int) for place in names.values()):
            yield from sorted(names, key=names.__getitem__)
        else:
            yield from _flatten(list(names.values()))
    elif isinstance(names, list):
        for item in names:
            yield from _flatten(item)
    elif names is not None:
        yield str(names)


def read_episodes(root: Path, info: Mapping[str, Any]) -> list[EpisodeRow]:
    """Every episode that the metadata lists, ascending; FormatError where a row cannot be read or comes twice."""
    rows = _episodes_v3(root, info) if info["codebase_version"] == "v3.0" else _episodes_v2(root, info)
    rows.sort(key=lambda row: row.index)
    if negative := next((row for row in rows if row.index < 0 or row.length < 0), None):
        raise FormatError(
            f"{root}/meta lists episode {negative.index} with {negative.length} frames; neither may be negative"
        )
    for before, after in pairwise(rows):
        if before.index == after.index:
            raise FormatError(f"{root}/meta lists episode {after.index} twice; remove one of the rows")
    return rows


def _episodes_v2(root: Path, info: Mapping[str, Any]) -> list[EpisodeRow]:
    chunk, template = info.get("chunks_size", 1000), info.get("data_path")
    if not isinstance(chunk, int) or chunk < 1:
        raise FormatError(f"{root}/meta/info.json: chunks_size must be a positive integer, found {chunk!r}")
    rows = []
    for place, row in read_lines(root / "meta" / "episodes.jsonl"):
        try:
            index, length = int(row["episode_index"]), int(row["length"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise FormatError(f"{place}: expected episode_index and length, found {row}") from None
        path = fill(root, "data_path", template, episode_chunk=index // chunk, episode_index=index)
        rows.append(EpisodeRow(index, length, _texts(row.get("tasks")), path))
    return rows


def _episodes_v3(root: Path, info: Mapping[str, Any]) -> list[EpisodeRow]:
    paths = sorted((root / "meta" / "episodes").glob("*/*.parquet"))
    if not paths:
        raise FormatError(f"{root}/meta/episodes holds no Parquet file; the dataset is incomplete, download it again")
    rows = []
    wanted = ("episode_index", "length", "data/chunk_index", "data/file_index")
    cameras = [key for key, feature in info["features"].items() if feature.get("dtype") == "video"]
    parts = [f"videos/{camera}/{name}" for camera in cameras for name in VIDEO_COLUMNS]
    for path in paths:
        table = read_table(path, required=wanted, optional=("tasks", *parts))
        tasks = table["tasks"].to_pylist() if "tasks" in table.column_names else [()] * len(table)
        numbers = [table[name].to_pylist() for name in wanted]
        videos = _videos(table, cameras)
        for place, (*integers, texts) in enumerate(zip(*numbers, tasks, strict=True)):
            if None in integers:
                raise FormatError(f"{path}: a row lacks one of {', '.join(wanted)}: {integers}")
            index, length, chunk, file = integers
            data = fill(root, "data_path", info.get("data_path"), chunk_index=chunk, file_index=file)
            seen = {camera: found[place] for camera, found in videos.items()}
            rows.append(EpisodeRow(index, length, _texts(texts), data, seen))
    return rows


def _videos(table: Any, cameras: Sequence[str]) -> dict[str, list[VideoPart]]:
    """Per camera the part of each row of a table of episodes."""
    nothing = [None] * len(table)
    found = {}
    for camera in cameras:
        names = [f"videos/{camera}/{name}" for name in VIDEO_COLUMNS]
        columns = [table[name].to_pylist() if name in table.column_names else nothing for name in names]
        found[camera] = [VideoPart(*values) for values in zip(*columns, strict=True)]
    return found


def fill(root: Path, field_name: str, template: Any, **values: int | str) -> Path:
    """The path that a template of info.json names; FormatError where it is none of these values."""
    try:
        if not isinstance(template, str):
            raise ValueError(template)
        return root / template.format(**values)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        raise FormatError(
            f"{root}/meta/info.json: {field_name} {template!r} is no template of {', '.join(values)}; correct it"
        ) from None


def _texts(tasks: Any) -> tuple[str, ...]:
    if isinstance(tasks, str):
        return (tasks,)
    return tuple(map(str, tasks)) if isinstance(tasks, list) else ()


def read_tasks(root: Path, info: Mapping[str, Any]) -> tuple[str, ...]:
    """Task texts, the one of task_index i at place i; empty where the dataset has no task table."""
    if info["codebase_version"] == "v3.0":
        found = _tasks_v3(root / "meta" / "tasks.parquet")
    else:
        found = _tasks_v2(root / "meta" / "tasks.jsonl")
    last = max(found, default=-1)
    if min(found, default=0) < 0 or last > len(found) + MISSING_TASKS:
        raise FormatError(
            f"{root}/meta: {len(found)} tasks with task_index {min(found)} to {last}; expected 0, 1, 2 and so on"
        )
    return tuple(found.get(i, "") for i in range(last + 1))


def _tasks_v2(path: Path) -> dict[int, str]:
    if not path.is_file():
        return {}
    found = {}
    for place, row in read_lines(path):
        if not isinstance(row.get("task_index"), int) or "task" not in row:
            raise FormatError(f"{place}: expected task_index and task, found {row}")
        found[row["task_index"]] = str(row["task"])
    return found


def _tasks_v3(path: Path) -> dict[int, str]:
    if not path.is_file():
        return {}
    table = read_table(path, required=("task_index",))
    # pandas keeps the text in its index: lerobot 0.4 leaves that column unnamed, 0.5 and later call it "task".
    texts = next((name for name in ("task", "__index_level_0__") if name in table.column_names), None)
    if texts is None:
        raise FormatError(f"{path}: expected a column 'task' beside task_index, found {', '.join(table.column_names)}")
    return dict(zip(table["task_index"].to_pylist(), map(str, table[texts].to_pylist()), strict=True))


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """("file line n", object) for each line of a JSON-lines file; FormatError names the line that is none."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                place = f"{path} line {number}"
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise FormatError(f"{place}: not JSON ({error.msg}); download the file again") from None
                if not isinstance(row, dict):
                    raise FormatError(f"{place}: expected an object, found {type(row).__name__}")
                yield place, row
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; the dataset is incomplete, download it again") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path}: not text; download the file again") from None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
