"""What an ablation does and expects, frozen in one JSON file before the first run."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from surehand.decide.selectors import RANDOM, Selector
from surehand.decide.within_run import Hypothesis
from surehand.exceptions import SurehandError
from surehand.formats.records import Part, Record
from surehand.sim.robot import body as find_body
from surehand.sim.tasks import task as find_task

MOST_CELLS = 100  # seeds of demonstrations, held-out demonstrations and both kinds of episodes are blocks of so many


class Learner(Part):
    """How one learner is trained: the steps whose checkpoints are kept, and options of its training."""

    checkpoints: list[int]
    options: dict[str, int | float] = Field(default_factory=dict)


class Series(Part):
    """Runs under one condition: every learner × size × seed."""

    name: str  # part of every file name
    title: str  # as a report names it
    body: str
    nudges: bool  # demonstrations push the robot off course and record the correction
    learners: list[str]
    sizes: list[int]  # demonstrations, over all tasks in turn
    seeds: int


@dataclass(frozen=True)
class Cell:
    """One run. Its number is the seed of everything random in it, so that no two runs share a scene."""

    number: int
    part: str
    body: str
    nudges: bool
    learner: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its file and folder."""
        return f"{self.part}-{self.learner}-{self.size}-{self.seed}"


class Plan(Record):
    """The runs, what is measured of each checkpoint, the rules compared, and what is expected of them."""

    kind: str = "ablation-plan"

    title: str
    tasks: list[str]
    parts: list[Series]  # the first one answers; the others repeat it under other conditions
    learners: dict[str, Learner]
    held_out: int  # demonstrations on which errors are measured, over all tasks in turn
    selection_episodes: int  # per checkpoint, over all tasks: they name the best one
    score_episodes: int  # per checkpoint, over all tasks: they judge the picks
    horizon: int
    execute: int
    near: float  # m between tool and object below which a step is near contact
    floor: float  # of minimax, as a share of the error of always answering the mean action
    selectors: list[str]
    hypotheses: list[Hypothesis]
    level: float = 0.95
    alpha: float = 0.05
    margin: float = 0.05
    draws: int = 100_000
    seed: int = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in self.tasks:
            find_task(name)
        for series in self.parts:
            find_body(series.body)
            unknown = [name for name in series.learners if name not in self.learners]
            if unknown:
                raise SurehandError(f"the plan has no settings for learner {unknown[0]!r}")
        for rule in self.selectors:
            Selector.parse(rule)
        compared = {rule for h in self.hypotheses for rule in (h.better, h.worse)} - {*self.selectors, RANDOM}
        if compared:
            raise SurehandError(f"a hypothesis of the plan compares {min(compared)!r}, which is none of its selectors")
        counts = [
            self.held_out,
            self.selection_episodes,
            self.score_episodes,
            *(n for s in self.parts for n in s.sizes),
        ]
        if not self.tasks or not self.parts or any(n < 1 or n % len(self.tasks) for n in counts):
            raise SurehandError(
                f"demonstrations and episodes {counts} must be whole multiples of {len(self.tasks)} tasks"
            )
        if len(list(self.cells())) > MOST_CELLS:
            raise SurehandError(f"a plan holds at most {MOST_CELLS} runs; their seeds would meet beyond")
        return self

    def cells(self) -> Iterator[Cell]:
        """Every run. Those of a seed stand together, so that an ablation cut short still has every learner and size."""
        number = 0
        for series in self.parts:
            for seed in range(series.seeds):
                for size in series.sizes:
                    for learner in series.learners:
                        yield Cell(number, series.name, series.body, series.nudges, learner, size, seed)
                        number += 1

    def hash(self) -> str:
        """What the plan says, as 16 hexadecimal digits; not when or by which version it was written."""
        said = self.model_copy(update={"surehand": "", "created": ""}).model_dump_json()
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def small(self) -> "Plan":
        """One learner and size, two seeds, three checkpoints: ends within a minute and claims nothing."""
        headline = self.parts[0]
        learner = headline.learners[0]
        first = self.learners[learner]
        series = headline.model_copy(update={"learners": [learner], "sizes": headline.sizes[:1], "seeds": 2})
        kept = [first.checkpoints[i] for i in (0, len(first.checkpoints) // 2)]
        steps = [*kept, min(first.checkpoints[-1], 2 * kept[-1])]
        few = 4 * len(self.tasks)
        changes = {
            "title": f"{self.title}: small version, which only shows that everything runs",
            "parts": [series],
            "learners": {learner: first.model_copy(update={"checkpoints": sorted(set(steps))})},
            "held_out": few,
            "selection_episodes": few,
            "score_episodes": few,
        }
        return self.model_copy(update=changes)


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """The plan in a JSON file; FormatError or SurehandError in one line where it is none."""
    return Plan.load(path)
