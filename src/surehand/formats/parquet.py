"""Parquet files opened with care: one clear line where a file is missing, truncated or lacks a column."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


@contextmanager
def named_errors(path: str | PathLike[str]) -> Iterator[None]:
    """Arrow's and the system's complaints about this file, raised as FormatError with its name."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; the dataset is incomplete, download it again") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FormatError(f"{path}: not a readable Parquet file ({reason}); download or write it again") from None


def open_parquet(path: str | PathLike[str]) -> "pq.ParquetFile":
    """The file, not memory-mapped: mapped pages count as memory in use; FormatError where it cannot be opened."""
    import pyarrow.parquet as pq

    with named_errors(path):
        return pq.ParquetFile(path)


def read_table(
    path: Path, *, required: Sequence[str] = (), optional: Sequence[str] = (), matching: str | None = None
) -> "pa.Table":
    """A small table: all its columns, or the required, the optional and those whose name starts with `matching`."""
    file = open_parquet(path)
    present = file.schema_arrow.names
    missing = [name for name in required if name not in present]
    if missing:
        raise FormatError(f"{path}: no column {', '.join(missing)}; it has {', '.join(present)}")
    columns = [name for name in present if name in (*required, *optional) or (matching and name.startswith(matching))]
    with named_errors(path):
        return file.read(columns=columns if optional or matching else None)


class RowReader:
    """The rows of one Parquet file, decoded forward in steps: memory holds a step and the row groups it touches.

    Asking for ascending rows decodes each once; asking backwards starts again at the row group that holds them.
    """

    def __init__(self, path: Path, columns: Sequence[str], step: int = 65_536) -> None:
        self.path, self.step = path, step
        self.file = open_parquet(path)
        present = self.file.schema_arrow.names
        self.columns = [name for name in columns if name in present]
        sizes = [self.file.metadata.row_group(i).num_rows for i in range(self.file.metadata.num_row_groups)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)  # row groups begin here, then the end
        self._stream: Iterator[Any] = iter(())
        self._held: Any = None  # the record batch decoded last
        self._first = self._end = 0  # its rows in the file
        self._stream_end = 0  # where the row groups being decoded end

    @property
    def rows(self) -> int:
        """Number of rows in the file."""
        return int(self.starts[-1])

    def read(self, start: int, stop: int, until: int = 0) -> list["pa.RecordBatch"]:
        """Rows start..stop-1 as record batches that share the decoded memory; `until`: rows wanted right after them."""
        if start >= stop:
            return []
        pieces = []
        with named_errors(self.path):
            if not self._first <= start <= max(self._end, self._stream_end - 1):
                self._seek(start)
            at = start
            while at < stop:
                if at >= self._end:
                    self._advance(max(stop, until))
                    continue
                take = min(stop, self._end) - at
                pieces.append(self._held.slice(at - self._first, take))
                at += take
        return pieces

    def _seek(self, start: int) -> None:
        self._first = self._end = self._stream_end = int(self.starts[self._group(start)])
        self._stream = iter(())

    def _advance(self, until: int) -> None:
        batch = next(self._stream, None)
        if batch is None:
            # Only the row groups that the request reaches: the rest may never be asked for.
            first, last = self._group(self._end), self._group(until - 1)
            self._stream = self.file.iter_batches(self.step, row_groups=range(first, last + 1), columns=self.columns)
            self._stream_end = int(self.starts[last + 1])
            batch = next(self._stream)
        self._held = batch
        self._first, self._end = self._end, self._end + len(batch)

    def _group(self, row: int) -> int:
        return int(np.searchsorted(self.starts, row, side="right")) - 1


def to_numpy(column: "pa.Array", what: str, where: Callable[[int], str] = "row {}".format) -> np.ndarray:
    """(N,) or (N, D) numbers of one Arrow column; ShapeError at the first row that is absent or of another length."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise ShapeError(f"{what}: {where(row)} holds no value; every frame needs one")
    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        return _reshape(column, kind.list_size, what, where)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        if len(lengths) and (lengths != lengths[0]).any():
            row = int(np.argmax(lengths != lengths[0]))
            raise ShapeError(f"{what}: {where(row)} holds {lengths[row]} values, those before it {lengths[0]}")
        return _reshape(column, int(lengths[0]) if len(lengths) else 0, what, where)
    if pa.types.is_struct(kind) or pa.types.is_binary(kind):
        raise FormatError(f"{what}: holds {kind}, not numbers; leave image columns out")
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _reshape(column: "pa.Array", width: int, what: str, where: Callable[[int], str]) -> np.ndarray:
    inner = to_numpy(column.flatten(), what, lambda i: where(i // max(width, 1)))
    return inner.reshape(len(column), width, *inner.shape[1:])
