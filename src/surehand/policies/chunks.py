"""What a stranger answered, as a chunk: a server, a function or a model file may return anything."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.frames import Samples, usable
from surehand.policies.protocol import Answer, Observation, PolicySpec

LONGEST_HISTORY = 1000  # observations in a row that a stranger may ask for; they are kept in memory


def numbers_of(found: Any, who: str) -> np.ndarray:
    """The array of floats in an answer, a copy of any shape; FormatError names who sent something else, or NaN."""
    try:
        array = np.array(found)
    except Exception as error:  # ragged lists, tensors on a device: whatever the conversion raises
        raise FormatError(f"{who} answered {_kind(found)}, expected actions (H, D): {first_line(error)}") from None
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise FormatError(f"{who} answered {_kind(found)}, expected actions (H, D)")
    wide = array.dtype.itemsize == 8 or (array.dtype.kind in "iu" and array.dtype.itemsize == 4)
    array = array.astype(np.float64 if wide else np.float32, copy=False)
    bad = np.argwhere(~usable(array))
    if len(bad):
        raise FormatError(
            f"{who} answered {array[tuple(bad[0])]} at {tuple(map(int, bad[0]))}; expected finite numbers"
        )
    return array


def chunk_of(found: Any, who: str) -> np.ndarray:
    """The chunk (H, D) in an answer {"actions": ...}, (H, D) or (D,); errors name who answered."""
    if isinstance(found, dict):
        if "actions" not in found:
            raise FormatError(f"{who} answered {', '.join(map(str, found))[:80] or 'nothing'}; expected 'actions'")
        found = found["actions"]
    array = numbers_of(found, who)
    chunk = array[None] if array.ndim == 1 else array
    if chunk.ndim != 2 or not chunk.size:
        raise ShapeError(f"{who} answered actions of shape {array.shape}, expected (H, D) or (D,)")
    return chunk


class Learning:
    """Part of a policy that learns its horizon and its columns from the first answer, and holds it to them."""

    spec: PolicySpec
    who: str

    def checked(self, chunk: np.ndarray) -> np.ndarray:
        """The chunk (H, D), of the shape that the policy declared or first answered; else ShapeError."""
        horizon, dims = self.spec.horizon or chunk.shape[0], self.spec.dims or chunk.shape[1]
        if chunk.shape != (horizon, dims):
            raise ShapeError(f"{self.who} answered actions of shape {chunk.shape}, before that {(horizon, dims)}")
        if not (self.spec.horizon and self.spec.dims):
            self.spec = replace(self.spec, horizon=horizon, dims=dims)
        return chunk


class OneByOne(Learning):
    """A policy that answers one observation at a time; what it draws, it draws by being asked again."""

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D)} for one observation."""
        raise NotImplementedError

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation, one after the other."""
        return [self.infer(observation) for observation in observations]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K chunks (K, H, D): K answers, or K times the one answer of a deterministic policy."""
        if not self.spec.stochastic:
            return repeated(self.infer(observation), k)
        return Samples(np.stack([self.infer(observation)["actions"] for _ in range(k)]), self.spec.generator)

    def reset(self) -> None:
        """Nothing: it looks at one observation at a time."""

    def close(self) -> None:
        """Nothing is held open."""


def repeated(answer: Answer, k: int) -> Samples:
    """K times the one chunk (K, H, D) of a deterministic policy."""
    return Samples(np.repeat(np.asarray(answer["actions"])[None], k, axis=0), "deterministic")


def flattened(found: dict[str, Any], above: Sequence[str] = ()) -> dict[str, Any]:
    """Nested dicts as one, names joined with dots."""
    flat: dict[str, Any] = {}
    for name, value in found.items():
        path = (*above, str(name))
        flat.update(flattened(value, path) if isinstance(value, dict) else {".".join(path): value})
    return flat


def _kind(found: Any) -> str:
    return repr(found)[:60] if isinstance(found, str | bytes | None) else f"a {type(found).__name__}"


def first_line(error: object) -> str:
    """The first line of what an exception or a server says, with the next one where it announces that; an exception
    that says nothing gives its name.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    announced = lines[1].strip()[:120] if lines[0].endswith(":") and len(lines) > 1 else ""
    return f"{lines[0].strip()} {announced}".strip()
