"""Tables that people type: offline numbers per checkpoint, and means that a paper printed for its robot."""

import math
import os
import re
from typing import get_args

import numpy as np

from surehand.decide.agree_offline import TOTAL, Offline, offline_columns
from surehand.decide.agree_robot import Robot, robot_means
from surehand.decide.comparison import Outcome
from surehand.exceptions import FormatError
from surehand.formats.csv_lines import read_csv
from surehand.formats.tables import LARGEST

NAMES = ("checkpoint", "policy", "model")
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_DIMS = re.compile(r"(.+)\[([1-9]\d*)\]")


def read_offline_table(
    path: str | os.PathLike[str], *, higher: tuple[str, ...] = (), wanted: tuple[str, ...] = ()
) -> Offline:
    """The columns of a CSV as metrics: its first column names the checkpoints, the others are numbers.

    Columns in `higher` are better when higher and may be any number; all others are errors of at least 0. Where
    headings say each group's joints, as `arm[5]`, and there is no `total`, it is made. FormatError names line, column.
    """
    headings, rows = _read(path)
    parsed = [_DIMS.fullmatch(heading) for heading in headings[1:]]
    names = [match[1] if match else heading for match, heading in zip(parsed, headings[1:], strict=True)]
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise FormatError(f"{path} line 1: column {twice!r} appears twice; name each number once")
    cells = np.array([[_number(f"{path} line {line} column {n!r}", c) for n, c in zip(names, row[1:], strict=True)]
                      for line, row in rows])  # fmt: skip
    columns = {name: cells[:, i] for i, name in enumerate(names)}
    for name, column in columns.items():
        if name not in higher and (column < 0).any():
            line = rows[int(np.argmax(column < 0))][0]
            raise FormatError(f"{path} line {line} column {name!r}: no error is negative; is it --higher {name}?")
    if TOTAL not in columns and parsed and None not in parsed:
        dims = np.array([int(match[2]) for match in parsed if match], float)
        columns = {TOTAL: cells @ dims / dims.sum(), **columns}
    return offline_columns([row[0] for _, row in rows], columns, higher=higher, wanted=wanted, source=str(path))


def read_robot_means(path: str | os.PathLike[str]) -> Robot | None:
    """Means per policy from a CSV of two columns, `policy` and `score` or `success`; None where it is another sheet."""
    headings = [cell.strip() for cell in read_csv(path)[0][1]]
    if len(headings) != 2 or headings[0] not in NAMES or headings[1] not in OUTCOMES:
        return None
    _, rows = _read(path)
    outcome = next(name for name in OUTCOMES if name == headings[1])
    names = [row[0] for _, row in rows]
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise FormatError(
            f"{path}: policy {twice!r} has several lines; single trials need a column 'trial', means one line a policy"
        )
    means = {row[0]: _number(f"{path} line {line} column {outcome!r}", row[1]) for line, row in rows}
    return robot_means(means, outcome, str(path))


def _read(path: str | os.PathLike[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Headings and (line, cells), stripped; the first column names the policies."""
    (_, headings), *rows = [(line, [cell.strip() for cell in cells]) for line, cells in read_csv(path)]
    if headings[0] not in NAMES or len(headings) < 2:
        raise FormatError(
            f"{path} line 1: the first of {len(headings)} columns is {headings[0]!r}, expected {' or '.join(NAMES)}, "
            "then numbers, separated by commas"
        )
    if not rows:
        raise FormatError(f"{path}: no lines below the headings; add one for each policy")
    return headings, rows


def _number(where: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) < LARGEST:
        raise FormatError(f"{where}: {cell!r} is no finite number")
    return value
