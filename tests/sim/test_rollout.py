"""Closed loops: the same bits however they are grouped, misfits refused before anything moves, faults counted."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import ShapeError, SpaceError, SurehandError
from surehand.frames import Samples, Space
from surehand.policies.protocol import Answer, Observation, PolicySpec
from surehand.policies.sampling import Perturbed
from surehand.sim.env import TaskEnv
from surehand.sim.episodes import Draw, Episode, success_rate
from surehand.sim.model import Diverged, World
from surehand.sim.observation import ENVIRONMENT, STATE
from surehand.sim.record import SCENES_PER_SEED, SEEDS, Recipe
from surehand.sim.rollout import ROLLOUT_SCENES, play, rollout_scenes
from surehand.sim.running import Run

sys.path.insert(0, str(Path(__file__).parent))
from small_policies import Remembers

SCENES = rollout_scenes(3, 6)


def same(one: Episode, other: Episode) -> bool:
    """Whether two episodes agree to the last bit."""
    facts = [{key: value for key, value in vars(e).items() if key not in ("peaks", "decisions")} for e in (one, other)]
    return bool((one.peaks == other.peaks).all()) and facts[0] == facts[1]


def test_scenes_of_rollouts_are_their_own() -> None:
    assert rollout_scenes(0, 2) == [ROLLOUT_SCENES, ROLLOUT_SCENES + 1]
    assert not set(rollout_scenes(0, 100)) & set(rollout_scenes(1, 100))
    last = Recipe(("pick",), 1, seed=SEEDS - 1).attempt(SCENES_PER_SEED - 1)[1]
    assert last == min(rollout_scenes(0, 1)) - 1
    for seed, count in ((-1, 5), (0, 0), (0, SCENES_PER_SEED + 1)):
        with pytest.raises(SurehandError, match="expected a seed from 0"):
            rollout_scenes(seed, count)


def test_an_episode_is_what_the_plain_loop_gives() -> None:
    policy = Remembers("pick", "desk", SCENES)
    episodes = play(policy, "pick", "desk", SCENES[:2], execute=3)
    assert success_rate(episodes) == (2, 2)
    for scene, episode in zip(SCENES[:2], episodes, strict=True):
        env = TaskEnv("pick", "desk")
        seen, info = env.reset(seed=scene)
        forces: list[np.ndarray] = []
        done = late = False
        while not (done or late):
            asked = {"observation.state": seen["state"], "observation.environment_state": seen["environment"]}
            for action in policy.infer(asked)["actions"][:3]:
                seen, _, done, late, info = env.step(action)
                forces.append(env.forces)
                if done or late:
                    break
        assert (episode.steps, episode.success, episode.scene) == (env.steps, env.success, scene)
        assert (episode.thing, episode.instruction) == (env.scene.thing, info["instruction"])
        assert (episode.peaks == np.max(forces, axis=0)).all()


def test_bits_do_not_depend_on_the_company() -> None:
    policy = Remembers("press", "desk", SCENES)
    together = play(policy, "press", "desk", SCENES, at_once=4)
    assert set(policy.asked) == {4}
    again = play(policy, "press", "desk", SCENES[:4], at_once=4)
    alone = play(policy, "press", "desk", [SCENES[5]], at_once=4)
    assert all(map(same, together[:4], again)) and same(together[5], alone[0])


def test_the_expert_plays_too() -> None:
    episodes = play("expert", "press", "desk", SCENES)
    assert success_rate(episodes) == (6, 6) and not any(e.violated or e.refused or e.void for e in episodes)


@dataclass
class Misfit:
    """Answers with zeros of some shape, and says what it likes of itself."""

    spec: PolicySpec
    shape: tuple[int, ...] = (8, 6)

    def infer(self, observation: Observation) -> Answer:
        return {"actions": np.zeros(self.shape, np.float32)}

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        return [self.infer(one) for one in observations]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        return Samples(np.zeros((k, *self.shape), np.float32), "deterministic")

    def reset(self) -> None:
        pass


ROBOT = Space("robot", reference="absolute")


@pytest.mark.parametrize(
    ("policy", "error", "says"),
    [
        (Misfit(PolicySpec(8, 11, ROBOT)), ShapeError, "commands 11 columns, the desk robot has 6"),
        (Misfit(PolicySpec(3, 6, ROBOT)), ShapeError, "4 steps of each chunk .* hold 3"),
        (Misfit(PolicySpec(8, 6, ROBOT, first_step=-5)), ShapeError, "hold 3 from the observation on"),
        (Misfit(PolicySpec(8, 6, ROBOT, first_step=1)), ShapeError, "first step 1"),
        (Misfit(PolicySpec(8, 6, Space("normalised", "mean_std"))), SpaceError, "normalised:mean_std"),
        (Misfit(PolicySpec(8, 6, Space("robot", reference="delta"))), SpaceError, "robot/delta"),
        (Misfit(PolicySpec(8, 6, ROBOT), (8, 5)), ShapeError, r"gave chunks \(1, 8, 5\), expected \(1, 8, 6\)"),
        (Misfit(PolicySpec(8, 6, ROBOT), (7, 6)), ShapeError, r"gave chunks \(1, 7, 6\)"),
    ],
)
def test_a_policy_that_does_not_fit_moves_nothing(
    policy: Any, error: type[SurehandError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaskEnv, "step", lambda self, action: pytest.fail("the robot moved"))
    with pytest.raises(error, match=says):
        play(policy, "pick", "desk", SCENES[:2])


def test_an_action_that_is_not_finite_is_counted_and_the_robot_holds() -> None:
    def spoil(question: int, chunk: np.ndarray) -> np.ndarray:
        if question <= 3:  # by then two scenes of one group have moved twelve steps
            chunk[1, 3] = np.nan
            chunk[2, 5] = np.inf
        return chunk

    policy = Remembers("pick", "mobile", SCENES, change=None)
    clean = play(policy, "pick", "mobile", SCENES[:1], at_once=1)[0]
    policy = Remembers("pick", "mobile", SCENES, change=spoil)
    episode = play(policy, "pick", "mobile", SCENES[:1], at_once=1, log=True)[0]
    assert clean.refused == 0 and episode.refused == 6
    assert [d.refused for d in episode.decisions[:4]] == [2, 2, 2, 0]
    assert episode.success and not episode.void


def test_holding_keeps_the_joints_and_stops_the_base() -> None:
    run = Run("pick", "mobile", SCENES[0])
    before = run.env.world.commanded()
    run.step(np.concatenate([before[:8] + 0.01, [0.2, 0.1, 0.1]]))
    moving = run.env.world.commanded()
    assert (moving[8:] == [0.2, 0.1, 0.1]).all()
    run.step(np.full(11, np.nan))
    np.testing.assert_allclose(run.env.world.commanded(), [*moving[:8], 0.0, 0.0, 0.0], atol=1e-15)
    assert (run.env.steps, run.env.refused, run.refused_at) == (2, 1, [False, True])


def test_a_diverging_scene_is_void_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Remembers("press", "desk", SCENES)
    clean = play(policy, "press", "desk", SCENES[:3])
    advance, steps = World.advance, {"n": 0}
    unlucky = TaskEnv("press", "desk")
    unlucky.reset(seed=SCENES[1])
    where = unlucky.world.object_position

    def runs_away(world: World, action: np.ndarray) -> np.ndarray:
        if steps["n"] >= 0 and np.allclose(world.object_position[:2], where[:2]):
            steps["n"] += 1
            if steps["n"] == 12:  # three of them settle the scene
                raise Diverged("too fast")
        return advance(world, action)

    monkeypatch.setattr(World, "advance", runs_away)
    episodes = play(policy, "press", "desk", SCENES[:3], log=True)
    assert episodes[1].void == "the simulation diverged: too fast" and not episodes[1].success
    assert episodes[1].steps == 9 and np.isfinite(episodes[1].peaks).all()
    assert same(episodes[0], clean[0]) and same(episodes[2], clean[2])
    assert success_rate(episodes) == (2, 2)


def test_candidates_are_drawn_by_scene_and_step() -> None:
    policy = Perturbed(Remembers("press", "desk", SCENES), 0.05, np.ones(6))
    draw = Draw(4, seed=9)
    first = play(policy, "press", "desk", SCENES[:2], draw=draw, log=True)
    other = play(policy, "press", "desk", SCENES[1:2], draw=draw, log=True)
    assert same(first[1], other[0])
    for one, two in zip(first[1].decisions, other[0].decisions, strict=True):
        np.testing.assert_array_equal(one.samples.actions, two.samples.actions)
        assert one.selected == 0 and one.samples.actions.shape == (4, 8, 6)
    offsets = [d.samples.actions[0] - d.samples.actions[1] for e in first for d in e.decisions]
    assert all((one != two).any() for one, two in combinations(offsets, 2))
    another = play(policy, "press", "desk", SCENES[:1], draw=Draw(4, seed=10), log=True)
    assert (another[0].decisions[0].samples.actions != first[0].decisions[0].samples.actions).any()


@pytest.mark.parametrize(("scores", "picked"), [(lambda seen, found: np.array([0.0, 2.0, 1.0]), 1), (None, 0)])
def test_the_verifier_chooses(scores: Callable[..., np.ndarray] | None, picked: int) -> None:
    policy = Perturbed(Remembers("press", "desk", SCENES), 0.05, np.ones(6))
    draw = Draw(3, verifier="test", scores=scores)
    episode = play(policy, "press", "desk", SCENES[:1], draw=draw, log=True)[0]
    assert {d.selected for d in episode.decisions} == {picked}
    with pytest.raises(ShapeError, match="verifier test gave"):
        play(policy, "press", "desk", SCENES[:1], draw=replace(draw, scores=lambda seen, found: np.zeros(2)))


def test_an_episode_says_what_it_remembers() -> None:
    episode = play(Remembers("press", "desk", SCENES), "press", "desk", SCENES[:1], log=True)[0]
    assert [d.step for d in episode.decisions] == list(range(0, episode.steps, 4))
    assert sum(len(d.forces) for d in episode.decisions) == sum(len(d.distance) for d in episode.decisions)
    np.testing.assert_array_equal(np.concatenate([d.forces for d in episode.decisions]).max(axis=0), episode.peaks)
    first = episode.decisions[0]
    assert first.embedding is not None and (first.embedding == first.features[:4]).all()
    assert len(first.features) == 6 + len(TaskEnv("press", "desk").observation_names["environment"])


@dataclass
class LooksBack(Remembers):
    """Remembers, and keeps what it was shown at each decision: the states before, oldest first, and the current one."""

    shown: list[list[np.ndarray]] = field(default_factory=list)

    @property
    def spec(self) -> PolicySpec:
        return replace(super().spec, history=3)

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        first = observations[0]
        self.shown.append([one[STATE] for one in [*first["history"], first]])
        return super().infer_batch(observations)


@pytest.mark.parametrize("execute", [1, 2, 4])
def test_a_policy_that_looks_back_is_shown_the_steps_before(execute: int) -> None:
    scene = rollout_scenes(0, 1)[0]
    policy = LooksBack("press", "desk", [scene])
    episode = play(policy, "press", "desk", [scene], execute=execute, at_once=1)[0]
    env = TaskEnv("press", "desk")
    seen, _ = env.reset(seed=scene)
    states = [seen["state"]]
    again = Remembers("press", "desk", [scene])
    while len(states) <= episode.steps:
        at = {STATE: seen["state"], ENVIRONMENT: seen["environment"]}
        for action in again.infer(at)["actions"][:execute]:
            seen = env.step(action)[0]
            states.append(seen["state"])
    assert len(policy.shown) == -(-episode.steps // execute) > 2
    for decision, shown in enumerate(policy.shown):
        now = decision * execute
        np.testing.assert_array_equal(np.stack(shown), [states[max(now - back, 0)] for back in (2, 1, 0)])
