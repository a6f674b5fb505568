"""`surehand sim film`: one episode to look at."""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli.sim.choices import Body, Task, View


def film(
    checkpoint: Annotated[str, typer.Argument(help="Folder of a checkpoint, or `expert`.")],
    task: Annotated[Task, typer.Option("--task", help="What is to be done.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="FILE.gif or FILE.mp4; a contact sheet FILE.png beside it.")],
    body: Annotated[Body, typer.Option("--body", help="Robot: mobile (11 columns) or desk (6).")] = Body.mobile,
    seed: Annotated[int, typer.Option("--seed", help="The first scene of rollouts with this seed.")] = 0,
    scene: Annotated[
        int | None, typer.Option("--scene", help="A scene by its number, in place of a seed.", min=0)
    ] = None,
    camera: Annotated[
        list[View] | None, typer.Option("--camera", help="Seen from where; repeat for several [default: side, hand].")
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Pixels of each picture.", min=64, max=480)] = 320,
    execute: Annotated[int, typer.Option("--execute", help="Steps of each chunk that are carried out.", min=1)] = 4,
) -> None:
    """Film one episode of a checkpoint or of the expert, with forces, as it would go in `surehand sim rollout`."""
    from surehand.sim.film import check_name, shoot, write_film
    from surehand.sim.opening import open_policy
    from surehand.sim.rollout import rollout_scenes

    check_name(out)
    policy = "expert" if checkpoint == "expert" else open_policy(checkpoint)
    number = rollout_scenes(seed, 1)[0] if scene is None else scene
    views = [view.value for view in camera or (View.side, View.hand)]
    made = shoot(policy, task.value, body.value, number, cameras=views, size=size, execute=execute)  # type: ignore[arg-type]
    path, sheet = write_film(made, out)
    end = made.episode
    ended = end.void or ("success" if end.success else "no success")
    print(f"{path}: {end.instruction}, scene {number}: {ended} after {end.steps} steps, ", end="")
    print(f"at most {end.peaks[0]:.1f} N on the thing; contact sheet {sheet}")
