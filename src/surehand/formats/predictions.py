"""Recorded predictions: one file per checkpoint, Parquet or npz by suffix; open, stream, read, write."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError
from surehand.formats import predictions_npz, predictions_read, predictions_schema, predictions_write
from surehand.formats.contract import replacing
from surehand.frames import Predictions, Space


@dataclass(frozen=True, eq=False)
class PredictionsFile:
    """A file of predictions: what it says of itself, and its rows on request.

    `rows` counts draws times frames; `metadata` is the whole header: schema_version, surehand (the version that
    wrote it), horizon, dims, draws, seeds, layout, data_identity, and the writer's own `metadata`.
    """

    path: Path
    checkpoint: str
    horizon: int
    dims: int
    draws: int
    space: Space
    metadata: Mapping[str, Any]
    rows: int
    _stream: Callable[[int], Iterator[Predictions]] = field(repr=False)
    _episodes: Callable[[], np.ndarray] = field(repr=False)

    @property
    def frames(self) -> int:
        """Frames in the file (N)."""
        return self.rows // self.draws

    def episodes(self) -> np.ndarray:
        """Episodes that have predictions, ascending (E,) int64; reads that column alone."""
        return self._episodes()

    def batches(self, frames: int = 65_536) -> Iterator[Predictions]:
        """Whole episodes in order, at most `frames` frames at a time (more only where one episode is longer).

        Memory stays constant for Parquet. The arrays may be read-only views of what was read. FormatError or
        ShapeError names the first row that is unsorted, repeated, incomplete or not finite.
        """
        if frames < 1:
            raise FormatError(f"batches of {frames} frames; ask for at least 1")
        return self._stream(frames)

    def read(self) -> Predictions:
        """Everything in one object; prediction is (N, K, H, D) float32."""
        return join(self.batches(), self.frames)


def open_predictions(path: str | os.PathLike[str]) -> PredictionsFile:
    """The file at `path`, its header read; FormatError, ShapeError or SpaceError in one line where it is not valid."""
    target = Path(path)
    if _is_npz(target):
        part, head = predictions_npz.read(target)
        n, draws, horizon, dims = part.prediction.shape
        return PredictionsFile(
            target, part.checkpoint or target.stem, horizon, dims, draws, part.space, head, n * draws,
            lambda frames: predictions_read.split_episodes(part, frames),
            lambda: np.unique(part.episode),
        )  # fmt: skip
    facts = predictions_schema.read_facts(target)
    name = facts.checkpoint or target.stem
    return PredictionsFile(
        target, name, facts.horizon, facts.dims, facts.draws, facts.space, facts.head, facts.rows,
        lambda frames: predictions_read.read_batches(target, facts, frames),
        lambda: predictions_read.read_episodes(target),
    )  # fmt: skip


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """All predictions of the file; use `open_predictions(path).batches()` where they do not fit in memory."""
    return open_predictions(path).read()


def write_predictions(
    path: str | os.PathLike[str],
    predictions: Predictions | Iterable[Predictions],
    *,
    layout: object | None = None,
    data_identity: str = "",
    overwrite: bool = False,
) -> Path:
    """The path written, whole or not at all, from one object or from parts in (episode, frame) order.

    `layout` (a Layout or its pattern) and `data_identity` (the dataset's content hash) default to what
    `predictions.metadata` says. Numbers are stored as float32. Steps past a frame's valid length that are not finite
    become 0. FormatError, ShapeError: parts that are unsorted, repeated, not finite or of several checkpoints,
    spaces, generators, knobs or shapes; a file that exists; a folder that cannot be written.
    """
    target = Path(path)
    parts = [predictions] if isinstance(predictions, Predictions) else predictions
    head = {"layout": str(layout) if layout is not None else "", "data_identity": data_identity}
    write = predictions_npz.write if _is_npz(target) else predictions_write.write
    with replacing(target, overwrite) as temporary:
        write(temporary, parts, head)
    return target


def join(batches: Iterable[Predictions], frames: int) -> Predictions:
    """One object from batches that hold `frames` frames together."""
    batches = iter(batches)
    last = first = next(batches)
    if len(first) == frames:
        return first
    columns = {f.name: getattr(first, f.name) for f in fields(first) if isinstance(getattr(first, f.name), np.ndarray)}
    arrays: dict[str, Any] = {
        name: np.empty((frames, *column.shape[1:]), column.dtype) for name, column in columns.items()
    }
    start = 0
    for last in chain([first], batches):
        for name, array in arrays.items():
            array[start : start + len(last)] = getattr(last, name)
        start += len(last)
    return replace(last, **arrays)


def _is_npz(path: Path) -> bool:
    """True for npz, False for Parquet; FormatError for any other suffix."""
    if path.suffix not in (".npz", ".parquet"):
        raise FormatError(f"{path}: predictions are .parquet or .npz, by suffix; found {path.suffix or 'none'!r}")
    return path.suffix == ".npz"
