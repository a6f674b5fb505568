"""Demonstrations by the experts, written as an ordinary LeRobot dataset; an interrupted recording goes on later."""

import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from surehand.exceptions import SurehandError
from surehand.formats.contract import package_version, replacing
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.records import write_text
from surehand.frames import Actions
from surehand.sim.env import TaskEnv
from surehand.sim.experts import expert
from surehand.sim.follow import Variation
from surehand.sim.model import CHANNELS, CONTROL_HZ
from surehand.sim.observation import ENVIRONMENT, IMAGES
from surehand.sim.parts import finish, new_whole, open_parts
from surehand.sim.robot import body as find_body
from surehand.sim.tasks import task as find_task
from surehand.workers import begin_worker, only_one, worker_died

SCENES_PER_SEED = 1_000_000  # recordings of different seeds share no scene
SEEDS = 1000  # of recordings; the scenes that further ones would have are those of rollouts
CAMERAS = ("head", "hand")
MOST_PIXELS = 480
MOST_FAILURES = 0.5  # of the attempts; beyond it something is wrong and recording stops


@dataclass(frozen=True)
class Recipe:
    """What decides a recording, number by number."""

    tasks: tuple[str, ...]
    episodes: int  # successful ones, over all tasks in turn
    body: str = "mobile"
    seed: int = 0
    variation: Variation = field(default_factory=Variation)
    cameras: tuple[str, ...] = ()  # what they see becomes columns observation.images.NAME
    image_size: int = 96  # pixels, of square images

    def __post_init__(self) -> None:
        for name in self.tasks:
            find_task(name)
        find_body(self.body)
        if unknown := sorted(set(self.cameras) - set(CAMERAS)):
            raise SurehandError(f"no camera {unknown[0]!r}; choose {' or '.join(CAMERAS)}")
        if not 16 <= self.image_size <= MOST_PIXELS:
            raise SurehandError(f"images of {self.image_size} pixels; choose from 16 to {MOST_PIXELS}")
        if not self.tasks or self.episodes < 1 or not 0 <= self.seed < SEEDS:
            raise SurehandError(
                f"a recording needs a task, at least one episode and a seed from 0 to {SEEDS - 1}, got "
                f"{self.episodes} episodes, seed {self.seed}"
            )

    def attempt(self, number: int) -> tuple[str, int]:
        """Task and scene of one attempt: tasks in turn, each with scenes of its own."""
        return self.tasks[number % len(self.tasks)], self.seed * SCENES_PER_SEED + number // len(self.tasks)


@dataclass(frozen=True)
class Recorded:
    """What a recording came to."""

    path: Path
    episodes: int
    frames: int
    failed: int  # attempts of the expert that did not succeed and were left out


