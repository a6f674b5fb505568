"""A comparison on a terminal: verdict, policies, the pairs that matter, details, warnings; 80 columns are enough."""

from dataclasses import replace
from typing import TYPE_CHECKING

from surehand.decide.comparison import Comparison, Pair
from surehand.report import comparison_tables as tables
from surehand.report.columns import print_table
from surehand.report.comparison_page import alarms, below, path_sentences
from surehand.report.heading import heading
from surehand.report.tables import Row, Table
from surehand.report.terminal import say, say_alarms, say_list
from surehand.report.text import count, percent

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 12  # pairs; a folder or --csv has all
DETAILED = 3  # up to so many pairs each have a table of their own tests


def print_comparison(record: Comparison, console: "Console") -> None:
    """Verdict, policies, pairs, every test, priors and sequential tests, then the warnings, on the console."""
    say(console, heading(record)[1], style="bold")
    say_alarms(console, alarms(record))
    for line in below(record):
        say(console, line, style="dim")
    console.print()
    print_table(tables.policies_table(record), console)
    if len(record.policies) > DETAILED:
        print_table(tables.matrix_table(record), console)
    pairs = tables.resolved_first(record.pairs)
    print_table(short_pairs_table(record, pairs[:SHOWN]), console)
    if len(pairs) > SHOWN:
        say(console, f"{count(len(pairs) - SHOWN, 'pair')} more, none firmer: --csv prints all.")
        console.print()
    for table in details(record, pairs):
        print_table(table, console)
    say_list(console, "Along the way", path_sentences(record), style="")
    say_list(console, "Warnings", record.warnings)


def short_pairs_table(record: Comparison, pairs: list[Pair]) -> Table:
    """Two policies in one column, label, win rate and the p-values that the label rests on."""
    table = tables.read_pairs_table(record, pairs)
    names = tables.deciding(record)
    kept = [0, 1, 2, 4, 5, *([7] if len(names) > 1 else [])]
    columns = ("pair", "label", "win rate", "p", "Holm", "2nd Holm")[: len(kept)]
    tests = f"p and Holm: {names[0]}" + (f"; 2nd Holm: {names[1]}" if len(names) > 1 else "")
    rows = tuple(tuple(row[c] for c in kept) for row in table.rows)
    return replace(table, columns=columns, rows=rows, note=f"{table.note}. {tests}", digits=2).without_empty()


def details(record: Comparison, pairs: list[Pair]) -> list[Table]:
    """Every test of a few pairs, or of one p-value per test where pairs are many; priors of a few."""
    short = tables.labels(record, tables.NAME)
    if len(pairs) > DETAILED:
        return [_wide(record, pairs[:SHOWN], short)]
    several = (record.family or len(record.pairs)) > 1
    found: list[Table] = []
    for pair in pairs:
        rows: tuple[Row, ...] = tuple(
            (t.name if t.outcome == record.outcome else f"{t.name}, {t.outcome}", t.p, t.p_one)
            + ((t.p_holm, t.p_one_holm) if several else ())
            for t in pair.tests
        )
        columns = ("test", "p", "one-sided", *(("p (Holm)", "one-sided (Holm)") if several else ()))
        found.append(Table("tests", f"Tests: {tables.over(pair, short)}", columns, rows, note=_ties(pair)))
        priors: tuple[Row, ...] = tuple((f"{r.prior:g}", r.better, r.higher_mean, r.low, r.high) for r in pair.priors)
        if priors:
            head = ("prior", "P(better)", "P(higher mean)", "win rate low", "high")
            found.append(Table("priors", f"Prior sweep: {tables.over(pair, short)}", head, priors))
    return found


def _ties(pair: Pair) -> str:
    return (
        f"Of all match-ups the first wins {percent(pair.wins)}, loses {percent(pair.losses)}, ties {percent(pair.ties)}"
    )


def _wide(record: Comparison, pairs: list[Pair], short: dict[str, str]) -> Table:
    """A row per pair, a column per test: two-sided p as it is, before Holm."""
    kinds = list(dict.fromkeys((t.name, t.outcome) for pair in pairs for t in pair.tests))
    rows: list[Row] = []
    for pair in pairs:
        seen = {(t.name, t.outcome): t.p for t in pair.tests}
        rows.append((tables.over(pair, short), *(seen.get(kind, float("nan")) for kind in kinds)))
    columns = ("pair", *(name if of == record.outcome else f"{name}, {of}" for name, of in kinds))
    return Table("tests", "Every test, two-sided, before Holm", columns, tuple(rows), digits=2)
