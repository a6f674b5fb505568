"""The verdict on checkpoints: which is best by which rule, what cannot be told apart from it, what the total hides."""

from typing import Literal

from pydantic import Field

from surehand.formats.records import Number, Part, Record


class Pick(Part):
    """What one rule picks, and the set that the data cannot tell apart from it."""

    rule: str  # total, group:arm, group:arm@contact, minimax, pareto, weights, last, ...
    best: str
    tied: list[str]  # includes best; equal to [best] alone where nothing else is plausible
    value: Number = float("nan")  # the rule's criterion at the pick
    p_values: dict[str, Number] = Field(default_factory=dict)  # model confidence set p-value per checkpoint
    frequency: dict[str, Number] = Field(default_factory=dict)  # how often each wins under the bootstrap
    note: str = ""


class Alarm(Part):
    """The total's pick is worse for one group than another checkpoint: the total masks the group."""

    kind: Literal["masking", "point masking"]
    group: str
    pick: str  # the total's pick
    alternative: str
    ratio: Number  # err_group(pick) / err_group(alternative)
    low: Number = float("nan")  # simultaneous lower limit of the ratio; NaN without episodes
    price: Number = float("nan")  # total(alternative) / total(pick): what protecting the group costs
    sentence: str


class CrossFit(Part):
    """The rule's expected error on fresh episodes: chosen on some folds, measured on the others."""

    value: Number
    naive: Number  # the pick's own error on the episodes that chose it
    folds: int
    agree: int  # folds that picked the same checkpoint as all episodes together


class Convergence(Part):
    """How one group's error fell over training steps."""

    first: Number
    best: Number
    last: Number
    best_step: int
    settled_step: int | None = None  # first step from which the error stays within 10 % of the fall to its best
    note: str = ""


class Choice(Record):
    """Which checkpoint to deploy; `str()` is one sentence for people."""

    kind: str = "choice"

    rule: str
    watch: str | None = None
    best: str
    tied: list[str]
    masking: list[Alarm] = Field(default_factory=list)
    picks: list[Pick]
    errors: dict[str, dict[str, Number]] = Field(default_factory=dict)  # checkpoint -> group and "total" -> error
    selected_from: int
    units: int | None = None  # how many of `unit` stand behind it; None for a table of errors
    unit: str = "episode"  # what is resampled whole; "cluster" where episodes share what was sampled anew
    space: str = ""
    source: str = ""  # file that the errors were read from; "" inside the record that measured them
    seed: int | None = None  # of the resamples, where the command was given one
    level: float = 0.95
    draws: int = 0
    crossfit: CrossFit | None = None
    interval: tuple[Number, Number] | None = None  # of the chosen checkpoint, simultaneous over all candidates
    convergence: dict[str, Convergence] = Field(default_factory=dict)
    convergence_note: str = ""
    warnings: list[str] = Field(default_factory=list)
    sentence: str = ""

    def __str__(self) -> str:
        return self.sentence
