"""`surehand report`: pages and figures from records that are already there."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    source: Annotated[Path, typer.Argument(help="A record (JSON), or a folder of them.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default beside the record.")] = None,
    formats: Annotated[
        str, typer.Option(help="What to write: html, svg, png, pdf, csv, md, json.")
    ] = "html,svg,png,pdf",
) -> None:
    """Draw the page and figures of a record, or the index of a folder of records. Nothing is computed again."""
    from surehand.cli.output import write_pages

    for path in write_pages(source, out, tuple(word.strip() for word in formats.split(",") if word.strip())):
        print(path)
