"""What stands where on the page of a comparison, the lines below its verdict, and what to be alarmed by."""

from dataclasses import replace

from surehand.decide.comparison import Comparison, Pair
from surehand.report import comparison_tables as tables
from surehand.report.comparison_tables import labels, over
from surehand.report.tables import Table
from surehand.report.text import count, names_note, number, shorten

# Sections in reading order: key, title, what stands in it.
PLAN = (
    ("scores", "What happened", ("figure scores", "policies")),
    ("pairs", "Which is better", ("matrix", "figure effects", "read pairs", "verdicts", "within", "omnibus")),
    ("sequential", "Along the way", ("figure sequential", "path sentences", "paths")),
    ("scorers", "Scorers", ("scorers",)),
)
FOLDED = ("pairs", "tests", "effects", "success", "priors", "success_priors", "void")

FEW = 3  # up to so many policies a list of pairs says it all
TOLD = 2  # alarms of one kind with a sentence each


def title(record: Comparison) -> str:
    """The page's title: the study, or what was compared."""
    names = [p.policy for p in record.policies]
    what = " and ".join(names) if len(names) <= 2 else f"{len(names)} policies"
    return f"{record.study or 'Robot trials'}: {shorten(what, labels(record))}"


def lead(record: Comparison) -> str:
    """The verdict, with names as people read them."""
    return shorten(str(record), labels(record))


def below(record: Comparison) -> list[str]:
    """One line each: what was counted, how the trials were made, by which schedule."""
    trials, voids = sum(p.trials for p in record.policies), sum(p.void for p in record.policies)
    designs = " and ".join(dict.fromkeys(pair.design for pair in record.pairs))
    pairs = record.family or len(record.pairs)
    over_pairs = f", Holm over {pairs} pairs" if pairs > 1 else ""
    lines = [
        f"{count(trials, 'trial')} counted, {voids} void; judged by {record.outcome}; design: {designs or 'no pair'}; "
        f"α = {record.alpha:g} two-sided{over_pairs}."
    ]
    if any(not pair.fixed for pair in record.pairs):
        lines.append("A rule to stop was written down: the labels are its verdict, the p-values beside do not hold.")
    if record.schedule:
        lines.append(f"Schedule {record.schedule[:16]}, fixed before the first trial.")
    return lines


def verdicts(record: Comparison) -> list[str]:
    """Every pair's own sentence."""
    short = labels(record)
    return [shorten(pair.sentence, short) for pair in tables.resolved_first(record.pairs)]


def read_pairs(record: Comparison) -> Table:
    """The pairs as people read them, the firmest first."""
    return tables.read_pairs_table(record, tables.resolved_first(record.pairs)).without_empty()


def matrix(record: Comparison) -> Table:
    """Who beats whom, where there are too many policies to see it in a list of pairs; else a table without rows."""
    table = tables.matrix_table(record)
    return table if len(record.policies) > FEW else replace(table, rows=())


def methods(record: Comparison) -> dict[str, str]:
    """The methods block: what the record says, the rubric, the seed, which label stands for which name."""
    said = "; ".join(f"{level}: {words}" for level, words in tables.words(record).items())
    rest = {
        "Data": record.source,
        "Schedule": record.schedule,
        "Rubric": said,
        "Seed": "" if record.seed is None else str(record.seed),
        "Names": names_note(labels(record)),
    }
    return {**record.methods, **{k: v for k, v in rest.items() if v and k not in record.methods}}


def alarms(record: Comparison) -> list[str]:
    """A sentence per pair whose verdict hangs on the test one prefers, where the verdict above has no room for it."""
    fragile = [pair for pair in record.pairs if pair.label == "fragile" and pair.fixed]
    if len(record.pairs) < 2:
        return []
    several = f"{len(fragile)} pairs are fragile: one exact test resolves them and the other does not; see Pairs."
    return [several] if len(fragile) > TOLD else [_fragile(record, pair) for pair in fragile]


def path_sentences(record: Comparison) -> list[str]:
    """Every sequential test's own sentence; an illustration says that it is one."""
    return [shorten(path.sentence, labels(record)) for path in record.paths]


def _fragile(record: Comparison, pair: Pair) -> str:
    said = " and ".join(f"p = {number(t.p_holm, 2)} by the {t.name} test" for t in pair.tests[:2])
    adjusted = " after Holm" if (record.family or len(record.pairs)) > 1 else ""
    return (
        f"{over(pair, labels(record))} is fragile: {said}{adjusted}, so whether it is below {record.alpha:g} depends "
        "on the test one prefers."
    )
