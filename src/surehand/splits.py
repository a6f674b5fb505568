"""Which episodes were trained on and which were held out: rebuilt from lerobot-train's rule, a list, or a seed."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surehand.exceptions import NotEnoughData, SurehandError


class SplitError(SurehandError):
    """An episode list that cannot be read, or that names episodes the dataset does not have."""


@dataclass(frozen=True)
class Split:
    """Training and held-out episodes, each ascending, and the rule that parted them, as a sentence for the report."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]
    rule: str


def lerobot_split(tasks: Mapping[int, str], fraction: float) -> Split:
    """The split of lerobot-train's `--dataset.eval_split`: the last ceil(n · fraction) episodes of each task held out.

    `tasks` gives each episode's first task, "" where it has none, in the order lerobot walks through the episodes
    (ascending, unless `--dataset.episodes` listed them otherwise). As `make_train_eval_datasets` of lerobot 0.6.1.
    Raises NotEnoughData where nothing would be left to train on, as lerobot-train does.

    >>> lerobot_split({0: "pick", 1: "pick", 2: "place", 3: "pick", 4: "place"}, 0.4)
    Split(train=(0, 2), held_out=(1, 3, 4), rule='last ceil(n·0.4) episodes of each task (lerobot-train eval_split)')
    """
    if not 0 <= fraction < 1:
        raise SplitError(f"the held-out fraction must be at least 0 and below 1, got {fraction}")
    by_task: dict[str, list[int]] = {}
    for episode, task in tasks.items():
        by_task.setdefault(task, []).append(episode)
    held_out: list[int] = []
    for episodes in by_task.values():
        n = math.ceil(len(episodes) * fraction)
        held_out.extend(episodes[len(episodes) - n :])
    train = set(tasks) - set(held_out)
    if not train:
        raise NotEnoughData(
            f"holding out {fraction} of each of {len(by_task)} tasks leaves none of {len(tasks)} episodes to train on; "
            "lerobot-train refuses this too, so name the held-out episodes as a list"
        )
    rule = f"last ceil(n·{fraction:g}) episodes of each task (lerobot-train eval_split)"
    return Split(tuple(sorted(train)), tuple(sorted(held_out)), rule)


def listed_split(all_episodes: Iterable[int], text: str) -> Split:
    """The split whose held-out episodes are listed, as in "3,5..9" (both ends included).

    Raises SplitError where the list cannot be read or names episodes outside the dataset.

    >>> listed_split(range(6), "1, 3..4")
    Split(train=(0, 2, 5), held_out=(1, 3, 4), rule='held-out episodes listed: 1, 3..4')
    """
    everything = tuple(all_episodes)
    held_out = parse_episodes(text)
    check_episodes(held_out, everything)
    return _split(everything, held_out, f"held-out episodes listed: {text.strip()}")


def random_split(all_episodes: Iterable[int], ratio: float, seed: int) -> Split:
    """The split that holds out round(n · ratio) episodes, at least one, drawn by numpy's default generator.

    Raises NotEnoughData where one side would be empty.

    >>> len(random_split(range(50), 0.1, seed=0).held_out)
    5
    """
    everything = tuple(all_episodes)
    if not 0 < ratio < 1:
        raise SplitError(f"the held-out ratio must lie between 0 and 1, got {ratio}")
    n = max(1, round(len(everything) * ratio))
    if n >= len(everything):
        raise NotEnoughData(f"holding out {n} of {len(everything)} episodes leaves none to train on; lower the ratio")
    held_out = np.random.default_rng(seed).choice(np.array(sorted(everything)), size=n, replace=False)
    return _split(everything, held_out.tolist(), f"{ratio:g} of the episodes at random, seed {seed}")


def parse_episodes(text: str) -> tuple[int, ...]:
    """Episode numbers of "3,5..9", in the order given and each once; SplitError names the part that cannot be read.

    LeRobot's own spelling of a list, "[3, 5]", is read too.
    """
    found: dict[int, None] = {}
    for part in re.sub(r"^\s*\[(.*)\]\s*$", r"\1", text).split(","):
        match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", part.strip())
        if match is None:
            raise SplitError(f"cannot read {part.strip()!r} in the episode list {text!r}; expected 3 or 5..9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise SplitError(f"the range {part.strip()!r} in {text!r} runs backwards")
        if last - first > 10_000_000:
            raise SplitError(f"the range {part.strip()!r} names more episodes than any dataset has")
        found.update(dict.fromkeys(range(first, last + 1)))
    return tuple(found)


def check_episodes(wanted: Sequence[int], available: Iterable[int]) -> None:
    """Nothing, or SplitError with the count and the first of the episodes that are absent or listed twice."""
    known = set(available)
    absent = [episode for episode in wanted if episode not in known]
    if absent:
        extent = f"it has {len(known)}, {min(known)} to {max(known)}" if known else "it has none"
        raise SplitError(
            f"{len(absent)} of {len(wanted)} episodes are not in the dataset, the first is {absent[0]}; {extent}"
        )
    if len(set(wanted)) < len(wanted):
        twice = next(episode for i, episode in enumerate(wanted) if episode in wanted[:i])
        raise SplitError(f"episode {twice} is listed twice; name each episode once")


def _split(everything: Sequence[int], held_out: Sequence[int], rule: str) -> Split:
    rest = sorted(set(everything) - set(held_out))
    return Split(tuple(rest), tuple(sorted(held_out)), rule)
