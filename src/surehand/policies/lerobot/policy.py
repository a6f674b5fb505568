"""A LeRobot checkpoint as a policy: loaded, fed and undone by lerobot's own code, answering in robot units."""

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.frames import Samples
from surehand.policies.chunks import repeated
from surehand.policies.lerobot.checkpoint import locate, read_checkpoint, step_name
from surehand.policies.lerobot.inputs import Inputs, rows_of, timeline
from surehand.policies.lerobot.kinds import KINDS, first_step, spec_of
from surehand.policies.lerobot.loading import load
from surehand.policies.lerobot.running import Runner
from surehand.policies.protocol import Answer, Observation

MOST_ROWS = 64  # of one forward pass, where a caller asks for many draws of each observation
FIXED = 0  # the seed of the one noise with which `infer` answers


class LeRobotPolicy:
    """An unmodified lerobot's policy, its pre- and post-processor: observations in, chunks (H, D) in robot units out.

    `folder` is a `pretrained_model` folder or the checkpoint above it. Observations go under the dataset's own names,
    images as (height, width, 3) uint8. Runs on the device that the checkpoint names, where there is one.

    `infer` of a stochastic policy is the draw of one fixed noise, the same for every observation; `sample` draws from
    the generator that it is given. A row's noise is its own, so that an answer does not depend on the others of its
    batch beyond rounding (1e-5 relative in float32; a language model in bfloat16 rounds at its third digit).

    A policy that looks at several observations in a row finds the earlier ones under "history"; one observation
    without it is the next of an episode, and those it was asked about since `reset` are remembered.
    """

    def __init__(self, folder: str | os.PathLike[str], vlm: str | None = None) -> None:
        """Raises FormatError for what is no such checkpoint, SpaceError where its action statistics are missing.

        `vlm` is the folder of the vision-language model that it names, where that is not to be had under its name.
        """
        self.folder = locate(Path(folder))
        checkpoint = read_checkpoint(self.folder)
        config = checkpoint.config
        loaded = load(checkpoint, vlm)
        self._deltas = loaded.config.action_delta_indices or ()
        observed = loaded.config.observation_delta_indices or ()
        self.spec = spec_of(config, self.folder, self._deltas, observed, checkpoint.renamed)
        self.name = f"{config.type} {step_name(self.folder)}"
        self.action_names = config.action_names
        # The edge of the pictures it was trained on, 0 where it wants none.
        self.image_size = config.inputs[config.cameras[0]].shape[-1] if config.cameras else 0
        self._known = config.type in KINDS
        self._inputs = Inputs(checkpoint, loaded.told)
        self._runner = Runner(loaded, self.folder, config.cameras, self.spec.stochastic)
        self._memory: deque[Observation] = deque(maxlen=self.spec.history)
        if self.spec.history > 1 and not self._runner.queues:
            raise ShapeError(
                f"{self.folder}: a {config.type} policy looks at {self.spec.history} observations in a row without "
                "queues that surehand could fill; train it with --policy.n_obs_steps=1"
            )

    @property
    def action_std(self) -> np.ndarray | None:
        """Standard deviation of the training actions (D,) in robot units, None where the checkpoint holds none."""
        return self._runner.action_std

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D) float32} for one observation."""
        return self.infer_batch([observation])[0]

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation from one forward pass; ShapeError for a missing or misshapen input."""
        seeds = np.full((len(observations), 1), FIXED, np.uint64)
        return [{"actions": chunks[0]} for chunks in self._ask(observations, seeds)]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K chunks (K, H, D): K draws of the policy's noise, or K times the one answer of a deterministic policy."""
        return self.sample_batch([observation], k, [rng])[0]

    def sample_batch(
        self, observations: Sequence[Observation], k: int, rngs: Sequence[np.random.Generator]
    ) -> list[Samples]:
        """K chunks (K, H, D) per observation, each from its own generator: whoever else is asked about, the same."""
        if not self.spec.stochastic:
            return [repeated(answer, k) for answer in self.infer_batch(list(observations))]
        seeds = [int(rng.integers(2**63)) for rng in rngs]
        # Of more draws with one seed, the first are those of fewer.
        noises = [np.random.SeedSequence(seed).generate_state(k, np.uint64) for seed in seeds]
        found = self._ask(observations, np.stack(noises) if noises else np.empty((0, k), np.uint64))
        return [Samples(chunks, self.spec.generator, seed=seed) for chunks, seed in zip(found, seeds, strict=True)]

    def reset(self) -> None:
        """Forget the episode so far."""
        self._memory.clear()
        self._runner.reset()

    def _ask(self, observations: Sequence[Observation], seeds: np.ndarray) -> np.ndarray:
        """(N, K, H, D) float32 for N observations and their seeds (N, K), in as few passes as memory allows."""
        n, k = seeds.shape
        if not n * k:
            return np.empty((n, k, self.spec.horizon, self.spec.dims), np.float32)
        lines = self._lines(observations)
        most = max(MOST_ROWS, n)
        found = []
        for start in range(0, n * k, most):
            rows = np.arange(start, min(start + most, n * k)) // k  # the observation of each row
            asked = range(rows[0], rows[-1] + 1)
            moments = [self._inputs.batch([lines[i][t] for i in asked]) for t in range(self.spec.history)]
            # Repeated before the pre-processor: the post-processor of relative actions reads the state it saw last.
            of_rows = [rows_of(batch, rows - rows[0]) for batch in moments]
            found.append(self._checked(self._runner.drawn(of_rows, seeds.reshape(-1)[start : start + most]), len(rows)))
        return np.concatenate(found).reshape(n, k, self.spec.horizon, self.spec.dims)

    def _checked(self, found: np.ndarray, rows: int) -> np.ndarray:
        """The chunks (B, H, D), finite; a type that is not known says with its first answer how long they are."""
        wanted = (rows, self.spec.horizon, self.spec.dims)
        if not self._known and found.ndim == 3 and found.shape[1] and (len(found), found.shape[2]) == (rows, wanted[2]):
            start = first_step(self._deltas, found.shape[1], self.folder / "config.json")
            self.spec = replace(self.spec, horizon=found.shape[1], first_step=start)
        elif found.shape != wanted:
            raise ShapeError(f"{self.folder}: the policy answered {found.shape}, its config promises {wanted}")
        if not np.isfinite(found).all():
            raise SurehandError(
                f"{self.folder}: the policy answered numbers that are not finite; its weights are damaged, or its "
                "training diverged"
            )
        return found

    def _lines(self, observations: Sequence[Observation]) -> list[list[Observation]]:
        """Each observation after its earlier ones, spec.history in all; ShapeError where a batch does not have them."""
        length = self.spec.history
        if length == 1:
            return [[observation] for observation in observations]
        if len(observations) == 1 and "history" not in observations[0]:
            observation = observations[0]
            if not (self._memory and self._inputs.same(observation, self._memory[-1])):
                self._memory.append(observation)
            return [timeline(self._memory[-1], list(self._memory)[:-1], length)]
        if not all("history" in observation for observation in observations):
            raise ShapeError(
                f"the policy looks at {length} observations in a row; in a batch each needs its earlier ones under "
                '"history"'
            )
        return [timeline(observation, observation["history"], length) for observation in observations]
