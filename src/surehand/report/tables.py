"""One table as Markdown, CSV, or cell by cell for terminal and page; what the columns mean is said by its maker."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from surehand.errors.record import Value
from surehand.report.text import MISSING, clean, common_power, interval, number, power_of_ten

WORD = 14  # characters of a cell that need no room to wrap in
LISTED = 5  # names in one cell; the CSV has all

Cell = str | int | float | Value | tuple[str, ...]  # a tuple: several names
Row = tuple[Cell, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of labels and numbers; the first `labels` columns are text that names the row."""

    key: str  # file name without suffix
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    units: tuple[str, ...] = ()  # one per column, or none at all
    note: str = ""
    labels: int = 1
    scaled: bool = False  # errors that share one power of ten
    marked: frozenset[tuple[int, int]] = field(default_factory=frozenset)  # (row, column) shown with an asterisk
    marked_note: str = ""
    short: Mapping[str, str] = field(default_factory=dict)  # names as people read them; CSV keeps the whole name
    digits: int = 3  # of a number; limits have two, or as many more as tell them apart

    @cached_property
    def power(self) -> int:
        """The power of ten taken out of every number when printed for people; 0 where the table is not scaled."""
        return common_power(_value(c) for row in self.rows for c in row[self.labels :]) if self.scaled else 0

    @cached_property
    def legend(self) -> str:
        """What a reader must know before the numbers: the note, the power of ten, the asterisk."""
        parts = [f"{self.note.rstrip('.')}."] if self.note else []
        if self.power:
            parts.append(f"Errors are {power_of_ten(self.power)}: 1.00 means {number(10.0**self.power, 1)}.")
        if self.marked:
            parts.append(f"* {self.marked_note}.")
        return " ".join(parts)

    def text(self, row: int, column: int) -> tuple[str, str]:
        """What a cell shows: the value (with its asterisk), and its interval or note below it."""
        cell = self.rows[row][column]
        mark = "*" if (row, column) in self.marked else ""
        if isinstance(cell, str):
            return self.name(cell) or MISSING, ""
        if isinstance(cell, tuple):
            shown = [*map(self.name, cell[:LISTED]), *([f"{len(cell) - LISTED} more"] if len(cell) > LISTED else [])]
            return ", ".join(shown) or "nothing", ""
        if isinstance(cell, int):
            return f"{cell:,}", ""
        scale = 10.0**-self.power
        main = number(_value(cell) * scale, self.digits) + mark
        if not isinstance(cell, Value):
            return main, ""
        if math.isnan(cell.value) and cell.note:
            return ("undefined" if cell.note.startswith("undefined") else MISSING), ""
        return main, interval(cell.low * scale, cell.high * scale)

    def name(self, text: str) -> str:
        """A name or word as people read it: short, on one line."""
        return clean(self.short.get(text, text))

    def look(self, column: int) -> str:
        """How a page sets this column: as a row's label, as a word, as running text, or as a number ("")."""
        if column < self.labels:
            return "label"
        if not self.is_text(column):
            return ""
        return "word" if all(len(self.text(r, column)[0]) <= WORD for r in range(len(self.rows))) else "note"

    def is_text(self, column: int) -> bool:
        """Whether every cell of this column is text."""
        return bool(self.rows) and all(isinstance(row[column], str | tuple) for row in self.rows)

    def without_last(self) -> "Table":
        """The same table without its last column."""
        return replace(
            self, columns=self.columns[:-1], rows=tuple(row[:-1] for row in self.rows), units=self.units[:-1]
        )

    def without_empty(self) -> "Table":
        """The same table without columns in which no row has a number."""
        kept = [c for c in range(len(self.columns)) if c < self.labels or any(map(_holds, (r[c] for r in self.rows)))]
        rows = tuple(tuple(row[c] for c in kept) for row in self.rows)
        columns, units = (tuple(values[c] for c in kept if values) for values in (self.columns, self.units))
        return replace(self, columns=columns, rows=rows, units=units)

    def only(self, name: str) -> "Table":
        """The rows of one policy or checkpoint, which moves from the first column into the title."""
        rows = tuple(row for row in self.rows if row[0] == name)
        kept = slice(1 if self.labels > 1 else 0, None)  # a table needs something that names its rows
        return replace(
            self,
            title=f"{self.title}: {self.name(name)}",
            columns=self.columns[kept],
            rows=tuple(row[kept] for row in rows),
            units=self.units[kept],
            labels=max(self.labels - 1, 1),
            marked=frozenset(),
        )

    def head(self, rows: int) -> "Table":
        """The same table, cut to its first rows."""
        kept = frozenset((r, c) for r, c in self.marked if r < rows)
        return replace(self, rows=self.rows[:rows], marked=kept)

    def has_intervals(self, column: int) -> bool:
        """Whether any cell of this column carries an interval."""
        cells = (row[column] for row in self.rows)
        return any(isinstance(c, Value) and math.isfinite(c.low) for c in cells)


def named_row(names: Sequence[str], numbers: Mapping[str, Value] | Mapping[str, float], columns: Sequence[str]) -> Row:
    """A row of names and then the number of each column, NaN where there is none."""
    return (*names, *(numbers.get(column, math.nan) for column in columns))


def to_markdown(table: Table) -> str:
    """The table as GitHub-flavoured Markdown, title and legend above it."""
    heads = [escaped(_heading(table, c)) for c in range(len(table.columns))]
    rules = ["---" if c < table.labels else "---:" for c in range(len(heads))]
    lines = [f"### {escaped(table.title)}", ""]
    if table.legend:
        lines += [escaped(table.legend), ""]
    lines += [f"| {' | '.join(heads)} |", f"| {' | '.join(rules)} |"]
    for r in range(len(table.rows)):
        cells = (escaped(_joined(*table.text(r, c))) for c in range(len(heads)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """The table as CSV: raw numbers, unscaled; `x low` and `x high` beside `x` where it has intervals."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    spans = [c >= table.labels and table.has_intervals(c) for c in range(len(table.columns))]
    head: list[str] = []
    for name, span in zip(table.columns, spans, strict=True):
        head += [name, f"{name} low", f"{name} high"] if span else [name]
    writer.writerow(head)
    for row in table.rows:
        line: list[str] = []
        for cell, span in zip(row, spans, strict=True):
            line += _raw(cell) if span else _raw(cell)[:1]
        writer.writerow(line)
    return out.getvalue()


def _raw(cell: Cell) -> list[str]:
    if isinstance(cell, Value):
        return [_plain(cell.value), _plain(cell.low), _plain(cell.high)]
    if isinstance(cell, float):
        return [_plain(cell), "", ""]
    return ["; ".join(cell) if isinstance(cell, tuple) else str(cell), "", ""]


def _plain(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def _value(cell: Cell) -> float:
    if isinstance(cell, Value):
        return cell.value
    return cell if isinstance(cell, float) else math.nan


def _holds(cell: Cell) -> bool:
    """Whether there is anything to show: every cell but a number that does not exist."""
    return not math.isnan(_value(cell)) if isinstance(cell, float | Value) else True


def _heading(table: Table, column: int) -> str:
    unit = table.units[column] if table.units else ""
    return table.name(table.columns[column]) + (f", {unit}" if unit else "")


def _joined(main: str, below: str) -> str:
    return f"{main} ({below})" if below else main


def escaped(text: str) -> str:
    """The text on one line of Markdown, with nothing in it that acts as markup, HTML or a new cell."""
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "\\|*_`[]#" else c for c in text)
