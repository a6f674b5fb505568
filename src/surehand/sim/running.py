"""One scene being played, step by step, and what is remembered of it."""

import numpy as np

from surehand.policies.protocol import Observation
from surehand.sim.env import BadAction, TaskEnv
from surehand.sim.episodes import Decision, Episode


class Run:
    """One scene being played."""

    def __init__(self, task: str, body: str, scene: int) -> None:
        self.env = TaskEnv(task, body)
        self.seen, info = self.env.reset(seed=scene)
        self.running = True
        self.void = ""
        self.violated: set[str] = set()
        self.forces: list[np.ndarray] = []  # of every step
        self.distance: list[float] = [info["distance"]]
        self.broke: list[bool] = []
        self.refused_at: list[bool] = []
        self.observation: Observation = {}
        self.past: list[Observation] = []  # of the steps before, for policies that look back
        self.decisions: list[Decision] = []

    def earlier(self, count: int) -> list[Observation]:
        """So many observations before the current one, oldest first; the first there was is repeated."""
        self.past = self.past[-count:]
        first = self.past[0] if self.past else {**self.observation}
        return [first] * (count - len(self.past)) + self.past

    def step(self, action: np.ndarray) -> None:
        """One step; an action that is not finite is refused and the robot holds."""
        refused = self.env.refused
        try:
            self.seen, _, done, late, info = self.env.step(action)
        except BadAction:
            self.seen, _, done, late, info = self.env.step(_hold(self.env))
        broken = [name for name, yes in info["violated"].items() if yes]
        self.violated.update(broken)
        self.broke.append(bool(broken))
        self.refused_at.append(self.env.refused > refused)
        self.forces.append(self.env.forces)
        self.distance.append(info["distance"])
        self.void = info.get("reason", "")
        self.running = not (done or late)

    def episode(self) -> Episode:
        env, forces = self.env, np.array(self.forces)
        return Episode(
            task=env.task.name,
            body=env.body.name,
            scene=env.scene.seed,
            thing=env.scene.thing,
            instruction=env.instruction,
            success=env.success and not self.void,
            steps=env.steps,
            peaks=np.fmax.reduce(forces, axis=0),  # a step that diverged has no forces
            violated=tuple(sorted(self.violated)),
            void=f"the simulation diverged: {self.void}" if self.void else "",
            refused=env.refused,
            decisions=tuple(self.decisions),
        )


def _hold(env: TaskEnv) -> np.ndarray:
    """The action that keeps every joint where it was last commanded and stops the base."""
    action = env.world.commanded()
    if env.body.mobile:
        action[-3:] = 0.0
    return action
