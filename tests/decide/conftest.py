"""A small two-armed world for the doctor's tests: sound recordings and predictions, to plant faults in."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from surehand.decide.checks.compare import Compared, Comparison
from surehand.decide.checks.digest import Digest, Facts
from surehand.frames import Actions, Predictions
from surehand.layout import Layout

ARMS = " ".join(f"{s}_arm({s[0]}0..{s[0]}5):revolute[rad] {s}_gripper:gripper[0..1]" for s in ("left", "right"))
NAMES = tuple(
    [f"left_l{i}" for i in range(6)] + ["left_gripper"] + [f"right_r{i}" for i in range(6)] + ["right_gripper"]
)


def _waves(rng: np.random.Generator, n: int, dims: int) -> np.ndarray:
    """(n, dims) smooth curves of unit size about 0: five random sine waves each."""
    t = np.arange(n)[:, None, None] / 30
    speed = rng.uniform(0.2, 3.0, (1, dims, 5))
    phase = rng.uniform(0, 2 * np.pi, (1, dims, 5))
    curves: np.ndarray = (np.sin(speed * t + phase) / np.sqrt(2.5)).sum(2)
    return curves


def recording(
    rng: np.random.Generator, episodes: int = 12, frames: tuple[int, int] = (100, 160), fps: float = 30.0
) -> Actions:
    """A sound recording: 14 columns, six joints and a gripper per side; the state follows the action."""
    scale = np.tile([0.5, 0.3, 0.4, 0.2, 0.6, 0.8, 1.0], 2)
    centre = np.tile([0.3, -1.1, 0.7, 0.2, -0.4, 1.5, 0.0], 2) * np.repeat([1.0, -0.6], 7)
    parts = []
    for episode in range(episodes):
        n = int(rng.integers(*frames))
        wave = _waves(rng, n + 2, 14)
        action = centre + scale * (wave + 0.3 * rng.standard_normal(14))
        for gripper in (6, 13):
            action[:, gripper] = 1 / (1 + np.exp(-12 * wave[:, gripper]))
        # Two frames of lag and a little sensor noise; the first two frames have settled.
        state = action[:-2] + 1e-3 * rng.standard_normal((n, 14))
        parts.append(
            Actions(
                action=action[2:].astype(np.float32),
                episode=np.full(n, episode),
                frame=np.arange(n),
                task=np.full(n, episode % 2),
                state=state.astype(np.float32),
                timestamp=np.arange(n) / fps,
            )
        )
    return join(parts, fps)


def join(parts: list[Actions], fps: float = 30.0) -> Actions:
    """One recording of several, with this world's names and tasks."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("action", "episode", "frame", "task", "state", "timestamp")
    }
    return Actions(**joined, tasks=("pick", "place"), names=NAMES, state_names=NAMES, fps=fps)


def predict(
    rng: np.random.Generator, recorded: Actions, horizon: int = 8, noise: float = 0.3, draws: int = 1
) -> Predictions:
    """A decent policy: the recorded chunk plus an error that is smooth along the chunk."""
    row = np.arange(len(recorded))
    steps = row[:, None] + np.arange(horizon)
    inside = np.minimum(steps, len(row) - 1)
    left = (recorded.episode[inside] == recorded.episode[row][:, None]) & (steps < len(row))
    target = recorded.action[inside].astype(float)
    spread = recorded.action.std(0)
    level, slope = rng.standard_normal((2, len(row), draws, 1, recorded.action.shape[1]))
    error = noise * spread * (level + 0.3 * slope * np.linspace(-1, 1, horizon)[:, None])
    return Predictions(
        prediction=(target[:, None] + error).astype(np.float32),
        episode=recorded.episode,
        frame=recorded.frame,
        length=left.sum(1),
        checkpoint="080000",
    )


def facts_of(recorded: Actions) -> Facts:
    """The digest of a recording."""
    state = None if recorded.state is None else recorded.state.shape[1]
    digest = Digest(recorded.action.shape[1], recorded.fps, np.random.default_rng(0), state)
    digest.update(recorded)
    return digest.facts()


def compared_of(predictions: Predictions, recorded: Actions) -> Compared:
    """The digest of predictions beside a recording."""
    comparison = Comparison(recorded.action.shape[1], np.random.default_rng(0))
    comparison.update(predictions, recorded)
    return comparison.compared()


def with_action(recorded: Actions, action: np.ndarray) -> Actions:
    """The same recording with other actions."""
    return replace(recorded, action=action)


@pytest.fixture
def worlds() -> SimpleNamespace:
    """The functions of this file, for tests to call."""
    return SimpleNamespace(
        layout=Layout.parse(ARMS),
        names=NAMES,
        recording=recording,
        join=join,
        predict=predict,
        facts_of=facts_of,
        compared_of=compared_of,
        with_action=with_action,
    )
