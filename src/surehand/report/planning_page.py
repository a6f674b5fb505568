"""What stands where on the page of a plan, the lines below its answer, and its terminal form."""

from dataclasses import replace
from typing import TYPE_CHECKING

from surehand.decide.planning_record import Planning
from surehand.report import planning_tables as tables
from surehand.report.columns import print_table
from surehand.report.planning_tables import labels
from surehand.report.terminal import say, say_list
from surehand.report.text import shorten

if TYPE_CHECKING:
    from rich.console import Console

PLAN = (
    ("power", "How many trials", ("figure power", "power", "detectable")),
    ("pilots", "What it rests on", ("pilots", "priors")),
)


def below(record: Planning) -> list[str]:
    """One line each: the pilots' trials, and the test that is planned for."""
    short = labels(record)
    pilots = "; ".join(f"{short[p.policy]} {', '.join(map(str, p.counts))}" for p in record.pilots)
    shared = f" shared by {record.pairs} pairs" if record.pairs > 1 else ""
    return [
        f"Pilots, trials per score {record.levels[0]:g} to {record.levels[-1]:g}: {pilots}.",
        f"{record.test} test, {'two' if record.sides == 2 else 'one'}-sided, α = {record.alpha:g}{shared}.",
    ]


def methods(record: Planning) -> dict[str, str]:
    """The methods block: what the record says, its source, the seed."""
    rest = {"Data": record.source, "Seed": str(record.seed)}
    return {**record.methods, **{k: v for k, v in rest.items() if v and k not in record.methods}}


def print_planning(record: Planning, console: "Console") -> None:
    """The answer, power by trials, the prior sweep and the warnings, on the console."""
    say(console, shorten(str(record), labels(record)), style="bold")
    for line in below(record):
        say(console, line, style="dim")
    console.print()
    print_table(replace(tables.curve_table(record).without_last(), digits=2), console)
    if record.priors:
        print_table(tables.priors_table(record), console)
    say_list(console, "Warnings", record.warnings)
