"""One clause of a mapping: NAME=FEATURE, FEATURE[a:b] for some of its numbers, FEATURE[chw] for channels first."""

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from surehand.exceptions import ShapeError, SurehandError

_NAME = r"[^\s,=\[\]]+"
_CLAUSE = re.compile(rf"(?P<name>{_NAME})=(?P<key>{_NAME})(?:\[(?:(?P<chw>chw)|(?P<start>\d*):(?P<stop>\d*))\])?")
_DIGITS = 9  # no feature has a billion numbers; a longer index is a slip of the finger


@dataclass(frozen=True)
class Clause:
    """`name` is what the policy reads, `key` where it comes from; `start` and `stop` choose numbers of it."""

    name: str
    key: str
    start: int | None = None
    stop: int | None = None
    chw: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """The clause that `str()` printed; raises SurehandError naming the clause."""
        found = _CLAUSE.fullmatch(text.strip())
        if found is None or any(len(found[side] or "") > _DIGITS for side in ("start", "stop")):
            raise SurehandError(
                f"--map {text.strip()!r}: expected NAME=FEATURE, with [a:b] for some of its numbers or [chw] for a "
                "picture with its channels first, e.g. observation/state=observation.state[0:7]"
            )
        start, stop = (int(found[side]) if found[side] else None for side in ("start", "stop"))
        clause = cls(found["name"], found["key"], start, stop, found["chw"] is not None)
        if stop is not None and stop <= (start or 0):
            raise SurehandError(
                f"--map {clause}: [{start or ''}:{stop}] chooses nothing; the second number is too small"
            )
        if not all(clause.path(flat=False)):
            raise SurehandError(f"--map {clause}: {clause.name} has a dot with no name beside it; a dot nests")
        return clause

    def __str__(self) -> str:
        tail = ""
        if self.chw:
            tail = "[chw]"
        elif (self.start, self.stop) != (None, None):
            tail = f"[{'' if self.start is None else self.start}:{'' if self.stop is None else self.stop}]"
        return f"{self.name}={self.key}{tail}"

    @property
    def picture(self) -> bool:
        """Whether it reads a picture, by its name or because its channels are to go first."""
        return self.chw or self.key.startswith("observation.image")

    def path(self, flat: bool) -> tuple[str, ...]:
        """The names one inside the other under which the feature is sent."""
        return (self.name,) if flat else tuple(self.name.split("."))

    def change(self, value: Any) -> Any:
        """The feature with its numbers chosen or its channels first; ShapeError where it has not got them."""
        if self.chw:
            if not (isinstance(value, np.ndarray) and value.ndim == 3 and value.shape[2] in (1, 3, 4)):
                raise ShapeError(f"--map {self}: expected a picture (h, w, 3), {self.key} is {_shape(value)}")
            return np.ascontiguousarray(value.transpose(2, 0, 1))
        if (self.start, self.stop) == (None, None):
            return value
        row = np.asarray(value)
        if row.ndim != 1 or row.dtype.kind not in "fiub":
            raise ShapeError(f"--map {self}: expected a row of numbers, {self.key} is {_shape(value)}")
        if len(row) < (self.stop or 0) or len(row) <= (self.start or 0):
            raise ShapeError(f"--map {self}: {self.key} has {len(row)} numbers")
        return row[self.start : self.stop]


def _shape(value: Any) -> str:
    return f"{value.shape} of {value.dtype}" if isinstance(value, np.ndarray) else repr(value)[:60]
