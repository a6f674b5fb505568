"""The record of violation limits: what a guard, a calibration and a page read; how one step is judged by it."""

import hashlib
import json
import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from surehand.exceptions import SurehandError
from surehand.formats.records import Number, Part, Record

Side = Literal["upper", "lower", "absolute"]
Method = Literal["order", "normal", "lognormal", "margin", "none"]
UPWARDS: dict[str, float] = {"upper": 1.0, "lower": -1.0, "absolute": 1.0}
ALL = "every task"


class Signal(Part):
    """One number per control step: a column or trace, or one entry of it."""

    name: str  # force_object, observation.effort[wrist], min proximity, |velocity[0]|
    column: str
    index: int | None = None  # None: the column has one number per step
    side: Side = "upper"


class TaskGroup(Part):
    """Instructions that share their limits, by a pattern such as `pick *`; one alone is a pattern that fits only it."""

    name: str
    pattern: str


class Limit(Part):
    """What one signal may reach in one task and phase; a violation is a value beyond it (strictly)."""

    task: str
    phase: str
    signal: str
    limit: Number  # in the signal's own unit; NaN: none could be set
    method: Method
    rank: int = 0  # of the peak that became the limit, from the worst; 0 for other methods
    n: int  # expert episodes that were in this phase: one peak each
    needed: int  # of them, for `content` and `confidence` by the worst peak
    confidence: Number  # attained, that the limit holds `content` of such episodes; NaN for a margin
    covers: Number  # the share that the worst peak holds at the confidence asked of each limit
    median: Number  # peak
    worst: Number  # peak: the largest, the smallest where the limit is a minimum
    fit_p: Number = math.nan  # Shapiro-Wilk, that peaks have the law a parametric limit assumes
    note: str = ""


class Share(Part):
    """How much of what experts did a set of limits calls a violation."""

    task: str  # or `every task`
    episodes: int
    flagged: int
    share: Number
    low: Number  # Clopper-Pearson
    high: Number
    steps: int
    steps_flagged: int


class Judged(Part):
    """A set of limits for one signal, held against expert episodes."""

    what: Literal["per task and phase", "one for all", "lowest for all", "proposed"]
    signal: str
    limit: Number = math.nan  # NaN where every task and phase has its own
    shares: list[Share]  # every task together first
    allowed: Number  # share of episodes that limits per task and phase may flag: 1 − content for each phase of one
    inflation: Number = math.nan  # share flagged over the share that the limits per task and phase flag
    slack: Number = math.nan  # the limit over that of the gentlest task, in its worst phase
    gentlest: str = ""


class SweepPoint(Part):
    """One limit for all tasks and phases, and what share of expert episodes and steps it would flag."""

    signal: str
    limit: Number
    episodes: Number
    steps: Number
    worst_task: str
    worst: Number  # share of that task's episodes


class Peaks(Part):
    """Peaks of one task, phase and signal, ascending: at most 200 of them, the smallest and largest included."""

    task: str
    phase: str
    signal: str
    values: list[Number]


class LimitsRecord(Record):
    """Violation limits from expert episodes; `str()` is one sentence."""

    kind: str = "limits"

    source: str = ""
    data_identity: str = ""  # of what the experts' episodes were read from
    episodes: list[int]  # of it, that set the limits: calibrate on others
    initial_states: list[str] = Field(default_factory=list)  # that these started from, where known
    steps: int
    tasks: list[TaskGroup]
    phases: list[str]
    phase_rule: str  # as --phase takes it
    phase_words: str
    signals: list[Signal]
    content: float
    confidence: float
    simultaneous: bool  # the confidence is that all limits hold at once
    each: float  # confidence of each limit
    few: str = ""  # what became of limits with too few episodes: "" none, lognormal, normal, margin:1.5
    limits: list[Limit]
    judged: list[Judged] = Field(default_factory=list)
    judged_on: str = ""  # "" the same episodes that set the limits
    sweep: list[SweepPoint] = Field(default_factory=list)
    peaks: list[Peaks] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    methods: dict[str, str] = Field(default_factory=dict)
    sentence: str = ""

    def __str__(self) -> str:
        return self.sentence

    def identity(self) -> str:
        """First 16 hex digits of a SHA-256 over what decides a violation: tasks, phase rule, signals and limits."""
        rules: list[object] = [self.phase_rule, self.phases]
        rules += [[part.model_dump(mode="json") for part in parts] for parts in (self.tasks, self.signals)]
        rules += [[x.task, x.phase, x.signal, None if math.isnan(x.limit) else x.limit.hex()] for x in self.limits]
        return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:16]

    def task_of(self, instruction: str) -> str:
        """The task whose limits hold under this instruction; SurehandError where no expert followed it."""
        return group_of(self.tasks, instruction)

    def violated(self, instruction: str, phase: str, values: Mapping[str, float]) -> list[str]:
        """Names of the signals that are beyond their limits in this step; of one that is missing or NaN as well.

        `values` are keyed by signal name and mean what the column means: a minimum is not negated, a size may have a
        sign. SurehandError for an unknown instruction, and for a phase in which a signal has no limit.
        """
        task = self.task_of(instruction)
        own = {x.signal: x for x in self.limits if x.task == task and x.phase == phase}
        broken = []
        for signal in self.signals:
            found = own.get(signal.name)
            if found is None or math.isnan(found.limit):
                raise SurehandError(
                    f"no limit on {signal.name} in {task!r}, phase {phase!r}; set one from more episodes"
                )
            value = values.get(signal.name, math.nan)
            value = abs(value) if signal.side == "absolute" else value
            if not value * UPWARDS[signal.side] <= found.limit * UPWARDS[signal.side]:
                broken.append(signal.name)
        return broken


def group_of(tasks: list[TaskGroup], instruction: str) -> str:
    """The name of the group that an instruction belongs to: the first whose pattern fits."""
    found = next((g.name for g in tasks if fnmatchcase(instruction, g.pattern)), None)
    if found is None:
        raise SurehandError(
            f"no expert did {instruction!r}; limits are known for {', '.join(g.name for g in tasks[:5])}"
        )
    return found
