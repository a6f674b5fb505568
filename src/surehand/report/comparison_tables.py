"""What a comparison on the robot says first: policies with their scores, pairs with their labels, who beats whom."""

import math
from collections.abc import Sequence
from itertools import chain

from surehand.decide.comparison import Comparison, Limits, Pair, PolicyScores, Test
from surehand.errors.record import Value
from surehand.report.tables import Row, Table
from surehand.report.text import number, percent, short_names

NAME = 18  # characters of a name in a pair
MOST_LISTED = 20  # levels in one column; of more, the lowest and the highest
MOST_LEVELS = 9  # a column each; finer scores are listed in one


def labels(record: Comparison, width: int = 22) -> dict[str, str]:
    """A short label per policy, still distinct."""
    return short_names([p.policy for p in record.policies], width)


def levels(record: Comparison) -> list[str]:
    """The levels that scores are counted in, ascending: the rubric's, and any other that was seen."""
    if not any(p.scores for p in record.policies):
        return []
    seen = chain((f"{level:g}" for level in record.rubric), chain.from_iterable(p.scores for p in record.policies))
    return sorted(dict.fromkeys(seen), key=float)


def words(record: Comparison) -> dict[str, str]:
    """Level -> what the rubric says of it, where it says anything."""
    return {f"{v:g}": w for v, w in zip(record.rubric, record.rubric_words, strict=False) if w}


def deciding(record: Comparison) -> list[str]:
    """Names of the two tests that the labels rest on, in the record's order."""
    names = [list(dict.fromkeys(pair.tests[i].name for pair in record.pairs if len(pair.tests) > i)) for i in (0, 1)]
    return [found[0] if len(found) == 1 else f"test {i + 1}" for i, found in enumerate(names) if found]


def usual(record: Comparison, pair: Pair) -> Test:
    """The approximation that papers report; without p-values where the pair has none."""
    none = Test(name="approximation", p=math.nan, p_one=math.nan)
    return next((t for t in pair.tests if t.name == "approximation" and t.outcome == record.outcome), none)


def policies_table(record: Comparison) -> Table:
    """What each policy did: trials, scores per level, mean, successes with the first of their intervals."""
    shown = levels(record)
    fine = len(shown) > MOST_LEVELS
    voids = any(p.void for p in record.policies)
    scored, judged = bool(shown), any(p.successes is not None for p in record.policies)
    columns = ("policy", "n", *(("void",) if voids else ()))
    columns += (("scores",) if fine else tuple(shown)) + (("mean",) if scored else ())
    columns += ("successes", "success") if judged else ()
    rows: list[Row] = []
    for p in record.policies:
        row: Row = (p.policy, p.trials, *((p.void,) if voids else ()))
        if fine:
            row += (_listed(p.scores),)
        else:
            row += tuple(p.scores.get(level, 0) for level in shown)
        row += ((p.mean,) if scored else ()) + (_success(p) if judged else ())
        rows.append(row)
    said = words(record)
    notes = [f"Columns {shown[0]} to {shown[-1]}: trials with that score"] if scored and not fine else []
    notes += ["; ".join(f"{level}: {said[level]}" for level in shown if level in said)] if said and scored else []
    method = next((p.success[0].method for p in record.policies if p.success), "")
    notes += [f"Success with {percent(record.level)} limits ({method})"] if method else []
    note = ". ".join(n for n in notes if n)
    return Table("policies", "Policies, best first", columns, tuple(rows), note=note, short=labels(record))


def pairs_table(record: Comparison) -> Table:
    """Every pair: label, win rate with its headline interval, ties, and the tests that the label rests on."""
    names = deciding(record)
    columns = ["first", "second", "label", "n first", "n second", "design", "win rate", "ties"]
    columns += [column for name in names for column in (f"{name} p", f"{name} p (Holm)")]
    approximated = any(math.isfinite(usual(record, pair).p) for pair in record.pairs)
    columns += ["approximation p"] if approximated else []
    rows: list[Row] = []
    for pair in record.pairs:
        row: Row = (pair.first, pair.second, pair.label, *pair.trials, pair.design, headline(pair), pair.ties)
        row += _decided(pair, names)
        rows.append((*row, usual(record, pair).p) if approximated else row)
    return Table(
        "pairs", "Pairs", tuple(columns), tuple(rows), note=_pairs_note(record), labels=3, short=labels(record)
    )


