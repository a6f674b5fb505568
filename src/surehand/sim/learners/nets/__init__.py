"""The networks: what every learner's network answers, and how one is built from its sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from surehand.sim.learners.chunks import Inputs
from surehand.sim.learners.settings import Learner


@dataclass(frozen=True, eq=False)
class Batch:
    """B normalised input vectors (B, I) and pictures (B, cameras, 3, h, w) in 0 to 1, where the learner sees any."""

    vector: Tensor
    images: Tensor | None = None

    def repeat(self, k: int) -> "Batch":
        """Every row k times, one after the other."""
        images = None if self.images is None else self.images.repeat_interleave(k, 0)
        return Batch(self.vector.repeat_interleave(k, 0), images)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Chunks (B, H, D), normalised, and what an action-token policy knows of each: log p and mean token entropy (B)."""

    chunk: Tensor
    log_p: Tensor | None = None
    entropy: Tensor | None = None


class Net(Protocol):
    """A learner's network; everything is in normalised units. `noise` is where its randomness comes from."""

    def losses(self, batch: Batch, target: Tensor, noise: np.random.Generator) -> Tensor:
        """The loss of every step and column (B, H, D), before masking."""
        ...

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The chunk (B, H, D) without any randomness, and the embedding (B, V)."""
        ...

    def draw(self, batch: Batch, noise: np.random.Generator, temperature: float) -> Drawn:
        """One random chunk per row; only of learners that are stochastic."""
        ...


class LearnerNet(nn.Module):
    """The base of the networks: without randomness, unless a learner has its own."""

    def prepare(self, target: Tensor) -> None:
        """Nothing; sees all training chunks (N, H, D) once, before the first step."""

    def draw(self, batch: Batch, noise: np.random.Generator, temperature: float) -> Drawn:
        """The answer itself."""
        return Drawn(self.answer(batch)[0])  # type: ignore[operator]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch limited to this many threads for a while; another number may give other last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def gaussian(noise: np.random.Generator, *shape: int) -> Tensor:
    """Standard normal numbers as a float32 tensor."""
    return torch.from_numpy(noise.standard_normal(shape, dtype=np.float32))


def build(learner: Learner, inputs: Inputs, horizon: int, dims: int, seed: int = 0) -> "AnyNet":
    """A new network with weights drawn by `seed`; torch's own generator is left as it was."""
    from surehand.sim.learners.nets.act import Act
    from surehand.sim.learners.nets.flow import Flow
    from surehand.sim.learners.nets.mlp import Mlp
    from surehand.sim.learners.nets.pixels import Pixels
    from surehand.sim.learners.nets.token import Token

    kinds: dict[str, type] = {"mlp": Mlp, "act": Act, "flow": Flow, "token": Token, "pixels": Pixels}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: AnyNet = kinds[learner](inputs, horizon, dims)
    return net


class AnyNet(LearnerNet, Net):
    """What `build` returns: a torch module that is a `Net`."""
