"""One forward pass of a LeRobot policy: pre-processor, queues, policy, post-processor; noise that is each row's own."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import SurehandError
from surehand.policies.chunks import first_line
from surehand.policies.lerobot.checkpoint import ACTION
from surehand.policies.lerobot.inputs import Batch, rows_of
from surehand.policies.lerobot.kinds import KINDS
from surehand.policies.lerobot.loading import Loaded

PICTURES, PICTURE = "observation.images", "observation.image"  # of all cameras, of the first


class Runner:
    """lerobot's objects at work; `row_by_row` once a policy has drawn in a way that batches cannot be divided in."""

    def __init__(self, loaded: Loaded, folder: Path, cameras: Sequence[str], stochastic: bool) -> None:
        self.row_by_row = False
        self._lerobot, self._folder, self._cameras, self._stochastic = loaded, folder, cameras, stochastic
        kind = KINDS.get(loaded.config.type)
        self._steps_first = kind is not None and kind.steps_first
        self._alone: frozenset[tuple[int, ...]] | None = None  # shapes that one row draws, once one was seen

    @property
    def queues(self) -> set[str]:
        """The observations that the policy reads from queues instead of the batch."""
        return set(getattr(self._lerobot.policy, "_queues", None) or ()) - {ACTION}

    @property
    def action_std(self) -> np.ndarray | None:
        """Standard deviation of the training actions (D,), None where the post-processor holds none.

        Statistics of relative actions are those of the offsets from the state, and are nothing's spread in robot units.
        """
        if getattr(self._lerobot.config, "use_relative_actions", False):
            return None
        known: list[Any] = [getattr(step, "stats", None) or {} for step in self._lerobot.after.steps]
        found = [stats[ACTION]["std"] for stats in known if "std" in stats.get(ACTION, {})]
        return np.asarray(found[0], float) if found else None

    def reset(self) -> None:
        """Forget the episode so far."""
        self._lerobot.policy.reset()

    def drawn(self, moments: list[Batch], seeds: np.ndarray) -> np.ndarray:
        """(B, H, D) of B rows, each with the noise of its own seed.

        A policy whose draws cannot be divided among the rows of a batch is asked row by row from then on; which it
        is shows when the shapes that a batch draws are held against those of one row alone.
        """
        if not self._stochastic:
            return self.chunks(moments)
        from surehand.policies.lerobot.noise import SharedDraw, own_noise

        if len(seeds) == 1:
            with own_noise(seeds.tolist()) as noise:
                found = self.chunks(moments)
            self._alone = (self._alone or frozenset()) | noise.shapes
            return found
        if self._alone is None:
            self.drawn([rows_of(batch, np.arange(1)) for batch in moments], seeds[:1])
        if not self.row_by_row:
            try:
                with own_noise(seeds.tolist(), self._alone):
                    return self.chunks(moments)
            except SharedDraw:
                self.row_by_row = True
        alone = [[rows_of(batch, np.array([row])) for batch in moments] for row in range(len(seeds))]
        return np.concatenate([self.drawn(one, seeds[row : row + 1]) for row, one in enumerate(alone)])

    def chunks(self, moments: list[Batch]) -> np.ndarray:
        """(B, H, D) float32 in robot units, the observations of the policy's history given oldest first."""
        from surehand.policies.lerobot.noise import SharedDraw

        try:
            return self._chunks(moments)
        except (SurehandError, SharedDraw):
            raise
        except Exception as error:  # whatever lerobot, transformers or torch raise
            raise SurehandError(
                f"{self._folder}: the policy failed on this observation ({type(error).__name__}: {first_line(error)})"
            ) from error

    def _chunks(self, moments: list[Batch]) -> np.ndarray:
        import torch

        config, policy = self._lerobot.config, self._lerobot.policy
        half = torch.autocast(config.device.split(":")[0]) if config.use_amp else nullcontext()
        with torch.no_grad(), half:
            policy.reset()
            for batch in moments:  # the present one last: the post-processor may read what its pre-processor left
                ready = self._lerobot.before(dict(batch))
                ready = self._queue({key: value for key, value in ready.items() if key != ACTION})
            found = self._lerobot.after(policy.predict_action_chunk(ready))
        if self._steps_first:
            found = found.transpose(0, 1)
        return np.asarray(found.detach().cpu().float().numpy())

    def _queue(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch once its observations lie in the queues from which policies like lerobot's diffusion read them."""
        wanted = self.queues
        if not wanted:
            return batch
        import torch
        from lerobot.policies.utils import populate_queues

        pictures = [batch[key] for key in self._cameras]
        if pictures and PICTURES in wanted:
            batch[PICTURES] = torch.stack(pictures, dim=-4)
        if pictures and PICTURE in wanted:
            batch[PICTURE] = pictures[0]
        policy = self._lerobot.policy
        policy._queues = populate_queues(policy._queues, batch)
        return batch