def read_pairs_table(record: Comparison, pairs: Sequence[Pair]) -> Table:
    """These pairs as people read them: both policies in one column, then label, win rate, ties, tests."""
    short = labels(record, NAME)
    names = deciding(record)
    rows: list[Row] = []
    for pair in pairs:
        row: Row = (over(pair, short), pair.label, headline(pair), pair.ties)
        rows.append((*row, *_decided(pair, names), usual(record, pair).p))
    columns = ("pair", "label", "win rate", "ties", *(c for name in names for c in (f"{name} p", "(Holm)")))
    return Table("pairs", "Pairs", (*columns, "approximation p"), tuple(rows), note=_pairs_note(record))


def matrix_table(record: Comparison) -> Table:
    """Who beats whom: rows and columns best first; a cell says how firmly the row beats the column."""
    names = [p.policy for p in record.policies]
    said = {"robust": "R", "fragile": "f", "not resolved": "·"}
    cells = {(p.first, p.second): said[p.label] for p in record.pairs}
    ranks = tuple(str(i + 1) for i in range(len(names)))
    short = labels(record)
    rows = tuple(
        (f"{rank} {short[a]}", *(cells.get((a, b), " ") for b in names)) for rank, a in zip(ranks, names, strict=True)
    )
    note = "The policy in the row beats the one in the column: R robust, f fragile, · not resolved by these trials"
    return Table("matrix", "Who beats whom", ("policy", *ranks), rows, note=note)


def value(limits: Limits) -> Value:
    """A number with its limits, as a cell."""
    return Value(value=limits.value, low=limits.low, high=limits.high)


def headline(pair: Pair) -> Value:
    """The win rate with the first of its intervals."""
    first = pair.intervals[0] if pair.intervals else None
    return Value(value=pair.win_rate, low=first.low, high=first.high) if first else Value(value=pair.win_rate)


def over(pair: Pair, short: dict[str, str]) -> str:
    """`ours over SmolVLA`, in labels."""
    return f"{short.get(pair.first, pair.first)} over {short.get(pair.second, pair.second)}"


def resolved_first(pairs: Sequence[Pair]) -> list[Pair]:
    """Robust pairs, then fragile ones, then the rest, each in the record's order."""
    rank = ("robust", "fragile", "not resolved")
    return sorted(pairs, key=lambda p: rank.index(p.label))


def _decided(pair: Pair, names: Sequence[str]) -> Row:
    """p and Holm's of the tests that the label rests on, NaN where the pair lacks one."""
    found = tuple(p for t in pair.tests[: len(names)] for p in (t.p, t.p_holm))
    return found + (math.nan,) * (2 * len(names) - len(found))


def _pairs_note(record: Comparison) -> str:
    method = next((p.intervals[0].method for p in record.pairs if p.intervals), "")
    limits = f" with {percent(record.level)} limits ({method})" if method else ""
    if any(not pair.fixed for pair in record.pairs):
        said = "labels are the verdict of the rule to stop; p-values of trials that could stop early do not hold"
        return f"Win rate: share of match-ups that the first wins, ties counted half{limits}; {said}"
    names = deciding(record)
    tests = f"the {names[0]} and the {names[1]} test" if len(names) > 1 else "two exact tests"
    return (
        f"Win rate: share of match-ups that the first wins, ties counted half{limits}; p two-sided. robust: {tests} "
        f"below {record.alpha:g} after Holm{_family(record)}; fragile: one of them; not resolved: none"
    )


def _family(record: Comparison) -> str:
    """Over how many pairs, where that is more than one."""
    pairs = record.family or len(record.pairs)
    return f" over {pairs} pairs" if pairs > 1 else ""


def _listed(scores: dict[str, int]) -> str:
    """`2×0.5, 1×0.75`, or where the scores lie if they are many."""
    seen = sorted(scores, key=float)
    if len(seen) > MOST_LISTED:
        return f"{number(float(seen[0]))} to {number(float(seen[-1]))}"
    return ", ".join(f"{scores[level]}×{level}" for level in seen)


def _success(p: PolicyScores) -> Row:
    limits = value(p.success[0]) if p.success else Value(value=math.nan)
    return (math.nan if p.successes is None else p.successes), limits
