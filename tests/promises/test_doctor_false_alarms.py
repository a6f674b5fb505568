"""Promise: on sound data the doctor is silent. Random robots, recordings, statistics and policies; alarms are counted.

What is drawn: 3 to 20 columns whose sizes span four decades, grippers of three conventions (some rarely used), 5 to 60
episodes of 40 to 300 frames with their own resting pose, smooth or sticky motion, sensor noise; the statistics of all
frames or of a random 60 to 95 % of the episodes; policies whose error is a tenth of the spread up to larger than it,
shrunk towards the mean or lagging behind. An alarm is any error or warning.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from surehand.decide.checks import commands, episodes, predictions, space, values
from surehand.decide.checks.compare import Compared, Comparison
from surehand.decide.checks.digest import Digest, Facts
from surehand.decide.checks.statistics import check_stats
from surehand.decide.findings import Finding
from surehand.frames import Actions, Predictions, Stats
from surehand.layout import Joint, Layout


def random_robot(rng: np.random.Generator) -> tuple[Layout, np.ndarray]:
    """A layout, and the size of each column's motion."""
    if rng.random() < 0.4:
        n = int(rng.integers(3, 8))
        joints = [Joint(f"j{i}", f"{side}_arm") for side in ("left", "right") for i in range(n)]
        joints += [Joint("grip", f"{side}_gripper", "gripper") for side in ("left", "right")]
    else:
        joints = [Joint(f"j{i}", "arm") for i in range(int(rng.integers(3, 19)))] + [
            Joint("gripper", "gripper", "gripper")
        ]
    scale = np.exp(rng.uniform(np.log(0.005), np.log(50), len(joints)))
    return Layout(tuple(joints)), scale


def random_recording(rng: np.random.Generator, layout: Layout, scale: np.ndarray) -> Actions:
    """Whole episodes of this robot; the state follows the action two frames later."""
    dims, count = layout.size, int(rng.integers(5, 61))
    centre = scale * rng.normal(0, 1.5, dims)
    between, fps = rng.uniform(0, 1), float(rng.choice([10, 30, 50]))
    grip = np.array([joint.kind == "gripper" for joint in layout.joints])
    low, high = ((0, 1), (-1, 1), (0, 100))[int(rng.integers(3))]
    rare = rng.random() < 0.3
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("action", "state", "episode", "frame", "timestamp")}
    for episode in range(count):
        n = int(rng.integers(40, 300))
        t = np.arange(n + 2)[:, None, None] / 30
        wave = np.sin(rng.uniform(0.2, 2.5, (1, dims, 4)) * t + rng.uniform(0, 2 * np.pi, (1, dims, 4))).sum(2) / 1.4
        action = centre + scale * (wave + between * rng.standard_normal(dims))
        action += 0.002 * scale * rng.standard_normal(action.shape)
        opening = 1 / (1 + np.exp(-10 * (wave[:, grip] - (2 if rare else 0))))
        action[:, grip] = low + (high - low) * opening
        parts["action"].append(action[2:].astype(np.float32))
        parts["state"].append(action[:-2].astype(np.float32))
        parts["episode"].append(np.full(n, episode))
        parts["frame"].append(np.arange(n))
        parts["timestamp"].append((np.arange(n) / fps + 1e-3 / fps * rng.standard_normal(n)).astype(np.float32))
    joined: dict[str, Any] = {name: np.concatenate(values) for name, values in parts.items()}
    return Actions(**joined, task=np.zeros(len(joined["frame"]), np.int64), names=layout.names, fps=fps)


def random_policy(rng: np.random.Generator, recorded: Actions, worst: float = 1.2) -> Predictions:
    """Chunks that lag, shrink towards the mean and err, to a random degree."""
    horizon = int(rng.choice([4, 8, 16]))
    row = rng.permutation(len(recorded))[:800]
    row.sort()
    lag = int(rng.integers(0, 4))
    steps = np.clip(row[:, None] + np.arange(horizon) - lag, 0, len(recorded) - 1)
    ends = np.searchsorted(recorded.episode, recorded.episode[row], side="right")
    spread, mean = recorded.action.std(0), recorded.action.mean(0)
    noise = np.exp(rng.uniform(np.log(0.05), np.log(worst)))
    shrink = rng.uniform(0.6, 1)
    error = noise * spread * rng.standard_normal((len(row), 1, 1, len(spread)))
    chunk = mean + shrink * (recorded.action[steps] - mean)
    return Predictions(
        prediction=(chunk[:, None] + error).astype(np.float32),
        episode=recorded.episode[row],
        frame=recorded.frame[row],
        length=np.minimum(horizon, ends - row),
    )


def summarised(action: np.ndarray) -> Stats:
    q01, q99 = np.quantile(action, (0.01, 0.99), axis=0)
    return Stats(action.mean(0), action.std(0), action.min(0), action.max(0), q01, q99, len(action), "claim")


