"""Records as a run would leave them: realistic in size, gaps and names, with numbers drawn at random."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from surehand.decide.choice import Alarm, Choice, Convergence, CrossFit, Pick
from surehand.errors.record import (
    EpisodeErrors,
    ErrorsRecord,
    GripperEvents,
    GroupInfo,
    Methods,
    Motion,
    PolicyErrors,
    Stochastic,
    TaskSpace,
    Trace,
    Value,
)

HSR = {
    "arm": (["lift", "flex", "roll", "wrist_flex", "wrist_roll"], ["m", "rad", "rad", "rad", "rad"]),
    "gripper": (["hand"], ["0..1"]),
    "head": (["pan", "tilt"], ["rad", "rad"]),
    "base": (["x", "y", "theta"], ["m/s", "m/s", "rad/s"]),
}
GR1 = {
    f"{side}_{part}": ([f"{side}_{part}_{i}" for i in range(n)], ["rad"] * n)
    for side in ("left", "right")
    for part, n in (("arm", 7), ("hand", 6), ("leg", 6))
} | {"neck": (["yaw", "pitch", "roll"], ["rad"] * 3), "waist": (["yaw", "pitch", "roll"], ["rad"] * 3)}
RIVALS = ("hold last action", "state as action", "per-task mean")

MakeErrors = Callable[..., ErrorsRecord]
MakeChoice = Callable[..., Choice]


@pytest.fixture(scope="session")
def make_errors() -> MakeErrors:
    return errors_record


@pytest.fixture(scope="session")
def make_choice() -> MakeChoice:
    return choice_of


@pytest.fixture(scope="session")
def robots() -> dict[str, dict[str, tuple[list[str], list[str]]]]:
    """A robot of 11 joints in 4 groups, and one of 44 in 8."""
    return {"hsr": HSR, "gr1": GR1}


@pytest.fixture(scope="session")
def names() -> dict[str, tuple[str, ...]]:
    """Checkpoint names by taste."""
    return {
        "steps": tuple(f"{k}k" for k in range(10, 80, 10)),
        "many": tuple(
            f"outputs/train/2026-03-14_pi05_task6911/checkpoints/{k:06d}/pretrained_model"
            for k in range(5000, 75000, 5000)
        ),
        "one": ("smolvla_last",),
        "hostile": ('<script>alert("x")</script>', "a|b`c*d_e", "[red]bold[/red]", "line\nbreak\x1b[31m", "ü" * 60),
    }


def errors_record(
    rng: np.random.Generator,
    names: Sequence[str] = ("40k", "80k"),
    *,
    robot: dict[str, tuple[list[str], list[str]]] = HSR,
    rivals: Sequence[str] = RIVALS[:2],
    episodes: int = 14,
    horizon: int = 16,
    intervals: bool = True,
    chosen: bool = True,
    extras: bool = True,
) -> ErrorsRecord:
    groups = [*robot, "total", "total (all dims)"]
    level = {g: 10.0 ** rng.uniform(-4.5, -1.5) for g in groups}
    policies = [
        _policy(rng, name, rivals, level, robot, episodes, horizon, intervals, extras, step)
        for step, name in enumerate([*names, *rivals])
    ]
    return ErrorsRecord(
        dataset="demo/mobile_pick",
        data_hash="3f9a01c2d4e5b677",
        layout="arm(lift:prismatic[m] flex roll wrist_flex wrist_roll):revolute[rad] gripper:gripper[0..1]",
        robot="hsr",
        evidence=["11 columns, as the HSR has", "7 of 11 names match"],
        space="robot",
        unit_note="Squared robot units: groups with unlike units are not comparable; use range or std for that",
        groups=[
            GroupInfo(
                name=g,
                joints=joints,
                units=units,
                kinds=["revolute"] * len(joints),
                dead=joints[:1] if i == 1 and len(joints) > 1 else [],
                idle=i == 2,
                floor=1e-5,
            )
            for i, (g, (joints, units)) in enumerate(robot.items())
        ],
        episodes=list(range(100, 100 + episodes)),
        episode_tasks=[f"put the {'red' if e % 2 else 'blue'} block into the tray" for e in range(episodes)],
        level=0.95,
        phases=["contact", "free"],
        policies=policies,
        warnings=[
            "14 episodes: intervals below 20 episodes are rough.",
            "<b>left</b> is idle & halves the total",
        ],
        choice=choice_of(rng, names, list(robot), policies=policies) if chosen and len(names) > 1 else None,
        methods=Methods(
            split="last ceil(n·0.1) episodes of each task, as lerobot-train makes it: 100..113",
            seed=0,
            space="robot",
            normalisation="none; predictions were un-normalised by mean/std of checkpoint 40k",
            weighting="frames weigh the same; total over live dimensions",
            unit="episode",
            intervals="bootstrap-t over episodes, paired across policies, 10 000 resamples",
            horizon=horizon,
            executed=horizon // 2,
            phases="contact: within 15 frames of a recorded gripper transition (offline)",
            chosen="lowest total among all checkpoints",
            data="demo/mobile_pick, 3f9a01c2d4e5b677, 14 of 140 episodes, 3,412 frames",
            notes=["hold last action is undefined at frame 0; that frame is masked for every policy"],
        ),
    )


def _value(rng: np.random.Generator, centre: float, intervals: bool = True) -> Value:
    value = centre * math.exp(rng.normal(0, 0.25))
    if not intervals or rng.random() < 0.05:
        return Value(value=value)
    spread = rng.uniform(1.1, 1.6)
    return Value(value=value, low=value / spread, high=value * spread)


def _policy(
    rng: np.random.Generator,
    name: str,
    rivals: Sequence[str],
    level: dict[str, float],
    robot: dict[str, tuple[list[str], list[str]]],
    episodes: int,
    horizon: int,
    intervals: bool,
    extras: bool,
    step: int,
) -> PolicyErrors:
    rival = name in rivals
    factor = 4.0 if rival else 2.0 / (1 + step)
    errors = {g: _value(rng, centre * factor, intervals) for g, centre in level.items()}
    if rng.random() < 0.1:
        errors[next(iter(robot))] = Value(value=0.0)
    shares = rng.dirichlet(np.full(len(robot), 0.6))
    joints = {f"{g}.{j}": level[g] * float(rng.exponential()) for g, (js, _) in robot.items() for j in js}
    found = PolicyErrors(
        name=name,
        rival=rival,
        step=None if rival else 10_000 * (step + 1),
        frames=3412,
        episodes=episodes,
        chunks_with_all_steps=3188,
        errors=errors,
        episode_weighted={g: _value(rng, v.value + 1e-9, intervals) for g, v in errors.items()},
        joints=joints,
        shares=dict(zip(robot, map(float, shares), strict=True)),
        by_episode=EpisodeErrors(
            pairs=[100] * episodes,
            errors={g: [v.value * float(x) for x in rng.exponential(size=episodes)] for g, v in errors.items()},
        ),
        horizon={g: [v.value * (0.3 + 1.4 * h / horizon) for h in range(horizon)] for g, v in errors.items()},
        executed={g: _value(rng, v.value * 0.6 + 1e-9, intervals) for g, v in errors.items()},
    )
    if not rival:
        found.skill = {r: {g: _skill(rng, intervals) for g in [*robot, "total"]} for r in rivals}
    if not extras:
        return found
    found.other_spaces = {s: {g: float(rng.exponential(0.1)) for g in errors} for s in ("normalised:mean_std", "range")}
    found.phases = {
        p: {g: _value(rng, v.value * k + 1e-9, intervals) for g, v in errors.items()}
        for p, k in (("contact", 2), ("free", 0.7))
    }
    tasks = ("put the red block into the tray", "put the blue block into the tray")
    found.tasks = {t: {g: _value(rng, v.value + 1e-9, intervals) for g, v in errors.items()} for t in tasks}
    found.gripper = {
        "gripper": GripperEvents(
            recorded=28,
            matched=int(rng.integers(15, 29)),
            missed=3,
            spurious=int(rng.integers(0, 9)),
            censored=2,
            delay_frames=float(rng.normal(2, 1)),
            delay_seconds=float(rng.normal(0.2, 0.1)),
            tolerance_frames=15,
            polarity="1 is open",
            range="0..1",
            error_inside=0.12,
            error_outside=0.004,
        )
    }
    found.motion = {
        g: Motion(path_ratio=float(rng.uniform(0, 1.2)), jerk_ratio=float(rng.uniform(0, 9)), boundary_jump=0.02)
        for g in robot
    }
    found.stochastic = None if rival else _stochastic(rng, errors)
    found.task_space = TaskSpace(
        model="hsr.xml",
        site="tool",
        position=_value(rng, 0.031),
        orientation=_value(rng, 0.12),
        shares={g: float(s) for g, s in zip(robot, rng.normal(0.3, 0.4, len(robot)), strict=True)},
        withheld=0.031,
    )
    found.traces = [
        _trace(rng, 100 + i, j, u) for i in range(2) for j, u in list(zip(*next(iter(robot.values())), strict=True))[:3]
    ]
    return found


def _skill(rng: np.random.Generator, intervals: bool) -> Value:
    if rng.random() < 0.15:
        return Value(value=math.nan, note="undefined: the rival's error is below the floor")
    value = float(rng.choice([rng.uniform(-0.2, 0.9), -rng.exponential(12)], p=[0.85, 0.15]))
    return Value(value=value, low=value - 0.15, high=min(1.0, value + 0.1)) if intervals else Value(value=value)


def _stochastic(rng: np.random.Generator, errors: dict[str, Value]) -> Stochastic:
    def scores(k: float) -> dict[str, Value]:
        return {g: _value(rng, v.value * k + 1e-9) for g, v in errors.items()}

    return Stochastic(
        draws=5,
        mean_of_k=scores(0.9),
        one_draw=scores(1.2),
        best_of_k=scores(0.5),
        energy_score=scores(30),
        energy_space="std",
    )


def _trace(rng: np.random.Generator, episode: int, joint: str, unit: str) -> Trace:
    n = int(rng.integers(80, 900))
    recorded = np.cumsum(rng.normal(0, 0.01, n))
    predicted = recorded + rng.normal(0, 0.04, n)
    predicted[:3] = np.nan
    frames = list(range(n))
    return Trace(
        episode=episode, joint=joint, unit=unit, frame=frames, recorded=recorded.tolist(), predicted=predicted.tolist()
    )


def choice_of(
    rng: np.random.Generator,
    names: Sequence[str],
    groups: Sequence[str],
    *,
    episodes: int | None = 14,
    policies: Sequence[PolicyErrors] = (),
) -> Choice:
    """A choice over these checkpoints; without episodes it is what a bare table of errors allows."""
    picks = []
    errors = {n: {g: float(rng.exponential(1e-3)) for g in [*groups, "total"]} for n in names}
    for p in policies:
        if p.name in errors:
            errors[p.name] = {g: p.errors[g].value for g in errors[p.name]}
    rules = ["total", *(f"group:{g}" for g in groups), "minimax", "pareto", "last"]
    for rule in rules:
        group = rule.removeprefix("group:")
        best = names[-1] if rule == "last" else min(names, key=lambda n: errors[n].get(group, rng.random()))
        tied = [n for n in names if n == best or (episodes and rng.random() < 0.35)]
        p = {n: 1.0 if n == best else float(rng.random()) for n in names} if episodes else {}
        picks.append(Pick(rule=rule, best=best, tied=tied, value=float(rng.exponential(1e-3)), p_values=p, frequency=p))
    best, other = picks[0].best, next(n for n in names if n != picks[0].best)
    kind = "masking" if episodes else "point masking"
    alarm = Alarm(
        kind=kind,
        group=groups[0],
        pick=best,
        alternative=other,
        ratio=1.97,
        low=1.21 if episodes else math.nan,
        price=1.09,
        sentence=f"{kind}: the total picks {best}, whose {groups[0]} error is 1.97 times that of {other}; "
        "protecting it costs 9 % in total.",
    )
    return Choice(
        rule="total",
        watch=groups[0],
        best=best,
        tied=picks[0].tied,
        masking=[alarm],
        picks=picks,
        selected_from=len(names),
        errors=errors,
        units=episodes,
        space="robot",
        draws=10_000 if episodes else 0,
        crossfit=CrossFit(value=1.31e-3, naive=1.12e-3, folds=5, agree=3) if episodes else None,
        interval=(0.9e-3, 1.6e-3) if episodes else None,
        convergence={
            g: Convergence(first=0.02, best=0.002, last=0.0025, best_step=40_000, settled_step=30_000) for g in groups
        },
        convergence_note="Settled: the first step that stays within 10 % of the fall to the best.",
        sentence=f"Deploy {best}: lowest total of {len(names)} checkpoints; "
        f"{len(picks[0].tied) - 1} others cannot be told apart from it.",
    )
