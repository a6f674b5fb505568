"""Policies whose answers are known beforehand; worker processes import them from here."""

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from surehand.formats.lerobot import open_lerobot
from surehand.frames import Samples, Space
from surehand.policies.protocol import PolicySpec

H = 4


@dataclass(eq=False)
class Toy:
    """Answers with a function of the observation alone; `trouble` is what goes wrong, and where."""

    spec: PolicySpec
    recorded: dict[int, np.ndarray]
    kind: str
    argument: str = ""
    temperature: float = 1.0

    def infer(self, observation: dict[str, Any]) -> dict[str, Any]:
        return self.infer_batch([observation])[0]

    def infer_batch(self, observations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"actions": self._chunk(o)} for o in observations]

    def sample(self, observation: dict[str, Any], k: int, rng: np.random.Generator) -> Samples:
        chunk = self._chunk(observation)
        drawn = chunk + self.temperature * rng.normal(size=(k, *chunk.shape))
        return Samples(drawn, self.spec.generator, "temperature", self.temperature)

    def reset(self) -> None: ...

    def at_temperature(self, temperature: float) -> "Toy":
        return replace(self, temperature=temperature)

    def _chunk(self, o: dict[str, Any]) -> np.ndarray:
        episode, frame = o["episode_index"], o["frame_index"]
        action = self.recorded[episode]
        if self.kind == "mean":
            return np.repeat(np.concatenate(list(self.recorded.values())).mean(axis=0)[None], self.spec.horizon, 0)
        if self.kind == "state":  # what was shown, so that a test sees which observations came
            return np.repeat(np.asarray(o["observation.state"])[None], self.spec.horizon, 0)
        if self.kind == "nan" and frame == 7:
            return np.full((self.spec.horizon, action.shape[1]), np.nan)
        if self.kind == "slow":
            time.sleep(0.003)
        if self.kind == "dies-once" and episode == 9 and not Path(self.argument).exists():
            Path(self.argument).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        steps = frame + self.spec.first_step + np.arange(self.spec.horizon)
        chunk = action[np.clip(steps, 0, len(action) - 1)]
        if self.kind == "grows" and episode == 9:
            return np.concatenate([chunk, chunk])
        if self.kind == "ragged" and frame == 3:
            return chunk[:-1]
        return chunk[:, :-1] if self.kind == "narrow" else chunk


def open_toy(where: str, access: Any) -> Toy:
    """`KIND[@FIRST_STEP][#ARGUMENT]:DATASET`; chunks have H steps, the first is `FIRST_STEP` frames on."""
    head, _, root = where.partition(":")
    head, _, argument = head.partition("#")
    kind, _, first = head.partition("@")
    if kind == "broken":
        raise ValueError("no weights\nin this file")
    data = open_lerobot(root)
    recorded = {e: data.read([e]).action for e in data.episodes.tolist()}
    noisy = kind in ("noisy", "server")
    spec = PolicySpec(
        horizon=H,
        dims=data.size,
        space=Space(),
        first_step=int(first or 0),
        stochastic=noisy,
        generator="noise" if noisy else "deterministic",
        seeded=kind != "server",
        history=3 if kind == "history" else 1,
    )
    return Toy(spec, recorded, kind, argument)
