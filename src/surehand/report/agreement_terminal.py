"""An agreement record on a terminal: verdict, every metric, what was compared, warnings; 80 columns are enough."""

from dataclasses import replace
from typing import TYPE_CHECKING

from surehand.decide.agreement import AgreementRecord
from surehand.report import agreement_tables as tables
from surehand.report.agreement_page import below, lead
from surehand.report.columns import print_table
from surehand.report.tables import Table
from surehand.report.terminal import say, say_list
from surehand.report.text import count
from surehand.report.within_run_tables import short_rules_table

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 20  # metrics; a folder or --csv has all
KEPT = {"standing": "standing", "τ_b": "τ_b", "p": "p", "smallest p": "least p", "MMRV": "MMRV", "same best": "top-1"}


def print_agreement(record: AgreementRecord, console: "Console") -> None:
    """Verdict, metrics with the highest agreement first, the policies' numbers, the warnings, on the console."""
    say(console, lead(record), style="bold")
    for line in below(record):
        say(console, line, style="dim")
    console.print()
    print_table(short_metrics_table(record), console)
    if len(record.metrics) > SHOWN:
        say(console, f"{count(len(record.metrics) - SHOWN, 'metric')} more: see --csv, or --out a folder.")
        console.print()
    clock = tables.clock_table(record)
    if clock.rows:
        print_table(replace(clock, columns=clock.columns[:4], rows=tuple(row[:4] for row in clock.rows)), console)
    if record.within_run:
        print_table(short_rules_table(record.within_run, record.level), console)
    say_list(console, "Warnings", record.warnings)


def short_metrics_table(record: AgreementRecord) -> Table:
    """The columns of `metrics_table` that fit a terminal."""
    table = tables.metrics_table(record)
    kept = [c for c, name in enumerate(table.columns) if c < table.labels or name in KEPT]
    columns = tuple(KEPT.get(table.columns[c], table.columns[c]) for c in kept)
    rows = tuple(tuple(row[c] for c in kept) for row in table.rows[:SHOWN])
    return replace(table, columns=columns, rows=rows, digits=2)
