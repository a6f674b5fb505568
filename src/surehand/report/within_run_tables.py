"""Tables of a within-run record: rules by what their picks lost, hypotheses, kinds of runs, every checkpoint."""

import math
from dataclasses import replace

from surehand.decide.selectors import Selector
from surehand.decide.within_run import Estimate, Hypothesis, Judgement, RuleResult, WithinRun
from surehand.errors.record import Value
from surehand.report.tables import Row, Table
from surehand.report.text import count, percent


def within_run_tables(record: WithinRun) -> list[Table]:
    """Every table of the record; those of the other parts have their name in the key."""
    found = _of(record, record.headline, "")
    return found + [table for other in record.others for table in _of(record, other, f"_{other.name}")]


def rules_table(judgement: Judgement, level: float, key: str = "rules") -> Table:
    """What the picks of every rule lost and how it orders checkpoints, the smallest loss first."""
    rules = _ranked(judgement)
    rows = tuple(
        (*_names(r.rule), _value(r.regret), r.worst, _value(r.tau), _value(r.partial), r.undefined) for r in rules
    )
    return Table(
        key,
        f"Rules, {judgement.title}: {_runs(judgement)}",
        ("rule", "space", "regret", "worst run", "τ", "τ given step", "no τ"),
        rows,
        note="Regret: success of the best checkpoint minus success of the pick, mean over runs with "
        f"{percent(level)} limits; τ: rank agreement with success within a run; no τ: runs in which it does not exist",
        labels=2,
    )


def hypotheses_table(judgement: Judgement, key: str = "hypotheses") -> Table:
    """What was expected before the first run, and what came."""
    rows = tuple(
        (c.hypothesis.key, c.hypothesis.claim, _value(c.difference), c.p, c.p_holm, c.verdict)
        for c in judgement.comparisons
    )
    return Table(
        key,
        f"Expected before the first run, {judgement.title}",
        ("", "expected", "regret saved", "p", "p (Holm)", "verdict"),
        rows,
        note="Regret saved is positive where the expectation holds; two-sided sign flips over runs",
        labels=2,
    )


def short_rules_table(judgement: Judgement, level: float) -> Table:
    """The columns of `rules_table` that fit a terminal, for the rules of both spaces."""
    table = rules_table(judgement, level)
    return replace(table, columns=table.columns[:5], rows=tuple(row[:5] for row in table.rows))


def short_hypotheses_table(judgement: Judgement) -> Table:
    """What was expected and what came, without words that a terminal has no room for."""
    rows = tuple(
        (f"{c.hypothesis.key} {versus(c.hypothesis)}", _value(c.difference), c.verdict) for c in judgement.comparisons
    )
    title = f"Expected before the first run, {judgement.title}"
    return Table(
        "hypotheses", title, ("expected", "saved", "verdict"), rows, note="Regret saved; Holm over all of them"
    )


def versus(expected: Hypothesis) -> str:
    """`arm before total (std units)`: the rule expected to choose better, and the other."""
    better, worse = Selector.parse(expected.better), Selector.parse(expected.worse)
    if better.space and better.space == worse.space:
        return f"{better.label} before {worse.label} ({better.space_label})"
    return f"{better} before {worse}"


def kinds_table(judgement: Judgement, key: str = "regret_by_kind") -> Table:
    """Regret of every rule over the runs of one learner, or of one amount of data."""
    kinds = list(judgement.rules[0].by)
    rows = tuple((*_names(r.rule), *(_value(r.by[kind]) for kind in kinds)) for r in _ranked(judgement))
    return Table(key, f"Regret by kind of run, {judgement.title}", ("rule", "space", *kinds), rows, labels=2)


def runs_table(judgement: Judgement, key: str = "runs") -> Table:
    """Every run: its best checkpoint, the span of success, and what five usual rules lost."""
    shown = [
        r for r in ("robot/total", "std/total", "std/arm", "validation loss", "last checkpoint") if _has(judgement, r)
    ]
    rows: tuple[Row, ...] = tuple(
        (
            run.name,
            ", ".join(map(str, run.best)),
            min(run.score),
            max(run.score),
            *(run.regret[rule] for rule in shown),
        )
        for run in judgement.runs
    )
    columns = ("run", "best step", "lowest success", "highest success", *(str(Selector.parse(rule)) for rule in shown))
    note = "Best step by selection episodes; success and regret on score episodes"
    return Table(key, f"Every run, {judgement.title}", columns, rows, note=note, labels=2)


def checkpoints_table(judgement: Judgement, key: str = "checkpoints") -> Table:
    """Every checkpoint: success on both kinds of episodes and the value of each rule."""
    rules = list(judgement.runs[0].values)
    rows: tuple[Row, ...] = tuple(
        (
            run.name,
            str(step),
            float(run.selection[i]),
            float(run.score[i]),
            *(float(run.values[rule][i]) for rule in rules),
        )
        for run in judgement.runs
        for i, step in enumerate(run.step)
    )
    columns = ("run", "step", "selection success", "score success", *rules)
    return Table(key, f"Every checkpoint, {judgement.title}", columns, rows, labels=2)


def _of(record: WithinRun, judgement: Judgement, suffix: str) -> list[Table]:
    tables = [
        rules_table(judgement, record.level, f"rules{suffix}"),
        hypotheses_table(judgement, f"hypotheses{suffix}"),
        runs_table(judgement, f"runs{suffix}"),
        checkpoints_table(judgement, f"checkpoints{suffix}"),
    ]
    if judgement.rules[0].by:
        tables.append(kinds_table(judgement, f"regret_by_kind{suffix}"))
    return [table for table in tables if table.rows]


def _ranked(judgement: Judgement) -> list[RuleResult]:
    """Rules by regret, those without one last."""
    return sorted(judgement.rules, key=lambda r: (math.isnan(r.regret.value), r.regret.value))


def _names(rule: str) -> Row:
    """A rule's own name, and its space beside it."""
    chosen = Selector.parse(rule)
    return chosen.label, chosen.space_label or "–"


def _runs(judgement: Judgement) -> str:
    done, planned = len(judgement.runs), judgement.planned
    return count(done, "run") if done == planned else f"{done} of {count(planned, 'run')}"


def _has(judgement: Judgement, rule: str) -> bool:
    return any(r.rule == rule for r in judgement.rules)


def _value(seen: Estimate) -> Value:
    return Value(value=seen.value, low=seen.low, high=seen.high)
