"""openpi's norm_stats.json: mean, standard deviation and outer percentiles per key, read and written."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.lerobot_stats import make_stats
from surehand.formats.records import read_json, write_text
from surehand.frames import Stats

KEPT = ("mean", "std", "q01", "q99")


def read_norm_stats(path: str | os.PathLike[str]) -> dict[str, Stats]:
    """Statistics per key ("state", "actions") of a norm_stats.json, or of the one under an openpi checkpoint's assets/.

    Raises FormatError where the file is missing or ambiguous, lacks mean or std, or holds a value that is not finite,
    ShapeError where the lists of one key differ in length.
    """
    file = _locate(Path(path))
    found = read_json(file)
    entries = found.get("norm_stats") if isinstance(found, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise FormatError(f"{file}: expected an object 'norm_stats' of keys, as openpi's compute_norm_stats writes it")
    return {key: _read_entry(values, f"{file} key {key!r}") for key, values in entries.items()}


def write_norm_stats(path: str | os.PathLike[str], stats: Mapping[str, Stats]) -> Path:
    """The file written, in the form openpi loads: q01 and q99 null where they are unknown."""
    entries = {}
    for key, values in stats.items():
        _check(values, f"statistics of {key!r}")
        arrays = {name: getattr(values, name) for name in KEPT}
        entries[key] = {name: None if value is None else np.asarray(value).tolist() for name, value in arrays.items()}
    return write_text(path, json.dumps({"norm_stats": entries}, indent=2) + "\n")


def _locate(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted({*path.glob("norm_stats.json"), *path.glob("assets/**/norm_stats.json")})
    if len(found) != 1:
        names = ", ".join(str(file.relative_to(path)) for file in found) or "none"
        raise FormatError(f"{path}: expected one norm_stats.json here or under assets/, found {names}; name the file")
    return found[0]


def _read_entry(values: Any, source: str) -> Stats:
    if not isinstance(values, dict):
        raise FormatError(f"{source}: expected mean, std, q01 and q99")
    stats = make_stats({name: values.get(name) for name in KEPT}, source)
    _check(stats, source)
    return stats


def _check(stats: Stats, source: str) -> None:
    if stats.mean is None or stats.std is None:
        raise FormatError(f"{source}: mean and std are both needed")
    arrays = {name: np.asarray(value) for name in KEPT if (value := getattr(stats, name)) is not None}
    if len({array.shape for array in arrays.values()}) > 1:
        raise ShapeError(f"{source}: shapes differ: {', '.join(f'{key} {list(a.shape)}' for key, a in arrays.items())}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            dim = int(np.argmin(np.isfinite(array)))
            raise FormatError(f"{source}: {name} of dimension {dim} is {array[dim]}; compute the statistics again")
