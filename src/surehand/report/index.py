"""The list of results: rebuilt from the records found in a folder, so that it can never disagree with them."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from surehand.decide.agreement import AgreementRecord
from surehand.decide.choice import Choice
from surehand.decide.comparison import Comparison
from surehand.decide.findings import DoctorRecord
from surehand.decide.limits_record import LimitsRecord
from surehand.decide.planning_record import Planning
from surehand.decide.within_run import WithinRun
from surehand.errors.record import ErrorsRecord
from surehand.exceptions import SurehandError
from surehand.formats.records import Record, read_json, write_text
from surehand.report.heading import heading
from surehand.report.page import environment
from surehand.report.text import clean, count

KINDS: dict[str, type[Record]] = {
    "errors": ErrorsRecord,
    "choice": Choice,
    "doctor": DoctorRecord,
    "within-run": WithinRun,
    "comparison": Comparison,
    "agreement": AgreementRecord,
    "planning": Planning,
    "limits": LimitsRecord,
}


@dataclass(frozen=True)
class Entry:
    """One result as the index shows it; links are relative to the index."""

    kind: str
    title: str
    sentence: str
    created: str
    version: str
    record: str
    record_name: str
    page: str


def write_index(folder: str | os.PathLike[str]) -> Path:
    """The path of `index.html` written into the folder; SurehandError where the folder holds no record."""
    root = Path(folder)
    entries, skipped = find_results(root)
    if not entries:
        raise SurehandError(
            f"{root}: expected results (*.json of errors, select, trials compare, ...) in this folder, found none; run "
            "surehand errors first (predict.json is no result: it says how predictions were made)"
        )
    template = environment().get_template("index.html.j2")
    text = template.render(headline=f"{count(len(entries), 'result')}.", entries=entries, skipped=skipped, clean=clean)
    return write_text(root / "index.html", text)


def find_results(root: Path) -> tuple[list[Entry], list[str]]:
    """Entries for every record below the folder, newest first, and a line per record that could not be read."""
    entries, skipped = [], []
    for path in sorted(root.rglob("*.json")):
        try:
            data = read_json(path)
            kind = data.get("kind") if isinstance(data, dict) else None
            if kind in KINDS:
                entries.append(_entry(KINDS[kind].load(path), path, root))
        except SurehandError as error:
            skipped.append(str(error).replace(f"{root}{os.sep}", ""))
    return sorted(entries, key=lambda e: e.created, reverse=True), skipped


def _entry(record: Record, path: Path, root: Path) -> Entry:
    title, sentence = heading(record)
    drawn = next((p for p in (path.with_suffix(".html"), path.parent / f"{record.kind}.html") if p.is_file()), None)
    name = path.relative_to(root).as_posix()
    link = quote(drawn.relative_to(root).as_posix()) if drawn else ""
    return Entry(record.kind, title, sentence, record.created, record.surehand, quote(name), name, link)
