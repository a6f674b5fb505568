"""Training: a recipe and demonstrations in; checkpoints, held-out predictions and losses out; resumable, repeatable."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surehand.formats.contract import package_version
from surehand.formats.predictions import write_predictions
from surehand.frames import Actions, Predictions
from surehand.layout import Layout
from surehand.sim.learners.checkpoint import save_checkpoint
from surehand.sim.learners.chunks import Chunks
from surehand.sim.learners.nets import threads as limited
from surehand.sim.learners.policy import SPACE, LearnedPolicy
from surehand.sim.learners.run import RUN, CheckpointLoss, Run, fingerprint
from surehand.sim.learners.settings import Training
from surehand.sim.learners.trainer import EVALUATED, Trainer
from surehand.workers import only_one


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training run came to."""

    path: Path
    steps: np.ndarray  # (C,)
    train_loss: np.ndarray  # (C,)
    validation_loss: np.ndarray  # (C,)
    seconds: float  # spent in optimiser steps, interruptions left out

    def checkpoint(self, step: int) -> Path:
        """The folder of one checkpoint."""
        return self.path / "checkpoints" / f"{step:06d}"


def train(
    recipe: Training,
    recorded: Actions,
    held_out: Actions,
    out: str | os.PathLike[str],
    *,
    layout: Layout,
    data_identity: str = "",
    threads: int = 1,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Trained:
    """The run in the folder `out`: checkpoints/, predictions/ of the held-out frames, and run.json with both losses.

    Both recordings need the column `observation.environment_state`, or for `pixels` the cameras' images. Goes on
    after an interruption from the last checkpoint, to the same weights bit by bit (on the same machine and number of
    threads). `data_identity` goes into the predictions. FormatError for a folder that holds another run,
    SurehandError or ShapeError for recordings that do not fit.
    """
    target = Path(out).absolute()
    with limited(threads):
        trainer = Trainer(recipe, recorded, held_out, layout)
        run = Run(
            surehand=package_version(),
            recipe=recipe,
            threads=threads,
            layout=str(layout),
            data_identity=data_identity,
            data=fingerprint(trainer.train, trainer.validation),
            train_frames=len(recorded),
            train_episodes=len(np.unique(recorded.episode)),
            held_out_frames=len(held_out),
            held_out_episodes=len(np.unique(held_out.episode)),
        ).open(target)
        with only_one(target):
            _go_on(trainer, run, held_out, target, progress)
    return Trained(
        target,
        np.array([c.step for c in run.checkpoints]),
        np.array([c.train_loss for c in run.checkpoints]),
        np.array([c.validation_loss for c in run.checkpoints]),
        run.seconds,
    )


def _go_on(trainer: Trainer, run: Run, held_out: Actions, out: Path, progress: Callable[[str, float], None]) -> None:
    """Trains from the last checkpoint of the run to its end."""
    recipe, done = trainer.recipe, 0
    if run.checkpoints and run.checkpoints[-1].step < recipe.steps:
        done = run.checkpoints[-1].step
        trainer.restore(_state(out, done))
    for step in recipe.checkpoints[len(run.checkpoints) :]:
        began = time.perf_counter()
        for at in range(done, step):
            trainer.step(at)
            progress(f"training {recipe.learner}", (at + 1) / recipe.steps)
        run.seconds += time.perf_counter() - began
        _keep(trainer, run, held_out, out, step)
        done = step


def _keep(trainer: Trainer, run: Run, held_out: Actions, out: Path, step: int) -> None:
    """Writes the checkpoint, its predictions, what is needed to go on, and last run.json, which makes it count."""
    trained, validated = trainer.losses()
    policy = LearnedPolicy(trainer.config(step), trainer.net)
    save_checkpoint(out / "checkpoints" / f"{step:06d}", policy.config, trainer.net)
    write_predictions(
        out / "predictions" / f"{run.recipe.learner}-{step:06d}.parquet",
        _predictions(policy, trainer.validation, held_out, run.recipe),
        layout=trainer.layout,
        data_identity=run.data_identity,
        overwrite=True,
    )
    if step < run.recipe.steps:
        trainer.save(_state(out, step))
    run.checkpoints.append(CheckpointLoss(step=step, train_loss=trained, validation_loss=validated))
    run.save(out / RUN)
    for old in out.glob("resume-*.safetensors"):
        if old != _state(out, step):
            old.unlink()


def _state(out: Path, step: int) -> Path:
    """Where the optimiser waits after this step."""
    return out / f"resume-{step:06d}.safetensors"


def _predictions(policy: LearnedPolicy, chunks: Chunks, held_out: Actions, recipe: Training) -> Predictions:
    """Of every held-out frame: the answer, or `draws` native samples of a stochastic learner."""
    metadata: dict[str, object] = {"generator": "deterministic"}
    if recipe.draws > 1 and policy.spec.stochastic:
        rng = np.random.default_rng([recipe.seed, 0, 2])
        blocks = [slice(first, first + EVALUATED) for first in range(0, len(chunks), EVALUATED)]
        drawn = [
            policy.samples(chunks.vector[b], {key: seen[b] for key, seen in chunks.images.items()}, recipe.draws, rng)
            for b in blocks
        ]
        actions = np.concatenate([samples.actions for samples in drawn])
        prediction = actions.reshape(len(chunks), recipe.draws, *actions.shape[1:])
        metadata = {"generator": policy.spec.generator, "knob": "temperature", "knob_value": policy.temperature}
        metadata["seed"] = recipe.seed
    else:
        prediction = policy.answers(chunks.vector, chunks.images, EVALUATED)[0][:, None]
    return Predictions(
        prediction=prediction,
        episode=held_out.episode,
        frame=held_out.frame,
        length=chunks.valid.sum(axis=1),
        checkpoint=policy.name,
        space=SPACE,
        metadata=metadata,
        task=held_out.task,
        tasks=held_out.tasks,
    )
