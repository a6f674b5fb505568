"""A comparison as a section of a model or dataset card: Markdown to paste, with what a reader needs to doubt it."""

from dataclasses import replace
from pathlib import PurePosixPath

from surehand.decide.comparison import Comparison
from surehand.report import comparison_tables as tables
from surehand.report.tables import Table, escaped, to_markdown
from surehand.report.text import count, number, percent


def to_card(record: Comparison) -> str:
    """The section as GitHub-flavoured Markdown, whole names in it: verdict, policies, pairs, design, how to redo it.

    It names the source's file, never its folder, host or password.
    """
    parts = [
        f"## Robot trials{f': {escaped(record.study)}' if record.study else ''}",
        _sentence(escaped(record.sentence)),
        _table(replace(tables.policies_table(record), short={}, title="Policies", note="")),
        _rubric(record),
        _table(_pairs(record)),
        "\n".join(f"- {line}" for line in _design(record)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _pairs(record: Comparison) -> Table:
    table = replace(tables.pairs_table(record), short={}, note="")
    kept = [c for c, name in enumerate(table.columns) if name not in ("n first", "n second", "design")]
    rows = tuple(tuple(row[c] for c in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[c] for c in kept), rows=rows, labels=3)


def _table(table: Table) -> str:
    """The table without its heading, which the card's own words replace."""
    lines = to_markdown(table.without_empty()).splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))


def _rubric(record: Comparison) -> str:
    said = tables.words(record)
    return (
        "Scores: " + "; ".join(f"**{level}** {escaped(words)}" for level, words in said.items()) + "." if said else ""
    )


def _design(record: Comparison) -> list[str]:
    """What was done, and what was not, a line each."""
    designs = " and ".join(dict.fromkeys(pair.design for pair in record.pairs))
    lines = [
        _labels(record),
        f"Win rate: share of match-ups that the first policy wins, ties counted half; {percent(record.level)} limits.",
        f"Design: {designs or 'no pair'}; "
        + (
            f"schedule `{escaped(record.schedule)}`, fixed before the first trial."
            if record.schedule
            else "no schedule that was fixed before the first trial."
        ),
    ]
    voids = [f"{escaped(p.policy)} {p.void}" for p in record.policies if p.void]
    lines += [f"Void trials, not counted: {', '.join(voids)}."] if voids else []
    if seen := record.agreement:
        kappa = f"weighted κ {number(seen.kappa.value, 2)}"
        lines.append(f"{count(seen.trials, 'trial')} scored twice, {seen.equal} alike: {kappa}.")
    lines += [_sentence(escaped(path.sentence)) for path in record.paths if path.planned]
    lines += [f"Note: {_sentence(escaped(warning))}" for warning in record.warnings]
    version = f" {escaped(record.surehand)}" if record.surehand else ""
    lines.append(f"Made with surehand{version}: `surehand trials compare {_file(record.source)}`.")
    return lines


def _labels(record: Comparison) -> str:
    """What the labels mean."""
    if any(not pair.fixed for pair in record.pairs):
        return (
            "Labels: the verdict of the rule to stop that was written down before the first trial; "
            "p-values of trials that could stop early do not hold."
        )
    pairs = count(record.family or len(record.pairs), "pair")
    return (
        f"Labels: robust where both exact tests are below {record.alpha:g} (two-sided, Holm over {pairs}), "
        "fragile where one of them is, not resolved where none is."
    )


def _sentence(text: str) -> str:
    """The text with a full stop."""
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def _file(source: str) -> str:
    """File names of the source alone, as code: no folder, host or password, and no backtick that would end it."""
    names = [PurePosixPath(part.strip().split("?")[0].replace("\\", "/")).name for part in source.split(",")]
    shown = " ".join(name for name in names if name and "@" not in name) or "trials.csv"
    return "".join(c for c in shown if c.isprintable() and c not in "`|<>")
