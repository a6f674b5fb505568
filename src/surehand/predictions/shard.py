"""One piece of work: one policy over the frames of a few whole episodes; what a worker keeps between pieces.

n frames of a batch, N of a piece, K draws, H steps, D action dimensions, S steps of an answer as the policy gives it.
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.predictions_check import as_float32
from surehand.frames import Predictions
from surehand.policies.protocol import Observation
from surehand.predictions.draws import Drawing, draw, draws_of
from surehand.predictions.observations import Observations, Reader, Shown
from surehand.predictions.opening import Access
from surehand.predictions.plan import Address, PredictPlan
from surehand.workers.one_worker import OneWorker

OpenPolicy = Callable[[str, Access], Any]


@dataclass(frozen=True, eq=False)
class Setup:
    """What every worker is told once."""

    dataset: LeRobotFolder
    plan: PredictPlan
    open_policy: OpenPolicy
    scale: np.ndarray | None = None  # (D,) what sigma 1 means
    threads: int = 1  # of torch
    cache: Path | None = None
    cache_bytes: int = 0


@dataclass(frozen=True)
class Piece:
    """The job: a policy, whole episodes, and the episodes that the same worker will probably be asked for next."""

    address: Address
    number: int
    episodes: tuple[int, ...]
    following: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Done:
    """What one piece came to."""

    predictions: Predictions
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(eq=False)
class Worker:
    """What one process keeps between pieces: the policy that it opened last, and what it read ahead."""

    setup: Setup
    watch: Callable[[str, int], None] = lambda name, frames: None  # told of every batch, where someone can listen
    _address: Address | None = None
    _drawing: Drawing | None = None
    _broken: dict[Address, Exception] = field(default_factory=dict)
    _readers: dict[Shown, Reader] = field(default_factory=dict)
    _aside: OneWorker = field(default_factory=OneWorker)
    _decoder: OneWorker = field(default_factory=OneWorker)  # runs ahead of the batches, as far as the piece goes
    _ahead: tuple[Shown, tuple[int, ...], Future[Observations]] | None = None

    def work(self, piece: Piece) -> Done:
        """Predictions of the piece; a policy that failed once fails at once for all that is left of it."""
        if piece.address in self._broken:
            raise self._broken[piece.address]
        try:
            drawing = self._open(piece.address)
            began = time.perf_counter()
            predictions = self._predict(drawing, piece)
        except SystemExit as end:
            self._broken[piece.address] = SurehandError(f"it asked the program to end (exit {end.code})")
            raise self._broken[piece.address] from None
        except Exception as error:
            self._broken[piece.address] = error
            raise
        warnings = {text: None for reader in self._readers.values() for text in reader.warnings}
        return Done(predictions, time.perf_counter() - began, tuple(warnings))

    def close(self) -> None:
        """Give back what the open policy holds, and end the reading."""
        self._close_policy()
        self._aside.stop()
        self._decoder.stop()

    def _open(self, address: Address) -> Drawing:
        if self._drawing is None or self._address != address:
            self._close_policy()
            policy = self.setup.open_policy(address.where, self.setup.plan.access)
            if (torch := sys.modules.get("torch")) is not None:
                torch.set_num_threads(self.setup.threads)
            self._drawing, self._address = draws_of(policy, address.name, self.setup.plan, self.setup.scale), address
        return self._drawing

    def _close_policy(self) -> None:
        close = getattr(self._drawing.given, "close", None) if self._drawing else None
        self._drawing = self._address = None
        if close is not None:
            with suppress(Exception):  # its answers are there, whatever the other side thinks of the farewell
                close()

    def _predict(self, drawing: Drawing, piece: Piece) -> Predictions:
        setup, plan = self.setup, self.setup.plan
        shown = Shown.of(setup.dataset, drawing.policy.spec)
        self._decoder.submit(self._reader(shown).prepare, piece.episodes)
        seen = self._read(shown, piece.episodes).result()
        recorded = seen.recorded
        lengths = dict(zip(setup.dataset.episodes.tolist(), setup.dataset.lengths.tolist(), strict=True))
        ends = np.concatenate([np.full(lengths[e], lengths[e]) for e in piece.episodes])  # (frames of the piece,)
        late = max(drawing.policy.spec.first_step, 0)
        rows = np.flatnonzero((recorded.frame % plan.stride == 0) & (recorded.frame + late < ends))
        drawing.policy.reset()
        parts = []
        for batch, observations in self._batches(seen, rows, shown, piece.following):
            parts.append(draw(drawing, observations, recorded.episode[batch], recorded.frame[batch]))
            self.watch(drawing.name, len(batch))
        chunks = _joined(parts, drawing.name)  # (N, K, S, D)
        _check_size(chunks, drawing, setup.dataset)
        spec = drawing.policy.spec  # some know only after their first answer where their chunks begin
        begin = recorded.frame[rows] + max(spec.first_step, 0)
        keep = begin < ends[rows]
        rows, begin = rows[keep], begin[keep]
        chunks = chunks[keep, :, max(-spec.first_step, 0) :][:, :, : plan.horizon]
        made = Predictions(
            prediction=chunks,
            episode=recorded.episode[rows],
            frame=begin,
            length=np.minimum(chunks.shape[2], ends[rows] - begin),
            checkpoint=drawing.name,
            space=spec.space,
            metadata=drawing.metadata() | {"policy": piece.address.shown, "torch_threads": setup.threads},
            task=recorded.task[rows] if recorded.tasks else None,
            tasks=recorded.tasks,
        )
        return as_float32(made, drawing.name)

    def _read(self, shown: Shown, episodes: tuple[int, ...]) -> "Future[Observations]":
        """These episodes, read aside; already there where they were read ahead."""
        if self._ahead is not None and self._ahead[:2] == (shown, episodes):
            return self._ahead[2]
        return self._aside.submit(self._reader(shown).read, episodes)

    def _reader(self, shown: Shown) -> Reader:
        if shown not in self._readers:
            setup = self.setup
            self._readers[shown] = Reader(setup.dataset, shown, setup.cache, setup.cache_bytes, setup.plan.stride)
        return self._readers[shown]

    def _batches(
        self, seen: Observations, rows: np.ndarray, shown: Shown, following: tuple[int, ...]
    ) -> Iterator[tuple[np.ndarray, list[Observation]]]:
        """(rows, observations) of each batch; the next one is made aside while the policy works, at last the next
        piece's episodes are read."""
        batches = [rows[at : at + self.setup.plan.batch] for at in range(0, len(rows), self.setup.plan.batch)]
        waiting = self._aside.submit(seen.at, batches[0]) if batches else None
        for i, batch in enumerate(batches):
            assert waiting is not None
            observations = waiting.result()
            if i + 1 < len(batches):
                waiting = self._aside.submit(seen.at, batches[i + 1])
            elif following:
                self._ahead = (shown, following, self._aside.submit(self._reader(shown).read, following))
                self._decoder.submit(self._reader(shown).prepare, following)
            yield batch, observations


