"""The verdict on offline numbers: which of them orders the policies as the robot did, and how little that may prove."""

from typing import Literal

from pydantic import Field

from surehand.decide.comparison import Outcome
from surehand.decide.within_run import Judgement
from surehand.formats.records import Number, Part, Record

Standing = Literal["consistent", "inconsistent", "agrees", "disagrees", "cannot tell"]


class Coefficient(Part):
    """One coefficient of one metric; p is one-sided, exact over all orders unless `method` says otherwise."""

    name: Literal["tau_b", "spearman", "pearson", "mmrv"]
    value: Number
    p: Number
    p_smallest: Number  # attainable with these ties
    p_family: Number = float("nan")  # Westfall-Young over all metrics
    low: Number = float("nan")  # trials and held-out episodes resampled
    high: Number = float("nan")
    method: str = ""


class MetricAgreement(Part):
    """One offline metric against the robot."""

    metric: str  # total, arm, arm@contact, arm@1, ...
    space: str
    values: dict[str, Number]  # policy -> offline number
    lower_is_better: bool = True
    coefficients: list[Coefficient]
    top_same: bool  # the metric's best is the robot's best
    top: Number = float("nan")  # share of resamples in which it is
    order_same: Number = float("nan")  # share of resamples with τ = 1: every pair that the robot tells apart, alike
    resampled: str = ""  # what limits and shares drew anew: trials and episodes, trials, clusters, ...; "" for nothing
    resolved_right: int = 0  # pairs that the trials resolve and that the metric orders alike
    resolved: int = 0  # pairs that the trials resolve
    standing: Standing


class AgreementRecord(Record):
    """Which offline number predicts the robot; `str()` is one sentence."""

    kind: str = "agreement"

    source: str = ""
    trials: str = ""
    policies: list[str]  # best on the robot first
    robot: dict[str, Number]  # policy -> mean score or success rate
    robot_trials: dict[str, int]
    outcome: Outcome
    metrics: list[MetricAgreement]
    selected_from: int  # metrics looked at
    best: str = ""  # the metric that agrees most, "" where several do
    clock: list[Coefficient] = Field(default_factory=list)  # training step against the robot, as a rival
    within_run: Judgement | None = None  # where checkpoints share runs: the unit is the run
    level: float
    draws: int = 0
    seed: int | None = None
    warnings: list[str] = Field(default_factory=list)
    methods: dict[str, str] = Field(default_factory=dict)
    sentence: str = ""

    def __str__(self) -> str:
        return self.sentence
