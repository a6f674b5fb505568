"""Tables of an agreement record: every metric against the robot, every coefficient, every policy's numbers."""

import math

from surehand.decide.agreement import AgreementRecord, Coefficient, MetricAgreement
from surehand.errors.record import Value
from surehand.report.tables import Row, Table
from surehand.report.text import count, percent, short_names
from surehand.report.within_run_tables import rules_table

SYMBOLS = {"tau_b": "τ_b", "spearman": "Spearman", "pearson": "Pearson", "mmrv": "MMRV"}


def agreement_tables(record: AgreementRecord) -> list[Table]:
    """Every table of the record that has rows."""
    tables = [metrics_table(record), values_table(record), coefficients_table(record), clock_table(record)]
    if record.within_run:
        tables.append(rules_table(record.within_run, record.level, "within_run"))
    return [table for table in tables if table.rows]


def labels(record: AgreementRecord, width: int = 22) -> dict[str, str]:
    """A short label per policy, still distinct."""
    return short_names(record.policies, width)


def coefficient(metric: MetricAgreement, name: str) -> Coefficient | None:
    """The metric's coefficient of that name, None where it was not made."""
    return next((c for c in metric.coefficients if c.name == name), None)


def ranked(record: AgreementRecord) -> list[MetricAgreement]:
    """Metrics by τ_b, the highest first; those without one last, otherwise in the record's order."""

    def place(metric: MetricAgreement) -> tuple[bool, float]:
        tau = coefficient(metric, "tau_b")
        return (tau is None or math.isnan(tau.value), -tau.value if tau and math.isfinite(tau.value) else 0.0)

    return sorted(record.metrics, key=place)


def metrics_table(record: AgreementRecord) -> Table:
    """Every metric: standing, τ_b with its interval, p and the smallest p attainable, the other coefficients."""
    spaces = len({m.space for m in record.metrics if m.space}) > 1
    rows: list[Row] = []
    for m in ranked(record):
        tau, mmrv = coefficient(m, "tau_b"), coefficient(m, "mmrv")
        row: Row = (m.metric, *((m.space,) if spaces else ()), m.standing)
        row += (_value(tau), _p(tau), _smallest(tau), tau.p_family if tau else math.nan)
        row += (mmrv.value if mmrv else math.nan, _p(mmrv))
        row += tuple(_value(coefficient(m, name)) for name in ("spearman", "pearson"))
        rows.append((*row, "yes" if m.top_same else "no", m.top, m.order_same, m.resolved_right, m.resolved))
    columns = ("metric", *(("space",) if spaces else ()), "standing", "τ_b", "p", "smallest p", "p (family)", "MMRV")
    columns += ("p of MMRV", "Spearman", "Pearson", "same best", "same best, share", "same order, share")
    columns += ("resolved pairs right", "resolved pairs")
    return Table(
        "metrics", "Offline numbers against the robot", columns, tuple(rows), note=_note(record), labels=1 + spaces
    )


def values_table(record: AgreementRecord) -> Table:
    """Every policy's result on the robot and its offline numbers, best on the robot first."""
    metrics = ranked(record)
    names = tuple(_named(m, record) for m in metrics)
    rows: tuple[Row, ...] = tuple(
        (
            policy,
            record.robot.get(policy, math.nan),
            record.robot_trials.get(policy, 0),
            *(m.values.get(policy, math.nan) for m in metrics),
        )
        for policy in record.policies
    )
    what = "mean score" if record.outcome == "score" else "success"
    higher = [_named(m, record) for m in metrics if not m.lower_is_better]
    note = f"Higher is better for {', '.join(higher)}; lower for the other offline numbers" if higher else ""
    columns = ("policy", f"robot, {what}", "trials", *names)
    return Table("values", "What was compared", columns, rows, note=note, short=labels(record))


def coefficients_table(record: AgreementRecord) -> Table:
    """Every coefficient of every metric, with how its p was made."""
    rows = tuple((m.metric, m.space or " ", *_coefficient(c)) for m in ranked(record) for c in m.coefficients)
    columns = ("metric", "space", "coefficient", "value", "p", "smallest p", "p (family)", "method")
    note = f"p is one-sided; {limits_of(record)}"
    return Table("coefficients", "Every coefficient", columns, rows, note=note, labels=3)


def clock_table(record: AgreementRecord) -> Table:
    """The training step against the robot: what an offline number has to beat."""
    rows = tuple(_coefficient(c) for c in record.clock)
    columns = ("coefficient", "value", "p", "smallest p", "p (family)", "method")
    return Table("clock", "The training step as a rival", columns, rows)


def limits_of(record: AgreementRecord) -> str:
    """`95 % limits over trials and episodes`: what was drawn anew for them; no limits where nothing was."""
    drawn = list(dict.fromkeys(m.resampled for m in record.metrics if m.resampled))
    return f"{percent(record.level)} limits over resampled {' or '.join(drawn)}" if drawn else "no limits"


def _note(record: AgreementRecord) -> str:
    return (
        f"{len(record.policies)} policies, {count(record.selected_from, 'metric')} looked at. Best agreement first; "
        f"τ_b with {limits_of(record)}; p one-sided, over all {_orders(record)} would give; MMRV: 0 is best"
    )


def _orders(record: AgreementRecord) -> str:
    if record.within_run is None:
        return "orders of the policies; smallest p: what a perfect order"
    return "exchanges of whole runs' metric curves; smallest p: what the best exchange"


def units(record: AgreementRecord) -> str:
    """`8 policies`, or `6 runs`: what is put in every order for p."""
    if record.within_run is None:
        return f"{len(record.policies)} policies"
    return f"{len(record.within_run.runs)} runs"


def _named(metric: MetricAgreement, record: AgreementRecord) -> str:
    """The metric, with its space where another one of that name exists."""
    twins = sum(m.metric == metric.metric for m in record.metrics) > 1
    return f"{metric.metric} ({metric.space})" if twins and metric.space else metric.metric


def _coefficient(c: Coefficient) -> Row:
    return SYMBOLS[c.name], _value(c), c.p, c.p_smallest, c.p_family, c.method or " "


def _value(c: Coefficient | None) -> Value:
    return Value(value=c.value, low=c.low, high=c.high) if c else Value(value=math.nan)


def _p(c: Coefficient | None) -> float:
    return c.p if c else math.nan


def _smallest(c: Coefficient | None) -> float:
    return c.p_smallest if c else math.nan
