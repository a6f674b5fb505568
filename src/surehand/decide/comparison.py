"""The verdict on robot trials: policies, pairs of them, what each test says, and one plain sentence."""

from typing import Literal

from pydantic import Field

from surehand.formats.records import Number, Part, Record

Label = Literal["robust", "fragile", "not resolved"]
Outcome = Literal["score", "success"]


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
    outcome: Outcome = "score"
    p_one_mid: Number = float("nan")  # mid-p in the direction seen; of the permutation test


class PriorRow(Part):
    """What one prior makes of the pair: how far the verdict is the data's."""

    prior: Number  # Dirichlet weight per level
    better: Number  # P(win rate of the first > ½ | data)
    higher_mean: Number  # P(mean score of the first > mean of the second | data)
    low: Number  # of the win rate
    high: Number


class SuccessPrior(Part):
    """How probable it is that the first policy succeeds more often, under one prior."""

    name: str  # uniform, Jeffreys
    prior: Number  # Beta weight on success and on failure
    better: Number  # P(success rate of the first > that of the second | data)


class Within(Part):
    """Match-ups inside blocks: one trial of either policy under the same conditions."""

    blocks: int  # that hold both policies
    alone: int  # counted trials in blocks without the other policy; they carry nothing
    wins: Number  # share of the match-ups, every block weighing the same
    losses: Number
    ties: Number
    win_rate: Number  # wins + ties / 2
    low: Number = float("nan")  # Dirichlet(½) on blocks won, lost and tied; paired designs alone
    high: Number = float("nan")


class Pair(Part):
    """Two policies, the first the one that did better in these trials.

    `tests[0]` and `tests[1]` decide the label: the permutation test, and the second exact test that the design allows.
    """

    first: str
    second: str
    trials: tuple[int, int]
    design: Literal["independent", "blocked", "paired"]
    wins: Number  # P(first > second) over all match-ups
    losses: Number
    ties: Number
    win_rate: Number  # wins + ties / 2
    cliff: Number  # wins − losses
    u: Number = float("nan")  # Mann-Whitney U of the first, ties half
    mean_difference: Number = float("nan")  # of the scores; ordinal, so for reading only
    within: Within | None = None  # in blocked and paired designs
    tests: list[Test]
    intervals: list[Limits]  # of the win rate; the first is the headline
    difference: list[Limits] = Field(default_factory=list)  # of success: Newcombe, Miettinen-Nurminen, ...
    priors: list[PriorRow] = Field(default_factory=list)
    success_priors: list[SuccessPrior] = Field(default_factory=list)
    void_worst: list[Test] = Field(default_factory=list)  # void = fail for the first and success for the second
    void_worst_label: Label | None = None  # what the label would be then; None where no trial is void
    fixed: bool = True  # False: a stop rule was planned, so its verdict holds and these p-values do not
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
    outcome: Outcome
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
    schedule: str = ""  # identity of the schedule the trials were run by
    rubric: list[int | float] = Field(default_factory=list)  # levels over which the unconditional test ranges
    rubric_words: list[str] = Field(default_factory=list)
    outcome: Outcome
    policies: list[PolicyScores]  # best first
    pairs: list[Pair]
    paths: list[SequentialPath] = Field(default_factory=list)
    omnibus: list[Test] = Field(default_factory=list)  # Kruskal-Wallis by permutation, where there are three or more
    agreement: Agreement | None = None
    family: int = 0  # pairs over which p-values are adjusted; more than are shown where the sheet holds more policies
    alpha: float
    level: float
    seed: int | None = None
    warnings: list[str] = Field(default_factory=list)
    methods: dict[str, str] = Field(default_factory=dict)
    sentence: str = ""

    def __str__(self) -> str:
        return self.sentence
