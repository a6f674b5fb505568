"""How GR00T's servers want an observation and give the action: what they say of themselves, and three forms.

N1.5: names with their kind ("video.head"), one observation a request, axes of size 1 dropped from the answer.
N1.6 and N1.7: names by kind ({"video": {"head": ...}}), a batch a request, [action, info] back; the same behind its
wrapper for simulators with flat names. T observations in a row, B of them side by side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.policies.chunks import LONGEST_HISTORY, numbers_of
from surehand.policies.protocol import Observation

KINDS = ("video", "state")
_ALL = (*KINDS, "action", "language")
LANGUAGE = "annotation.human.task_description"  # where the server does not say and the mapping neither


@dataclass(frozen=True)
class Form:
    """One way to write an observation: names nested by kind or flat, B observations or one."""

    name: str
    nested: bool
    batched: bool

    def __str__(self) -> str:
        return self.name

    def request(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The data of get_action for rows of stacked features: {"video.head": (T, h, w, 3), ..., language: text}."""
        observation: dict[str, Any] = {kind: {} for kind in (*KINDS, "language")} if self.nested else {}
        for name in rows[0]:
            values = [row[name] for row in rows]
            kind, _, short = name.partition(".")
            if kind not in KINDS:
                place, key = (observation["language"], name) if self.nested else (observation, name)
                place[key] = [[text] for text in values] if self.nested else values
                continue
            place, key = (observation[kind], short) if self.nested else (observation, name)
            if len({value.shape for value in values}) > 1:
                raise ShapeError(f"{name} differs in shape: {', '.join(str(value.shape) for value in values)}")
            place[key] = np.stack(values) if self.batched else values[0]
        return {"observation": observation, "options": None} if self.batched else observation


NESTED = Form("nested", True, True)
NESTED_FLAT = Form("flat names, a batch", False, True)
FLAT = Form("flat names, one observation", False, False)
FORMS = (NESTED, NESTED_FLAT, FLAT)


