"""run.json: how a training run came to be, how far it is, and its losses."""

import hashlib
import platform
from pathlib import Path
from typing import Self

import numpy as np
import torch

from surehand.exceptions import FormatError
from surehand.formats.records import Part, Record
from surehand.sim.learners.chunks import Chunks
from surehand.sim.learners.settings import Training

RUN = "run.json"


class CheckpointLoss(Part):
    """One checkpoint's losses: the learner's own, on fixed training frames and on all held-out frames."""

    step: int
    train_loss: float
    validation_loss: float


class Run(Record):
    """What a folder of `train` says of itself."""

    kind: str = "run"

    recipe: Training
    torch: str = torch.__version__
    machine: str = platform.machine()
    threads: int
    layout: str
    data_identity: str = ""
    data: str  # fingerprint of the numbers trained and judged on
    train_frames: int
    train_episodes: int
    held_out_frames: int
    held_out_episodes: int
    seconds: float = 0.0
    checkpoints: list[CheckpointLoss] = []  # noqa: RUF012 (pydantic copies it)

    def open(self, out: Path) -> Self:
        """The run that the folder holds where it is this one, else this one, begun there.

        FormatError for a folder with another run or with anything else.
        """
        if not (out / RUN).exists():
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise FormatError(f"{out} exists and holds no run; choose a new folder")
            self.save(out / RUN)
            return self
        found = self.load(out / RUN)
        ours, theirs = (run.model_dump(exclude={"created", "checkpoints", "seconds"}) for run in (self, found))
        for key, value in ours.items():
            if value != theirs[key]:
                raise FormatError(f"{out} holds a run with {key} {theirs[key]}, not {value}; choose a new folder")
        return found


def fingerprint(*parts: Chunks) -> str:
    """First 16 hex digits of a SHA-256 over every number that training sees."""
    digest = hashlib.sha256()
    for chunks in parts:
        for values in (chunks.vector, chunks.target, chunks.valid, *chunks.images.values()):
            digest.update(f"{values.dtype}{values.shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:16]
