"""The record of a within-run ablation: which rule chose good checkpoints of a training run, with runs as the unit."""

from pydantic import Field

from surehand.formats.records import Number, Part, Record


class Estimate(Part):
    """A mean over runs with its interval; limits are NaN where the runs support none."""

    value: Number
    low: Number = float("nan")
    high: Number = float("nan")
    runs: int = 0  # that had a value


class Hypothesis(Part):
    """One comparison written down before the runs: `better` is expected to choose better checkpoints than `worse`."""

    key: str  # H1, H2, ...; several comparisons may share one
    claim: str  # in words, naming its space
    better: str
    worse: str


class Comparison(Part):
    """What the runs say of one hypothesis: regret(worse) − regret(better), positive where it holds."""

    hypothesis: Hypothesis
    difference: Estimate
    p: Number  # two-sided sign-flip over runs
    p_holm: Number  # adjusted over all comparisons of the same judgement
    verdict: str


class RuleResult(Part):
    """What one rule's picks came to over the runs."""

    rule: str
    regret: Estimate  # score success of the best checkpoint − score success of the pick
    worst: Number  # largest regret of a single run
    tau: Estimate  # Kendall's τ_b of (−value, score success) within a run
    partial: Estimate  # the same with the training step held fixed
    undefined: int = 0  # runs in which τ does not exist: value or success constant
    by: dict[str, Estimate] = Field(default_factory=dict)  # learner or size -> regret over those runs


class RunResult(Part):
    """One training run: its checkpoints, what was measured of them, and what each rule made of it."""

    name: str
    learner: str
    size: int  # demonstrations
    seed: int
    step: list[int]  # (C,)
    selection: list[Number]  # success on the episodes that name the best checkpoint (C,)
    score: list[Number]  # success on the episodes that judge the picks (C,)
    best: list[int]  # steps of the best checkpoints by selection; several where they tie
    values: dict[str, list[Number]]  # rule -> (C,), lower is chosen
    picks: dict[str, list[int]]  # rule -> steps it cannot tell apart
    regret: dict[str, Number]
    tau: dict[str, Number]
    partial: dict[str, Number]


class Judgement(Part):
    """All runs of one part of a plan: rules, hypotheses, and the sentence that states the answer."""

    name: str  # short, for file names
    title: str  # what distinguishes its runs: mobile robot, desk robot, ...
    learners: list[str]
    sizes: list[int]
    planned: int  # runs
    room: Estimate  # regret of a random checkpoint: how much there was to lose
    rules: list[RuleResult]
    comparisons: list[Comparison]
    runs: list[RunResult]
    sentence: str


class WithinRun(Record):
    """Which offline number chooses the checkpoint to deploy, within training runs; `str()` is one sentence."""

    kind: str = "within-run"

    title: str
    plan_hash: str
    tasks: list[str]
    level: float
    alpha: float
    margin: float  # smallest difference of regret that matters
    seed: int
    draws: int  # of the sign-flip test where there are too many runs to enumerate
    headline: Judgement
    others: list[Judgement] = Field(default_factory=list)  # smaller repetitions under other conditions
    warnings: list[str] = Field(default_factory=list)
    methods: dict[str, str] = Field(default_factory=dict)

    def __str__(self) -> str:
        return self.headline.sentence
