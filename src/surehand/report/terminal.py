"""Records on a terminal: the verdict, the tables that matter, the warnings; good at 80 columns and in a pipe."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from surehand.decide.choice import Choice
from surehand.decide.findings import DoctorRecord
from surehand.errors.record import ErrorsRecord
from surehand.report import choice_tables as choices
from surehand.report import errors_tables as errors
from surehand.report.detail_tables import gripper_table, motion_table, skill_table, task_space_table
from surehand.report.page import heading, tally, under
from surehand.report.tables import print_table
from surehand.report.text import clean

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "ok": "green"}


def print_errors(record: ErrorsRecord, console: "Console") -> None:
    """Verdict, errors, phases, skill of the pick, gripper, motion, tool pose and warnings on the console."""
    _say(console, heading(record)[1], style="bold")
    _alarms(console, choices.alarms(record.choice) if record.choice else [])
    for line in under(record):
        _say(console, line, style="dim")
    console.print()
    pick = errors.pick_of(record)
    shown = [errors.errors_table(record)]
    makers = (errors.phases_table, skill_table, gripper_table, motion_table, task_space_table)
    for table in (make(record).only(pick) for make in makers):
        shown.append(replace(table, title=f"{table.title}: {errors.labels(record).get(pick, pick)}"))
    shown += [choices.picks_table(record.choice)] if record.choice else []
    for table in shown:
        if table.rows:
            print_table(table, console)
    _list(console, "Warnings", record.warnings)


def print_choice(choice: Choice, console: "Console") -> None:
    """Verdict, alarms, picks, the errors where the choice carries them, convergence and warnings on the console."""
    _say(console, choices.headline(choice), style="bold")
    _alarms(console, choices.alarms(choice))
    for line in filter(None, (choices.basis(choice), choices.honest_value(choice))):
        _say(console, line, style="dim")
    console.print()
    for table in (choices.choice_errors_table(choice), choices.picks_table(choice), choices.convergence_table(choice)):
        if table.rows:
            print_table(table, console)
    _list(console, "Warnings", choice.warnings)


def print_doctor(record: DoctorRecord, console: "Console") -> None:
    """The findings, worst first, each with its evidence and next step; checks that passed on one line each."""
    from rich.padding import Padding
    from rich.text import Text

    for finding in record.findings:
        head = Text(f"{finding.severity:<8}", style=STYLES[finding.severity])
        head.append(clean(finding.title), style="bold" if finding.severity in ("error", "warning") else "")
        head.append(f"  {clean(finding.code)}", style="dim")
        console.print(head)
        evidence = clean(finding.evidence) + (f" ({clean(finding.where)})" if finding.where else "")
        console.print(Padding(Text(evidence), (0, 0, 0, 8), expand=False))
        if finding.severity != "ok":
            console.print(Padding(Text(f"→ {clean(finding.next_step)}", style="dim"), (0, 0, 1, 8), expand=False))
    _say(console, f"{record.dataset}: {tally(record)}", style="bold")


def _say(console: "Console", line: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(clean(line), style=style))


def _alarms(console: "Console", sentences: Sequence[str]) -> None:
    for sentence in sentences:
        _say(console, f"! {sentence}", style="bold red")


def _list(console: "Console", title: str, lines: Sequence[str]) -> None:
    if lines:
        _say(console, title, style="bold")
    for line in lines:
        _say(console, f"- {line}", style="yellow")
