"""One record as one self-contained page: no network, no scripts, verdict first, methods last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from surehand.decide.choice import Choice
from surehand.decide.findings import DoctorRecord, Finding
from surehand.decide.within_run import WithinRun
from surehand.errors.record import ErrorsRecord
from surehand.formats.records import Record
from surehand.report import choice_tables, errors_tables
from surehand.report.choice_figures import choice_figures
from surehand.report.detail_tables import errors_tables as tables_of_errors
from surehand.report.drawing import Figure
from surehand.report.figures import figures
from surehand.report.heading import heading, under, warnings_of
from surehand.report.readers import READERS, Reader
from surehand.report.tables import Table
from surehand.report.text import clean, count, names_note
from surehand.report.within_run import below, folded, plan
from surehand.report.within_run_figures import within_run_figures
from surehand.report.within_run_tables import within_run_tables

Block = Table | Figure | Sequence[str]
WORST = 8  # episodes on the page; the CSV has all


@dataclass(frozen=True, eq=False)
class Section:
    """A heading with tables, figures and lists under it; a folded one opens on a click."""

    key: str
    title: str
    blocks: Sequence[Block]
    folded: bool = False


@dataclass(frozen=True, eq=False)
class Page:
    """What the template fills in."""

    title: str
    lead: str  # the verdict sentence
    record: Record
    under: Sequence[str] = ()  # one line each
    alarms: Sequence[str] = ()
    sections: Sequence[Section] = ()
    findings: Sequence[Finding] = ()
    methods: Mapping[str, str] = field(default_factory=dict)


def render_page(record: Record, drawn: Sequence[Figure] | None = None) -> str:
    """The record as HTML text, with its figures as `drawn` where somebody has them already.

    Raises SurehandError for a kind of record that has no page.
    """
    page = page_of(record, figures_of(record) if drawn is None else drawn)
    return str(environment().get_template("page.html.j2").render(page=page, block_kind=block_kind, clean=clean))


def page_of(record: Record, drawn: Sequence[Figure]) -> Page:
    """What a page on this record says; SurehandError for a kind of record that has no page."""
    title, lead = heading(record)
    page = Page(title, lead, record)
    if reader := READERS.get(type(record)):
        return _read_page(page, reader, drawn)
    if isinstance(record, ErrorsRecord):
        return _errors_page(page, record, drawn)
    if isinstance(record, Choice):
        return _choice_page(page, record, drawn)
    if isinstance(record, WithinRun):
        return _within_run_page(page, record, drawn)
    assert isinstance(record, DoctorRecord)  # heading refused everything else
    return _doctor_page(page, record)


def tables_of(record: Record) -> list[Table]:
    """Every table of the record, those of its choice included."""
    if reader := READERS.get(type(record)):
        return reader.tables(record)
    if isinstance(record, ErrorsRecord):
        own = tables_of_errors(record)
        return (
            own + [t for t in choice_tables.choice_tables(record.choice) if t.key != "table"] if record.choice else own
        )
    if isinstance(record, Choice):
        return choice_tables.choice_tables(record)
    if isinstance(record, WithinRun):
        return within_run_tables(record)
    return [findings_table(record)] if isinstance(record, DoctorRecord) else []


def figures_of(record: Record) -> list[Figure]:
    """Every figure of the record."""
    if reader := READERS.get(type(record)):
        return reader.figures(record)
    if isinstance(record, ErrorsRecord):
        return figures(record)
    if isinstance(record, WithinRun):
        return within_run_figures(record)
    return choice_figures(record) if isinstance(record, Choice) else []


def findings_table(record: DoctorRecord) -> Table:
    """The doctor's findings, worst first."""
    rows = tuple((f.severity, f.code, f.title, f.evidence, f.where or " ", f.next_step) for f in record.findings)
    columns = ("severity", "code", "finding", "evidence", "where", "next step")
    return Table("findings", "Findings", columns, rows, labels=6)


def environment() -> Any:
    """The jinja2 environment of the package's templates; everything put into a page is escaped."""
    import jinja2

    loader = jinja2.PackageLoader("surehand.report")
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


def block_kind(block: Block) -> str:
    """Which of the template's three forms draws this block."""
    return "table" if isinstance(block, Table) else "figure" if isinstance(block, Figure) else "list"


# Sections of a page in reading order: key, title, what stands in it (figures are marked), folded or open.
ERRORS_PLAN = (
    ("errors", "Errors", ("errors", "figure error_by_group", "figure group_shares", "figure skill")),
    ("selection", "Selection", ("alarms", "picks", "figure selection_sets", "convergence")),
    ("phases", "Phases", ("short phases",)),
    ("horizon", "Along the chunk", ("figure horizon", "errors_executed")),
    ("gripper", "Gripper", ("short gripper",)),
    ("motion", "Motion", ("short motion",)),
    ("tool", "Task space", ("task_space",)),
    ("sampled", "Sampled policies", ("short stochastic",)),
    ("worst", "Worst episodes", ("short episodes", "figure worst_traces")),
)
ERRORS_FOLDED = (
    "skill",
    "phases",
    "gripper",
    "motion",
    "stochastic",
    "joints",
    "tasks",
    "errors_episode_weighted",
    "other_spaces",
    "p_values",
    "groups",
)
CHOICE_PLAN = (
    ("selection", "Selection", ("alarms", "picks", "figure selection_sets")),
    ("errors", "Errors", ("table", "figure error_by_group")),
    ("convergence", "Convergence", ("convergence",)),
)
SHORT = {"phases", "gripper", "motion", "stochastic", "episodes"}  # too long: the pick's rows alone, or the first few
Plan = Sequence[tuple[str, str, Sequence[str]]]


