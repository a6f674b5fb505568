"""Films of closed loops: every step of an episode as pictures with what happened, as GIF, MP4 and contact sheet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from surehand.exceptions import FormatError
from surehand.policies.protocol import Policy
from surehand.sim.episodes import Episode
from surehand.sim.experts import expert
from surehand.sim.film_files import write_gif, write_mp4, write_sheet
from surehand.sim.model import CHANNELS
from surehand.sim.rollout import play
from surehand.sim.running import Run

SUFFIXES = (".gif", ".mp4")


@dataclass(frozen=True, eq=False)
class Shot:
    """What the cameras saw after a step, and what the step came to; step 0 is the start."""

    picture: np.ndarray  # (h, w, 3) uint8, the cameras side by side
    step: int
    force: float  # peak on the thing during the step, N
    limit: float  # what the task allows, N
    violated: tuple[str, ...]  # limits broken by this step
    success: bool


@dataclass(frozen=True, eq=False)
class Film:
    """One episode, seen."""

    episode: Episode
    shots: tuple[Shot, ...]


def shoot(
    policy: Policy | Literal["expert"],
    task: str,
    body: str,
    scene: int,
    *,
    cameras: Sequence[str] = ("side", "hand"),
    size: int = 320,
    execute: int = 4,
) -> Film:
    """The episode that `rollout.play` gives in this scene, with a shot of every step, `size` pixels high.

    Raises SurehandError for a camera that is not there or without OpenGL, and what `play` raises.
    """
    run = Run(task, body, scene)
    shots = [_shot(run, cameras, size)]
    for action in _expert_actions(run) if policy == "expert" else _actions(policy, task, body, scene, execute):
        run.step(action)
        shots.append(_shot(run, cameras, size))
        if not run.running:
            break
    return Film(run.episode(), tuple(shots))


def check_name(out: Path) -> None:
    """Nothing, or FormatError: no film can be written under this name."""
    if out.suffix not in SUFFIXES:
        raise FormatError(f"cannot write a film to {out}; name a file that ends in {' or '.join(SUFFIXES)}")


def write_film(film: Film, out: Path) -> tuple[Path, Path]:
    """(film, contact sheet): GIF or MP4 as the name ends, and a PNG of the same name; each whole or not at all."""
    check_name(out)
    title = f"{film.episode.instruction}, scene {film.episode.scene}"
    written = (write_gif if out.suffix == ".gif" else write_mp4)(film.shots, out, title)
    return written, write_sheet(film.shots, out.with_suffix(".png"), title)


def _expert_actions(run: Run) -> Iterator[np.ndarray]:
    demonstrator = expert(run.env)
    while True:
        yield demonstrator.act().astype(np.float32)


def _actions(policy: Policy, task: str, body: str, scene: int, execute: int) -> Iterator[np.ndarray]:
    """What the policy did in this scene, from the log of its rollout: repeating it repeats the episode bit by bit."""
    now = -policy.spec.first_step
    for decision in play(policy, task, body, [scene], execute=execute, log=True)[0].decisions:
        yield from decision.samples.actions[decision.selected, now : now + execute]


def _shot(run: Run, cameras: Sequence[str], size: int) -> Shot:
    env = run.env
    pictures = [env.picture(camera, size, size) for camera in cameras]
    found = env.violations(env.world.commanded()) if env.steps else {}
    return Shot(
        picture=np.concatenate(pictures, axis=1),
        step=env.steps,
        force=float(env.forces[CHANNELS.index("object")]),
        limit=env.task.limits["object"],
        violated=tuple(name for name, yes in found.items() if yes and name != "joints"),
        success=env.success,
    )
