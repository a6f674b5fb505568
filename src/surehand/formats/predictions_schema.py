"""Predictions as Parquet: the schema, and what a file says of all its rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError, ShapeError
from surehand.formats import contract
from surehand.formats.predictions_check import parse_metadata
from surehand.frames import Space

KIND, LATEST = "predictions", 1

# Measured: smaller row groups cost footer space, larger ones leave the cache between decoding and use.
ROW_GROUP_VALUES = 2_000_000

# One value per file, so a reader takes them from the column statistics without reading the columns.
CONSTANTS = ("checkpoint", "space", "generator", "knob", "knob_value")


def schema(horizon: int, dims: int) -> Any:
    """The pyarrow schema of one row per draw: (episode, frame, draw) and a chunk of horizon · dims numbers."""
    import pyarrow as pa

    chunk = pa.list_(pa.field("element", pa.float32(), nullable=False), horizon * dims)
    return pa.schema(
        [
            pa.field("checkpoint", pa.string(), nullable=False),
            pa.field("episode", pa.int64(), nullable=False),
            pa.field("frame", pa.int64(), nullable=False),
            pa.field("task", pa.string()),
            pa.field("draw", pa.int32(), nullable=False),
            pa.field("prediction", chunk, nullable=False),
            pa.field("length", pa.int32(), nullable=False),
            pa.field("space", pa.string(), nullable=False),
            pa.field("seed", pa.int64()),
            pa.field("generator", pa.string()),
            pa.field("knob", pa.string()),
            pa.field("knob_value", pa.float64()),
        ]
    )


@dataclass(frozen=True, eq=False)
class Facts:
    """What one file says of all its rows."""

    where: str
    checkpoint: str
    space: Space
    horizon: int
    dims: int
    draws: int
    rows: int
    metadata: dict[str, Any]  # what Predictions.metadata holds
    head: dict[str, Any]
    has_tasks: bool


def read_facts(path: Path) -> Facts:
    """What the file says of all its rows, from the footer; raises FormatError or ShapeError naming what is wrong."""
    file = contract.open_parquet(path, KIND)
    with file:
        head = contract.parse_header(path, (file.metadata.metadata or {}).get(b"surehand"), KIND, LATEST)
        horizon, dims, draws = (contract.need(path, head, key, int) for key in ("horizon", "dims", "draws"))
        _check_size(path, file.schema_arrow, horizon, dims, draws)
        contract.check_columns(path, _plain(file.schema_arrow), _plain(schema(horizon, dims)))
        if file.metadata.num_rows == 0:
            raise FormatError(f"{path}: no predictions in the file; write it again")
        values = {name: _constant(path, file, name) for name in CONSTANTS}
        seed = _one_value(file, "seed")
        metadata = {**parse_metadata(head), **{n: values[n] for n in CONSTANTS[2:] if values[n] is not None}}
        if seed is not None:
            metadata["seed"] = seed
        return Facts(
            where=str(path),
            checkpoint=values["checkpoint"],
            space=Space.parse(values["space"]),
            horizon=horizon,
            dims=dims,
            draws=draws,
            rows=file.metadata.num_rows,
            metadata=metadata,
            head={"seeds": [] if seed is None else [seed], **head},
            has_tasks=_distinct(file, "task") != [None],
        )


def _check_size(path: Path, found: Any, horizon: int, dims: int, draws: int) -> None:
    if min(horizon, dims, draws) < 1:
        raise ShapeError(f"{path}: header says H = {horizon}, D = {dims}, K = {draws}; each must be at least 1")
    size = getattr(found.field("prediction").type, "list_size", None) if "prediction" in found.names else None
    if size is not None and size != horizon * dims:
        raise ShapeError(
            f"{path}: rows hold {size} numbers, but its header says H·D = {horizon}·{dims}; write it again"
        )


def _plain(found: Any) -> Any:
    """The schema with the list's item named one way: other writers differ there, and it does not matter."""
    import pyarrow as pa

    if "prediction" not in found.names or not pa.types.is_fixed_size_list(found.field("prediction").type):
        return found
    kind = found.field("prediction").type
    at = found.get_field_index("prediction")
    return found.set(at, pa.field("prediction", pa.list_(kind.value_type, kind.list_size)))


def _statistics(file: Any, name: str) -> list[Any]:
    """(rows, statistics or None) of one column for each row group."""
    paths = [file.schema.column(i).path for i in range(len(file.schema))]
    groups = [file.metadata.row_group(i).column(paths.index(name)) for i in range(file.metadata.num_row_groups)]
    return [(group.num_values, group.statistics) for group in groups]


def _one_value(file: Any, name: str) -> Any:
    """The column's only value, or None where it is all null or has several."""
    found = _distinct(file, name)
    return found[0] if len(found) == 1 else None


def _distinct(file: Any, name: str) -> list[Any]:
    """Distinct values of a column, null as None; at least two where there are more than one."""
    found: dict[Any, None] = {}
    for rows, s in _statistics(file, name):
        if s is None or not s.has_null_count or not (s.has_min_max or s.null_count == rows):
            column = file.read(columns=[name]).column(0)
            return list(column.unique().to_pylist())
        if s.null_count:
            found[None] = None
        if s.null_count < rows:
            found |= {s.min: None, s.max: None}
    return list(found)


def _constant(path: Path, file: Any, name: str) -> Any:
    found = _distinct(file, name)
    if len(found) > 1:
        shown = " and ".join(repr(value) for value in found[:2])
        raise FormatError(f"{path}: {name} {shown} in one file; write one file for each")
    return found[0]
