"""Tables of a comparison on the robot: every test, every interval, priors, sequential paths; and all of them."""

from surehand.decide.comparison import Comparison, Test
from surehand.errors.record import Value
from surehand.report.comparison_tables import labels, pairs_table, policies_table, value
from surehand.report.tables import Row, Table
from surehand.report.text import count, percent

TESTS = ("first", "second", "test", "of", "p", "p (Holm)", "p, one-sided", "one-sided (Holm)", "mid-p", "method")


def comparison_tables(record: Comparison) -> list[Table]:
    """Every table of the record that has rows; the pairs first, because they are what was asked."""
    makers = (
        pairs_table, policies_table, intervals_table, within_table, tests_table, effects_table,
        priors_table, success_priors_table, void_table, omnibus_table, paths_table, steps_table, scorers_table,
    )  # fmt: skip
    return [table for table in (make(record) for make in makers) if table.rows]


def tests_table(record: Comparison) -> Table:
    """Every test of every pair, with what it did."""
    rows = tuple((pair.first, pair.second, *_test(t)) for pair in record.pairs for t in pair.tests)
    note = "p is two-sided; one-sided and mid-p in the direction that was seen; Holm over all pairs"
    return Table("tests", "Every test", TESTS, rows, note=note, labels=4, short=labels(record)).without_empty()


def void_table(record: Comparison) -> Table:
    """The tests again, with every void trial counted against the first policy and for the second."""
    rows = tuple((pair.first, pair.second, *_test(t)) for pair in record.pairs for t in pair.void_worst)
    note = "The worst that void trials can hide: void is a failure of the first policy and a success of the second"
    table = Table("void", "If void trials had counted", TESTS, rows, note=note, labels=4, short=labels(record))
    return table.without_empty()


def effects_table(record: Comparison) -> Table:
    """Every interval of the win rate, and of the difference of success, of every pair."""
    rows = tuple(
        (pair.first, pair.second, what, limits.method, value(limits))
        for pair in record.pairs
        for what, several in (("win rate", pair.intervals), ("difference of success", pair.difference))
        for limits in several
    )
    note = f"{percent(record.level)} limits. A win rate of 0.5, or a difference of 0, is no difference"
    columns = ("first", "second", "effect", "method", "value")
    return Table("effects", "Effects", columns, rows, note=note, labels=4, short=labels(record))


def intervals_table(record: Comparison) -> Table:
    """Every interval of every policy's success."""
    rows = tuple((p.policy, limits.method, value(limits)) for p in record.policies for limits in p.success)
    note = f"{percent(record.level)} limits"
    return Table("success", "Success", ("policy", "method", "success"), rows, note=note, labels=2, short=labels(record))


def within_table(record: Comparison) -> Table:
    """Match-ups inside blocks: like was compared with like."""
    rows: tuple[Row, ...] = tuple(
        (pair.first, pair.second, Value(value=w.win_rate, low=w.low, high=w.high), w.wins, w.losses, w.ties, w.blocks,
         w.alone)
        for pair in record.pairs
        if (w := pair.within)
    )  # fmt: skip
    columns = ("first", "second", "win rate", "wins", "losses", "ties", "blocks", "trials alone")
    note = (
        f"One trial of either policy under the same conditions; {percent(record.level)} limits where every block is "
        "one pair. Trials alone: their block has none of the other policy, so they carry nothing"
    )
    return Table("within", "Inside blocks", columns, rows, note=note, labels=2, short=labels(record))


def priors_table(record: Comparison) -> Table:
    """What each prior makes of every pair: where the rows differ, the prior speaks, not the trials."""
    rows: tuple[Row, ...] = tuple(
        (pair.first, pair.second, r.prior, r.better, r.higher_mean, r.low, r.high)
        for pair in record.pairs
        for r in pair.priors
    )
    columns = ("first", "second", "prior", "P(better)", "P(higher mean)", "win rate low", "win rate high")
    note = (
        "Prior: Dirichlet weight of each level. P(better): that the first wins more than half of the match-ups. "
        "Where the rows of a pair differ much, the prior speaks and not the trials"
    )
    return Table("priors", "Prior sweep", columns, rows, note=note, labels=2, short=labels(record))


def success_priors_table(record: Comparison) -> Table:
    """How probable it is that the first policy of every pair succeeds more often, under each prior."""
    rows: tuple[Row, ...] = tuple(
        (pair.first, pair.second, r.name, r.prior, r.better) for pair in record.pairs for r in pair.success_priors
    )
    columns = ("first", "second", "prior", "weight", "P(succeeds more often)")
    return Table("success_priors", "Prior sweep of success", columns, rows, labels=3, short=labels(record))


def omnibus_table(record: Comparison) -> Table:
    """The tests over all policies at once."""
    rows = tuple((t.name, t.p, t.method) for t in record.omnibus)
    return Table("omnibus", "All policies at once", ("test", "p", "method"), rows)


def paths_table(record: Comparison) -> Table:
    """Every sequential test: when it stopped, if it did, and whether it was planned."""
    rows: tuple[Row, ...] = tuple(
        (p.first, p.second, p.outcome, "planned" if p.planned else "illustration", p.winner or "–", p.alpha,
         "did not stop" if p.stopped is None else count(p.stopped, "pair"), len(p.steps))
        for p in record.paths
    )  # fmt: skip
    columns = ("first", "second", "of", "rule", "winner", "α", "stopped after", "pairs seen")
    note = "An illustration was not written down before the first trial: it is no claim"
    return Table("paths", "Sequential tests", columns, rows, note=note, labels=5, short=labels(record))


def steps_table(record: Comparison) -> Table:
    """Every step of every sequential test."""
    rows: tuple[Row, ...] = tuple(
        (p.first, p.second, p.outcome, step.pairs, step.statistic, step.lower, step.upper)
        for p in record.paths
        for step in p.steps
    )
    columns = ("first", "second", "of", "pairs", "statistic", "lower", "upper")
    return Table("steps", "Every step of the sequential tests", columns, rows, labels=3, short=labels(record))


def scorers_table(record: Comparison) -> Table:
    """How well two scorers agreed."""
    seen = record.agreement
    rows: tuple[Row, ...] = (("weighted κ", seen.trials, seen.equal, value(seen.kappa)),) if seen else ()
    columns = ("two scorers", "trials scored twice", "same score", "κ")
    return Table("scorers", "Do two scorers agree?", columns, rows, note=seen.kappa.method if seen else "")


def _test(t: Test) -> Row:
    return t.name, t.outcome, t.p, t.p_holm, t.p_one, t.p_one_holm, t.p_one_mid, t.method or " "
