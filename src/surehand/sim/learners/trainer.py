"""A network and its optimiser on one recording, step by step, with what is needed to stop and go on."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.formats.contract import replacing
from surehand.frames import Actions
from surehand.layout import Layout
from surehand.sim.learners.checkpoint import Config, save_tensors
from surehand.sim.learners.chunks import Chunks, find_inputs, find_scales, make_chunks
from surehand.sim.learners.nets import AnyNet, build
from surehand.sim.learners.policy import make_batch
from surehand.sim.learners.settings import Training
from surehand.sim.observation import IMAGES

SUBSET = 2000  # training frames, evenly spaced, on which the train loss is computed
EVALUATED = 256  # rows of a forward pass when losses and predictions are computed
DECAY = 1e-4  # weight decay of AdamW
STEEPEST = 1.0  # norm to which a gradient is cut


class Trainer:
    """One run's numbers and network; raises SurehandError or ShapeError for recordings that do not fit."""

    def __init__(self, recipe: Training, recorded: Actions, held_out: Actions, layout: Layout) -> None:
        for what, actions in (("training", recorded), ("held-out", held_out)):
            if not len(actions):
                raise SurehandError(f"no {what} frames; give at least one episode")
            if actions.action.shape[1] != layout.size:
                raise ShapeError(f"{what} actions have {actions.action.shape[1]} columns, the layout {layout.size}")
        self.recipe, self.layout = recipe, layout
        self.inputs = find_inputs(recorded, _cameras(recipe, recorded))
        self.train = make_chunks(recorded, self.inputs, recipe.horizon)
        self.validation = make_chunks(held_out, self.inputs, recipe.horizon)
        self.scales = find_scales(self.train, len(self.inputs.instructions))
        self.net: AnyNet = build(recipe.learner, self.inputs, recipe.horizon, layout.size, recipe.seed)
        self.net.prepare(torch.from_numpy(self._normalised(self.train.target)))
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=recipe.rate, weight_decay=DECAY)

    def step(self, at: int) -> None:
        """One optimiser step; its batch and noise depend on the seed and the step alone."""
        rng = np.random.default_rng([self.recipe.seed, at])
        rows = rng.integers(len(self.train), size=self.recipe.batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate * 0.5 * (1 + np.cos(np.pi * at / self.recipe.steps))
        self.optimiser.zero_grad(set_to_none=True)
        total, count = self._loss(self.train, rows, rng)
        (total / count).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), STEEPEST)
        self.optimiser.step()

    def losses(self) -> tuple[float, float]:
        """(train, held-out): the mean over the steps that exist, with the same noise at every checkpoint."""
        subset = np.unique(np.linspace(0, len(self.train) - 1, SUBSET).astype(int))
        return self._mean(self.train, subset), self._mean(self.validation, np.arange(len(self.validation)))

    def config(self, step: int) -> Config:
        """What a checkpoint after this step says of itself."""
        return Config(
            learner=self.recipe.learner,
            step=step,
            horizon=self.recipe.horizon,
            layout=str(self.layout),
            inputs=self.inputs,
            input_mean=self.scales.input_mean.tolist(),
            input_std=self.scales.input_std.tolist(),
            output_mean=self.scales.output_mean.tolist(),
            output_std=self.scales.output_std.tolist(),
        )

    def save(self, path: Path) -> None:
        """Nothing; writes the weights and AdamW's moments, whole or not at all."""
        tensors = {f"weight/{key}": value for key, value in self.net.state_dict().items()}
        for name, parameter in self.net.named_parameters():
            tensors |= {f"{key}/{name}": value for key, value in self.optimiser.state[parameter].items()}
        with replacing(path, overwrite=True) as draft:
            save_tensors(tensors, draft)

    def restore(self, path: Path) -> None:
        """Nothing; goes back to what `save` wrote. FormatError where the file is damaged or of another network."""
        try:
            found = load_file(path)
            self.net.load_state_dict({key: found[f"weight/{key}"] for key in self.net.state_dict()})
            for name, parameter in self.net.named_parameters():
                state = {key: found[f"{key}/{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
                self.optimiser.state[parameter] = state
        except (SafetensorError, OSError, KeyError, RuntimeError):
            raise FormatError(f"{path}: missing, damaged or of another run; start again in a new folder") from None

    def _normalised(self, target: np.ndarray) -> np.ndarray:
        return np.asarray((target - self.scales.output_mean) / self.scales.output_std)

    def _loss(self, chunks: Chunks, rows: np.ndarray, noise: np.random.Generator) -> tuple[torch.Tensor, int]:
        """Sum of the loss over the steps that exist, and how many numbers that are."""
        vector = (chunks.vector[rows] - self.scales.input_mean) / self.scales.input_std
        target = torch.from_numpy(self._normalised(chunks.target[rows]))
        losses = self.net.losses(make_batch(vector, chunks.images, rows), target, noise)
        valid = torch.from_numpy(chunks.valid[rows])[:, :, None]
        return (losses * valid).sum(), int(chunks.valid[rows].sum()) * self.layout.size

    def _mean(self, chunks: Chunks, rows: np.ndarray) -> float:
        noise = np.random.default_rng([self.recipe.seed, 0, 1])
        total, count = 0.0, 0
        with torch.inference_mode():
            for first in range(0, len(rows), EVALUATED):
                part, numbers = self._loss(chunks, rows[first : first + EVALUATED], noise)
                total, count = total + float(part), count + numbers
        return total / count


def _cameras(recipe: Training, recorded: Actions) -> list[str]:
    """Columns with pictures, for the learner that looks at them."""
    if recipe.learner != "pixels":
        return []
    cameras = sorted(key for key in recorded.columns if key.startswith(IMAGES))
    if not cameras:
        raise SurehandError(f"pixels learns from images, and the recording has none ({IMAGES}...); record --camera")
    return cameras
