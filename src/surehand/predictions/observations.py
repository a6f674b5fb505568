"""What policies are shown of a dataset: whole episodes read at once, observations made of their rows on request.

N recorded frames, n of them asked about.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError
from surehand.formats.lerobot import STATE_KEYS, LeRobotFolder
from surehand.formats.pictures import Pictures
from surehand.frames import Actions
from surehand.policies.protocol import Observation, PolicySpec

NUMBERS = ("float", "int", "uint", "bool")  # how the dtypes of numbers begin
SAID = ("task", "episode_index", "frame_index", "history")  # in every observation, or made here


@dataclass(frozen=True)
class Shown:
    """Which features of a dataset a policy is shown, and how many observations in a row."""

    numbers: tuple[str, ...]
    cameras: tuple[str, ...]
    history: int = 1

    @classmethod
    def of(cls, dataset: LeRobotFolder, spec: PolicySpec) -> "Shown":
        """What the policy reads of what there is; whatever is there where it does not say what it reads.

        FormatError where it reads what the dataset lacks.
        """
        kinds = {key: str(feature.get("dtype")) for key, feature in dataset.features.items()}
        numbers = [key for key, kind in kinds.items() if kind.startswith(NUMBERS) and key != dataset.action_key]
        cameras = list(dataset.cameras)
        if spec.inputs is None:
            numbers = [key for key in numbers if key.startswith("observation.") or key in STATE_KEYS]
        else:
            absent = [key for key in spec.inputs if key not in kinds and key not in SAID]
            if absent:
                raise FormatError(
                    f"the policy reads {absent[0]}, which {dataset.root.name} does not have; it has "
                    f"{', '.join(key for key in kinds if key.startswith('observation.')) or 'no observation'}"
                )
            numbers = [key for key in numbers if key in spec.inputs and key not in SAID]
        if spec.cameras is not None:
            absent = [key for key in spec.cameras if key not in cameras]
            if absent:
                raise FormatError(
                    f"the policy looks through {absent[0]}, which {dataset.root.name} does not have; its cameras: "
                    f"{', '.join(cameras) or 'none'}"
                )
            cameras = list(spec.cameras)
        return cls(tuple(numbers), tuple(cameras), spec.history)


@dataclass(frozen=True, eq=False)
class Observations:
    """Whole episodes of a dataset as observations."""

    recorded: Actions
    numbers: dict[str, np.ndarray]  # key → (N, ...)
    cameras: tuple[str, ...]
    history: int
    pictures: Pictures | None
    wanted: Callable[[int], np.ndarray]  # frames of an episode that will be asked for
    _ready: set[int] = field(default_factory=set)  # episodes whose pictures are decoded

    def at(self, rows: np.ndarray) -> list[Observation]:
        """The observations of these rows (n,), in their order."""
        if self.history == 1:
            return self._plain(rows)
        first = rows - self.recorded.frame[rows]
        back = np.arange(self.history - 1, 0, -1)
        earlier = np.maximum(rows[:, None] - back, first[:, None])  # (n, history - 1), the first repeated
        needed = np.unique(np.concatenate([rows[:, None], earlier], axis=1))
        plain = dict(zip(needed.tolist(), self._plain(needed), strict=True))
        return [
            {**plain[row], "history": [plain[r] for r in before]}
            for row, before in zip(rows.tolist(), earlier.tolist(), strict=True)
        ]

    def _plain(self, rows: np.ndarray) -> list[Observation]:
        """Without a history. Columns are taken for all rows at once; each observation holds views of them."""
        recorded = self.recorded
        columns: dict[str, Any] = {key: values[rows] for key, values in self.numbers.items()}
        columns |= {key: self._seen(key, rows) for key in self.cameras}
        columns |= {"episode_index": recorded.episode[rows].tolist(), "frame_index": recorded.frame[rows].tolist()}
        if recorded.tasks:
            columns["task"] = [recorded.tasks[i] for i in recorded.task[rows].tolist()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _seen(self, camera: str, rows: np.ndarray) -> np.ndarray:
        """Pictures (n, h, w, 3) uint8."""
        assert self.pictures is not None
        episode, frame = self.recorded.episode[rows], self.recorded.frame[rows]
        parts = []
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(episode)) + 1):
            number = int(episode[part[0]])
            if number not in self._ready:  # all at once: frames of a video are decoded from the front
                self.pictures.prepare([number], self.wanted)
                self._ready.add(number)
            parts.append(self.pictures.frames(number, camera, frame[part]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Reader:
    """Reads the observations of whole episodes, as one kind of policy is shown them; every `stride`-th will be wanted.

    Decoded pictures go into the folder `cache`, at most `limit_bytes`; with None some stay in memory.
    """

    def __init__(
        self, dataset: LeRobotFolder, shown: Shown, cache: Path | None, limit_bytes: int, stride: int = 1
    ) -> None:
        self.dataset, self.shown, self.stride = dataset, shown, stride
        self._lengths = dict(zip(dataset.episodes.tolist(), dataset.lengths.tolist(), strict=True))
        self.pictures = Pictures(dataset, shown.cameras, cache, limit_bytes) if shown.cameras else None

    def read(self, episodes: Sequence[int]) -> Observations:
        """These episodes; SurehandError where the data files contradict the metadata or a picture is missing."""
        recorded = self.dataset.read(episodes, columns=self.shown.numbers)
        numbers = {key: self._shaped(key, values) for key, values in recorded.columns.items()}
        return Observations(recorded, numbers, self.shown.cameras, self.shown.history, self.pictures, self._wanted)

    def prepare(self, episodes: Sequence[int]) -> None:
        """Nothing; decodes the pictures of these episodes ahead of use."""
        if self.pictures is not None:
            self.pictures.prepare(episodes, self._wanted)

    @property
    def warnings(self) -> list[str]:
        """What did not go as asked, and yet went."""
        return [] if self.pictures is None else self.pictures.warnings

    def _wanted(self, episode: int) -> np.ndarray:
        """Frames (n,) of an episode that will be asked for, histories included."""
        asked = np.arange(0, self._lengths[episode], self.stride)
        return np.unique(np.maximum(asked[:, None] - np.arange(self.shown.history), 0))

    def _shaped(self, key: str, values: np.ndarray) -> np.ndarray:
        """(N, ...) as info.json declares it: lerobot stores shape [1] as a plain column."""
        shape = self.dataset.features[key].get("shape")
        return values[:, None] if shape == [1] and values.ndim == 1 else values
