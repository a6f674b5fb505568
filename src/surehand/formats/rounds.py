"""Decision rounds as Parquet: one row per decision with K candidates, streamed in and appended row by row."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats import contract
from surehand.formats.predictions_check import NO_KEY, Key, check_order
from surehand.frames import Round

KIND, LATEST = "rounds", 1
ROWS_PER_GROUP = 256  # a row may hold a megabyte of candidates and traces
MANY_SEEDS = 100  # beyond this the header lists none: every row has its own

_PER_CANDIDATE = ("score", "log_p", "token_entropy", "violation")
_ARRAYS = (*_PER_CANDIDATE, "features", "embedding")
_SINGLES = ("value", "latency")  # NaN in memory, null in the file


def schema() -> Any:
    """The pyarrow schema of one row per decision; lists are ragged, H and D of the candidates stand in the header."""
    import pyarrow as pa

    numbers = pa.list_(pa.float64())
    return pa.schema(
        [
            pa.field("episode", pa.int64(), nullable=False),
            pa.field("initial_state", pa.string(), nullable=False),
            pa.field("step", pa.int64(), nullable=False),
            pa.field("task", pa.string(), nullable=False),
            pa.field("k", pa.int32(), nullable=False),
            pa.field("candidates", pa.list_(pa.float32()), nullable=False),
            pa.field("score", numbers, nullable=False),
            pa.field("selected", pa.int32(), nullable=False),
            pa.field("verifier", pa.string(), nullable=False),
            pa.field("generator", pa.string(), nullable=False),
            pa.field("knob", pa.string(), nullable=False),
            pa.field("value", pa.float64()),
            pa.field("seed", pa.int64(), nullable=False),
            pa.field("executed", pa.bool_(), nullable=False),
            pa.field("verdict", pa.string(), nullable=False),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("log_p", numbers),
            pa.field("token_entropy", numbers),
            pa.field("violation", numbers),
            pa.field("features", numbers),
            pa.field("embedding", pa.list_(pa.float32())),
            pa.field("traces", pa.map_(pa.string(), numbers), nullable=False),
            pa.field("faults", pa.list_(pa.string()), nullable=False),
            pa.field("latency", pa.float64()),
        ]
    )


@dataclass(frozen=True)
class RoundsFile:
    """A file of rounds: what it says of itself; iterating streams the rows, so memory stays constant."""

    path: Path
    horizon: int
    dims: int
    metadata: Mapping[str, Any]
    rows: int

    def __iter__(self) -> Iterator[Round]:
        """Rounds in (episode, step) order; FormatError or ShapeError names the first row that is not valid."""
        import pyarrow as pa

        last: Key = NO_KEY
        with contract.open_parquet(self.path, KIND) as file:
            try:
                for batch in file.iter_batches(batch_size=ROWS_PER_GROUP, columns=schema().names):
                    keys = {name: batch.column(name).to_numpy() for name in ("episode", "step")}
                    last = check_order(str(self.path), last, keys)
                    yield from _parse_batch(self, batch)
            except (pa.ArrowException, OSError) as error:
                raise contract.damaged(self.path, error) from None

    def read(self) -> list[Round]:
        """All rounds of the file."""
        return list(self)


def open_rounds(path: str | os.PathLike[str]) -> RoundsFile:
    """The file at `path`, its header read; FormatError where it is not a rounds file this surehand reads."""
    target = Path(path)
    with contract.open_parquet(target, KIND) as file:
        head = contract.parse_header(target, (file.metadata.metadata or {}).get(b"surehand"), KIND, LATEST)
        contract.check_columns(target, file.schema_arrow, schema())
        horizon, dims = (contract.need(target, head, key, int) for key in ("horizon", "dims"))
        return RoundsFile(target, horizon, dims, head, file.metadata.num_rows)


def read_rounds(path: str | os.PathLike[str]) -> list[Round]:
    """All rounds of the file; iterate over `open_rounds(path)` where they do not fit in memory."""
    return open_rounds(path).read()


def write_rounds(
    path: str | os.PathLike[str],
    rounds: Iterable[Round],
    *,
    layout: object | None = None,
    data_identity: str = "",
    overwrite: bool = False,
) -> Path:
    """The path written, whole or not at all; rounds are taken one by one."""
    with RoundWriter(path, layout=layout, data_identity=data_identity, overwrite=overwrite) as writer:
        for item in rounds:
            writer.append(item)
    return Path(path)


@dataclass
class RoundWriter:
    """Appends rounds to a new file, a row group at a time; the file appears when the `with` block ends well.

    H and D are those of the first round; K may differ from row to row. Non-finite scores and candidates are kept as
    they were logged: a fault is a fact of the round.
    """

    path: str | os.PathLike[str]
    layout: object | None = None
    data_identity: str = ""
    overwrite: bool = False
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)
    _waiting: list[dict[str, Any]] = field(default_factory=list, repr=False)
    _seeds: dict[int, None] = field(default_factory=dict, repr=False)
    _writer: Any = field(default=None, repr=False)
    _last: Key = NO_KEY
    _size: tuple[int, int] = (0, 0)

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(contract.replacing(self.path, self.overwrite))
        return self

    def append(self, item: Round) -> None:
        """Nothing; FormatError or ShapeError where the round does not fit its K, the file's H and D, or the order."""
        where = f"round of episode {item.episode} step {item.step}"
        check_round(where, item, self._size)
        self._size = (int(item.candidates.shape[1]), int(item.candidates.shape[2]))
        keys = {"episode": np.array([item.episode]), "step": np.array([item.step])}
        self._last = check_order("rounds", self._last, keys)
        self._seeds[int(item.seed)] = None
        self._waiting.append(_print_round(item))
        if len(self._waiting) == ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._waiting:
            return
        if self._writer is None:
            columns = schema().with_metadata(self._header({}))
            self._writer = self._stack.enter_context(pq.ParquetWriter(self._temporary, columns, compression="zstd"))
        self._writer.write_table(pa.Table.from_pylist(self._waiting, self._writer.schema))
        self._waiting.clear()

    def _header(self, more: Mapping[str, Any]) -> dict[str, str]:
        facts = {"horizon": self._size[0], "dims": self._size[1], "data_identity": self.data_identity, **more}
        facts["layout"] = str(self.layout) if self.layout else ""
        return {contract.HEADER: contract.print_header(KIND, LATEST, facts)}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._close()
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._stack.__exit__(kind, error, traceback)

    def _close(self) -> None:
        if self._last == NO_KEY:
            raise FormatError("no rounds to write; append at least one")
        self._flush()
        seeds = list(self._seeds) if len(self._seeds) <= MANY_SEEDS else []
        # Only now are all seeds known; the footer's header wins over the schema's.
        self._writer.add_key_value_metadata(self._header({"seeds": seeds}))


