"""`surehand robots`: the layouts that are known, and which one fits a dataset."""

from typing import Annotated

import typer

from surehand.cli import options


def robots(
    dataset: options.Dataset = None,
    repo_id: options.RepoId = "",
    name: Annotated[str, typer.Option("--name", help="Show one robot in full.")] = "",
    as_json: options.AsJson = False,
) -> None:
    """List the known robots, show one in full, or say which one fits a dataset and why."""
    from rich.console import Console

    from surehand.cli.inputs import find_layout, open_dataset
    from surehand.report import robots as show

    console = Console(highlight=False)
    if dataset is not None or repo_id:
        match = find_layout(open_dataset(dataset, repo_id))
        print(show.match_json(match)) if as_json else show.print_match(match, console)
    elif name:
        show.print_robot(name, console)
    else:
        print(show.robots_json()) if as_json else show.print_robots(console)
