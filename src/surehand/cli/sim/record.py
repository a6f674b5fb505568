"""`surehand sim record`: demonstrations by the experts."""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli.sim.choices import Body, Camera, Task, Version


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
    nudges: Annotated[
        bool, typer.Option("--nudges", help="The robot is pushed off course; actions correct it.")
    ] = False,
    camera: Annotated[
        list[Camera] | None, typer.Option("--camera", help="Record what this camera sees; repeat for several.")
    ] = None,
    image_size: Annotated[int, typer.Option("--image-size", help="Pixels of the square images.")] = 96,
    processes: Annotated[int, typer.Option("--processes", help="Worked on side by side.", min=1)] = 2,
) -> None:
    """Let the experts demonstrate tasks and write a LeRobot dataset; the same command goes on after Ctrl-C."""
    from surehand.cli.output import progress_bar
    from surehand.sim.follow import Variation
    from surehand.sim.record import Recipe, record

    variation = Variation(speed, pauses, glances, nudges)
    cameras = tuple(dict.fromkeys(c.value for c in camera or ()))
    recipe = Recipe(tuple(t.value for t in task), episodes, body.value, seed, variation, cameras, image_size)
    with progress_bar() as progress:
        done = record(recipe, out, version=version.value, processes=processes, progress=progress)
    left_out = f"; {done.failed} failed attempts left out" if done.failed else ""
    print(f"{out}: {done.episodes} episodes, {done.frames} frames{left_out}")
