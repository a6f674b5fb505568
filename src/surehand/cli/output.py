"""What commands print and write: tables for people, records for programs, a progress bar for the patient."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from surehand.decide.choice import Choice
from surehand.decide.findings import DoctorRecord
from surehand.decide.within_run import WithinRun
from surehand.errors.record import ErrorsRecord
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.records import Record, read_json
from surehand.report import print_choice, print_doctor, print_errors, print_within_run, write_index, write_report
from surehand.report.index import KINDS
from surehand.report.page import tables_of
from surehand.report.readers import READERS
from surehand.report.tables import to_csv, to_markdown

PAGE = ("json", "html", "csv", "svg", "png", "pdf")


def show(
    record: Record, out: Path | None = None, *, as_json: bool = False, as_csv: bool = False, as_markdown: bool = False
) -> None:
    """Print the record the way it was asked for, and write its page where a folder was named."""
    if as_json + as_csv + as_markdown > 1:
        raise SurehandError("give one of --json, --csv and --markdown, not several")
    written = write_report(record, out, PAGE) if out is not None else []
    if as_json:
        print(record.model_dump_json(indent=1))
    elif as_csv:
        print(to_csv(tables_of(record)[0]), end="")
    elif as_markdown:
        print("\n".join(to_markdown(table) for table in tables_of(record)))
    else:
        _print(record)
    if out is not None:
        pages = [path for path in written if path.suffix == ".html"]
        print(f"\n{len(written)} files in {out}; open {pages[0]}", file=sys.stderr)


def _print(record: Record) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if reader := READERS.get(type(record)):
        reader.show(record, console)
    elif isinstance(record, ErrorsRecord):
        print_errors(record, console)
    elif isinstance(record, Choice):
        print_choice(record, console)
    elif isinstance(record, DoctorRecord):
        print_doctor(record, console)
    elif isinstance(record, WithinRun):
        print_within_run(record, console)


def load_record(path: Path) -> Record:
    """The record in a JSON file, of whatever kind it says."""
    data = read_json(path)
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise FormatError(
            f"{path}: expected a surehand record ({', '.join(KINDS)}), found kind {kind!r}; give one surehand wrote"
        )
    return KINDS[kind].load(path)


def write_pages(source: Path, out: Path | None, formats: tuple[str, ...]) -> list[Path]:
    """Pages and figures of one record, or the index of a folder of records."""
    if source.is_dir():
        if out is not None and out != source:
            raise SurehandError("an index lies beside its records; give --out only for a single record")
        return [write_index(source)]
    return write_report(load_record(source), out or source.parent, formats)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """A bar on stderr where someone is watching; silent in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=1.0)

        def update(what: str, share: float) -> None:
            bar.update(task, description=what, completed=share)

        yield update
