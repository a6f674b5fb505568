"""The verdict on robot trials: policies, pairs of them, what each test says, and one plain sentence."""

from typing import Literal

from pydantic import Field

from surehand.formats.records import Number, Part, Record

Label = Literal["robust", "fragile", "not resolved"]


class Limits(Part):
    """A value between its limits, and the method that gave them."""

    method: str
    value: Number
    low: Number
    high: Number


class PolicyScores(Part):
    """What one policy did over its trials."""

    policy: str
    trials: int  # that count
    void: int = 0
    void_rules: dict[str, int] = Field(default_factory=dict)
    scores: dict[str, int] = Field(default_factory=dict)  # level -> trials; empty without scores
    mean: Number = float("nan")  # of the scores; ordinal, so for reading only
    successes: int | None = None
    success: list[Limits] = Field(default_factory=list)  # Wilson, Clopper-Pearson


class Test(Part):
    """One test of one pair; `p` is two-sided, `p_one` in the direction that was seen."""

    name: str  # permutation, unconditional, approximation, brunner-munzel, brunner-munzel permutation, fisher, ...
    p: Number
    p_one: Number
    p_holm: Number = float("nan")  # two-sided, adjusted over all pairs
    p_one_holm: Number = float("nan")
    method: str = ""  # exact by enumeration; Monte Carlo, 100 000 draws; why there is no value
    outcome: Literal["score", "success"] = "score"


class PriorRow(Part):
    """What one prior makes of the pair: how far the verdict is the data's."""

    prior: Number  # Dirichlet weight per level
    better: Number  # P(win rate of the first > ½ | data)
    higher_mean: Number  # P(mean score of the first > mean of the second | data)
    low: Number  # of the win rate
    high: Number


class Pair(Part):
    """Two policies, the first the one that did better in these trials."""

    first: str
    second: str
    trials: tuple[int, int]
    design: Literal["independent", "blocked", "paired"]
    wins: Number  # P(first > second) over all match-ups
    losses: Number
    ties: Number
    win_rate: Number  # wins + ties / 2
    cliff: Number  # wins − losses
    tests: list[Test]
    intervals: list[Limits]  # of the win rate; the first is the headline
    difference: list[Limits] = Field(default_factory=list)  # of success: Newcombe, Miettinen-Nurminen, ...
    priors: list[PriorRow] = Field(default_factory=list)
    void_worst: list[Test] = Field(default_factory=list)  # void = fail for the first and success for the second
    label: Label
    sentence: str


class PathStep(Part):
    """Where a sequential test stood after so many pairs of trials."""

    pairs: int
    statistic: Number  # e-value; difference of successes
    upper: Number = float("nan")  # boundary that stops in favour of the first
    lower: Number = float("nan")


class SequentialPath(Part):
    """One pair under the rule that was written down before the first trial, or that is shown for illustration."""

    first: str
    second: str
    outcome: Literal["score", "success"]
    alpha: Number
    planned: bool  # written down before the first trial; otherwise an illustration, and no claim
    stopped: int | None  # pairs at the first crossing
    winner: str = ""
    steps: list[PathStep]
    sentence: str


class Agreement(Part):
    """How well two scorers agreed on the trials both scored."""

    trials: int
    equal: int
    kappa: Limits  # weighted, quadratic


class Comparison(Record):
    """Which policy is better on the robot, as far as these trials show; `str()` is one sentence."""

    kind: str = "comparison"

    source: str = ""
    study: str = ""
    rubric: list[int] = Field(default_factory=list)  # levels over which the unconditional test ranges
    rubric_words: list[str] = Field(default_factory=list)
    outcome: Literal["score", "success"]
    policies: list[PolicyScores]  # best first
    pairs: list[Pair]
    paths: list[SequentialPath] = Field(default_factory=list)
    omnibus: list[Test] = Field(default_factory=list)  # Kruskal-Wallis by permutation, where there are three or more
    agreement: Agreement | None = None
    alpha: float
    level: float
    seed: int | None = None
    warnings: list[str] = Field(default_factory=list)
    methods: dict[str, str] = Field(default_factory=dict)
    sentence: str = ""

    def __str__(self) -> str:
        return self.sentence