def _sections(
    record: Record, plan: Plan, folded: Sequence[str], warnings: Sequence[str], drawn: Sequence[Figure]
) -> list[Section]:
    """The warnings, the plan's sections that have something to show, then the folded tables."""
    tables = {t.key: t for t in tables_of(record)}
    blocks: dict[str, Block] = {**tables}
    if isinstance(record, ErrorsRecord):
        pick = errors_tables.pick_of(record)
        short = {key: tables[key] for key in SHORT if key in tables}
        blocks |= {f"short {k}": t.head(WORST) if k == "episodes" else t.only(pick) for k, t in short.items()}
    if reader := READERS.get(type(record)):
        blocks |= {key: table for key, make in reader.blocks.items() if (table := make(record)).rows}
        blocks |= {key: lines for key, make in reader.lists.items() if (lines := make(record))}
    blocks |= {f"figure {f.key}": f for f in drawn}
    sections = [Section("warnings", "Warnings", [warnings] if warnings else [])]
    sections += [Section(key, title, [blocks[b] for b in inside if b in blocks]) for key, title, inside in plan]
    sections.append(Section("more", "More tables", [blocks[b] for b in folded if b in blocks], folded=True))
    return [section for section in sections if section.blocks]


def _errors_page(page: Page, record: ErrorsRecord, drawn: Sequence[Figure]) -> Page:
    return replace(
        page,
        under=under(record),
        alarms=choice_tables.alarms(record.choice) if record.choice else [],
        sections=_sections(record, ERRORS_PLAN, ERRORS_FOLDED, warnings_of(record), drawn),
        methods=_methods(record),
    )


def _methods(record: ErrorsRecord) -> dict[str, str]:
    m = record.methods
    listed = {
        "Data": m.data,
        "Split": m.split,
        "Unit of resampling": m.unit,
        "Space": m.space,
        "Normalisation": m.normalisation,
        "Weighting": m.weighting,
        "Intervals": m.intervals,
        "Horizon": f"{count(m.horizon, 'step')}, of which {m.executed} executed",
        "Phases": m.phases,
        "How the checkpoint was chosen": m.chosen,
        "Seed": str(m.seed),
        "Names": names_note(errors_tables.labels(record)),
        "Layout": record.layout,
        "Why this layout": "; ".join(record.evidence),
        "Notes": "; ".join(note.removesuffix(".") for note in m.notes),
    }
    return {k: v for k, v in listed.items() if v}


def _choice_page(page: Page, choice: Choice, drawn: Sequence[Figure]) -> Page:
    basis = choice_tables.basis(choice)
    methods = {
        "Data": choice.source,
        "Split, normalisation and weighting": "as the source states them; nothing was measured here",
        "Space": choice.space or "not stated by the source",
        "Unit of resampling": f"the {choice.unit}" if choice.units else "none: errors without the episodes behind them",
        "How the checkpoint was chosen": basis,
        "Seed": "" if choice.seed is None else str(choice.seed),
        "Names": names_note(choice_tables.labels(choice)),
    }
    return replace(
        page,
        under=[line for line in (basis, choice_tables.honest_value(choice)) if line],
        alarms=choice_tables.alarms(choice),
        sections=_sections(choice, CHOICE_PLAN, ("p_values",), choice.warnings, drawn),
        methods={k: v for k, v in methods.items() if v},
    )


def _within_run_page(page: Page, record: WithinRun, drawn: Sequence[Figure]) -> Page:
    sections = _sections(record, plan(record), folded(record), record.warnings, drawn)
    return replace(page, under=below(record), sections=sections, methods=record.methods)


def _read_page(page: Page, reader: Reader, drawn: Sequence[Figure]) -> Page:
    record: Any = page.record
    sections = _sections(record, reader.plan, reader.folded, record.warnings, drawn)
    alarms, methods = reader.alarms(record), reader.methods(record)
    return replace(page, under=reader.under(record), alarms=alarms, sections=sections, methods=methods)


def _doctor_page(page: Page, record: DoctorRecord) -> Page:
    methods = {
        "Data": record.data_hash,
        "Layout": record.layout,
        "Why this layout": "; ".join(record.evidence),
        "How it was read": " ".join(record.methods),
    }
    return replace(page, findings=record.findings, methods={k: v for k, v in methods.items() if v})
