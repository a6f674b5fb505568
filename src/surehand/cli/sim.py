"""`surehand sim`: the simulated robot; one function per command."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="sim",
    help="A simulated mobile manipulator: record demonstrations of its tasks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


class Task(StrEnum):
    """What the robot can be told to do."""

    pick = "pick"
    place = "place"
    press = "press"
    push = "push"


class Body(StrEnum):
    """The robots there are."""

    mobile = "mobile"
    desk = "desk"


class Version(StrEnum):
    """Dataset formats."""

    v30 = "v3.0"
    v21 = "v2.1"


@app.callback()
def sim() -> None:
    """A simulated mobile manipulator: record demonstrations of its tasks."""


@app.command()
def record(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the LeRobot dataset; must not exist yet.")],
    task: Annotated[list[Task], typer.Option("--task", help="What is demonstrated; repeat for several in turn.")],
    episodes: Annotated[int, typer.Option("--episodes", help="Successful episodes, over all tasks.")] = 120,
    body: Annotated[Body, typer.Option("--body", help="Robot: mobile (11 columns) or desk (6).")] = Body.mobile,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    version: Annotated[Version, typer.Option("--version", help="Format of the dataset.")] = Version.v30,
    speed: Annotated[bool, typer.Option("--speed", help="Demonstrators differ in speed.")] = False,
    pauses: Annotated[bool, typer.Option("--pauses", help="The hand rests now and then.")] = False,
    glances: Annotated[bool, typer.Option("--glances", help="The head looks away now and then.")] = False,
    processes: Annotated[int, typer.Option("--processes", help="Worked on side by side.", min=1)] = 2,
) -> None:
    """Let the experts demonstrate tasks and write a LeRobot dataset; the same command goes on after Ctrl-C."""
    from surehand.cli.output import progress_bar
    from surehand.sim.follow import Variation
    from surehand.sim.record import Recipe, record

    recipe = Recipe(tuple(t.value for t in task), episodes, body.value, seed, Variation(speed, pauses, glances))
    with progress_bar() as progress:
        done = record(recipe, out, version=version.value, processes=processes, progress=progress)
    left_out = f"; {done.failed} failed attempts left out" if done.failed else ""
    print(f"{out}: {done.episodes} episodes, {done.frames} frames{left_out}")
