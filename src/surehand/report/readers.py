"""How each kind of record about trials and limits is read: lines, tables, figures, order on the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from surehand.decide.agreement import AgreementRecord
from surehand.decide.comparison import Comparison
from surehand.decide.limits_record import LimitsRecord
from surehand.decide.planning_record import Planning
from surehand.formats.records import Record
from surehand.report import agreement_page, comparison_page, limits_page, planning_page
from surehand.report.agreement_figures import agreement_figures
from surehand.report.agreement_tables import agreement_tables
from surehand.report.agreement_terminal import print_agreement
from surehand.report.comparison_details import comparison_tables
from surehand.report.comparison_figures import comparison_figures
from surehand.report.comparison_terminal import print_comparison
from surehand.report.drawing import Figure
from surehand.report.limits_figures import limits_figures
from surehand.report.limits_tables import limits_tables
from surehand.report.limits_terminal import print_limits
from surehand.report.planning_figures import planning_figures
from surehand.report.planning_tables import planning_tables
from surehand.report.tables import Table

if TYPE_CHECKING:
    from rich.console import Console

Lines = Callable[[Any], Sequence[str]]


def nothing(record: Record) -> list[str]:
    """No lines."""
    return []


@dataclass(frozen=True)
class Reader:
    """Everything that text, page, figures and terminal need to know of one kind of record."""

    under: Lines
    methods: Callable[[Any], Mapping[str, str]]
    tables: Callable[[Any], list[Table]]  # as files; the first is what --csv prints
    figures: Callable[[Any], list[Figure]]
    show: "Callable[[Any, Console], None]"
    plan: Sequence[tuple[str, str, Sequence[str]]]  # sections: key, title, blocks
    folded: Sequence[str]
    alarms: Lines = nothing
    lists: Mapping[str, Lines] = field(default_factory=dict)  # further blocks of the page: lines
    blocks: Mapping[str, Callable[[Any], Table]] = field(default_factory=dict)  # and tables that are no file


READERS: dict[type[Record], Reader] = {
    Comparison: Reader(
        under=comparison_page.below,
        methods=comparison_page.methods,
        alarms=comparison_page.alarms,
        tables=comparison_tables,
        figures=comparison_figures,
        show=print_comparison,
        plan=comparison_page.PLAN,
        folded=comparison_page.FOLDED,
        lists={"verdicts": comparison_page.verdicts, "path sentences": comparison_page.path_sentences},
        blocks={"matrix": comparison_page.matrix, "read pairs": comparison_page.read_pairs},
    ),
    AgreementRecord: Reader(
        under=agreement_page.below,
        methods=agreement_page.methods,
        tables=agreement_tables,
        figures=agreement_figures,
        show=print_agreement,
        plan=agreement_page.PLAN,
        folded=agreement_page.FOLDED,
    ),
    LimitsRecord: Reader(
        under=limits_page.below,
        methods=limits_page.methods,
        tables=limits_tables,
        figures=limits_figures,
        show=print_limits,
        plan=limits_page.PLAN,
        folded=limits_page.FOLDED,
    ),
    Planning: Reader(
        under=planning_page.below,
        methods=planning_page.methods,
        tables=planning_tables,
        figures=planning_figures,
        show=planning_page.print_planning,
        plan=planning_page.PLAN,
        folded=(),
    ),
}
