"""What to predict and how: every choice that a predicted number depends on, and what each policy is called."""

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from surehand.exceptions import NotEnoughData, SurehandError
from surehand.formats.checkpoint_names import split_step
from surehand.formats.lerobot import LeRobotFolder
from surehand.predictions.opening import Access

SHARD = 2048  # chunks of one piece of work: what a killed run loses at most, per worker
LONGEST = 100  # letters of a name, which is also that of a file
UNRECORDED = ("api_key", "timeout", "dataset", "vlm")  # of the access: secret, or where things lie, not what they are


@dataclass(frozen=True)
class PredictPlan:
    """One prediction's choices. Numbers depend on nothing else, but for last bits on the number of threads.

    Every `stride`-th frame of the episodes is predicted, `samples` (K) chunks each. Draws of (episode, frame) come
    from a generator of their own, seeded by both and `seed`: neither batch nor shard nor worker changes them. `sigma`
    perturbs answers by that many deviations of the actions in the episodes `train`. `horizon` cuts chunks.
    """

    episodes: tuple[int, ...]
    train: tuple[int, ...] = ()
    stride: int = 1
    samples: int = 1
    seed: int = 0
    sigma: float | None = None
    temperature: float | None = None
    horizon: int | None = None
    batch: int = 64
    shard: int = SHARD
    access: Access = field(default_factory=Access)

    def __post_init__(self) -> None:
        counts = {"stride": self.stride, "samples": self.samples, "batch": self.batch, "shard": self.shard}
        for name, value in counts.items() | {("horizon", 1 if self.horizon is None else self.horizon)}:
            if value < 1:
                raise SurehandError(f"{name} {value}: expected at least 1")
        if self.seed < 0:
            raise SurehandError(f"seed {self.seed}: expected a whole number from 0")
        if self.sigma is not None and self.temperature is not None:
            raise SurehandError("draws come from --sigma or from --temperature, not both")
        for name, knob in (("sigma", self.sigma), ("temperature", self.temperature)):
            if knob is not None and not 0 <= knob < float("inf"):
                raise SurehandError(f"{name} {knob}: expected a finite number from 0")
        if not self.episodes:
            raise NotEnoughData("no episodes to predict; name some with --split, --episodes or --ratio")

    def facts(self) -> dict[str, Any]:
        """What the numbers depend on, as JSON holds it: another value of any of them is another prediction."""
        said = {name: value for name, value in asdict(self).items() if name not in ("train", "access")}
        access = {name: value for name, value in asdict(self.access).items() if name not in UNRECORDED}
        said |= {name: list(value) if isinstance(value, tuple) else value for name, value in access.items()}
        return {
            **said,
            "episodes": sorted(self.episodes),
            "train": sorted(self.train) if self.sigma is not None else [],
        }


def shards(plan: PredictPlan, dataset: LeRobotFolder) -> list[tuple[int, ...]]:
    """The plan's episodes, ascending, in groups of at most `plan.shard` chunks, at least one episode each."""
    lengths = dict(zip(dataset.episodes.tolist(), dataset.lengths.tolist(), strict=True))
    groups: list[tuple[int, ...]] = []
    waiting: list[int] = []
    total = 0
    for episode in sorted(plan.episodes):
        frames = -(-lengths[episode] // plan.stride)
        if not frames:
            continue
        if waiting and (total + frames) * plan.samples > plan.shard:
            groups.append(tuple(waiting))
            waiting, total = [], 0
        waiting.append(episode)
        total += frames
    return [*groups, tuple(waiting)] if waiting else groups


@dataclass(frozen=True)
class Address:
    """One policy: where it is, and what its predictions are called."""

    where: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """The policy in `WHERE` or `NAME=WHERE`; a path that exists is never taken apart.

        >>> Address.parse("pi05=ws://gpu:8000")
        Address(where='ws://gpu:8000', name='pi05')
        """
        if not text.strip():
            raise SurehandError("an empty policy; name a checkpoint's folder, a server or module:function")
        name, equals, where = text.partition("=")
        if not equals or not where or os.path.exists(text):
            return cls(text)
        if re.fullmatch(r"[\w .-]+", name) and len(name) <= LONGEST:
            return cls(where, name.strip())
        if "://" in where or os.path.exists(where) or os.path.exists(where.rpartition(":")[0]):
            raise SurehandError(
                f"{_short(name)!r} cannot name a policy; expected letters, digits, spaces and . - _, {LONGEST} at most"
            )
        return cls(text)

    @property
    def shown(self) -> str:
        """Where it is, without a password or a query that may hold a key."""
        scheme, slashes, rest = self.where.partition("://")
        if not slashes:
            return self.where
        host, slash, path = rest.partition("?")[0].partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"

    @property
    def file(self) -> str:
        """The name of its predictions' file, without suffix: the name, in letters that every disk takes."""
        return re.sub(r"[^\w.-]+", "-", self.name).strip("-.") or "policy"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def named(addresses: Sequence[Address]) -> list[Address]:
    """The same policies, each with a name of its own: the one given, else from where it is."""
    found = [a if a.name else Address(a.where, name_of(a.shown)) for a in addresses]
    files = [a.file.casefold() for a in found]
    twice = [a for a in found if files.count(a.file.casefold()) > 1]
    if twice:
        raise SurehandError(
            f"two policies would both be called {twice[0].name!r} ({', '.join(a.shown for a in twice[:2])}); "
            "name them, as in first=WHERE second=WHERE"
        )
    return found


def name_of(where: str) -> str:
    """What a policy that says no name is called: the run and step of a path, the address of a server.

    >>> name_of("runs/act/checkpoints/020000/pretrained_model"), name_of("ws://gpu:8000"), name_of("mine.py:act")
    ('act 020000', 'gpu 8000', 'mine act')
    """
    _, slashes, rest = where.partition("://")
    if slashes:
        return re.sub(r"[:/]+", " ", rest).strip() or "server"
    file, colon, function = where.rpartition(":")
    if colon and function.isidentifier():
        return f"{Path(file).stem} {function}"
    path = Path(where)
    if path.suffix in (".onnx", ".parquet", ".npz"):
        return path.stem
    run, step = split_step(path.absolute())
    folder = Path(run)
    above = folder.parent if folder.name == "checkpoints" else folder
    return above.name if step is None else f"{above.name} {step:06d}"
