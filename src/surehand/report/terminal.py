"""Records on a terminal: the verdict, the tables that matter, the warnings; good at 80 columns and in a pipe."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surehand.decide.choice import Choice
from surehand.decide.findings import DoctorRecord
from surehand.decide.within_run import WithinRun
from surehand.errors.record import ErrorsRecord
from surehand.report import choice_tables as choices
from surehand.report import errors_tables as errors
from surehand.report.columns import print_table
from surehand.report.detail_tables import gripper_table, motion_table, skill_table, task_space_table
from surehand.report.heading import heading, tally, under, warnings_of
from surehand.report.text import clean
from surehand.report.within_run import below
from surehand.report.within_run_tables import short_hypotheses_table, short_rules_table

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "ok": "green"}


def print_errors(record: ErrorsRecord, console: "Console") -> None:
    """Verdict, errors, picks, then details of the pick and the warnings, on the console."""
    say(console, heading(record)[1], style="bold")
    say_alarms(console, choices.alarms(record.choice) if record.choice else [])
    for line in under(record):
        say(console, line, style="dim")
    console.print()
    print_table(errors.errors_table(record), console)
    if record.choice:
        _picks(console, record.choice)
    pick = errors.pick_of(record)
    makers = (errors.phases_table, skill_table, gripper_table, motion_table, task_space_table)
    for table in (make(record).only(pick) for make in makers):
        if table.rows:
            print_table(table, console)
    say_list(console, "Warnings", warnings_of(record))


def print_choice(choice: Choice, console: "Console") -> None:
    """Verdict, alarms, the errors where the choice carries them, picks, convergence and warnings on the console."""
    say(console, choices.headline(choice), style="bold")
    say_alarms(console, choices.alarms(choice))
    for line in filter(None, (choices.basis(choice), choices.honest_value(choice))):
        say(console, line, style="dim")
    console.print()
    if choice.errors:
        print_table(choices.choice_errors_table(choice), console)
    _picks(console, choice)
    if choice.convergence:
        print_table(choices.convergence_table(choice), console)
    elif choice.convergence_note:
        say(console, f"How each group converged: {choice.convergence_note}.")
    say_list(console, "Warnings", choice.warnings)


def _picks(console: "Console", choice: Choice) -> None:
    """What each rule picks, its remarks below, where the columns leave room for neither."""
    table = choices.picks_table(choice)
    print_table(table.without_last() if table.columns[-1] == "note" else table, console)
    for line in choices.pick_notes(choice):
        say(console, line, style="dim")
    console.print()


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
    say(console, f"{record.dataset}: {tally(record)}", style="bold")


def print_within_run(record: WithinRun, console: "Console") -> None:
    """The answer, every rule, what was expected and what came, and the warnings, on the console."""
    say(console, heading(record)[1], style="bold")
    for line in below(record):
        say(console, line, style="dim")
    console.print()
    for judgement in (record.headline, *record.others):
        print_table(short_rules_table(judgement, record.level), console)
        if judgement.comparisons:
            print_table(short_hypotheses_table(judgement), console)
    say_list(console, "Warnings", record.warnings)


def say(console: "Console", line: str, style: str = "") -> None:
    """One line of text, wrapped at the console's width, with nothing in it that acts on a terminal."""
    from rich.text import Text

    console.print(Text(clean(line), style=style))


def say_alarms(console: "Console", sentences: Sequence[str]) -> None:
    """What must not be overlooked, a line each."""
    for sentence in sentences:
        say(console, f"! {sentence}", style="bold red")


def say_list(console: "Console", title: str, lines: Sequence[str], style: str = "yellow") -> None:
    """A title and a line each, nothing where there are none."""
    if lines:
        say(console, title, style="bold")
    for line in lines:
        say(console, f"- {line}", style=style)
