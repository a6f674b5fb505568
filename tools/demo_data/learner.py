"""Two small real learners on the demonstrations: an MLP that regresses action chunks, and a flow that draws them."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo_data.robot import D
from demo_data.world import TASKS

HORIZON = 8
HIDDEN = (256, 256)
RATE = 1e-3
BATCH = 64
FLOW_BATCH = 256
FLOW_STEPS = 10  # Euler steps from noise to a chunk


def inputs(state: np.ndarray, environment: np.ndarray, task: np.ndarray) -> np.ndarray:
    """What the policies see (N, 18): measured state, environment state, task one-hot."""
    return np.hstack([state, environment, np.eye(len(TASKS))[task]])


def chunks(action: np.ndarray) -> np.ndarray:
    """The next H actions of every frame of one episode (N, H, D), for training: past its end the last one repeats."""
    rows = np.minimum(np.arange(len(action))[:, None] + np.arange(HORIZON), len(action) - 1)
    return action[rows]


@dataclass
class Scaling:
    """Mean and standard deviation of the training rows, as numbers to divide by."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> "Scaling":
        return cls(rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6))

    def apply(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self.mean) / self.std

    def undo(self, rows: np.ndarray) -> np.ndarray:
        return rows * self.std + self.mean


@dataclass
class Chunker:
    """A trained policy: observation rows (N, 18) to action chunks in robot units (N, H, D)."""

    name: str
    net: Any
    seen: Scaling
    acted: Scaling

    def predict(self, observation: np.ndarray) -> np.ndarray:
        return self.acted.undo(self.net.predict(self.seen.apply(observation)).reshape(-1, HORIZON, D))


@dataclass
class Flow(Chunker):
    """A flow-matching policy: every call draws a chunk from noise, one per row of `observation`."""

    def draw(self, observation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        seen, x = self.seen.apply(observation), rng.standard_normal((len(observation), HORIZON * D))
        for step in range(FLOW_STEPS):
            time = np.full((len(x), 1), step / FLOW_STEPS)
            x = x + self.net.predict(np.hstack([seen, x, time])) / FLOW_STEPS
        return self.acted.undo(x.reshape(-1, HORIZON, D))


def train_mlp(observation: np.ndarray, chunk: np.ndarray, saves: Sequence[int], seed: int) -> Iterator[Chunker]:
    """One checkpoint per entry of `saves` (optimiser steps), in order, of one training run on std-normalised chunks."""
    seen, acted = Scaling.of(observation), Scaling.of(chunk[:, 0])
    x, y = seen.apply(observation), acted.apply(chunk).reshape(len(chunk), -1)
    net, rng = _net(BATCH, seed), np.random.default_rng(seed)
    for step in range(1, max(saves) + 1):
        rows = rng.integers(0, len(x), BATCH)
        net.partial_fit(x[rows], y[rows])
        if step in saves:
            yield Chunker(f"mlp {step:06d}", copy.deepcopy(net), seen, acted)


def train_flow(observation: np.ndarray, chunk: np.ndarray, steps: int, seed: int) -> Flow:
    """A conditional flow from noise to chunks (Lipman et al. 2023, straight paths) after `steps` optimiser steps."""
    seen, acted = Scaling.of(observation), Scaling.of(chunk[:, 0])
    x, y = seen.apply(observation), acted.apply(chunk).reshape(len(chunk), -1)
    net, rng = _net(FLOW_BATCH, seed), np.random.default_rng(seed)
    for _ in range(steps):
        rows = rng.integers(0, len(x), FLOW_BATCH)
        noise, time = rng.standard_normal((len(rows), y.shape[1])), rng.random((len(rows), 1))
        between = (1 - time) * noise + time * y[rows]
        net.partial_fit(np.hstack([x[rows], between, time]), y[rows] - noise)
    return Flow(f"flow {steps:06d}", net, seen, acted)


def _net(batch: int, seed: int) -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(
        hidden_layer_sizes=HIDDEN, learning_rate_init=RATE, alpha=0.0, batch_size=batch, random_state=seed
    )
