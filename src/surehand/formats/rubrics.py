"""Rubrics as data: the levels an operator may choose, each with the words that define it."""

import os
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError, model_validator

from surehand.exceptions import FormatError
from surehand.formats.records import Part, read_json

SHIPPED = ("hsr", "success")


class Level(Part):
    """One level of a rubric."""

    value: int
    words: str  # what must have been seen, as the operator reads it


class Rubric(Part):
    """What a trial is scored by: ordered levels, and the lowest one that counts as success."""

    name: str
    question: str = "What happened?"
    levels: list[Level]  # ascending
    success: int  # this level and those above are successes
    source: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "Rubric":
        values = self.values
        if len(values) < 2 or any(b <= a for a, b in pairwise(values)):
            raise ValueError(f"a rubric needs two or more levels in ascending order, got {values}")
        if self.success not in values[1:]:
            raise ValueError(f"success begins at {self.success}; expected one of the levels {values[1:]}")
        if any(not level.words.strip() for level in self.levels):
            raise ValueError("every level needs words that say what must have been seen")
        return self

    @property
    def values(self) -> list[int]:
        """The levels' values (L,), ascending."""
        return [level.value for level in self.levels]

    def succeeded(self, score: float) -> bool:
        """Whether this score counts as success."""
        return score >= self.success


def read_rubric(source: str | os.PathLike[str]) -> Rubric:
    """The rubric in a JSON file, or a shipped one by name (hsr, success); FormatError says what does not fit."""
    if str(source) in SHIPPED:
        return Rubric.model_validate_json((files("surehand.formats") / "rubrics_data" / f"{source}.json").read_bytes())
    if not Path(source).suffix:
        raise FormatError(f"no rubric {str(source)!r}; give {' or '.join(SHIPPED)}, or a JSON file with name, levels")
    try:
        return Rubric.model_validate(read_json(source))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "rubric"
        raise FormatError(
            f"{source}: {where}: {first['msg']}; copy a shipped one: surehand trials rubric hsr"
        ) from None
