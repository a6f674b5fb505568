"""Small expert episodes as a dataset and as rounds, the same numbers in both."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.rounds import write_rounds
from surehand.frames import Actions, Round

TASKS = ("pick up the cube", "pick up the can", "press the button")
EVERY = 4  # steps of a round


def episodes(count: int = 24, seed: int = 0) -> list[dict[str, np.ndarray | str]]:
    """Forces, distance before and after each step, two torques; a third of the episodes of each task."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, np.ndarray | str]] = []
    for e in range(count):
        n = int(rng.integers(9, 20))
        seen = np.abs(np.linspace(0.3, 0.0, n + 1) + 0.02 * rng.normal(size=n + 1)).astype(np.float32)
        force = np.where(seen[:-1] < 0.1, (1 + e % 3) * rng.lognormal(1, 0.5, n), 0.0).astype(np.float32)
        torque = rng.normal(size=(n, 2)).astype(np.float32)
        found.append({"task": TASKS[e % 3], "before": seen[:-1], "after": seen[1:], "force": force, "torque": torque})
    return found


def as_dataset(root: Path, found: list[dict[str, np.ndarray | str]], **extra: np.ndarray) -> Path:
    """The episodes as a LeRobot dataset; `extra` columns hold one value per episode."""

    def made() -> Iterator[Actions]:
        rng = np.random.default_rng(9)
        for e, one in enumerate(found):
            n = len(one["force"])
            yield Actions(
                action=rng.normal(size=(n, 2)).astype(np.float32),
                episode=np.full(n, e),
                frame=np.arange(n),
                task=np.zeros(n, np.int64),
                state=rng.normal(size=(n, 2)).astype(np.float32),
                tasks=(str(one["task"]),),
                names=("lift", "turn"),
                state_names=("lift", "turn"),
                fps=10.0,
                columns={
                    "force": np.asarray(one["force"]),
                    "near": np.asarray(one["before"]),
                    "torque": np.asarray(one["torque"]),
                    **{name: np.full(n, values[e]) for name, values in extra.items()},
                },
            )

    return write_lerobot(root, made())


def as_rounds(path: Path, found: list[dict[str, np.ndarray | str]]) -> Path:
    """The episodes as rounds of four steps; a trace holds what each step led to."""
    rounds = []
    for e, one in enumerate(found):
        for step in range(0, len(one["force"]), EVERY):
            cut = slice(step, step + EVERY)
            traces = {"force": np.asarray(one["force"])[cut], "near": np.asarray(one["after"])[cut]}
            rounds.append(decision(e, step, str(one["task"]), traces))
    return write_rounds(path, rounds)


def decision(episode: int, step: int, task: str, traces: dict[str, np.ndarray], executed: bool = True) -> Round:
    """A round with one candidate."""
    return Round(
        episode=episode, initial_state=f"s{episode}", step=step, task=task, candidates=np.zeros((1, 4, 2), np.float32),
        score=np.zeros(1), selected=0, verifier="first", generator="deterministic", knob="", value=0.0, seed=0,
        executed=executed, traces=traces,
    )  # fmt: skip