def check_recording(recorded: Actions, facts: Facts, layout: Layout) -> list[Finding]:
    """Every check that needs the recording alone."""
    counts = dict(zip(facts.episode.tolist(), facts.rows.tolist(), strict=True))
    assert facts.against_state is not None and facts.against_step is not None
    return [
        *values.check_finite(facts),
        *values.check_dead(facts.stats, layout),
        *values.check_outliers(facts),
        *values.check_wrap(facts.full_turns, facts.stats, layout),
        *values.check_units(facts.stats, layout),
        *values.check_looks_normalised(facts.stats),
        *episodes.check_lengths(facts.episode, facts.rows, counts),
        *episodes.check_duplicates(facts.episode, facts.content),
        *episodes.check_still(facts),
        *episodes.check_frame_index(facts.episode, facts.frame_breaks),
        *episodes.check_time(facts.episode, facts.timing, recorded.fps, has_time=True),
        *commands.check_reference(facts.against_state, facts.against_step),
        *commands.check_sides(facts.against_state, layout, "data.sides_swapped"),
    ]


def check_policy(seen: Compared, layout: Layout, claims: tuple[Stats, ...]) -> list[Finding]:
    """Every check on predictions, none silenced by another."""
    ways = space.readings(claims, layout.size)
    grippers = commands.gripper_columns(layout, None, layout.size)
    return [
        *predictions.check_keys(seen),
        *space.check_space(seen.level, ways[0], ways),
        *predictions.check_delta(seen),
        *commands.check_sides(seen.level, layout, "predictions.sides_swapped"),
        *predictions.check_column_order(seen.level),
        *predictions.check_scale(seen.level),
        *predictions.check_spread(seen.level, seen.sample),
        *predictions.check_predicted_gripper(seen.level, seen.sample, grippers),
        *predictions.check_motion(seen),
    ]


def digest(recorded: Actions, rng: np.random.Generator) -> Facts:
    made = Digest(recorded.action.shape[1], recorded.fps, rng, recorded.action.shape[1])
    made.update(recorded)
    return made.facts()


def compare(made: Predictions, recorded: Actions, rng: np.random.Generator) -> Compared:
    comparison = Comparison(recorded.action.shape[1], rng)
    comparison.update(made, recorded)
    return comparison.compared()


def examine_world(rng: np.random.Generator) -> list[Finding]:
    """Errors and warnings on one random sound world."""
    layout, scale = random_robot(rng)
    recorded = random_recording(rng, layout, scale)
    facts = digest(recorded, rng)
    action = recorded.action.astype(float)
    part = rng.permutation(facts.episode)[: max(3, int(rng.uniform(0.6, 0.95) * len(facts.episode)))]
    claim = summarised(action if rng.random() < 0.5 else action[np.isin(recorded.episode, part)])
    found = check_recording(recorded, facts, layout) + check_stats(claim, facts)
    found += check_policy(compare(random_policy(rng, recorded), recorded, rng), layout, (claim, facts.stats))
    return [one for one in found if one.severity in ("error", "warning")]


def alarms(worlds: int) -> tuple[float, Counter[str]]:
    """Share of worlds with an alarm, and which."""
    rng = np.random.default_rng(20)
    heard = [examine_world(rng) for _ in range(worlds)]
    return float(np.mean([bool(one) for one in heard])), Counter(f.code for one in heard for f in one)


def test_sound_worlds_raise_few_alarms() -> None:
    rate, which = alarms(60)
    assert rate <= 0.05, which


@pytest.mark.slow
def test_sound_worlds_raise_few_alarms_large() -> None:
    rate, which = alarms(1500)
    assert rate <= 0.02, which


# The other side of the promise: faults planted in the same random worlds are found.


def normalised(made: np.ndarray, stats: Stats) -> np.ndarray:
    offset, scale = stats.affine("mean_std")
    return (made - offset) / scale


def plant(rng: np.random.Generator, fault: str) -> set[str]:
    """Codes found in one random world of a decent policy with this fault."""
    layout, scale = random_robot(rng)
    while fault == "sides" and "left_arm" not in layout.groups:
        layout, scale = random_robot(rng)
    recorded = random_recording(rng, layout, scale)
    facts, made = digest(recorded, rng), random_policy(rng, recorded, worst=0.4)
    claim, numbers = summarised(recorded.action.astype(float)), made.prediction.astype(float)
    if fault == "std per episode":
        return {f.code for f in check_stats(replace(claim, std=facts.std.mean(0)), facts)}
    if fault == "normalised":
        numbers = normalised(numbers, claim)
    if fault == "degrees":
        numbers = np.degrees(numbers)
    if fault == "gripper":
        columns = commands.gripper_columns(layout, None, layout.size)
        numbers[..., columns] = claim.min[columns] + claim.max[columns] - numbers[..., columns]
    if fault == "sides":
        left, right = (np.flatnonzero([j.group.startswith(side) for j in layout.joints]) for side in ("left", "right"))
        numbers[..., np.r_[left, right]] = numbers[..., np.r_[right, left]]
    if fault == "relative":
        numbers = numbers - numbers[:, :, :1]
    seen = compare(replace(made, prediction=numbers), recorded, rng)
    return {f.code for f in check_policy(seen, layout, (claim,))}


@pytest.mark.parametrize(
    ("fault", "code", "share"),
    [
        ("std per episode", "stats.per_episode", 0.9),
        ("normalised", "predictions.space", 0.9),
        ("degrees", "predictions.scale", 0.95),
        ("gripper", "predictions.gripper_polarity", 0.9),
        ("sides", "predictions.sides_swapped", 0.9),
        ("relative", "predictions.delta", 0.8),
    ],
)
def test_planted_faults_are_found(fault: str, code: str, share: float) -> None:
    rng = np.random.default_rng(21)
    found = [code in plant(rng, fault) for _ in range(20)]
    assert np.mean(found) >= share
