"""`surehand sim ablate`: which offline number chooses the checkpoint to deploy, over many training runs."""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli import options


def ablate(
    plan: Annotated[Path, typer.Option("--plan", help="What is run and expected: a JSON file as docs/within-run.md.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of finished runs (cells/*.json), page and record.")],
    small: Annotated[
        bool,
        typer.Option("--small", help="Two tiny runs within a minute: shows that everything works, claims nothing."),
    ] = False,
    page_only: Annotated[bool, typer.Option("--page-only", help="Run nothing; judge the runs that are there.")] = False,
    processes: Annotated[int, typer.Option("--processes", help="Runs worked on side by side.", min=1)] = 2,
    ray: Annotated[bool, typer.Option("--ray", help="Share the runs through Ray.")] = False,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Train what the plan still lacks, judge every rule over all runs, and write the page.

    Each finished run is one small JSON file, written at once: the same command goes on after Ctrl-C.
    """
    from surehand.cli.output import progress_bar, show
    from surehand.sim.ablate.plan import read_plan
    from surehand.sim.ablate.run import judge_cells, run_missing

    chosen = read_plan(plan).small() if small else read_plan(plan)
    if not page_only:
        with progress_bar() as progress:
            run_missing(chosen, out, processes=processes, ray=ray, progress=progress)
    show(judge_cells(chosen, out), out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)
