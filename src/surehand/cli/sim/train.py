"""`surehand sim train`: a learner on recorded demonstrations."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from surehand.sim.learners.train import Trained


class Learner(StrEnum):
    """What can be trained."""

    mlp = "mlp"
    act = "act"
    flow = "flow"
    token = "token"
    pixels = "pixels"


def train(
    dataset: Annotated[Path, typer.Argument(help="Folder of `surehand sim record`.", show_default=False)],
    learner: Annotated[Learner, typer.Option("--learner", help="Kind of policy.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the same command goes on in it.")],
    steps: Annotated[int | None, typer.Option("--steps", help="Optimiser steps; each learner has its own.")] = None,
    checkpoints: Annotated[int, typer.Option("--checkpoints", help="How many are kept, ever further apart.")] = 10,
    held_out: Annotated[
        Path | None, typer.Option("--held-out", help="Recording to predict; otherwise a share of DATASET.")
    ] = None,
    fraction: Annotated[
        float, typer.Option("--fraction", help="Share of each task's episodes held out, its last ones.")
    ] = 0.25,
    episodes: Annotated[
        int | None, typer.Option("--episodes", help="Train on the first of the training episodes only.", min=1)
    ] = None,
    horizon: Annotated[int, typer.Option("--horizon", help="Steps of a chunk.")] = 8,
    draws: Annotated[int, typer.Option("--draws", help="Chunks predicted per held-out frame, where random.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Seed of weights and batches.")] = 0,
) -> None:
    """Train a small policy in minutes: checkpoints, predictions of held-out episodes, and both losses.

    The same command goes on after Ctrl-C, to the same weights.
    """
    from surehand.cli.output import progress_bar
    from surehand.sim.learners.data import read_recordings
    from surehand.sim.learners.settings import training
    from surehand.sim.learners.train import train

    recipe = training(learner.value, steps=steps, checkpoints=checkpoints, seed=seed, horizon=horizon, draws=draws)
    found = read_recordings(dataset, recipe.learner, held_out=held_out, fraction=fraction, episodes=episodes)
    with progress_bar() as progress:
        done = train(
            recipe, found.train, found.held_out, out,
            layout=found.layout, data_identity=found.identity, progress=progress,
        )  # fmt: skip
    _print(done)
    print(f"\n{out}: checkpoints/, predictions/, run.json; {done.seconds:.0f} s of training")


def _print(done: "Trained") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("checkpoint", "train loss", "held-out loss", box=None)
    best = done.validation_loss.min()
    for step, trained, validated in zip(done.steps, done.train_loss, done.validation_loss, strict=True):
        table.add_row(f"{step:06d}", f"{trained:.4f}", f"{validated:.4f}" + (" lowest" if validated == best else ""))
    Console(highlight=False).print(table)
