"""Predictions to Parquet: parts in order, each checked, in row groups that end where episodes end."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError
from surehand.formats import contract
from surehand.formats.predictions_check import (
    NO_KEY,
    Key,
    as_float32,
    check_order,
    check_same,
    constants,
    print_metadata,
    seeds,
)
from surehand.formats.predictions_schema import KIND, LATEST, ROW_GROUP_VALUES, schema
from surehand.frames import Predictions


@contextmanager
def _parquet_writer(path: Path, columns: Any) -> Iterator[Any]:
    import pyarrow.parquet as pq

    # Byte-stream-split puts the slowly changing exponent bytes of floats side by side, where zstd finds them.
    writer = pq.ParquetWriter(
        path,
        columns,
        compression="zstd",
        use_dictionary=["checkpoint", "episode", "frame", "task", "draw", "length", "space", "generator", "knob"],
        use_byte_stream_split=["prediction.list.element"],
    )
    with writer:
        yield writer


@dataclass
class _Sink:
    """Collects tables until they fill a row group."""

    writer: Any
    rows_per_group: int
    waiting: list[Any] = field(default_factory=list)
    rows: int = 0

    def add(self, table: Any) -> None:
        """Nothing; takes one episode's rows (or a piece of one) and writes when the next would not fit."""
        if self.waiting and self.rows + table.num_rows > self.rows_per_group:
            self.flush()
        self.waiting.append(table)
        self.rows += table.num_rows

    def flush(self) -> None:
        import pyarrow as pa

        if self.waiting:
            self.writer.write_table(pa.concat_tables(self.waiting), row_group_size=self.rows)
        self.waiting, self.rows = [], 0


def write(path: Path, parts: Iterable[Predictions], head: Mapping[str, Any]) -> None:
    """Nothing; writes one file from parts in order, each checked before its first byte is written.

    `head` holds the header's facts that no part knows (layout, data identity).
    """
    parts = (part for part in parts if len(part))
    first = next(parts, None)
    if first is None:
        raise FormatError("no predictions to write; give at least one frame")
    said = constants(first)
    _, draws, horizon, dims = first.prediction.shape
    frames = max(1, ROW_GROUP_VALUES // (draws * horizon * dims))
    found: dict[int, None] = {}
    last: Key = NO_KEY
    facts = {"horizon": horizon, "dims": dims, "draws": draws}
    facts |= print_metadata(first, head, ("seed", "generator", "knob", "knob_value"))
    with _parquet_writer(path, schema(horizon, dims).with_metadata(_header(facts))) as writer:
        sink = _Sink(writer, frames * draws)
        for part in chain([first], parts):
            check_same("predictions", said, constants(part))
            last = check_order("predictions", last, {"episode": part.episode, "frame": part.frame})
            part = as_float32(part)
            found |= dict.fromkeys(seeds([part]))
            for piece in _pieces(part, frames):
                sink.add(_table(piece))
        sink.flush()
        # Only now are all seeds known; the footer's header wins over the schema's, which survives other software.
        writer.add_key_value_metadata(_header({**facts, "seeds": list(found)}))


def _header(facts: Mapping[str, Any]) -> dict[str, str]:
    return {contract.HEADER: contract.print_header(KIND, LATEST, facts)}


def _pieces(part: Predictions, frames: int) -> Iterator[Predictions]:
    """One episode at a time; an episode longer than a row group in several pieces."""
    ends = np.append(np.flatnonzero(np.diff(part.episode)) + 1, len(part))
    for start, stop in zip(np.append(0, ends[:-1]), ends, strict=True):
        for at in range(start, stop, frames):
            yield part.take(slice(at, min(at + frames, stop)))


def _table(part: Predictions) -> Any:
    """One row per draw; copies the numbers, so that the caller may reuse its arrays."""
    import pyarrow as pa

    n, draws, horizon, dims = part.prediction.shape
    values = np.array(part.prediction, np.float32, order="C").reshape(-1)
    fields = schema(horizon, dims)
    said = constants(part) | {"seed": part.metadata.get("seed")}
    columns: dict[str, Any] = {
        "episode": part.episode.astype(np.int64).repeat(draws),
        "frame": part.frame.astype(np.int64).repeat(draws),
        "draw": np.tile(np.arange(draws, dtype=np.int32), n),
        "length": part.length.astype(np.int32).repeat(draws),
        "prediction": pa.FixedSizeListArray.from_arrays(pa.array(values), type=fields.field("prediction").type),
    }
    if part.task is not None:
        columns["task"] = pa.array(part.tasks, pa.string()).take(pa.array(part.task.repeat(draws)))
    for name in fields.names:
        if name not in columns:
            columns[name] = pa.repeat(pa.scalar(said.get(name), fields.field(name).type), n * draws)
    return pa.table([pa.array(columns[name], fields.field(name).type) for name in fields.names], schema=fields)
