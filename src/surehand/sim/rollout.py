"""Closed loop: a policy acts in scenes of its own, several side by side, and what came of it.

Scenes advance in groups of fixed membership and a policy is always asked about a whole group, finished scenes filled
in: an episode's bits depend neither on who else is still running nor on how work was shared among processes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surehand.exceptions import ShapeError, SpaceError, SurehandError
from surehand.frames import Samples
from surehand.policies.protocol import Answer, Observation, Policy, PolicySpec
from surehand.sim.branching import look_ahead
from surehand.sim.episodes import Decision, Draw, Episode
from surehand.sim.experts import expert
from surehand.sim.follow import Follower
from surehand.sim.observation import ENVIRONMENT, IMAGES, STATE, observation
from surehand.sim.record import SCENES_PER_SEED, SEEDS
from surehand.sim.robot import Body
from surehand.sim.running import Run

ROLLOUT_SCENES = SEEDS * SCENES_PER_SEED  # the first scene of rollouts; recordings end before it
IMAGE_SIZE = 96  # pixels, for policies with cameras that have no `image_size`


def rollout_scenes(seed: int, count: int) -> list[int]:
    """The first `count` scenes of rollouts with this seed; no recording and no other seed has any of them."""
    if seed < 0 or not 0 < count <= SCENES_PER_SEED:
        raise SurehandError(f"seed {seed}, {count} scenes: expected a seed from 0 and 1 to {SCENES_PER_SEED} scenes")
    first = ROLLOUT_SCENES + seed * SCENES_PER_SEED
    return list(range(first, first + count))


def play(
    policy: Policy | Literal["expert"],
    task: str,
    body: str,
    scenes: Sequence[int],
    *,
    execute: int = 4,
    at_once: int = 16,
    draw: Draw | None = None,
    log: bool = False,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> list[Episode]:
    """One episode per scene, in order: chunks are asked for, their first `execute` steps carried out, and so on.

    "expert" plays the scripted expert. `log` keeps every decision, `draw` gives it candidates. `at_once` scenes make
    a group; other group sizes may move last bits. Cameras give squares of the policy's `image_size`, where it has one.
    ShapeError or SpaceError, before anything moves, for a policy that does not fit the body; an action that is not
    finite is refused and counted, and the robot holds for that step.
    """
    episodes: list[Episode] = []
    for first in range(0, len(scenes), at_once):
        group = [Run(task, body, scene) for scene in scenes[first : first + at_once]]
        if first == 0 and not isinstance(policy, str):
            check_fit(policy.spec, group[0].env.body, execute)
        if isinstance(policy, str):
            _play_expert(group)
        else:
            policy.reset()
            _play_group(_Player(policy, execute, at_once, draw, log), group)
        episodes += [run.episode() for run in group]
        progress("rolling out", len(episodes) / len(scenes))
    return episodes


def check_fit(spec: PolicySpec, body: Body, execute: int) -> None:
    """Nothing, or ShapeError or SpaceError: what this policy answers cannot be carried out by this body."""
    if spec.dims != body.size:
        raise ShapeError(f"the policy commands {spec.dims} columns, the {body.name} robot has {body.size}")
    if spec.space.units != "robot" or spec.space.reference in ("delta", "relative"):
        raise SpaceError(f"the policy answers in {spec.space}; the robot takes robot/absolute: undo it in the policy")
    ahead = spec.horizon + min(spec.first_step, 0)
    if execute < 1 or spec.first_step > 0 or ahead < execute:
        raise ShapeError(
            f"{execute} steps of each chunk are to be executed; the policy's chunks hold {max(ahead, 0)} from the "
            f"observation on (horizon {spec.horizon}, first step {spec.first_step})"
        )


def _play_expert(group: Sequence[Run]) -> None:
    for run in group:
        demonstrator: Follower = expert(run.env)
        while run.running:
            run.step(demonstrator.act().astype(np.float32))


@dataclass(frozen=True)
class _Player:
    """A policy and how its answers are carried out."""

    policy: Policy
    execute: int
    at_once: int
    draw: Draw | None
    log: bool

    def ask(self, group: Sequence[Run]) -> list[Answer]:
        """One answer per run of the group; finished ones and empty places are asked about too, never used."""
        for run in group:
            if run.running:
                run.observation = self.look(run)
                if self.remembered:
                    run.observation["history"] = run.earlier(self.remembered)
        asked = [run.observation for run in group]
        asked += [asked[0]] * (self.at_once - len(asked))
        answers = self.policy.infer_batch(asked)
        if len(answers) != len(asked):
            raise ShapeError(f"the policy gave {len(answers)} answers to {len(asked)} observations")
        return answers[: len(group)]

    @property
    def remembered(self) -> int:
        """Observations before the current one that the policy looks at."""
        return self.policy.spec.history - 1

    def look(self, run: Run) -> Observation:
        """What the policy is shown of this moment."""
        cameras = tuple(name.removeprefix(IMAGES) for name in self.policy.spec.cameras or ())
        return observation(run.env, run.seen, cameras, getattr(self.policy, "image_size", 0) or IMAGE_SIZE)

    def samples(self, run: Run, answer: Answer) -> Samples:
        """The candidates of one run's decision, checked."""
        spec = self.policy.spec
        if self.draw is None or not self.draw.candidates:
            found = Samples(np.asarray(answer["actions"])[None], "deterministic")
        else:
            rng = np.random.default_rng([self.draw.seed, run.env.scene.seed, run.env.steps])
            found = self.policy.sample(run.observation, self.draw.candidates, rng)
        wanted = (max(self.draw.candidates, 1) if self.draw else 1, spec.horizon, spec.dims)
        if found.actions.shape != wanted:
            raise ShapeError(f"step {run.env.steps}: the policy gave chunks {found.actions.shape}, expected {wanted}")
        return found

    def choose(self, run: Run, samples: Samples) -> np.ndarray:
        """Scores (K,) of the candidates; the largest is carried out."""
        k = len(samples.actions)
        if self.draw is None or self.draw.scores is None:
            return -np.arange(k, dtype=float)
        score = np.asarray(self.draw.scores(run.observation, samples), dtype=float)
        if score.shape != (k,) or np.isnan(score).any():
            raise ShapeError(f"verifier {self.draw.verifier} gave scores {score}, expected {k} numbers")
        return score


