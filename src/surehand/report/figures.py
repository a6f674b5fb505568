"""The figures of an errors record; each shows what its caption says and nothing that the record does not hold."""

from surehand.errors.record import ErrorsRecord
from surehand.report.choice_figures import selection_figure
from surehand.report.drawing import Figure
from surehand.report.error_figures import error_figure, horizon_figure
from surehand.report.share_figure import share_figure
from surehand.report.skill_figure import skill_figure
from surehand.report.traces import traces_figure


def figures(record: ErrorsRecord) -> list[Figure]:
    """Every figure that this record has the numbers for."""
    drawn = [make(record) for make in (error_figure, share_figure, skill_figure, horizon_figure, traces_figure)]
    drawn.append(selection_figure(record.choice) if record.choice else None)
    return [figure for figure in drawn if figure]
