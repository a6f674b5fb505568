"""One table, three printings: terminal (rich), Markdown, CSV; what the columns mean is said in tables' makers."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from surehand.errors.record import Value
from surehand.report.text import MISSING, clean, common_power, interval, number, power_of_ten

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console
    from rich.text import Text

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

    @cached_property
    def power(self) -> int:
        """The power of ten taken out of every number when printed for people; 0 where the table is not scaled."""
        return common_power(_value(c) for row in self.rows for c in row[self.labels :]) if self.scaled else 0

    @cached_property
    def legend(self) -> str:
        """What a reader must know before the numbers: the note, the power of ten, the asterisk."""
        parts = [self.note] if self.note else []
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
            return ", ".join(map(self.name, cell)) or "nothing", ""
        if isinstance(cell, int):
            return f"{cell:,}", ""
        scale = 10.0**-self.power
        main = number(_value(cell) * scale) + mark
        if not isinstance(cell, Value):
            return main, ""
        if math.isnan(cell.value) and cell.note:
            return ("undefined" if cell.note.startswith("undefined") else MISSING), ""
        return main, interval(cell.low * scale, cell.high * scale)

    def name(self, text: str) -> str:
        """A name or word as people read it: short, on one line."""
        return clean(self.short.get(text, text))

    def look(self, column: int) -> str:
        """How a page sets this column: as a row's label, as running text, or as a number ("")."""
        if column < self.labels:
            return "label"
        return "note" if self.is_text(column) else ""

    def is_text(self, column: int) -> bool:
        """Whether every cell of this column is text."""
        return bool(self.rows) and all(isinstance(row[column], str | tuple) for row in self.rows)

    def without_last(self) -> "Table":
        """The same table without its last column."""
        return replace(
            self, columns=self.columns[:-1], rows=tuple(row[:-1] for row in self.rows), units=self.units[:-1]
        )

    def only(self, name: str) -> "Table":
        """The same table, cut to the rows of one policy or checkpoint."""
        return replace(self, rows=tuple(row for row in self.rows if row[0] == name), marked=frozenset())

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


def print_table(table: Table, console: "Console") -> None:
    """The table on the console; columns that do not fit its width continue in a further block under the same rows."""
    from rich.text import Text

    console.print(Text(table.title, style="bold"))
    if table.legend:
        console.print(Text(table.legend, style="dim"))
    for columns in _blocks(table, console.width):
        console.print(_rich(table, columns))
        console.print()


def to_markdown(table: Table) -> str:
    """The table as GitHub-flavoured Markdown, title and legend above it."""
    heads = [_markdown(_heading(table, c)) for c in range(len(table.columns))]
    rules = ["---" if c < table.labels else "---:" for c in range(len(heads))]
    lines = [f"### {_markdown(table.title)}", ""]
    if table.legend:
        lines += [_markdown(table.legend), ""]
    lines += [f"| {' | '.join(heads)} |", f"| {' | '.join(rules)} |"]
    for r in range(len(table.rows)):
        cells = (_markdown(_joined(*table.text(r, c))) for c in range(len(heads)))
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


def _heading(table: Table, column: int) -> str:
    unit = table.units[column] if table.units else ""
    return table.name(table.columns[column]) + (f", {unit}" if unit else "")


def _joined(main: str, below: str) -> str:
    return f"{main} ({below})" if below else main


def _markdown(text: str) -> str:
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "\\|*_`[]#" else c for c in text)


def _widths(table: Table) -> list[int]:
    """Characters that each column needs on a terminal; labels may wrap at 24."""
    widths = []
    for c, name in enumerate(table.columns):
        texts = [table.name(name), table.units[c] if table.units else ""]
        texts += [line for r in range(len(table.rows)) for line in table.text(r, c)]
        need = max(len(text) for text in texts)
        widths.append(min(need, 26) if c < table.labels else min(need, 28))
    return widths


def _blocks(table: Table, width: int) -> list[list[int]]:
    widths = [w + 2 for w in _widths(table)]
    names = list(range(table.labels))
    room = width - sum(widths[: table.labels])
    blocks: list[list[int]] = [[]]
    used = 0
    for c in range(table.labels, len(widths)):
        if blocks[-1] and used + widths[c] > room:
            blocks.append([])
            used = 0
        blocks[-1].append(c)
        used += widths[c]
    return [names + block for block in blocks]


def _rich(table: Table, columns: list[int]) -> "rich.table.Table":
    import rich.table
    from rich import box
    from rich.text import Text

    drawn = rich.table.Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for c in columns:
        head = Text(table.name(table.columns[c]), style="bold")
        if table.units and table.units[c]:
            head.append("\n" + table.units[c], style="dim")
        is_label = c < table.labels or table.is_text(c)
        drawn.add_column(head, justify="left" if is_label else "right", overflow="fold", max_width=28)
    for r in range(len(table.rows)):
        drawn.add_row(*(_rich_cell(table, r, c) for c in columns))
    return drawn


def _rich_cell(table: Table, row: int, column: int) -> "Text":
    from rich.text import Text

    main, below = table.text(row, column)
    cell = Text(main, style="bold" if (row, column) in table.marked else "")
    if below:
        cell.append("\n" + below, style="dim")
    return cell
