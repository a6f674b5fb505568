"""From pictures: a small convolutional network per camera that says where things are, then the chunk by regression."""

import numpy as np
import torch
from torch import Tensor, nn

from surehand.sim.learners.chunks import Inputs
from surehand.sim.learners.nets import Batch, LearnerNet

CHANNELS = 32
WIDTH = 256


class Eye(nn.Module):
    """Where in a picture each of 32 learned features is: the spatial softmax of Levine et al. (2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, CHANNELS, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        )
        self.sharpness = nn.Parameter(torch.ones(CHANNELS))

    def forward(self, pictures: Tensor) -> Tensor:
        """Coordinates from −1 to 1 and strengths (B, 96) in pictures (B, 3, h, w)."""
        maps = self.layers(pictures - 0.5)  # (B, C, h/4, w/4)
        weight = torch.softmax(maps.flatten(2) * self.sharpness[:, None], dim=2).view(maps.shape)
        down, across = (torch.linspace(-1.0, 1.0, size) for size in maps.shape[2:])
        strength = (weight * maps).sum((2, 3)).tanh()
        return torch.cat([weight.sum(3) @ down, weight.sum(2) @ across, strength], dim=1)


class Pixels(LearnerNet):
    """Pictures, state and instruction to chunk; the embedding is what the eyes report (96 per camera)."""

    def __init__(self, inputs: Inputs, horizon: int, dims: int) -> None:
        super().__init__()
        self.shape = (horizon, dims)
        self.eyes = nn.ModuleList([Eye() for _ in inputs.cameras])
        seen = 3 * CHANNELS * len(inputs.cameras)
        self.body = nn.Sequential(
            nn.Linear(seen + inputs.size, WIDTH),
            nn.GELU(),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(),
            nn.Linear(WIDTH, horizon * dims),
        )

    def losses(self, batch: Batch, target: Tensor, noise: np.random.Generator) -> Tensor:
        """Absolute errors (B, H, D)."""
        return (self.answer(batch)[0] - target).abs()

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The chunk (B, H, D) and the eyes' report (B, 96 · cameras)."""
        assert batch.images is not None  # the inputs of this learner have cameras
        seen = torch.cat([eye(batch.images[:, i]) for i, eye in enumerate(self.eyes)], dim=1)
        return self.body(torch.cat([seen, batch.vector], dim=1)).unflatten(1, self.shape), seen
