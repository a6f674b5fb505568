"""What stands above a record's tables: title, verdict, what it rests on, what to be warned of."""

from surehand.decide.agreement import AgreementRecord
from surehand.decide.choice import Choice
from surehand.decide.comparison import Comparison
from surehand.decide.findings import DoctorRecord
from surehand.decide.limits_record import LimitsRecord
from surehand.decide.planning_record import Planning
from surehand.decide.within_run import WithinRun
from surehand.errors.record import ErrorsRecord
from surehand.exceptions import SurehandError
from surehand.formats.records import Record
from surehand.report import agreement_page, choice_tables, comparison_page, errors_tables, limits_page
from surehand.report.text import count, interval, number, short_names, shorten


def heading(record: Record) -> tuple[str, str]:
    """Title and verdict sentence of a record's page; SurehandError for a kind of record that has no page."""
    if isinstance(record, ErrorsRecord):
        if record.choice:
            return f"{record.dataset}: errors and choice", choice_tables.headline(record.choice)
        return f"{record.dataset}: errors", _single(record) or f"Errors on {record.dataset}."
    if isinstance(record, Choice):
        return f"Choice: {choice_tables.labels(record)[record.best]}", choice_tables.headline(record)
    if isinstance(record, DoctorRecord):
        return f"{record.dataset}: doctor", f"{record.dataset}: {tally(record)}."
    if isinstance(record, WithinRun):
        return record.title, record.headline.sentence
    if isinstance(record, Comparison):
        return comparison_page.title(record), comparison_page.lead(record)
    if isinstance(record, AgreementRecord):
        return agreement_page.title(record), agreement_page.lead(record)
    if isinstance(record, LimitsRecord):
        return limits_page.title(record), limits_page.lead(record)
    if isinstance(record, Planning):
        return "How many trials", shorten(str(record), short_names([p.policy for p in record.pilots]))
    raise SurehandError(
        "expected an errors, choice, doctor or within-run record, or one of trials or limits, to draw a page of, "
        f"got kind {record.kind!r}"
    )


def under(record: ErrorsRecord) -> list[str]:
    """What stands below the verdict: rule and n, the honest value of the choice, the data, how to read the unit."""
    robot = f"robot {record.robot}" if record.robot else "no known robot"
    why = f" ({'; '.join(record.evidence)})" if record.evidence else ""
    lines = [f"{record.dataset} · {robot}{why}. {errors_tables.sample_note(record)}", f"Unit: {record.unit_note}."]
    if record.choice:
        lines = [choice_tables.basis(record.choice), choice_tables.honest_value(record.choice), *lines]
    return [line for line in lines if line]


def warnings_of(record: ErrorsRecord) -> list[str]:
    """The warnings of the record and of its choice, each once."""
    return list(dict.fromkeys([*record.warnings, *(record.choice.warnings if record.choice else [])]))


def tally(record: DoctorRecord) -> str:
    """`1 error, 2 warnings, 0 notes`."""
    return ", ".join(count(record.counts.get(s, 0), s) for s in ("error", "warning", "note"))


def _single(record: ErrorsRecord) -> str:
    """One sentence for a record in which nothing was chosen; "" where it holds no total."""
    p = errors_tables.policy(record, errors_tables.pick_of(record))
    if p is None or "total" not in p.errors:
        return ""
    total = p.errors["total"]
    limits = interval(total.low, total.high)
    value = f"{number(total.value)} ({limits})" if limits else number(total.value)
    return f"{p.name}: total mean squared error {value} in {record.space} space. Nothing was chosen."