def begin_work(setup: Setup) -> Worker:
    """A worker before its first piece."""
    return Worker(setup)


def do_piece(worker: Worker, piece: Piece) -> Done:
    """What the worker makes of the piece."""
    return worker.work(piece)


def _joined(parts: list[np.ndarray], name: str) -> np.ndarray:
    """(N, K, S, D) of all batches; ShapeError where an answer's shape changed on the way."""
    if not parts:
        return np.zeros((0, 1, 1, 1), np.float32)
    shapes = [part.shape[1:] for part in parts]
    other = next((shape for shape in shapes if shape != shapes[0]), None)
    if other is not None:
        raise ShapeError(f"{name} answered {shapes[0][1:]} first and {other[1:]} later; chunks must keep their shape")
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _check_size(chunks: np.ndarray, drawing: Drawing, dataset: LeRobotFolder) -> None:
    """Nothing, or ShapeError where no step is left or the actions are not the dataset's."""
    spec, (steps, dims) = drawing.policy.spec, chunks.shape[2:]
    if not len(chunks):
        raise SurehandError(f"{drawing.name}: none of these episodes has a frame to predict from")
    if steps <= -spec.first_step:
        raise ShapeError(f"{drawing.name} answers the past alone ({-spec.first_step} steps before each frame)")
    if spec.space.units == "robot" and dims != dataset.size:
        raise ShapeError(
            f"{drawing.name} answers {dims} action dimensions, {dataset.root.name} records {dataset.size}; predict on "
            "data of the same robot"
        )
