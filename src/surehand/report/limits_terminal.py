"""Violation limits on a terminal: the answer, the limits, what they would flag, and the warnings."""

from typing import TYPE_CHECKING

from surehand.decide.limits_record import LimitsRecord
from surehand.report import limits_tables as tables
from surehand.report.columns import print_table
from surehand.report.limits_page import below, lead
from surehand.report.terminal import say, say_list

if TYPE_CHECKING:
    from rich.console import Console


def print_limits(record: LimitsRecord, console: "Console") -> None:
    """The answer, the limits, what they would flag, and the warnings, on the console."""
    say(console, lead(record), style="bold")
    for line in below(record):
        say(console, line, style="dim")
    console.print()
    alone: tuple[str, ...] = ("signal",) if len(record.signals) == 1 else ()
    alone += () if len(record.phases) > 1 else ("phase",)
    noted = any(x.note for x in record.limits)
    limits = tables.limits_table(record)
    print_table(tables.without(limits, *alone, "covers", "median peak" if noted else "note"), console)
    if record.judged:
        print_table(tables.without(tables.shares_table(record), *alone, "over gentlest"), console)
    say_list(console, "Warnings", record.warnings)