def _play_group(player: _Player, group: Sequence[Run]) -> None:
    """Plays every run of a group to its end, decision by decision."""
    while any(run.running for run in group):
        answers = player.ask(group)
        # Every chunk is looked at before the first robot moves.
        drawn = [player.samples(r, a) if r.running else None for r, a in zip(group, answers, strict=True)]
        for run, answer, samples in zip(group, answers, drawn, strict=True):
            if samples is not None:
                _carry_out(player, run, answer, samples)


def _carry_out(player: _Player, run: Run, answer: Answer, samples: Samples) -> None:
    """The pick's first steps, until the episode ends or the next decision is due."""
    now = -player.policy.spec.first_step
    score = player.choose(run, samples)
    selected = int(score.argmax())
    labels = None
    if player.draw is not None and player.draw.branch:
        labels = look_ahead(run.env, samples.actions[:, now:], player.execute)
    began, observed = run.env.steps, run.observation
    for step, action in enumerate(samples.actions[selected, now : now + player.execute]):
        if step >= player.execute - player.remembered:  # the rest is too old for the next decision
            run.past.append(player.look(run))
        run.step(action)
        if not run.running:
            break
    if not player.log:
        return
    embedding = answer.get("embedding")
    run.decisions.append(
        Decision(
            step=began,
            samples=samples,
            score=score,
            selected=selected,
            verifier=player.draw.verifier if player.draw else "first",
            features=np.concatenate([observed[STATE], observed[ENVIRONMENT]]),
            embedding=None if embedding is None else np.asarray(embedding, np.float32),
            forces=np.array(run.forces[began:]),
            distance=np.array(run.distance[began + 1 :]),
            violated=any(run.broke[began:]),
            refused=sum(run.refused_at[began:]),
            labels=labels,
        )
    )
