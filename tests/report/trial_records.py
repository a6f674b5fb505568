"""Records of robot trials by hand: the HSR trials as published, a big study, one pair, names that do harm."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from surehand.decide.agreement import AgreementRecord, Coefficient, MetricAgreement
from surehand.decide.comparison import (
    Agreement,
    Comparison,
    Limits,
    Pair,
    PathStep,
    PolicyScores,
    PriorRow,
    SequentialPath,
    SuccessPrior,
    Test,
    Within,
)
from surehand.decide.planning_record import Detectable, Pilot, Planning, PowerAt, PriorNeed

WORDS = ["No motion towards the object", "Approached, never tried to grasp", "Touched, did not lift", "Picked it up"]
HSR = {"pi05_baseline_80k": (0, 0, 0, 20), "pi05_ours_3k": (0, 0, 5, 15), "smolvla_B32_40k": (0, 2, 6, 12)}
NAMES = ("permutation", "unconditional", "approximation", "brunner-munzel", "brunner-munzel permutation")
SUCCESS = ("fisher", "barnard", "boschloo")
HOSTILE = ('<script>alert("x")</script>', "a|b`c*d_e", "[red]bold[/red]", "line\nbreak\x1b[31m", "ü" * 60)


def comparison(counts: dict[str, Sequence[int]], **changed: object) -> Comparison:
    """A comparison of these counts per level; p-values are drawn, not tested."""
    rng = np.random.default_rng(3)
    mean = {name: sum((i + 1) * k for i, k in enumerate(c)) / sum(c) for name, c in counts.items()}
    names = sorted(counts, key=lambda n: -mean[n])
    pairs = [pair(rng, a, b, counts) for a, b in combinations(names, 2)]
    fields: dict[str, object] = {
        "source": "trials.csv",
        "study": "grasp",
        "schedule": "3f9a01c2d4e5b6773f9a01c2d4e5b677",
        "rubric": [1, 2, 3, 4],
        "rubric_words": WORDS,
        "outcome": "score",
        "policies": [policy(name, counts[name], mean[name]) for name in names],
        "pairs": pairs,
        "paths": [path(p.first, p.second, "score" if i % 2 else "success", i == 0) for i, p in enumerate(pairs[:3])],
        "omnibus": [Test(name="kruskal-wallis permutation", p=0.008, p_one=math.nan, method="Monte Carlo")],
        "agreement": Agreement(trials=12, equal=10, kappa=Limits(method="quadratic", value=0.81, low=0.5, high=0.95)),
        "family": len(pairs),
        "alpha": 0.05,
        "level": 0.95,
        "seed": 0,
        "warnings": ["the trials were not randomised <b>by</b> a schedule: p-values assume that they were"],
        "methods": {"Unit": "the trial", "Exact test": "Mann-Whitney U over all relabellings"},
        "sentence": pairs[0].sentence
        if len(pairs) == 1
        else f"{names[0]} is best of {len(names)}; one pair is robust.",
    }
    return Comparison(**{**fields, **changed})  # type: ignore[arg-type]


def policy(name: str, counts: Sequence[int], mean: float) -> PolicyScores:
    n, x = sum(counts), counts[-1]
    limits = [
        Limits(method=m, value=x / n, low=max(0, x / n - 0.2), high=min(1, x / n + 0.15)) for m in ("Wilson", "CP")
    ]
    scores = {str(i + 1): k for i, k in enumerate(counts)}
    return PolicyScores(policy=name, trials=n, scores=scores, mean=mean, successes=x, success=limits)


def pair(rng: np.random.Generator, first: str, second: str, counts: dict[str, Sequence[int]]) -> Pair:
    a, b = np.array(counts[first]), np.array(counts[second])
    n = int(a.sum() * b.sum())
    wins = float(sum(a[i] * b[:i].sum() for i in range(len(a)))) / n
    ties = float((a * b).sum()) / n
    rate = wins + ties / 2
    strength = 22 * max(0.0, rate - 0.5) ** 1.5 * math.sqrt(min(a.sum(), b.sum()) / 20)
    p = [min(1.0, 10 ** -(strength * float(rng.uniform(0.8, 1.25)))) for _ in (*NAMES, *SUCCESS)]
    tests = [
        made(name, k, "success" if name in SUCCESS else "score") for name, k in zip((*NAMES, *SUCCESS), p, strict=True)
    ]
    below = sum(t.p_holm < 0.05 for t in tests[:2])
    label = ("not resolved", "fragile", "robust")[below]
    said = f"{first} wins {rate:.0%} of match-ups with {second}, ties counted half (exact p = {p[0]:.2g}): {label}"
    return Pair(
        first=first,
        second=second,
        trials=(int(a.sum()), int(b.sum())),
        design="blocked",
        wins=wins,
        losses=1 - wins - ties,
        ties=ties,
        win_rate=rate,
        cliff=2 * rate - 1,
        within=Within(blocks=20, alone=0, wins=wins, losses=1 - wins - ties, ties=ties, win_rate=rate),
        tests=tests,
        intervals=[
            Limits(method="Dirichlet(½)", value=rate, low=rate - 0.12, high=min(1, rate + 0.1)),
            Limits(method="Newcombe 5", value=rate, low=rate - 0.18, high=min(1, rate + 0.14)),
        ],
        difference=[Limits(method="Newcombe", value=0.25, low=0.02, high=0.47)],
        priors=[
            PriorRow(prior=k, better=0.95, higher_mean=0.9, low=rate - 0.1, high=rate + 0.1) for k in (1, 0.5, 0.25)
        ],
        success_priors=[SuccessPrior(name="uniform", prior=1, better=0.9896)],
        void_worst=[made("permutation", 0.2)],
        void_worst_label="not resolved",
        label=label,  # type: ignore[arg-type]
        sentence=said,
    )


def made(name: str, p: float, outcome: str = "score") -> Test:
    return Test(
        name=name,
        p=p,
        p_one=p / 2,
        p_holm=min(1, 3 * p),
        p_one_holm=min(1, 1.5 * p),
        method="exact by enumeration over counts",
        outcome=outcome,  # type: ignore[arg-type]
    )


def path(first: str, second: str, outcome: str, planned: bool, pairs: int = 20) -> SequentialPath:
    steps = []
    for t in range(1, pairs + 1):
        if outcome == "success":
            bound = math.ceil(1.3 * math.sqrt(t) + 1)
            steps.append(PathStep(pairs=t, statistic=round(t / 4), upper=bound, lower=-bound))
        else:
            steps.append(PathStep(pairs=t, statistic=0.8 + math.exp(0.22 * t) / 2, upper=40))
    said = "decided after 17 of 20 pairs" if planned else "not decided; shown for illustration, not planned"
    return SequentialPath(
        first=first,
        second=second,
        outcome=outcome,  # type: ignore[arg-type]
        alpha=0.05,
        planned=planned,
        stopped=17 if outcome == "score" else None,
        winner=first if outcome == "score" else "",
        steps=steps[:17] if outcome == "score" else steps,
        sentence=f"{first} against {second}: {said}",
    )


def many(policies: int = 10, trials: int = 200) -> dict[str, Sequence[int]]:
    """A study of many policies with names as long as paths."""
    rng = np.random.default_rng(5)
    return {
        f"outputs/train/2026-03-14_pi05_task6911/checkpoints/{5000 * (i + 1):06d}/pretrained_model": rng.multinomial(
            trials, rng.dirichlet([1, 1, 2, 2 + i])
        ).tolist()
        for i in range(policies)
    }


def agreement(policies: Sequence[str], metrics: Sequence[str], **changed: object) -> AgreementRecord:
    """An agreement of drawn numbers; the first metric orders the policies as the robot did."""
    rng = np.random.default_rng(2)
    robot = {name: 4 - 0.25 * i for i, name in enumerate(policies)}
    found = []
    for k, metric in enumerate(metrics):
        values = {name: 0.002 + 0.001 * i + float(rng.normal(0, 0.0012 * k)) for i, name in enumerate(policies)}
        tau = 1.0 - 2 * k / len(metrics)
        found.append(
            MetricAgreement(
                metric=metric,
                space="std" if k % 2 else "robot",
                values=values,
                coefficients=[
                    Coefficient(
                        name="tau_b", value=tau, p=min(1.0, (1 + k) / 6), p_smallest=1 / 6, p_family=0.4,
                        low=max(-1, tau - 0.6), high=min(1, tau + 0.2), method="exact over 6 orders",
                    ),
                    Coefficient(name="spearman", value=tau * 0.9, p=0.2, p_smallest=1 / 6),
                    Coefficient(name="mmrv", value=0.05 * k, p=0.2, p_smallest=1 / 6),
                ],
                top_same=k == 0,
                top=0.9 - 0.1 * k,
                order_same=0.8 - 0.1 * k,
                resampled="trials and episodes",
                resolved_right=2,
                resolved=2,
                standing="consistent" if k == 0 else "cannot tell" if k % 2 else "inconsistent",
            )
        )  # fmt: skip
    fields: dict[str, object] = {
        "source": "errors.json",
        "trials": "trials.csv",
        "policies": list(policies),
        "robot": robot,
        "robot_trials": dict.fromkeys(policies, 20),
        "outcome": "score",
        "metrics": found,
        "selected_from": len(metrics),
        "best": metrics[0],
        "level": 0.95,
        "warnings": ["3 policies cannot establish an order: the smallest p is 0.17"],
        "methods": {"Coefficients": "exact over all orders"},
        "sentence": f"{metrics[0]} is the only metric consistent with the robot's order; {len(policies)} policies.",
    }
    return AgreementRecord(**{**fields, **changed})  # type: ignore[arg-type]


def planning(*, hopeless: bool = False, **changed: object) -> Planning:
    """A plan on two pilots of the HSR trials; its powers are drawn by hand."""
    curve = [(10, 0.08, 0.11), (20, 0.585, 0.40), (31, 0.82, 0.54), (60, 0.99, 0.80)]
    sweep = [(1, None if hopeless else 173, 0.946), (0.5, 60, 0.977)]
    fields: dict[str, object] = {
        "source": "trials.csv",
        "levels": [1, 2, 3, 4],
        "pilots": [
            Pilot(policy="pi05_baseline", counts=[0, 0, 0, 20], mean=4),
            Pilot(policy="pi05_ours", counts=[0, 0, 5, 15], mean=3.75),
        ],
        "win_rate": 0.625,
        "test": "permutation",
        "sides": 2,
        "alpha": 0.05,
        "pairs": 1,
        "target": 0.8,
        "prior": 0.5,
        "needed": 60,
        "needed_plug_in": 31,
        "limit": 0.977,
        "most": 400,
        "curve": [PowerAt(trials=n, plug_in=p, assurance=a, wrong=0.001, method="exact") for n, p, a in curve],
        "priors": [PriorNeed(prior=w, needed=n, limit=limit) for w, n, limit in sweep],
        "detectable": Detectable(
            trials=20, reference="pi05_baseline", levels=0.31, win_rate=0.66, shares=[0, 0, 0.31, 0.69], method="exact"
        ),
        "seed": 0,
        "sentence": "60 trials per policy resolve pi05_baseline over pi05_ours with probability 80 %.",
    }
    return Planning(**{**fields, **changed})  # type: ignore[arg-type]
