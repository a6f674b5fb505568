"""The verdict on checkpoints as sentences and tables."""

import math

from surehand.decide.choice import Choice
from surehand.report.tables import Row, Table, named_row
from surehand.report.text import count, number, percent, short_names, shorten


def headline(choice: Choice) -> str:
    """The verdict in one sentence, long names shortened."""
    n = count(choice.selected_from, "checkpoint")
    return shorten(choice.sentence or f"{choice.best} is picked by {choice.rule} from {n}.", labels(choice))


def alarms(choice: Choice) -> list[str]:
    """What the total hides, a sentence each, long names shortened."""
    return [shorten(alarm.sentence, labels(choice)) for alarm in choice.masking]


def basis(choice: Choice) -> str:
    """What stands behind the verdict: rule, n, level, draws, space."""
    parts = [f"Rule: {choice.rule}", f"selected from {choice.selected_from}"]
    parts.append(count(choice.units, choice.unit) if choice.units else "a table of errors: no uncertainty available")
    if choice.draws:
        parts.append(f"{percent(choice.level)} level, {count(choice.draws, 'resample')}")
    if choice.space:
        parts.append(f"space {choice.space}")
    return "; ".join(parts) + "."


def honest_value(choice: Choice) -> str:
    """The cross-fitted error of the rule and the pick's interval; "" where neither exists."""
    parts = []
    if choice.crossfit:
        fit = choice.crossfit
        parts.append(
            f"Expected error of the rule on fresh episodes {number(fit.value)} (the pick's own error on the episodes "
            f"that chose it: {number(fit.naive)}); {fit.agree}/{fit.folds} folds pick the same checkpoint."
        )
    if choice.interval and not any(math.isnan(v) for v in choice.interval):
        low, high = choice.interval
        limits = f"{number(low)} to {number(high)}"
        parts.append(f"{percent(choice.level)} interval of the pick, simultaneous over all candidates: {limits}.")
    return " ".join(parts)


def candidates(choice: Choice) -> list[str]:
    """Every checkpoint that the choice names, in the order of its table, else of first mention."""
    named = [n for p in choice.picks for n in (*p.p_values, *p.frequency)]
    named += [n for p in choice.picks for n in (p.best, *p.tied)]
    named += [n for a in choice.masking for n in (a.pick, a.alternative)]
    return list(dict.fromkeys([*choice.errors, *named, choice.best]))


def labels(choice: Choice) -> dict[str, str]:
    """A short label per candidate."""
    return short_names(candidates(choice))


def groups_of(choice: Choice) -> list[str]:
    """Groups of the choice's table of errors, the total last."""
    return sorted(dict.fromkeys(g for row in choice.errors.values() for g in row), key=lambda g: g == "total")


def best_by_group(choice: Choice) -> dict[str, str]:
    """Group, or "total" -> the checkpoint with the lowest error there, as the rules found it."""
    return {p.rule.removeprefix("group:"): p.best for p in choice.picks}


def picks_table(choice: Choice) -> Table:
    """What each rule picks and what the data cannot tell apart from it."""
    rows: list[Row] = []
    for p in choice.picks:
        others = tuple(name for name in p.tied if name != p.best)
        tied = "not compared" if p.rule == "last" else others if choice.units else "unknown"
        rows.append((p.rule, p.best, tied, p.value, p.note or " "))
    columns = ("rule", "pick", "cannot be told apart", "criterion", "note")
    ties = "" if choice.units else " Without episodes nothing can be said about ties."
    note = f"Criterion: the error that the rule compares; for minimax the worst ratio to a group's best.{ties}"
    table = Table("picks", "What each rule picks", columns, tuple(rows), note=note, labels=3, short=labels(choice))
    return table if any(p.note for p in choice.picks) else table.without_last()


def pick_notes(choice: Choice) -> list[str]:
    """What the rules say of their picks, a line each: the notes of the table, for where it has no room for them."""
    return [shorten(f"{p.rule}: {p.note}", labels(choice)) for p in choice.picks if p.note]


def p_values_table(choice: Choice) -> Table:
    """Per rule and checkpoint: model-confidence-set p-value and how often it wins under the bootstrap."""
    rows = tuple(
        (p.rule, name, p.p_values.get(name, math.nan), p.frequency.get(name, math.nan))
        for p in choice.picks
        for name in dict.fromkeys([*p.p_values, *p.frequency])
    )
    columns = ("rule", "checkpoint", "p-value", "wins")
    note = "p-value: of the model confidence set; wins: share of resamples in which it is best."
    return Table("p_values", "How firmly", columns, rows, note=note, labels=2, short=labels(choice))


def alarms_table(choice: Choice) -> Table:
    """Groups for which the total's pick is worse than another checkpoint."""
    rows = tuple((a.group, a.kind, a.pick, a.alternative, a.ratio, a.low, a.price) for a in choice.masking)
    columns = ("group", "alarm", "total picks", "better for the group", "ratio", "lower limit", "price")
    note = "Ratio: group error of the total's pick over the alternative's; price: the same of totals, reversed."
    return Table("alarms", "What the total hides", columns, rows, note=note, labels=4, short=labels(choice))


def convergence_table(choice: Choice) -> Table:
    """How each group's error fell over training steps."""
    rows: list[Row] = []
    for group, c in choice.convergence.items():
        settled = "not settled" if c.settled_step is None else c.settled_step
        rows.append((group, c.first, c.best, c.last, c.best_step, settled, c.note or " "))
    columns = ("group", "first", "best", "last", "best at step", "settled at step", "note")
    note = choice.convergence_note
    table = Table("convergence", "How each group converged", columns, tuple(rows), note=note, scaled=True)
    return table if any(c.note for c in choice.convergence.values()) else table.without_last()


def choice_errors_table(choice: Choice) -> Table:
    """The errors that the rules chose from, where the choice carries them."""
    groups = groups_of(choice)
    rows = tuple(named_row([name], errors, groups) for name, errors in choice.errors.items())
    best = best_by_group(choice)
    marked = frozenset(
        (r, c + 1) for r, n in enumerate(choice.errors) for c, g in enumerate(groups) if best.get(g) == n
    )
    return Table(
        "table",
        "Errors by checkpoint",
        ("checkpoint", *groups),
        rows,
        scaled=True,
        marked=marked,
        marked_note="lowest",
        short=labels(choice),
    )


def choice_tables(choice: Choice) -> list[Table]:
    """Every table of the choice that has rows."""
    makers = (picks_table, alarms_table, choice_errors_table, convergence_table, p_values_table)
    return [table for table in (make(choice) for make in makers) if table.rows]
