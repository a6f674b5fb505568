"""What is learned from: recordings of the simulated robot, parted into training and held-out episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.frames import Actions
from surehand.layout import Layout
from surehand.sim.observation import ENVIRONMENT, IMAGES
from surehand.sim.robot import body as find_body
from surehand.splits import lerobot_split

ROBOT = "surehand_"  # before the body's name in a recording's robot_type


@dataclass(frozen=True, eq=False)
class Recordings:
    """Frames to train on and frames held out, the robot they are of, and the identity of the held-out dataset."""

    train: Actions
    held_out: Actions
    layout: Layout
    identity: str


def read_recordings(
    dataset: Path,
    learner: str,
    *,
    held_out: Path | None = None,
    fraction: float = 0.25,
    episodes: int | None = None,
) -> Recordings:
    """Training and held-out frames with the columns that the learner needs.

    Held out is the dataset `held_out` where one is named, else the last `fraction` of each instruction's episodes as
    lerobot-train does, those alone excepted that nothing would be trained on like; `episodes` keeps the first so many
    of the others. SurehandError for recordings of two robots.
    """
    folder = open_lerobot(dataset)
    body = _body(folder)
    if held_out is None:
        other, (kept, left) = folder, _split(folder, fraction)
        if not left:
            raise SurehandError("nothing is held out; give --fraction above 0 or another recording with --held-out")
    else:
        other = open_lerobot(held_out)
        if _body(other) != body:
            raise SurehandError(f"{held_out} is of the {_body(other)} robot, {dataset} of {body}")
        kept, left = tuple(folder.episodes.tolist()), tuple(other.episodes.tolist())
    if episodes is not None and episodes > len(kept):
        raise SurehandError(f"{episodes} training episodes wanted, {dataset} has {len(kept)}")
    return Recordings(
        train=_read(folder, kept[:episodes], learner),
        held_out=_read(other, left, learner),
        layout=find_body(body).layout,
        identity=other.identity(),
    )


def _split(folder: LeRobotFolder, fraction: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(training, held-out) episodes; an instruction that is told once is learned, not held out."""
    told = dict(zip(folder.episodes.tolist(), folder.episode_tasks, strict=True))
    split = lerobot_split(told, fraction)
    trained = {told[episode] for episode in split.train}
    left = tuple(episode for episode in split.held_out if told[episode] in trained)
    return tuple(sorted(set(told) - set(left))), left


def _body(folder: LeRobotFolder) -> str:
    name = folder.robot_type or ""
    if not name.startswith(ROBOT):
        raise FormatError(f"{folder.root} is of the robot {name!r}; learners train on what `surehand sim record` wrote")
    return name.removeprefix(ROBOT)


def _read(folder: LeRobotFolder, episodes: Sequence[int], learner: str) -> Actions:
    images = sorted(key for key in folder.features if key.startswith(IMAGES))
    wanted = images if learner == "pixels" else [ENVIRONMENT]
    missing = [key for key in wanted if key not in folder.features]
    if missing or not wanted:
        lacks = missing[0] if missing else "images; record with --camera"
        raise FormatError(f"{folder.root} has no {lacks}; {learner} needs it")
    return folder.read(np.asarray(episodes, np.int64), columns=wanted)
