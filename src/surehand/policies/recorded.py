"""Recorded predictions as a policy: asked for a frame that is in the file, it answers what was recorded there."""

from typing import cast

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.frames import Predictions, Samples, frame_keys
from surehand.policies.protocol import Answer, Mechanism, Observation, PolicySpec


class RecordedPolicy:
    """Answers by an observation's episode_index and frame_index, in the space of the file, draw 0 first.

    Every chunk is (H, D); steps past those that the file calls valid are NaN, not a number somebody predicted.
    `spec.seeded` is False, because the draws are the file's, whatever generator they are asked with.
    """

    def __init__(self, predictions: Predictions) -> None:
        """ShapeError where a frame is recorded twice."""
        self._predictions = predictions
        keys = frame_keys(predictions.episode, predictions.frame)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        twice = np.flatnonzero(np.diff(self._keys) == 0)
        if len(twice):
            row = self._order[twice[0]]
            raise ShapeError(
                f"episode {predictions.episode[row]} frame {predictions.frame[row]} is recorded twice; keep one"
            )
        _, draws, horizon, dims = predictions.prediction.shape
        self._draws = draws
        said = cast(Mechanism, predictions.metadata.get("generator") or ("noise" if draws > 1 else "deterministic"))
        self._fixed = draws == 1 and said == "deterministic"
        self.name = predictions.checkpoint
        self.spec = PolicySpec(
            horizon,
            dims,
            predictions.space,
            stochastic=said != "deterministic",
            generator=said,
            seeded=False,
            inputs=(),
        )

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D)}: draw 0; SurehandError for a frame that is not in the file."""
        return {"actions": self._found(observation)[0]}

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation."""
        return [self.infer(observation) for observation in observations]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """The first K draws (K, H, D); the one chunk K times where it says it is of a deterministic policy."""
        found, facts = self._found(observation), self._predictions.metadata
        if self._fixed:
            return Samples(np.repeat(found, k, axis=0), "deterministic")
        if k > self._draws:
            raise SurehandError(
                f"{self.name or 'the file'} holds {self._draws} draws a frame, {k} were asked for; record more of them"
            )
        value = facts.get("knob_value")
        return Samples(
            found[:k],
            self.spec.generator,
            str(facts.get("knob") or ""),
            float("nan") if value is None else float(value),
        )

    def reset(self) -> None:
        """Nothing: every frame stands for itself."""

    def _found(self, observation: Observation) -> np.ndarray:
        """All draws (K, H, D) of the observation's frame, NaN past its valid steps."""
        if "episode_index" not in observation or "frame_index" not in observation:
            raise SurehandError(
                "recorded predictions answer by episode_index and frame_index; the observation lacks them"
            )
        episode, frame = int(observation["episode_index"]), int(observation["frame_index"])
        place = int(np.searchsorted(self._keys, frame_keys(np.array([episode]), np.array([frame]))[0]))
        row = self._order[min(place, len(self._keys) - 1)] if len(self._keys) else -1
        if row < 0 or (self._predictions.episode[row], self._predictions.frame[row]) != (episode, frame):
            raise SurehandError(
                f"{self.name or 'the file'} has no prediction for episode {episode} frame {frame}; "
                f"it holds {len(self._keys)} frames: record this one too"
            )
        found = np.array(self._predictions.prediction[row])
        found[:, int(self._predictions.length[row]) :] = np.nan
        return found
