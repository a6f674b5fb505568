"""The record of how many trials two pilots ask for: power, assurance, and the difference that n trials find."""

from pydantic import Field

from surehand.formats.records import Number, Part, Record


class Pilot(Part):
    """One policy's trials so far, on the rubric's levels, lowest first."""

    policy: str
    counts: list[int]
    mean: Number  # of the scores; for reading only


class PowerAt(Part):
    """What n trials of each policy achieve."""

    trials: int
    plug_in: Number  # power, were the pilots' shares the truth
    assurance: Number  # averaged over what the pilots leave open; in favour of the pilot that did better
    wrong: Number  # the same in favour of the other
    method: str  # exact; Monte Carlo, so many draws


class PriorNeed(Part):
    """What one prior weight per level makes of the plan."""

    prior: Number
    needed: int | None  # None: more than were looked at, or no number does
    limit: Number  # assurance with ever more trials


class Detectable(Part):
    """The smallest difference that n trials of each find with the target power."""

    trials: int
    reference: str
    levels: Number  # by which every trial falls on average; NaN where no fall is found
    win_rate: Number  # of the reference
    shares: list[Number]  # of the policy that is worse by it
    method: str


class Planning(Record):
    """How many trials per policy the question takes, given two pilots; `str()` is one sentence."""

    kind: str = "planning"

    source: str = ""
    levels: list[float]  # the rubric's, lowest first
    pilots: list[Pilot]  # the one that did better first
    win_rate: Number
    test: str
    sides: int
    alpha: float
    pairs: int  # compared in the study; Holm's hardest step tests at α / pairs
    target: float
    prior: Number
    needed: int | None  # by assurance: what to plan on
    needed_plug_in: int | None  # were the pilots' shares the truth
    limit: Number  # of assurance: the probability that the better pilot is the better policy
    most: int  # trials per policy up to which was looked
    curve: list[PowerAt]
    priors: list[PriorNeed] = Field(default_factory=list)
    detectable: Detectable | None = None
    seed: int
    warnings: list[str] = Field(default_factory=list)
    methods: dict[str, str] = Field(default_factory=dict)
    sentence: str = ""

    def __str__(self) -> str:
        return self.sentence
