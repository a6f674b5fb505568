"""A record's files: page, figures, tables; all drawn before the first is written."""

import os
from collections.abc import Sequence
from pathlib import Path

from surehand.exceptions import SurehandError
from surehand.formats.records import Record, write_bytes
from surehand.report.drawing import Figure
from surehand.report.page import figures_of, render_page, tables_of
from surehand.report.tables import to_csv, to_markdown

FORMATS = ("html", "svg", "png", "pdf", "csv", "md", "json")


def write_report(
    record: Record, folder: str | os.PathLike[str], formats: Sequence[str] = ("html", "svg", "png", "pdf")
) -> list[Path]:
    """The paths written: `<kind>.html`, figures/*, tables/*.csv, `<kind>.md`, `<kind>.json`, as the formats ask.

    Raises SurehandError for a format that does not exist, FormatError for a folder that cannot be written.
    """
    unknown = [f for f in formats if f not in FORMATS]
    if unknown:
        raise SurehandError(f"unknown format {unknown[0]!r}; choose from {', '.join(FORMATS)}")
    files: dict[str, bytes] = {}
    for name in dict.fromkeys(formats):
        files |= _drawn(record, name)
    return [write_bytes(Path(folder) / name, content) for name, content in files.items()]


def _drawn(record: Record, name: str) -> dict[str, bytes]:
    """Relative path -> content of everything this record has in one format."""
    if name == "html":
        return {f"{record.kind}.html": render_page(record).encode()}
    if name == "json":
        return {f"{record.kind}.json": (record.model_dump_json(indent=1) + "\n").encode()}
    if name == "md":
        return {f"{record.kind}.md": "\n".join(to_markdown(t) for t in tables_of(record)).encode()}
    if name == "csv":
        return {f"tables/{t.key}.csv": to_csv(t).encode() for t in tables_of(record)}
    drawn = figures_of(record)
    files = {f"figures/{f.key}.{name}": _file(f, name) for f in drawn}
    if drawn:
        captions = "\n\n".join(f"**{f.title}** ({f.key}). {f.caption}" for f in drawn)
        files["figures/captions.md"] = f"{captions}\n".encode()
    return files


def _file(figure: Figure, name: str) -> bytes:
    if name == "svg":
        return figure.svg().encode()
    return figure.png() if name == "png" else figure.pdf()
