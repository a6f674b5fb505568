"""Which pairs of policies the trials tell apart, and whether a metric orders those as the robot did."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from surehand.decide.agree_robot import Robot
from surehand.measure.ordinal import Permutation, permutation_test
from surehand.measure.ranking import holm


def resolved_pairs(
    robot: Robot, sets: Sequence[Sequence[int]], alpha: float, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Pairs (better, worse) within each set of policies that the exact permutation test of their trials tells apart.

    Better is whom the test speaks for. Two-sided, Holm over all pairs, within the schedule's blocks where every trial
    of both has one of theirs.
    """
    pairs = [pair for members in sets for pair in combinations(members, 2)]
    if not robot.scores or not pairs:
        return []
    found = [_test(robot, a, b, rng) for a, b in pairs]
    adjusted = holm(np.array([test.two_sided for test in found]))
    ordered = [(a, b) if test.greater < test.less else (b, a) for (a, b), test in zip(pairs, found, strict=True)]
    return [pair for pair, p in zip(ordered, adjusted, strict=True) if p < alpha]


def ordered_right(merit: np.ndarray, pairs: Sequence[tuple[int, int]]) -> int:
    """How many of the pairs (better, worse) a metric (P,), higher better, orders alike."""
    return sum(bool(merit[better] > merit[worse]) for better, worse in pairs)


def _test(robot: Robot, a: int, b: int, rng: np.random.Generator) -> Permutation:
    blocks = None
    if robot.blocks and set(robot.blocks[a].tolist()) == set(robot.blocks[b].tolist()):
        blocks = (robot.blocks[a], robot.blocks[b])
    return permutation_test(robot.scores[a], robot.scores[b], rng=rng, blocks=blocks)
