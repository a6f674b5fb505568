"""Flow matching of chunks (Lipman et al. 2023): a velocity field carries noise to actions along straight lines."""

import numpy as np
import torch
from torch import Tensor, nn

from surehand.sim.learners.chunks import Inputs
from surehand.sim.learners.nets import Batch, Drawn, LearnerNet, gaussian

WIDTH = 256
STEPS = 10  # Euler steps from noise to actions
TIMES = 16  # features of time


class Flow(LearnerNet):
    """Velocity of a noisy chunk at a time from 0 (noise) to 1 (actions), given the inputs.

    `answer` starts from zero noise, the middle of the noise's distribution; the embedding is the encoded input (256).
    """

    frequencies: Tensor

    def __init__(self, inputs: Inputs, horizon: int, dims: int) -> None:
        super().__init__()
        self.shape = (horizon, dims)
        self.encoder = nn.Sequential(nn.Linear(inputs.size, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU())
        self.inward = nn.Linear(WIDTH + horizon * dims + TIMES, WIDTH)
        self.body = nn.Sequential(nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU())
        self.head = nn.Linear(WIDTH, horizon * dims)
        self.register_buffer("frequencies", 2.0 ** torch.arange(TIMES // 2) * torch.pi / 2, persistent=False)

    def losses(self, batch: Batch, target: Tensor, noise: np.random.Generator) -> Tensor:
        """Squared errors of the velocity (B, H, D) at one random time and noise per row."""
        start = gaussian(noise, *target.shape)
        time = torch.from_numpy(noise.random((len(target), 1, 1), dtype=np.float32))
        between = (1 - time) * start + time * target
        return (self.velocity(self.encoder(batch.vector), between, time[:, :, 0]) - (target - start)) ** 2

    def velocity(self, encoded: Tensor, chunk: Tensor, time: Tensor) -> Tensor:
        """Velocities (B, H, D) at chunks (B, H, D) and times (B, 1)."""
        turns = time * self.frequencies
        hidden = self.inward(torch.cat([encoded, chunk.flatten(1), turns.sin(), turns.cos()], 1))
        return self.head(self.body(hidden)).unflatten(1, self.shape)  # type: ignore[no-any-return]

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The chunk (B, H, D) that zero noise is carried to, and the encoded input (B, 256)."""
        encoded = self.encoder(batch.vector)
        return self._carry(encoded, torch.zeros(len(encoded), *self.shape)), encoded

    def draw(self, batch: Batch, noise: np.random.Generator, temperature: float) -> Drawn:
        """One chunk per row from noise of standard deviation `temperature`."""
        start = temperature * gaussian(noise, len(batch.vector), *self.shape)
        return Drawn(self._carry(self.encoder(batch.vector), start))

    def _carry(self, encoded: Tensor, chunk: Tensor) -> Tensor:
        for step in range(STEPS):
            time = torch.full((len(chunk), 1), step / STEPS)
            chunk = chunk + self.velocity(encoded, chunk, time) / STEPS
        return chunk
