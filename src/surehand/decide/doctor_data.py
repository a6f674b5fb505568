"""The doctor's first department: one pass over the recording, its names and the statistics claimed for it."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from surehand.decide.checks import commands, episodes, names, statistics, values
from surehand.decide.checks.digest import Digest, Facts
from surehand.decide.checks.words import plural, some
from surehand.decide.findings import Finding, finding
from surehand.exceptions import ShapeError, SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.frames import Actions, Stats
from surehand.layout import Layout
from surehand.robots import find_robot

Result = TypeVar("Result")


def quietly(call: Callable[[], Result]) -> Result | None:
    """The call's result, or None where the data do not support it: the doctor reports the cause elsewhere."""
    try:
        return call()
    except SurehandError:
        return None


def read_own_stats(dataset: LeRobotFolder) -> tuple[Stats | None, list[Finding]]:
    """The dataset's own statistics, None where it keeps none, and a finding where they cannot be read."""
    try:
        return dataset.stats(), []
    except SurehandError as error:
        return None, [finding("stats.unreadable", str(error))]


def check_metadata_stats(claimed: Stats, size: int, layout: Layout | None) -> list[Finding]:
    """What statistics tell without a frame: their size, their order, dead dimensions."""
    found = statistics.check_stats_size(claimed, size)
    if found:
        return found
    return statistics.check_stats_sane(claimed, np.zeros(size, bool)) + values.check_dead(claimed, layout)


def digest_of(dataset: LeRobotFolder, rng: np.random.Generator) -> tuple[Facts | None, list[Finding]]:
    """One pass over all frames (None where no finite frame is there); unreadable episodes are named and left out."""
    unreadable: list[str] = []
    digest: Digest | None = None
    for batch in recorded(dataset, unreadable):
        if digest is None:
            digest = Digest(dataset.size, dataset.fps, rng, None if batch.state is None else batch.state.shape[1])
        digest.update(batch)
    found = []
    if unreadable:
        found.append(
            finding(
                "data.unreadable", f"{plural(len(unreadable), 'episode')}: {some(list(dict.fromkeys(unreadable)), 2)}"
            )
        )
    facts = digest.facts() if digest is not None else None
    if facts is not None and not facts.frames:
        found += values.check_finite(facts)
        facts = None
    return facts, found


def recorded(dataset: LeRobotFolder, unreadable: list[str]) -> Iterator[Actions]:
    """Batches of whole episodes; after the first that fails, episode by episode, failures noted in `unreadable`."""
    done: set[int] = set()
    try:
        for batch in dataset.batches(check=False):
            yield batch
            done.update(np.unique(batch.episode).tolist())
        return
    except SurehandError:
        pass
    for episode in dataset.episodes.tolist():
        if episode in done:
            continue
        try:
            yield dataset.read([episode], check=False)
        except SurehandError as error:
            unreadable.append(str(error))


def choose_layout(
    dataset: LeRobotFolder, layout: Layout | None, extent: Stats | None
) -> tuple[Layout | None, list[str], list[Finding]]:
    """The layout given or found by evidence, the evidence, and what speaks against it."""
    if layout is not None:
        misfit = names.check_layout_size(layout, dataset.size)
        return (None if misfit else layout), ["given by the user"], misfit
    listed = dataset.action_names
    usable = listed if listed is not None and len(listed) == dataset.size else None
    low, high = (
        (extent.min, extent.max)
        if extent is not None and extent.min is not None and extent.min.shape == (dataset.size,)
        else (None, None)
    )
    try:
        match = find_robot(usable, dataset.size, low, high, dataset.robot_type)
    except ShapeError as error:
        return None, [str(error)], []
    return match.layout, list(match.evidence), []


def check_naming(dataset: LeRobotFolder) -> list[Finding]:
    """Names of action and state against their shapes, and the order of sides."""
    found = names.check_names(dataset.action_names, dataset.size, dataset.action_key)
    if dataset.state_key is not None and dataset.state_names is not None:
        shape = dataset.features[dataset.state_key].get("shape", [len(dataset.state_names)])
        found += names.check_names(dataset.state_names, int(shape[0]), dataset.state_key)
    return found + names.check_right_first(dataset.action_names, dataset.robot_type)


def check_frames(dataset: LeRobotFolder, facts: Facts, layout: Layout | None) -> list[Finding]:
    """Everything the recording itself shows: values, commands, episodes, time."""
    listed = (
        dataset.action_names if dataset.action_names is not None and len(dataset.action_names) == facts.dims else None
    )
    stats = facts.stats
    grippers = commands.gripper_columns(layout, listed, facts.dims)
    read = dict(zip(facts.episode.tolist(), (facts.rows + facts.bad_rows).tolist(), strict=True))
    found = [
        *values.check_finite(facts, listed),
        *values.check_dead(stats, layout),
        *values.check_idle_side(facts.std_within, layout),
        *values.check_quantised(facts.sample, listed),
        *values.check_outliers(facts, listed),
        *values.check_wrap(facts.full_turns, stats, layout, listed),
        *values.check_units(stats, layout, listed),
        *values.check_looks_normalised(stats),
        *commands.check_gripper(facts.sample, grippers),
        *episodes.check_lengths(dataset.episodes, dataset.lengths, read),
        *episodes.check_duplicates(facts.episode, facts.content),
        *episodes.check_still(facts),
        *episodes.check_frame_index(facts.episode, facts.frame_breaks),
        *episodes.check_time(
            facts.episode, facts.timing, dataset.fps, has_time=bool(np.isfinite(facts.timing.median).any())
        ),
    ]
    return found + _check_beside_state(dataset, facts, layout, listed, grippers)


def _check_beside_state(
    dataset: LeRobotFolder, facts: Facts, layout: Layout | None, listed: tuple[str, ...] | None, grippers: np.ndarray
) -> list[Finding]:
    level, step = facts.against_state, facts.against_step
    if level is None or step is None or level.count < 100:
        return []
    found = names.check_names_against_state(listed, dataset.state_names, level.correlation)
    # Column by column the two compare only where they are named alike, or not at all.
    if dataset.state_names is not None and listed is not None and dataset.state_names != listed:
        return found
    return [
        *found,
        *commands.check_gripper_polarity(level, grippers, listed),
        *commands.check_reference(level, step, listed),
        *commands.check_next_state(facts.next_state_gap, facts.live),
        *commands.check_sides(level, layout, "data.sides_swapped"),
    ]


def check_claims(claims: Sequence[Stats], size: int, facts: Facts | None, train: np.ndarray | None) -> list[Finding]:
    """Each claim against the recorded frames, or its size alone where there are none. `train`: training episodes."""
    if not claims:
        return [finding("stats.unknown", "neither the dataset nor a checkpoint states any")]
    if facts is None:
        return [one for claim in claims for one in statistics.check_stats_size(claim, size)]
    mask = None if train is None else np.isin(facts.episode, train)
    return [one for claim in claims for one in statistics.check_stats(claim, facts, mask)]