@dataclass(frozen=True)
class Wanted:
    """What a server says it reads and answers; empty where it does not say.

    `offsets`: frames of each kind before the current one, as numbers up to 0; `steps`: offsets of the action's steps.
    """

    names: tuple[str, ...] = ()  # video.*, state.*
    language: str = ""
    groups: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    offsets: tuple[tuple[str, tuple[int, ...]], ...] = ()
    prefixed: bool = False  # whether the names it gives carry their kind: N1.5's do

    @classmethod
    def parse(cls, said: Any) -> "Wanted":
        """From get_modality_config's answer; FormatError for one that is not such."""
        if said is None or said == {}:
            return cls()
        if not isinstance(said, dict) or not all(_is_modality(said[kind]) for kind in said if kind in _ALL):
            raise FormatError(f"a modality configuration that is no such ({str(said)[:80]})")
        names = {kind: tuple(said[kind]["modality_keys"]) if kind in said else () for kind in _ALL}
        steps = tuple(said["action"]["delta_indices"]) if "action" in said else ()
        if steps and steps != tuple(range(steps[0], steps[0] + len(steps))):
            raise SurehandError(f"the server predicts steps {', '.join(map(str, steps))}; expected one after the other")
        offsets = tuple((kind, tuple(said[kind]["delta_indices"])) for kind in KINDS if kind in said)
        if any(not found or max(found) > 0 for _, found in offsets):
            raise SurehandError("the server wants observations of the future; it cannot be asked about recorded ones")
        if any(min(found) <= -LONGEST_HISTORY for _, found in offsets):
            raise SurehandError(f"the server wants observations from further back than {LONGEST_HISTORY} frames")
        prefixed = any(names.values()) and all(
            name.startswith(f"{kind}.") for kind in (*KINDS, "action") for name in names[kind]
        )
        return cls(
            tuple(name if prefixed else f"{kind}.{name}" for kind in KINDS for name in names[kind]),
            next(iter(names["language"]), ""),
            tuple(name.removeprefix("action.") for name in names["action"]),
            steps,
            offsets,
            prefixed,
        )

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that this server may speak, the likeliest first."""
        return FORMS[::-1] if self.prefixed else FORMS

    @property
    def history(self) -> int:
        """Observations in a row that reach back to the earliest frame it wants."""
        return 1 - min((min(found) for _, found in self.offsets), default=0)

    def check_named(self, named: Sequence[str], url: str) -> None:
        """Nothing, or ShapeError naming what the server wants and no clause of the mapping writes."""
        missing = [name for name in self.names if name not in named]
        if missing:
            raise ShapeError(
                f"{url} wants {', '.join(missing)}; say where from, e.g. --map {missing[0]}="
                + ("observation.images.CAMERA" if missing[0].startswith("video.") else "observation.state[0:7]")
            )

    def stacked(self, observation: Observation, change: Callable[[Observation], dict[str, Any]]) -> dict[str, Any]:
        """What the mapping makes of one observation and those before it: T in a row of each video and state."""
        before = list(observation.get("history", ()))
        in_a_row = [change(one) for one in [*before[max(0, len(before) + 1 - self.history) :], observation]]
        offsets, row = dict(self.offsets), {}
        texts = {name: value for name, value in in_a_row[-1].items() if isinstance(value, str)}
        for name in in_a_row[-1]:
            kind = name.partition(".")[0]
            if kind in KINDS and (not self.names or name in self.names):
                frames = [in_a_row[max(0, len(in_a_row) - 1 + back)][name] for back in offsets.get(kind, (0,))]
                row[name] = np.stack([_frame(frame, name, kind) for frame in frames])
        said = {name.removeprefix("language."): text for name, text in texts.items()}
        key = self.language or next(iter(said), LANGUAGE)
        text = said.get(key, next(iter(said.values()), observation.get("task")))
        return row if text is None else row | {key: str(text)}


def columns_of(found: Any, rows: int, groups: Sequence[str], wanted: Wanted, who: str) -> np.ndarray:
    """(B, H, D) of an answer {"action.arm": ..., ...}, alone or with the information beside it; errors name `who`."""
    action = found[0] if isinstance(found, list | tuple) and found else found
    if not isinstance(action, dict) or not action:
        raise FormatError(f"{who} answered a {type(action).__name__}, expected an array for each group of joints")
    parts = {str(key).removeprefix("action."): numbers_of(value, f"{who}: {key}") for key, value in action.items()}
    order = tuple(groups) or wanted.groups or tuple(parts)
    if set(order) != set(parts):
        raise ShapeError(f"{who} answered the groups {', '.join(parts)}, expected {', '.join(order)}")
    horizon = len(wanted.steps) or next((part.shape[-2] for part in parts.values() if part.ndim > 1), 0)
    placed = [_placed(parts[name], rows, horizon) for name in order]
    if any(part is None for part in placed) or len({part.shape[1] for part in placed if part is not None}) > 1:
        shapes = ", ".join(f"{name} {parts[name].shape}" for name in order)
        raise ShapeError(f"{who} answered {shapes} to {rows} observations, expected (H, n) of each for one H")
    return np.concatenate([part for part in placed if part is not None], axis=2)


def _placed(part: np.ndarray, rows: int, horizon: int) -> np.ndarray | None:
    """One group as (B, H, n), None for what is none.

    N1.5 drops axes of size 1; the other groups or the configuration say which it was.
    """
    if not part.size:
        return None
    if part.ndim == 3 and part.shape[0] == rows:
        return part
    if rows == 1 and part.ndim == 2:
        return part[None]
    if rows == 1 and part.ndim <= 1 and horizon == 1:
        return part.reshape(1, 1, -1)
    if rows == 1 and horizon and part.shape == (horizon,):
        return part[None, :, None]
    return None


def _frame(value: Any, name: str, kind: str) -> np.ndarray:
    """One picture (h, w, 3) uint8 or one row of numbers (n,) float32."""
    found = np.asarray(value)
    if kind == "video":
        if found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != 3:
            raise ShapeError(f"{name}: expected a picture (h, w, 3) of uint8, got {found.shape} {found.dtype}")
        return found
    if found.dtype.kind not in "fiub" or found.ndim > 1:
        raise ShapeError(f"{name}: expected a row of numbers, got {found.shape} {found.dtype}")
    return found.reshape(-1).astype(np.float32)


def _is_modality(found: Any) -> bool:
    keys, offsets = (
        (found.get(key) for key in ("modality_keys", "delta_indices")) if isinstance(found, dict) else (0, 0)
    )
    return (
        isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        and isinstance(offsets, list) and all(type(offset) is int for offset in offsets)
    )  # fmt: skip
