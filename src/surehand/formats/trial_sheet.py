"""Trials as a sheet: CSV with one column per field, or the fewer columns that people keep."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError
from surehand.formats.csv_lines import read_csv, write_csv
from surehand.formats.trial_rows import LATER, NAMES, TYPES, Trial, check

_ALIASES = {"model": "policy"}


def read_sheet(path: Path) -> tuple[Trial, ...]:
    """The rows of a CSV; FormatError names line and what was found there."""
    lines = read_csv(path)
    headings = [_ALIASES.get(heading.strip(), heading.strip()) for heading in lines[0][1]]
    _check_headings(path, headings)
    rows = []
    for line, cells in lines[1:]:
        place = f"{path} line {line}"
        rows.append((place, _parse_row(place, dict(zip(headings, cells, strict=True)))))
    if not rows:
        raise FormatError(f"{path}: no trials below the headings; add one line for each")
    check(rows)
    return tuple(row for _, row in rows)


def _check_headings(path: Path, headings: list[str]) -> None:
    for i, heading in enumerate(headings):
        if heading not in NAMES:
            near = difflib.get_close_matches(heading, NAMES, 1, 0)[0]
            raise FormatError(f"{path} line 1: unknown column {heading!r}; did you mean {near!r}?")
        if heading in headings[:i]:
            raise FormatError(f"{path} line 1: column {heading!r} appears twice")
    for needed in ("policy", "trial"):
        if needed not in headings:
            raise FormatError(f"{path} line 1: no column {needed!r}; found {', '.join(headings)}")
    if not {"score", "success"} & set(headings):
        raise FormatError(f"{path} line 1: no column 'score' or 'success'; found {', '.join(headings)}")


def _parse_row(place: str, cells: Mapping[str, str]) -> Trial:
    try:
        return Trial(**{name: _parse(TYPES[name], name, cell) for name, cell in cells.items()})
    except ValueError as error:
        raise FormatError(f"{place}: {error}") from None


def _parse(kind: type, name: str, cell: str) -> Any:
    """A cell as its field's type; an empty one is "" or None; ValueError says what was expected."""
    text = cell.strip()
    if kind is str:
        return cell
    if not text:
        if name == "trial":
            raise ValueError("no trial number; every trial has one")
        return False if name == "void" else None
    try:
        return _PARSERS[kind](text)
    except (ValueError, KeyError):
        raise ValueError(f"{name} is {cell!r}; expected {_EXPECTED[kind]}") from None


_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_PARSERS: dict[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: lambda text: _BOOLS[text.lower()],
    datetime: datetime.fromisoformat,
}
_EXPECTED = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    datetime: "a time such as 2026-05-01T14:30:00+02:00",
}


def write_sheet(path: Path, rows: Iterable[Trial], overwrite: bool) -> Path:
    """The path written, whole or not at all; later columns that nobody filled in are left out."""
    rows = tuple(rows)
    names = [name for name in NAMES if name not in LATER or any(getattr(row, name) not in ("", None) for row in rows)]
    return write_csv(path, [names, *([_print(getattr(row, name)) for name in names] for row in rows)], overwrite)


def _print(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
