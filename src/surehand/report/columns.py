"""A table on a terminal of any width: columns that do not fit continue in a further block."""

from typing import TYPE_CHECKING

from surehand.report.tables import Table

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console
    from rich.text import Text


def print_table(table: Table, console: "Console") -> None:
    """The table on the console; columns that do not fit its width continue in a further block under the same rows."""
    from rich.text import Text

    console.print(Text(table.title, style="bold"))
    if table.legend:
        console.print(Text(table.legend, style="dim"))
    for columns in _blocks(table, console.width):
        console.print(_rich(table, columns))
        console.print()


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
