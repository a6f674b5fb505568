"""What every file of predictions must satisfy, checked on the way in and on the way out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.frames import Predictions, usable

Key = tuple[int, ...]
NO_KEY: Key = ()

HEAD = ("layout", "data_identity")  # said once per file, by the writer's caller or by the metadata


def check_shape(where: str, part: Predictions) -> None:
    """Nothing, or ShapeError where the chunks are not (N, K, H, D) or their lengths not within 0..H."""
    shape = part.prediction.shape
    if len(shape) != 4 or 0 in shape[1:]:
        raise ShapeError(
            f"{where}: predictions have shape {shape}, expected (frames, draws, horizon, dims), none of them 0"
        )
    if part.task is not None and len(part) and not 0 <= part.task.min() <= part.task.max() < len(part.tasks):
        raise ShapeError(f"{where}: task indices {part.task.min()} to {part.task.max()} for {len(part.tasks)} tasks")
    bad = np.flatnonzero((part.length < 0) | (part.length > shape[2]))
    if bad.size:
        row = bad[0]
        at = f"episode {part.episode[row]} frame {part.frame[row]}"
        raise ShapeError(f"{where}: {at} has valid length {part.length[row]}, expected 0 to {shape[2]} (the horizon)")


def check_order(where: str, last: Key, columns: Mapping[str, np.ndarray]) -> Key:
    """The last key, for the next call; FormatError names the first key that is repeated or out of order.

    `columns` are the key's columns, most significant first, each (rows,); `last` is the key before them.
    """
    keys = list(columns.values())
    if not len(keys[0]):
        return last
    if last:
        keys = [np.concatenate([[before], column]) for before, column in zip(last, keys, strict=True)]
    later, same = _later(keys)
    bad = np.flatnonzero(~later)
    if bad.size:
        row = int(bad[0])
        _refuse_order(where, tuple(columns), [k[row] for k in keys], [k[row + 1] for k in keys], bool(same[row]))
    return tuple(int(column[-1]) for column in keys)


def _later(keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(later, same): whether each row's key comes after, or equals, the one before it."""
    later = np.zeros(len(keys[0]) - 1, bool)
    same = np.ones(len(keys[0]) - 1, bool)
    for column in keys:
        later |= same & (column[1:] > column[:-1])
        same &= column[1:] == column[:-1]
    return later, same


def _refuse_order(where: str, names: tuple[str, ...], before: list[int], after: list[int], same: bool) -> NoReturn:
    def text(key: list[int]) -> str:
        return " ".join(f"{name} {value}" for name, value in zip(names, key, strict=True))

    if same:
        raise FormatError(f"{where}: {text(after)} appears twice; each may appear once")
    raise FormatError(f"{where}: {text(after)} comes after {text(before)}; sort by ({', '.join(names)})")


def finite(where: str, part: Predictions) -> np.ndarray:
    """The predictions (N, K, H, D), all finite: steps past the valid length are 0 where they were not.

    FormatError names episode, frame, draw, step and dim of the first NaN or infinity within the valid length.
    """
    values = part.prediction
    if _all_finite(values):
        return values
    wrong = ~usable(values)
    counted = np.arange(values.shape[2]) < part.length[:, None]  # (N, H)
    bad = np.argwhere(wrong & counted[:, None, :, None])
    if len(bad):
        n, k, h, d = bad[0]
        raise FormatError(
            f"{where}: {values[n, k, h, d]} at episode {part.episode[n]} frame {part.frame[n]} "
            f"draw {k} step {h} dim {d} ({len(bad)} such values); predictions must be finite"
        )
    return np.where(wrong, values.dtype.type(0), values)


def as_float32(part: Predictions, where: str = "predictions") -> Predictions:
    """The same part as it will be stored, in float32 and finite; FormatError where a value is not, or overflows."""
    with np.errstate(over="ignore"):
        values = np.asarray(part.prediction, np.float32)
    stored = replace(part, prediction=values)
    return replace(part, prediction=finite(where, stored))


def _all_finite(values: np.ndarray) -> bool:
    # One BLAS pass without a temporary; a sum of squares that overflows is looked at again, value by value.
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        square = np.dot(flat, flat)
    return bool(square <= np.finfo(np.float32).max) or bool(usable(flat).all())


def check_same(where: str, first: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Nothing, or FormatError naming what differs between two parts of one file: one file holds one of each."""
    for name, value in first.items():
        if now[name] != value:
            raise FormatError(f"{where}: {name} {value!r} and {now[name]!r} in one file; write one file for each")


def constants(part: Predictions) -> dict[str, Any]:
    """What one file holds one of, after the shape check."""
    check_shape("predictions", part)
    knob_value = part.metadata.get("knob_value")
    return {
        "checkpoint": part.checkpoint,
        "space": str(part.space),
        "generator": part.metadata.get("generator"),
        "knob": part.metadata.get("knob"),
        "knob_value": None if _unknown(knob_value) else knob_value,
        "draws, horizon and dims": part.prediction.shape[1:],
        "having tasks": part.task is not None,
    }


def _unknown(value: Any) -> bool:
    """Whether it is NaN, which is how memory says unknown; files say it by null or by nothing."""
    return isinstance(value, float) and np.isnan(value).item()


def seeds(parts: Iterable[Predictions]) -> list[int]:
    """The seeds that the parts name, each once, in order."""
    return list(dict.fromkeys(int(part.metadata["seed"]) for part in parts if part.metadata.get("seed") is not None))


def print_metadata(first: Predictions, head: Mapping[str, Any], columns: Collection[str] = ()) -> dict[str, Any]:
    """Header entries for what the first part says, without what has a column; `head` wins where it says more."""
    said = {key: value for key, value in first.metadata.items() if key not in (*columns, *HEAD) and not _unknown(value)}
    return {key: head[key] or first.metadata.get(key, "") for key in HEAD} | {"metadata": said}


def parse_metadata(head: Mapping[str, Any]) -> dict[str, Any]:
    """Predictions.metadata as the header states it."""
    return {**head.get("metadata", {}), **{key: head[key] for key in HEAD if head.get(key)}}
