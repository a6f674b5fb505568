"""Regression of the whole chunk by three hidden layers: squared error, no randomness."""

import numpy as np
from torch import Tensor, nn

from surehand.sim.learners.chunks import Inputs
from surehand.sim.learners.nets import Batch, LearnerNet

WIDTH = 256


class Mlp(LearnerNet):
    """Input vector to chunk; the embedding is the last hidden layer (256)."""

    def __init__(self, inputs: Inputs, horizon: int, dims: int) -> None:
        super().__init__()
        self.shape = (horizon, dims)
        layers: list[nn.Module] = []
        for size in (inputs.size, WIDTH, WIDTH):
            layers += [nn.Linear(size, WIDTH), nn.GELU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTH, horizon * dims)

    def losses(self, batch: Batch, target: Tensor, noise: np.random.Generator) -> Tensor:
        """Squared errors (B, H, D)."""
        return (self.answer(batch)[0] - target) ** 2

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The chunk (B, H, D) and the last hidden layer (B, 256)."""
        hidden = self.body(batch.vector)
        return self.head(hidden).unflatten(1, self.shape), hidden
