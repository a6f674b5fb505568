"""Trials on a robot: one row per trial, from a sheet (CSV) or Parquet, asked for by policy name."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError
from surehand.formats import contract
from surehand.formats.trial_rows import LATER, NAMES, TYPES, Trial, check
from surehand.formats.trial_sheet import read_sheet, write_sheet

KIND, LATEST = "trials", 1
# What the file says beside its rows.
HEADER = ("layout", "data_identity", "seeds", "study", "planned", "rubric", "stop")


@dataclass(frozen=True)
class Trials:
    """All rows of a sheet in order, superseded and void ones included; `t["baseline"]` is one policy's.

    >>> t = Trials((Trial(1, "pi05_baseline", score=4.0), Trial(1, "pi05_ours", score=3.0)))
    >>> t.policies, t["ours"].scores
    (('pi05_baseline', 'pi05_ours'), array([3.]))
    """

    rows: tuple[Trial, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    sheet: "Trials | None" = field(default=None, repr=False, compare=False)  # the whole, where this is one policy's

    @property
    def policies(self) -> tuple[str, ...]:
        """Policy codes in the order they first appear."""
        return tuple(dict.fromkeys(row.policy for row in self.rows))

    def __getitem__(self, policy: str) -> "Trials":
        """The trials of one policy, by its code or by a part of it that only one code has."""
        found = [name for name in self.policies if name == policy]
        found = found or [name for name in self.policies if policy.lower() in name.lower()]
        if len(found) == 1:
            rows = tuple(row for row in self.rows if row.policy == found[0])
            return replace(self, rows=rows, sheet=self.sheet or self)
        if found:
            raise FormatError(f"{policy!r} could be {' or '.join(found)}; give the whole code")
        near = difflib.get_close_matches(policy, self.policies, 1, 0)
        raise FormatError(f"no trials of policy {policy!r} among {', '.join(self.policies)}; did you mean {near[0]!r}?")

    @cached_property
    def counted(self) -> tuple[Trial, ...]:
        """The rows that count: neither void nor replaced by a correction."""
        replaced = {(row.policy, row.corrects) for row in self.rows if row.corrects is not None}
        return tuple(row for row in self.rows if not row.void and (row.policy, row.trial) not in replaced)

    @property
    def scores(self) -> np.ndarray:
        """Scores of the counted trials (N,) float; FormatError names the first trial that has none."""
        return np.array([_known(row, "score") for row in self.counted], float)

    @property
    def successes(self) -> np.ndarray:
        """Whether each counted trial succeeded (N,) bool; FormatError names the first that does not say."""
        return np.array([_known(row, "success") for row in self.counted], bool)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.rows)


def _known(row: Trial, name: str) -> float | bool:
    value: float | bool | None = getattr(row, name)
    if value is None:
        raise FormatError(f"trial {row.trial} of {row.policy!r} has no {name}; fill it in, or mark the trial void")
    return value


def read_trials(path: str | os.PathLike[str]) -> Trials:
    """The trials in a CSV or Parquet file; a sheet needs `policy` (or `model`), `trial`, and `score` or `success`.

    FormatError names line (or row) and what was found there, or the column that is missing, unknown or repeated.
    """
    target = Path(path)
    if _is_parquet(target):
        return _read_parquet(target)
    return Trials(read_sheet(target), source=str(target))


def write_trials(
    path: str | os.PathLike[str],
    trials: Trials | Iterable[Trial],
    *,
    layout: object | None = None,
    data_identity: str = "",
    seeds: Iterable[int] = (),
    overwrite: bool = False,
) -> Path:
    """The path written, whole or not at all; a CSV holds the rows alone, Parquet the metadata too.

    `data_identity` is the hash of the schedule, `seeds` those that randomised it.
    """
    rows = tuple(trials)
    known = dict(trials.metadata) if isinstance(trials, Trials) else {}
    given = {"layout": str(layout) if layout else "", "data_identity": data_identity, "seeds": [int(s) for s in seeds]}
    head = {**given, **known, **{key: value for key, value in given.items() if value}}
    check([(f"trial {i}", row) for i, row in enumerate(rows, start=1)])
    target = Path(path)
    if not _is_parquet(target):
        return write_sheet(target, rows, overwrite)
    with contract.replacing(target, overwrite) as temporary:
        _write_parquet(temporary, rows, head)
    return target


def _is_parquet(path: Path) -> bool:
    if path.suffix not in (".csv", ".parquet"):
        raise FormatError(f"{path}: trials are .csv or .parquet, by suffix; found {path.suffix or 'none'!r}")
    return path.suffix == ".parquet"


def schema() -> Any:
    """The pyarrow schema: one row per trial, null where the sheet does not say."""
    import pyarrow as pa

    kinds = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    kinds[datetime] = pa.timestamp("us", "UTC")
    always = ("trial", "policy", "void")
    return pa.schema([pa.field(name, kinds[TYPES[name]], nullable=name not in always) for name in NAMES])


def _read_parquet(path: Path) -> Trials:
    import pyarrow as pa

    with contract.open_parquet(path, KIND) as file:
        head = contract.parse_header(path, (file.metadata.metadata or {}).get(b"surehand"), KIND, LATEST)
        found = file.schema_arrow.names
        names = [name for name in NAMES if name in found or name not in LATER]
        contract.check_columns(path, file.schema_arrow, [schema().field(name) for name in names])
        try:
            columns = file.read(columns=names).to_pydict()
        except (pa.ArrowException, OSError, OverflowError) as error:  # a time that no calendar has
            raise contract.damaged(path, error) from None
    texts = {name for name in NAMES if TYPES[name] is str}
    values: dict[str, Any] = {n: ["" if v is None else v for v in c] if n in texts else c for n, c in columns.items()}
    rows = [Trial(**dict(zip(values, row, strict=True))) for row in zip(*values.values(), strict=True)]
    if not rows:
        raise FormatError(f"{path}: no trials in the file; expected at least one row")
    check([(f"{path} row {i}", row) for i, row in enumerate(rows)])
    return Trials(tuple(rows), {key: head[key] for key in HEADER if key in head}, str(path))


def _write_parquet(path: Path, rows: tuple[Trial, ...], head: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [getattr(row, name) for row in rows] for name in NAMES}
    table = pa.table({name: [None if v == "" else v for v in column] for name, column in columns.items()}, schema())
    header = contract.print_header(KIND, LATEST, head)
    pq.write_table(table.replace_schema_metadata({contract.HEADER: header}), path, compression="zstd")
