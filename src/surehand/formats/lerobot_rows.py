"""Frames of LeRobot episodes as arrays: which file and rows hold an episode, and whether they are what meta says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.lerobot_images import decode_images
from surehand.formats.lerobot_meta import EpisodeRow
from surehand.formats.parquet import RowReader, to_numpy
from surehand.frames import usable

if TYPE_CHECKING:
    import pyarrow as pa


class EpisodeReader:
    """Reads whole episodes; one file is open at a time, so asking in file order decodes each row once."""

    def __init__(
        self,
        columns: Sequence[str],
        *,
        shared_files: bool,
        step: int = 65_536,
        images: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.columns, self.step = columns, step  # step: rows decoded at a time
        self.images = images or {}  # columns that hold images, and their (h, w)
        self.shared_files = shared_files  # v3.0 keeps many episodes in a file, v2 one
        self._reader: RowReader | None = None
        self._places: dict[Path, dict[int, tuple[int, int]]] = {}

    def read(self, rows: Sequence[EpisodeRow]) -> dict[str, np.ndarray]:
        """Columns of these episodes, concatenated in the order given: each (N,) or (N, ...).

        Columns that no file has are left out. Raises FormatError where a file is missing, truncated or lacks the
        episode, ShapeError where an episode has another number of frames than the metadata states.
        """
        batches: dict[int, list[pa.RecordBatch]] = {row.index: [] for row in rows}
        # In file order, whatever the order asked for: a file is then decoded once per call.
        for path, sharing in groupby(sorted(rows, key=lambda row: (row.path, row.index)), key=lambda row: row.path):
            places = sorted((*self._place(path, row), row.index) for row in sharing if row.length or path.is_file())
            until = 0
            for i, (start, stop, index) in enumerate(places):
                if start >= until:  # a run of neighbours begins, which is decoded in one go
                    until = _run_end(places[i:])
                batches[index] = self._open(path).read(start, stop, until)
        ordered = [batch for row in rows for batch in batches[row.index]]
        where = _Where(rows)
        names = ordered[0].schema.names if ordered else []
        return {name: self._join(ordered, name, where) for name in self.columns if name in names}

    def read_images(self, row: EpisodeRow, name: str, frames: np.ndarray) -> np.ndarray:
        """The images of these ascending frames (n,) of one episode, (n, h, w, 3) uint8; no others are decoded.

        Errors as `read`; FormatError where the files have no such column.
        """
        place = self._place(row.path, row)  # opens the file
        where = _Where([row])
        columns, done = [], 0
        for batch in self._open(row.path).read(*place):
            inside = frames[(frames >= done) & (frames < done + len(batch))] - done
            columns.append(_column(batch, name, where, done).take(inside))
            done += len(batch)
        return decode_images(columns, self.images[name], f"column {name!r}", lambda i: where(int(frames[i])))

    def _join(self, batches: Sequence["pa.RecordBatch"], name: str, where: "_Where") -> np.ndarray:
        if name not in self.images:
            return _join(batches, name, where)
        columns, done = [], 0
        for batch in batches:
            columns.append(_column(batch, name, where, done))
            done += len(batch)
        return decode_images(columns, self.images[name], f"column {name!r}", where)

    def _open(self, path: Path) -> RowReader:
        if self._reader is None or self._reader.path != path:
            if not path.is_file() and not path.parents[1].is_dir():
                raise FormatError(
                    f"{path.parents[1]} is missing: this folder holds metadata only; fetch its data/ to read frames"
                )
            self._reader = RowReader(path, self.columns, self.step)
        return self._reader

    def _place(self, path: Path, row: EpisodeRow) -> tuple[int, int]:
        """First row of this episode in its file, and the row after its last."""
        reader = self._open(path)
        if self.shared_files:
            if path not in self._places:
                self._places[path] = _runs(path, reader)
            if row.index not in self._places[path] and row.length:
                raise FormatError(f"{path}: holds no row of episode {row.index}, which meta/episodes says is here")
            start, stop = self._places[path].get(row.index, (0, 0))
        else:
            start, stop = 0, reader.rows
        if stop - start != row.length:
            raise ShapeError(f"episode {row.index}: {row.length} frames by the metadata, {stop - start} in {path}")
        return start, stop


def _run_end(places: Sequence[tuple[int, int, int]]) -> int:
    """Where the rows of the first episode and of those that follow it without a gap end."""
    end = places[0][1]
    for start, stop, _ in places[1:]:
        if start != end:
            break
        end = stop
    return end


def _runs(path: Path, reader: RowReader) -> dict[int, tuple[int, int]]:
    """First and last row + 1 of each episode in a shared file."""
    if "episode_index" not in reader.columns:
        raise FormatError(f"{path}: no column episode_index, so its episodes cannot be told apart")
    scan = RowReader(path, ["episode_index"])
    batches = scan.read(0, scan.rows)
    if not batches:
        return {}
    episode = np.concatenate([to_numpy(batch["episode_index"], f"{path} episode_index") for batch in batches])
    starts = np.flatnonzero(np.diff(episode, prepend=episode[0] - 1))
    found: dict[int, tuple[int, int]] = {}
    for index, start, stop in zip(
        episode[starts].tolist(), starts.tolist(), [*starts[1:].tolist(), len(episode)], strict=True
    ):
        if index in found:
            raise FormatError(
                f"{path}: rows of episode {index} lie apart, around row {start}; sort the file by episode"
            )
        found[index] = (start, stop)
    return found


class _Where:
    """Says which episode and frame a row of the joined columns is."""

    def __init__(self, rows: Sequence[EpisodeRow]) -> None:
        self.rows, self.ends = rows, np.cumsum([row.length for row in rows])

    def __call__(self, i: int) -> str:
        place = int(np.searchsorted(self.ends, i, side="right"))
        row = self.rows[place]
        return f"episode {row.index} frame {i - int(self.ends[place]) + row.length}"


def _join(batches: Sequence["pa.RecordBatch"], name: str, where: Callable[[int], str]) -> np.ndarray:
    """One column of all batches; files may differ in its type (list, fixed_size_list), not in its width."""
    import pyarrow as pa

    parts: list[np.ndarray] = []
    done = 0
    for _, alike in groupby((_column(batch, name, where, done) for batch in batches), key=lambda column: column.type):
        column = pa.concat_arrays(list(alike))
        part = to_numpy(column, f"column {name!r}", lambda i, done=done: where(done + i))  # type: ignore[misc]
        if parts and part.shape[1:] != parts[0].shape[1:]:
            raise ShapeError(
                f"column {name!r}: {where(done)} has shape {part.shape[1:]}, those before it {parts[0].shape[1:]}"
            )
        parts.append(part)
        done += len(part)
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _column(batch: "pa.RecordBatch", name: str, where: Callable[[int], str], done: int) -> "pa.Array":
    if name not in batch.schema.names:
        raise FormatError(f"column {name!r} is in some data files and not in others (missing near {where(done)})")
    return batch[name]


def first_not_finite(action: np.ndarray, episode: np.ndarray, frame: np.ndarray) -> str | None:
    """Where the first unusable value of (N, D) actions is, as "episode 3, frame 17, dimension 2: nan", or None."""
    finite = usable(action)
    if finite.all():
        return None
    row, dim = np.argwhere(~finite)[0]
    place = f"episode {episode[row]}, frame {frame[row]}, dimension {dim}"
    return f"{place}: {action[row, dim]} ({np.size(finite) - finite.sum()} such values)"


def episode_slices(episode: np.ndarray) -> Iterator[tuple[int, slice]]:
    """(episode number, its rows) for each run of equal numbers in (N,)."""
    starts = np.flatnonzero(np.diff(episode, prepend=episode[:1] - 1))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(episode)], strict=True):
        yield int(episode[start]), slice(start, stop)
