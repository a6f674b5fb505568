"""A record's files: page, figures, tables; all drawn before the first is written, all written or none."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from surehand.exceptions import SurehandError
from surehand.formats.contract import replacing
from surehand.formats.records import Record
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
    figures = figures_of(record) if {"html", "svg", "png", "pdf"} & set(formats) else []
    files: dict[str, bytes] = {}
    for name in dict.fromkeys(formats):
        files |= _drawn(record, figures, name)
    with ExitStack() as stack:  # all files take their places at the end, or none does
        for name, content in files.items():
            stack.enter_context(replacing(Path(folder) / name, overwrite=True)).write_bytes(content)
    return [Path(folder) / name for name in files]


def _drawn(record: Record, figures: Sequence[Figure], name: str) -> dict[str, bytes]:
    """Relative path -> content of everything this record has in one format."""
    if name == "html":
        return {f"{record.kind}.html": render_page(record, figures).encode()}
    if name == "json":
        return {f"{record.kind}.json": (record.model_dump_json(indent=1) + "\n").encode()}
    if name == "md":
        return {f"{record.kind}.md": "\n".join(to_markdown(t) for t in tables_of(record)).encode()}
    if name == "csv":
        return {f"tables/{t.key}.csv": to_csv(t).encode() for t in tables_of(record)}
    draw = {"svg": Figure.svg, "png": Figure.png, "pdf": Figure.pdf}[name]
    files = {f"figures/{f.key}.{name}": draw(f) for f in figures}
    if figures:
        captions = "\n\n".join(f"**{f.title}** ({f.key}). {f.caption}" for f in figures)
        files["figures/captions.md"] = f"{captions}\n".encode()
    return files
