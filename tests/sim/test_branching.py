"""Branch labels: what the plain loop would have done, to the last bit."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.policies.sampling import Perturbed
from surehand.sim.branching import look_ahead
from surehand.sim.env import TaskEnv
from surehand.sim.episodes import Draw
from surehand.sim.rollout import play, rollout_scenes

sys.path.insert(0, str(Path(__file__).parent))
from small_policies import Remembers

EXECUTE = 4


def by_hand(env: TaskEnv, chunk: np.ndarray) -> tuple[np.ndarray, list[bool], bool]:
    """Forces (n, F) and violations of the plain loop over one chunk, until it ends, and its success; env comes back."""
    start, ahead = env.save(), env.forces
    forces, broken = [], []
    for action in chunk:
        _, _, done, late, info = env.step(action)
        forces.append(env.forces)
        broken.append(any(info["violated"].values()))
        if done or late:
            break
    success = env.success
    env.restore(start)
    env.forces = ahead
    return np.array(forces), broken, success


@pytest.mark.parametrize(
    ("task", "body"), [("pick", "mobile"), ("place", "desk"), ("press", "desk"), ("push", "mobile")]
)
def test_labels_are_those_of_the_plain_loop(
    task: str, body: str, play: Callable[..., TaskEnv], wild: Callable[..., np.ndarray]
) -> None:
    rng = np.random.default_rng(4)
    whole = play(task, body, 5).steps
    seen = {"violation": 0, "success": 0}
    for steps in (0, whole // 2, whole - 6, whole - 2):
        env = play(task, body, 5, steps)
        hold = env.world.commanded()
        if body == "mobile":
            hold[-3:] = 0.0
        candidates = np.stack([wild(env, 8, rng), np.tile(hold, (8, 1)), wild(env, 8, rng)])
        found = look_ahead(env, candidates, EXECUTE)
        for k, chunk in enumerate(candidates):
            forces, broken, success = by_hand(env, chunk)
            np.testing.assert_array_equal(found.forces_chunk[k], forces.max(axis=0))
            np.testing.assert_array_equal(found.forces[k], forces[:EXECUTE].max(axis=0))
            assert found.violation[k] == any(broken[:EXECUTE]) and found.violation_chunk[k] == any(broken)
            assert found.success[k] == success and not found.diverged[k]
            seen["violation"] += any(broken)
            seen["success"] += success
    assert seen["violation"] and seen["success"]


def test_looking_ahead_moves_nothing(play: Callable[..., TaskEnv], wild: Callable[..., np.ndarray]) -> None:
    env = play("pick", "mobile", 2, 30)
    before, progress, seen = env.save(), env.progress, env.observe()
    look_ahead(env, wild(env, 16, np.random.default_rng(0)).reshape(2, 8, -1), EXECUTE)
    after = env.save()
    assert (before.physics == after.physics).all() and before.progress == after.progress == progress
    assert all((seen[key] == value).all() for key, value in env.observe().items())


def test_the_last_steps_of_an_episode_are_all_there_is(play: Callable[..., TaskEnv]) -> None:
    env = play("press", "desk", 1, 10)
    env.steps = env.task.steps - 3
    chunk = np.tile(env.world.commanded(), (1, 8, 1))
    far = chunk.copy()
    far[:, 3:, 0] = 99.0  # beyond the joint's range, after the end
    assert look_ahead(env, chunk, EXECUTE).violation_chunk[0] == look_ahead(env, far, EXECUTE).violation_chunk[0]


def test_a_candidate_that_is_not_finite_is_not_tried(play: Callable[..., TaskEnv]) -> None:
    env = play("press", "desk", 1, 10)
    chunk = np.tile(env.world.commanded(), (3, 8, 1))
    chunk[1, 7, 2] = np.nan
    assert look_ahead(env, chunk, EXECUTE).diverged.tolist() == [False, True, False]


def test_the_picks_label_is_what_happened() -> None:
    """The selected candidate's branch equals its execution, for every decision of perturbed episodes."""
    scenes = rollout_scenes(4, 4)
    policy = Perturbed(Remembers("pick", "desk", scenes), 0.3, np.array([0.1, 0.3, 0.3, 0.3, 0.5, 0.3]))
    episodes = play(policy, "pick", "desk", scenes, draw=Draw(3, 1, branch=True), log=True)
    violated = 0
    for episode in episodes:
        for d in episode.decisions:
            assert d.labels is not None
            np.testing.assert_array_equal(d.labels.forces[d.selected], d.forces.max(axis=0))
            assert d.labels.violation[d.selected] == d.violated
            violated += d.violated
        last = episode.decisions[-1]
        assert last.labels is not None and (not episode.success or last.labels.success[0])
    assert violated
