"""Statistics that a LeRobot dataset keeps of its features: of all frames, per episode, and pooled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.lerobot_meta import read_lines
from surehand.formats.parquet import read_table
from surehand.formats.records import read_json
from surehand.frames import Stats


def read_stats(root: Path, info: Mapping[str, Any], key: str) -> Stats | None:
    """The dataset's own statistics of one feature, as lerobot would load them, or None where it keeps none.

    v2.1 keeps them per episode: they are pooled exactly (no quantiles, which cannot be pooled); a stats.json beside
    them is read only where there are none per episode.
    """
    if info["codebase_version"] == "v2.1":
        episodes = read_episode_stats(root, info, key)
        if episodes:
            return pool_stats(list(episodes.values()), f"{root}/meta/episodes_stats.jsonl, pooled")
    path = root / "meta" / "stats.json"
    if not path.is_file():
        return None
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get(key), dict):
        return None
    return make_stats(found[key], str(path))


def read_episode_stats(root: Path, info: Mapping[str, Any], key: str) -> dict[int, Stats]:
    """The statistics of one feature that the dataset keeps per episode; empty where it keeps none."""
    if info["codebase_version"] == "v3.0":
        return _episode_stats_v3(root, key)
    path = root / "meta" / "episodes_stats.jsonl"
    if not path.is_file():
        return {}
    found = {}
    for place, row in read_lines(path):
        if not isinstance(row.get("episode_index"), int) or not isinstance(row.get("stats"), dict):
            raise FormatError(f"{place}: expected episode_index and stats")
        if isinstance(row["stats"].get(key), dict):
            found[row["episode_index"]] = make_stats(row["stats"][key], place)
    return found


def _episode_stats_v3(root: Path, key: str) -> dict[int, Stats]:
    found: dict[int, Stats] = {}
    prefix = f"stats/{key}/"
    for path in sorted((root / "meta" / "episodes").glob("*/*.parquet")):
        table = read_table(path, required=("episode_index",), matching=prefix)
        columns = {name.removeprefix(prefix): table[name].to_pylist() for name in table.column_names if prefix in name}
        for i, index in enumerate(table["episode_index"].to_pylist()):
            values = {name: column[i] for name, column in columns.items() if column[i] is not None}
            if values:
                found[index] = make_stats(values, f"{path} episode {index}")
    return found


def make_stats(values: Mapping[str, Any], source: str) -> Stats:
    """Statistics from a JSON object of lists; FormatError where a list holds something other than numbers."""
    arrays: dict[str, np.ndarray | None] = {}
    for name in ("mean", "std", "min", "max", "q01", "q99"):
        if values.get(name) is None:
            continue
        try:
            arrays[name] = np.atleast_1d(np.asarray(values[name], dtype=np.float64))
        except (TypeError, ValueError):
            raise FormatError(f"{source}: {name} is not a list of numbers") from None
    count = values.get("count")
    try:
        number = None if count is None else int(np.ravel(count)[0])
    except (TypeError, ValueError, IndexError):
        raise FormatError(f"{source}: count is {count!r}; expected one integer") from None
    return Stats(**arrays, count=number, source=source)


def pool_stats(parts: Sequence[Stats], source: str) -> Stats | None:
    """Statistics of all frames from those of disjoint parts (Chan, Golub & LeVeque 1983); None if a part lacks one."""
    means, stds, lows, highs = ([getattr(part, name) for part in parts] for name in ("mean", "std", "min", "max"))
    counts = [part.count for part in parts if part.count is not None]
    if len(counts) < len(parts) or any(value is None for column in (means, stds, lows, highs) for value in column):
        return None
    if any(count < 1 for count in counts):
        raise FormatError(f"{source}: an episode counts {min(counts)} frames; statistics need at least one")
    if len({np.shape(value) for column in (means, stds, lows, highs) for value in column}) > 1:
        raise ShapeError(f"{source}: statistics of different sizes; the episodes were not recorded with one robot")
    weights = np.array(counts, dtype=np.float64) / sum(counts)
    weights = weights.reshape(-1, *(1 for _ in np.shape(means[0])))  # (E, 1), of images (E, 1, 1, 1)
    mean = (weights * np.stack(means)).sum(axis=0)
    variance = (weights * (np.stack(stds) ** 2 + (np.stack(means) - mean) ** 2)).sum(axis=0)
    low, high = np.min(np.stack(lows), axis=0), np.max(np.stack(highs), axis=0)
    return Stats(mean, np.sqrt(variance), low, high, count=sum(counts), source=source)
