"""Tables of group errors without the episodes behind them: a paper's table, a spreadsheet, as CSV."""

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surehand.exceptions import FormatError
from surehand.formats.csv_lines import read_csv, write_csv
from surehand.frames import ErrorTable

LARGEST = 1e100  # a mean squared error beyond this is a mistake, and its sums overflow
FIRST, TOTAL = "checkpoint", "total"
_HEADING = re.compile(r"(?P<group>.+?)(?:\[(?P<dims>[1-9]\d*)\])?", re.DOTALL)


def read_error_table(path: str | os.PathLike[str]) -> ErrorTable:
    """The table in a CSV: a column `checkpoint`, one column per group, and `total` where the table states one.

    A group's heading may carry its number of joints, `arm[5]`; then every group's must. FormatError names line and
    column of the first cell that is not a finite error of at least 0, and headings or checkpoints that appear twice.
    """
    return _parse(str(path), read_csv(path))


def _parse(path: str, lines: list[tuple[int, list[str]]]) -> ErrorTable:
    headings = [heading.strip() for heading in lines[0][1]]
    if headings[0] != FIRST:
        raise FormatError(
            f"{path} line 1: the first column is {headings[0]!r}, expected {FIRST!r}, then groups, separated by commas"
        )
    if repeated := _repeated(headings):
        raise FormatError(f"{path} line 1: column {repeated!r} appears twice; name each group once")
    groups, dims = _groups(path, [heading for heading in headings[1:] if heading != TOTAL])
    if len(lines) == 1:
        raise FormatError(f"{path}: no checkpoints below the headings; add one line for each")
    names = [cells[0].strip() for _, cells in lines[1:]]
    if repeated := _repeated(names):
        raise FormatError(f"{path}: checkpoint {repeated!r} appears twice; give each a name of its own")
    cells = np.array([_numbers(path, line, headings, row) for line, row in lines[1:]])
    at = [i for i, heading in enumerate(headings[1:]) if heading != TOTAL]
    total = cells[:, headings.index(TOTAL) - 1] if TOTAL in headings else None
    return ErrorTable(tuple(names), groups, cells[:, at], dims, total, path)


def _repeated(words: Sequence[str]) -> str | None:
    return next((word for i, word in enumerate(words) if word in words[:i]), None)


def _groups(path: str, headings: list[str]) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Group names (G) and their joints (G), or None where no heading says how many."""
    found = [_HEADING.fullmatch(heading) for heading in headings]
    if not found or None in found:
        raise FormatError(f"{path} line 1: expected {FIRST}, then a named column for each group, found {headings}")
    groups = tuple(match["group"] for match in found if match)
    if repeated := _repeated(groups):
        raise FormatError(f"{path} line 1: group {repeated!r} appears twice; name each group once")
    dims = [match["dims"] for match in found if match]
    if None not in dims:
        return groups, np.array(dims, np.int64)
    if any(dims):
        raise FormatError(
            f"{path} line 1: some groups state their joints, as in arm[5], and some do not; state all or none"
        )
    return groups, None


def _numbers(path: str, line: int, headings: list[str], cells: list[str]) -> list[float]:
    named = list(zip(headings, cells, strict=True))[1:]
    return [_number(f"{path} line {line} column {name!r}", cell) for name, cell in named]


def _number(where: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value < LARGEST:
        raise FormatError(f"{where}: {cell!r} is no error; expected a finite number of at least 0")
    return value


def write_error_table(path: str | os.PathLike[str], table: ErrorTable, *, overwrite: bool = False) -> Path:
    """The path written; reading it back gives the same table, to the last digit.

    FormatError where it would not: names that repeat or look like headings, numbers that are no errors.
    """
    dims = [f"[{n}]" for n in table.dims] if table.dims is not None else [""] * len(table.groups)
    headings = [FIRST, *(group + n for group, n in zip(table.groups, dims, strict=True))]
    rows = [[name, *map(repr, errors.tolist())] for name, errors in zip(table.checkpoints, table.errors, strict=True)]
    if table.total is not None:
        headings.append(TOTAL)
        rows = [[*row, repr(float(total))] for row, total in zip(rows, table.total, strict=True)]
    _parse("the table to write", list(enumerate([headings, *rows], start=1)))
    return write_csv(path, [headings, *rows], overwrite)
