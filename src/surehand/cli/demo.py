"""`surehand demo`: the main job on the data that come with the package."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the record, figures and page.")] = Path(
        "surehand-demo"
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")] = 0,
) -> None:
    """Judge the embedded checkpoints on their held-out episodes and write a page to look at."""
    from rich.console import Console

    from surehand.cli.output import progress_bar, show
    from surehand.demo.run import outcomes_note, run_demo

    with progress_bar() as progress:
        record = run_demo(seed, progress)
    show(record, out)
    Console(highlight=False).print(f"\n{outcomes_note(record.choice)}")