def record(
    recipe: Recipe,
    out: str | os.PathLike[str],
    *,
    version: str = "v3.0",
    processes: int = 1,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Recorded:
    """The dataset written to the folder `out`, whole or not at all.

    Finished episodes wait beside it in `.NAME.parts`; the same call after an interruption goes on from there. With
    more than one process the calling program needs the usual `if __name__ == "__main__":`. Raises FormatError for a
    folder that holds files or parts of another recording, SurehandError where the expert keeps failing.
    """
    target = Path(out).absolute()
    parts = open_parts(target, _versions(recipe), "another recording")
    with only_one(parts):
        chosen, failed = _attempt_all(recipe, parts, processes, progress)
        lengths: list[int] = []
        progress("writing", 1.0)
        whole = new_whole(parts)
        write_lerobot(
            whole,
            _episodes(recipe, chosen, lengths),
            version=version,
            robot_type=f"surehand_{recipe.body}",
            fps=CONTROL_HZ,
        )
        write_text(whole / "meta" / "sim.json", json.dumps(_provenance(recipe, chosen), indent=1) + "\n")
        finish(parts, target)
    return Recorded(target, len(chosen), sum(lengths), failed)


def demonstrate(
    task: str, body: str, scene: int, variation: Variation, cameras: tuple[str, ...] = (), image_size: int = 96
) -> dict[str, np.ndarray]:
    """One episode of the expert as columns of N frames; `success` (1,) says whether it ended well.

    Row t holds what was observed before action t, and the peak forces and the outcome of carrying it out. With nudges
    the column `nudge` (N, D) says what was added to the action; both together repeat the episode. What `cameras` see
    are columns (N, image_size, image_size, 3) uint8.
    """
    env = TaskEnv(task, body)
    seen, info = env.reset(seed=scene)
    demonstrator = expert(env, variation, seed=scene)
    rows: list[dict[str, Any]] = []
    while True:
        action, nudge = demonstrator.act(), demonstrator.nudge()
        row: dict[str, Any] = {
            "action": action.astype(np.float32),
            "state": seen["state"],
            ENVIRONMENT: seen["environment"],
            **{IMAGES + camera: env.picture(camera, image_size, image_size) for camera in cameras},
            "tool_object_distance": np.float32(info["distance"]),
        }
        if variation.nudges:
            row["nudge"] = nudge.astype(np.float32)
        seen, _, done, late, info = env.step(row["action"] + row.get("nudge", 0.0))
        forces = {f"force_{name}": np.float32(info["forces"][name]) for name in CHANNELS}
        rows.append({**row, **forces, "next.success": np.bool_(info["success"]), "initial_state": np.int64(scene)})
        if done or late:
            break
    found = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return found | {"success": np.array([env.success])}


def _attempt_all(
    recipe: Recipe, parts: Path, processes: int, progress: Callable[[str, float], None]
) -> tuple[list[tuple[int, Path]], int]:
    """(attempt, file) of the first successes in the order of attempts, and how many attempts before them failed."""
    chosen: list[tuple[int, Path]] = []
    failed = 0
    with closing(_outcomes(recipe, parts, processes)) as outcomes:
        for number, path, success in outcomes:
            if success:
                chosen.append((number, path))
            else:
                failed += 1
            progress("recording", len(chosen) / recipe.episodes)
            if len(chosen) == recipe.episodes:
                break
            if failed > 10 and failed > MOST_FAILURES * (number + 1):
                raise SurehandError(
                    f"the expert failed in {failed} of {number + 1} attempts; "
                    "this is a fault of surehand's, please report it with the command"
                )
    return chosen, failed


def _outcomes(recipe: Recipe, parts: Path, processes: int) -> Generator[tuple[int, Path, bool], None, None]:
    """(attempt, file, success) in order, without end; several processes work a little ahead."""
    if processes < 2:
        number = 0
        while True:
            path = parts / f"{number:06d}.npz"
            yield number, path, _attempt(recipe, number, path)
            number += 1
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=begin_worker)
    try:
        waiting: list[Future[bool]] = []
        number = 0
        while True:
            while len(waiting) < number + 4 * processes and len(waiting) < max(recipe.episodes, number + processes):
                ahead = len(waiting)
                waiting.append(pool.submit(_attempt, recipe, ahead, parts / f"{ahead:06d}.npz"))
            yield number, parts / f"{number:06d}.npz", waiting[number].result()
            number += 1
    except BrokenProcessPool:
        raise worker_died() from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _attempt(recipe: Recipe, number: int, path: Path) -> bool:
    """Whether this attempt succeeds; its columns lie in the file, from now or from an earlier run."""
    with suppress(OSError, ValueError, KeyError, BadZipFile), path.open("rb") as file, np.load(file) as earlier:
        return bool(earlier["success"][0])
    # Missing, or cut off when the power went: the scene gives the same again.
    task, scene = recipe.attempt(number)
    found = demonstrate(task, recipe.body, scene, recipe.variation, recipe.cameras, recipe.image_size)
    with replacing(path, overwrite=True) as draft, draft.open("wb") as whole:
        np.savez(whole, **found)  # type: ignore[arg-type]
    return bool(found["success"][0])


def _episodes(recipe: Recipe, chosen: Sequence[tuple[int, Path]], lengths: list[int]) -> Iterator[Actions]:
    """The recorded episodes as datasets hold them; their lengths are noted on the way."""
    names = find_body(recipe.body).layout.names
    for index, (number, path) in enumerate(chosen):
        task, scene = recipe.attempt(number)
        instruction = find_task(task).draw(find_body(recipe.body), scene).instruction
        with np.load(path) as found:
            columns = {key: found[key] for key in found.files if key not in ("action", "state", "success")}
            action, state = found["action"], found["state"]
        n = len(action)
        lengths.append(n)
        yield Actions(
            action=action,
            state=state,
            episode=np.full(n, index),
            frame=np.arange(n),
            task=np.zeros(n, np.int64),
            tasks=(instruction,),
            timestamp=np.arange(n) / CONTROL_HZ,
            columns=columns,
            names=names,
            state_names=names,
            fps=float(CONTROL_HZ),
        )


def _versions(recipe: Recipe) -> dict[str, object]:
    """The recipe and the versions that its numbers hold for. How many episodes does not matter: more may follow."""
    import mujoco

    made = {key: value for key, value in asdict(recipe).items() if key != "episodes"}
    return made | {"surehand": package_version(), "mujoco": mujoco.__version__}


def _provenance(recipe: Recipe, chosen: Sequence[tuple[int, Path]]) -> dict[str, object]:
    """What meta/sim.json says: how the dataset came to be, and the scene of every episode in full."""
    robot = find_body(recipe.body)
    scenes = [find_task(task).draw(robot, scene) for task, scene in (recipe.attempt(number) for number, _ in chosen)]
    return {
        "what": "demonstrations by surehand's scripted experts in MuJoCo",
        **_versions(recipe),
        "layout": str(robot.layout),
        "environment_names": TaskEnv(recipe.tasks[0], recipe.body).observation_names["environment"],
        "scenes": [asdict(scene) for scene in scenes],
    }