def check_round(where: str, item: Round, size: tuple[int, int] = (0, 0)) -> None:
    """Nothing, or ShapeError where arrays disagree with K, or H and D with those of the file (`size`)."""
    if item.candidates.ndim != 3 or 0 in item.candidates.shape[1:]:
        raise ShapeError(f"{where}: candidates have shape {item.candidates.shape}, expected (K, H, D)")
    k, horizon, dims = item.candidates.shape
    if size != (0, 0) and size != (horizon, dims):
        raise ShapeError(f"{where}: candidates are {horizon} steps × {dims} dims, the file's are {size[0]} × {size[1]}")
    for name in _PER_CANDIDATE:
        values = getattr(item, name)
        if values is not None and values.shape != (k,):
            raise ShapeError(f"{where}: {name} has shape {values.shape}, expected one number for each of K = {k}")
    if not -1 <= item.selected < k:
        raise ShapeError(f"{where}: selected {item.selected} of K = {k} candidates; -1 means none")


def _print_round(item: Round) -> dict[str, Any]:
    row = {name: getattr(item, name) for name in schema().names if name not in ("k", "candidates", "traces", "faults")}
    row |= {name: None if math.isnan(row[name]) else row[name] for name in _SINGLES}
    row |= {name: None if row[name] is None else np.asarray(row[name]).tolist() for name in _ARRAYS}
    row["k"] = len(item.candidates)
    row["candidates"] = np.asarray(item.candidates, np.float32).reshape(-1)
    row["traces"] = [(name, np.asarray(trace, float)) for name, trace in item.traces.items()]
    row["faults"] = list(item.faults)
    return row


def _parse_batch(file: RoundsFile, batch: Any) -> Iterator[Round]:
    arrays = {name: _ragged(batch.column(name)) for name in (*_ARRAYS, "candidates")}
    others = [name for name in batch.schema.names if name not in arrays]
    for i, row in enumerate(batch.select(others).to_pylist()):
        where = f"{file.path}: round of episode {row['episode']} step {row['step']}"
        k = row.pop("k")
        flat = arrays["candidates"][i]
        if flat is None or flat.size != k * file.horizon * file.dims:
            found = 0 if flat is None else flat.size
            raise ShapeError(f"{where}: {found} candidate numbers, expected K·H·D = {k}·{file.horizon}·{file.dims}")
        row |= {name: column[i] for name, column in arrays.items()}
        row["candidates"] = flat.reshape(k, file.horizon, file.dims)
        row["traces"] = {name: np.array(trace, float) for name, trace in row["traces"]}
        row["faults"] = tuple(row["faults"])
        row |= {name: math.nan if row[name] is None else row[name] for name in _SINGLES}
        item = Round(**row)
        check_round(where, item)
        yield item


def _ragged(column: Any) -> list[np.ndarray | None]:
    """Each row's list as an array that shares the file's memory, None where null."""
    offsets = column.offsets.to_numpy()
    values = column.values.to_numpy(zero_copy_only=False)
    known = column.is_valid().to_numpy(zero_copy_only=False)
    return [values[offsets[i] : offsets[i + 1]] if known[i] else None for i in range(len(column))]
