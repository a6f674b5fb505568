"""Predictions as npz: what a script writes with np.savez, read whole and never unpickled."""

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats import contract
from surehand.formats.predictions_check import (
    NO_KEY,
    as_float32,
    check_order,
    check_same,
    check_shape,
    constants,
    finite,
    parse_metadata,
    print_metadata,
    seeds,
)
from surehand.formats.predictions_schema import KIND, LATEST
from surehand.frames import Predictions, Space

NEEDED = ("prediction", "episode", "frame")
EXAMPLE = 'np.savez(path, prediction=(N, H, D) or (N, K, H, D), episode=(N,), frame=(N,), space="robot")'


def read(path: Path) -> tuple[Predictions, dict[str, Any]]:
    """(predictions, header); FormatError or ShapeError where arrays are missing, pickled, unsorted or not finite.

    Without `length` every step is valid, without `checkpoint` the file's name is the checkpoint's. A file that
    np.savez wrote has no header; then `space` must be there, because a number without its space means nothing.
    """
    arrays = _load(path)
    head = _head(path, arrays)
    if missing := [name for name in NEEDED if name not in arrays]:
        raise FormatError(f"{path}: no array {missing[0]!r}, found {', '.join(arrays) or 'none'}; write {EXAMPLE}")
    if "space" not in arrays:
        raise FormatError(f"{path}: no text 'space'; say what the numbers mean: {EXAMPLE}")
    part = _as_predictions(path, arrays, head)
    check_shape(str(path), part)
    check_order(str(path), NO_KEY, {"episode": part.episode, "frame": part.frame})
    return replace(part, prediction=finite(str(path), part)), head


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FormatError(f"{path}: no such file; expected surehand predictions")
    if path.stat().st_size == 0:
        raise FormatError(f"{path}: the file is empty; write the predictions again")
    if not zipfile.is_zipfile(path):  # numpy would take it for a pickle
        raise FormatError(f"{path}: not an npz file, or cut off; write it again")
    try:
        # Opened here, because numpy leaves a file open that is no npz.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise FormatError(
                f"{path}: holds pickled objects, which could run code; save plain arrays: {EXAMPLE}"
            ) from None
        raise FormatError(f"{path}: not an npz file, or cut off ({error}); write it again") from None
    except (OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise FormatError(f"{path}: not an npz file, or cut off ({error}); write it again") from None


def _head(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    if contract.HEADER not in arrays:
        return {}
    return contract.parse_header(path, _text(path, arrays, contract.HEADER), KIND, LATEST)


def _text(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> str:
    found = arrays[name]
    if found.shape != () or found.dtype.kind != "U":
        raise FormatError(f"{path}: {name!r} should be one text, found {found.dtype} of shape {found.shape}")
    return str(found)


def _as_predictions(path: Path, arrays: Mapping[str, np.ndarray], head: Mapping[str, Any]) -> Predictions:
    prediction = arrays["prediction"]
    if prediction.dtype.kind != "f":
        raise FormatError(f"{path}: 'prediction' holds {prediction.dtype}, expected floating-point numbers")
    if prediction.ndim == 3:
        prediction = prediction[:, None]
    if not len(prediction):
        raise FormatError(f"{path}: no frames in it; write the predictions again")
    if prediction.ndim != 4 or 0 in prediction.shape:
        raise ShapeError(
            f"{path}: 'prediction' has shape {arrays['prediction'].shape}, expected (N, H, D) or (N, K, H, D)"
        )
    length = _integers(path, arrays, "length") if "length" in arrays else np.full(len(prediction), prediction.shape[2])
    return Predictions(
        prediction=prediction,
        episode=_integers(path, arrays, "episode"),
        frame=_integers(path, arrays, "frame"),
        length=length,
        checkpoint=_text(path, arrays, "checkpoint") if "checkpoint" in arrays else path.stem,
        space=Space.parse(_text(path, arrays, "space")),
        metadata=parse_metadata(head),
        task=_integers(path, arrays, "task") if "task" in arrays else None,
        tasks=tuple(arrays["tasks"].tolist()) if "tasks" in arrays else (),
    )


def _integers(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    found = arrays[name]
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise FormatError(
            f"{path}: {name!r} holds {found.dtype} of shape {found.shape}, expected one integer per frame"
        )
    return found.astype(np.int64)


def write(path: Path, parts: Iterable[Predictions], head: Mapping[str, Any]) -> None:
    """Nothing; writes all parts into one npz (they must fit in memory), checked as for Parquet."""
    found = [part for part in parts if len(part)]
    if not found:
        raise FormatError("no predictions to write; give at least one frame")
    for part in found[1:]:
        check_same("predictions", constants(found[0]), constants(part))
    whole = as_float32(_concatenate(found))
    check_order("predictions", NO_KEY, {"episode": whole.episode, "frame": whole.frame})
    _, draws, horizon, dims = whole.prediction.shape
    facts = {"horizon": horizon, "dims": dims, "draws": draws, "seeds": seeds(found)}
    facts |= print_metadata(_seeded(found), head)
    arrays: dict[str, Any] = {name: getattr(whole, name) for name in ("prediction", "episode", "frame", "length")}
    if whole.task is not None:
        arrays |= {"task": whole.task, "tasks": np.array(whole.tasks, np.str_)}
    texts = {"checkpoint": whole.checkpoint, "space": str(whole.space)}
    texts[contract.HEADER] = contract.print_header(KIND, LATEST, facts)
    with path.open("wb") as file:  # np.savez would add .npz to a bare path
        np.savez(file, **arrays, **{name: np.array(text) for name, text in texts.items()}, allow_pickle=False)


def _seeded(parts: list[Predictions]) -> Predictions:
    """The first part; without its seed where the parts have several."""
    first = parts[0]
    if all(part.metadata.get("seed") == first.metadata.get("seed") for part in parts):
        return first
    return replace(first, metadata={key: value for key, value in first.metadata.items() if key != "seed"})


def _concatenate(parts: list[Predictions]) -> Predictions:
    constants(parts[0])
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("prediction", "episode", "frame", "length")
    }
    if parts[0].task is None:
        return replace(parts[0], **joined)
    tasks = tuple(dict.fromkeys(text for part in parts for text in part.tasks))
    new = [np.array([tasks.index(text) for text in part.tasks], np.int64)[part.task] for part in parts]
    return replace(parts[0], **joined, task=np.concatenate(new), tasks=tasks)
