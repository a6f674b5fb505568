"""The doctor's second department: predictions beside the recording, training beside evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from surehand.decide.checks import commands, compare, space, splits, statistics
from surehand.decide.checks import predictions as checks
from surehand.decide.checks.digest import Facts, content_hash
from surehand.decide.checks.words import plural
from surehand.decide.doctor_data import recorded
from surehand.decide.findings import Finding, finding
from surehand.exceptions import SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.predictions import PredictionsFile
from surehand.frames import Predictions, Stats
from surehand.layout import Layout

SMALL_BATCH = 4_096  # predicted frames at a time: chunks take H times their memory


@dataclass(frozen=True, eq=False)
class Sides:
    """Which episodes were trained on and which are evaluated; None where nobody said."""

    train: np.ndarray | None
    held_out: np.ndarray | None
    others: Sequence[LeRobotFolder] = ()

    @classmethod
    def of(
        cls,
        dataset: LeRobotFolder,
        train: Sequence[int] | None,
        held_out: Sequence[int] | None,
        others: Sequence[LeRobotFolder],
    ) -> "Sides":
        """Both sides; where one alone is given, the other is the rest of the dataset, unless others were trained on."""
        a = None if train is None else np.unique(np.asarray(train, np.int64))
        b = None if held_out is None else np.unique(np.asarray(held_out, np.int64))
        if a is not None and b is None:
            b = np.setdiff1d(dataset.episodes, a)
        if a is None and b is not None and not others:
            a = np.setdiff1d(dataset.episodes, b)
        if others:
            a, b = (np.empty(0, np.int64) if a is None else a), (dataset.episodes if b is None else b)
        return cls(a, b, others)

    def __str__(self) -> str:
        if self.train is None or self.held_out is None:
            return "split: nobody said which episodes were trained on"
        elsewhere = f", {plural(len(self.others), 'other dataset')}" if self.others else ""
        return f"split: {len(self.train)} for training{elsewhere}, {len(self.held_out)} held out"


def check_split(dataset: LeRobotFolder, sides: Sides, facts: Facts | None, claims: Sequence[Stats]) -> list[Finding]:
    """Members, overlap, tasks, copies and shared starts of the two sides; statistics that saw the held-out one."""
    train, held_out = sides.train, sides.held_out
    if train is None or held_out is None:
        return [finding("split.unknown", "overlap was not examined")]
    task = dict(zip(dataset.episodes.tolist(), dataset.episode_tasks, strict=True))
    found = [
        *splits.check_split_members(dataset.episodes, train, held_out),
        *splits.check_overlap(train, held_out),
        *splits.check_tasks(_of(task, train), _of(task, held_out)),
    ]
    if facts is None:
        return found
    content = dict(zip(facts.episode.tolist(), facts.content, strict=True))
    start = dict(zip(facts.episode.tolist(), facts.start, strict=True))
    trained = {str(e): content[e] for e in train.tolist() if e in content}
    for other in sides.others:
        trained |= _contents(other)
    found += splits.check_copies(trained, {str(e): content[e] for e in held_out.tolist() if e in content})
    found += splits.check_starts(_of(start, train), _of(start, np.setdiff1d(held_out, train)))
    if claims and not sides.others:
        found += statistics.check_stats_saw_eval(claims[0], facts, np.isin(facts.episode, train))
    return found


def _of(values: dict[int, str], episodes: np.ndarray) -> list[str]:
    return [values[e] for e in episodes.tolist() if e in values]


def _contents(dataset: LeRobotFolder) -> dict[str, str]:
    """Content hash per episode, labelled with the dataset's folder."""
    found = {}
    for batch in recorded(dataset, []):
        for episode in np.unique(batch.episode).tolist():
            one = batch.take(batch.episode == episode)
            found[f"{dataset.root.name}/{episode}"] = content_hash(one.action, one.state)
    return found


def check_predictions(
    dataset: LeRobotFolder,
    one: PredictionsFile | Predictions,
    train: np.ndarray | None,
    layout: Layout | None,
    claims: Sequence[Stats],
    *,
    given: bool,
    rng: np.random.Generator,
) -> list[Finding]:
    """Findings on one checkpoint's predictions. `given`: whether the first claim came with the checkpoint."""
    dims = one.dims if isinstance(one, PredictionsFile) else one.prediction.shape[3]
    name = one.checkpoint or "predictions"
    if dims != dataset.size:
        return [finding("predictions.size", f"{dims} predicted dimensions, {dataset.size} recorded", name)]
    way = space.declared_reading(one.space, claims, dims)
    try:
        seen = _compare(dataset, one, way, rng)
    except SurehandError as error:
        return [finding("predictions.unreadable", str(error), name)]
    found = checks.check_keys(seen) + checks.check_draws(seen)
    if train is not None:
        found += splits.check_predicted_training(train, seen.episodes, name)
    if one.space.units == "normalised" and not given:
        found.append(finding("predictions.no_stats", f"declared {one.space}; read by {way.words}"))
    if seen.level.count >= 100:
        names = dataset.action_names
        listed = names if names is not None and len(names) == dims else None
        found += _check_spaces(seen, way, space.readings(claims, dims), layout, listed)
    found = [_at(name, f) for f in found]
    if not any(f.severity in ("error", "warning") for f in found):
        correlation = np.diag(seen.level.correlation)[space.live_pairs(seen.level)]
        middle = f"{np.median(correlation):.2f}" if len(correlation) else "undefined"
        found.append(finding("predictions.ok", f"{plural(seen.frames, 'frame')}, median correlation {middle}", name))
    return found


def _at(name: str, one: Finding) -> Finding:
    """The finding with the checkpoint's name in front of its place."""
    if one.where.startswith(name):
        return one
    return one.model_copy(update={"where": f"{name}: {one.where}" if one.where else name})


def _check_spaces(
    seen: compare.Compared,
    way: space.Reading,
    ways: Sequence[space.Reading],
    layout: Layout | None,
    listed: tuple[str, ...] | None,
) -> list[Finding]:
    """Space first; what depends on it is examined only where the space is right."""
    found = space.check_space(seen.level, way, ways)
    found += [] if found else checks.check_delta(seen)
    swapped = commands.check_sides(seen.level, layout, "predictions.sides_swapped")
    found += swapped or checks.check_column_order(seen.level, listed)
    if found:
        return found
    grippers = commands.gripper_columns(layout, listed, len(seen.level.x_mean))
    gripper = checks.check_predicted_gripper(seen.level, seen.sample, grippers, listed)
    still = checks.check_motion(seen)
    scale = checks.check_scale(seen.level, listed)
    spread = [] if scale or still else checks.check_spread(seen.level, seen.sample, listed)
    return [*gripper, *still, *scale, *spread]


def _compare(
    dataset: LeRobotFolder, one: PredictionsFile | Predictions, way: space.Reading, rng: np.random.Generator
) -> compare.Compared:
    """The predictions, read as declared, beside the recording, batch by batch."""
    comparison = compare.Comparison(dataset.size, rng)
    batches = one.batches(SMALL_BATCH) if isinstance(one, PredictionsFile) else iter((one,))
    known = set(dataset.episodes.tolist())
    for batch in batches:
        wanted = [e for e in np.unique(batch.episode).tolist() if e in known]
        robot = replace(batch, prediction=way.offset + way.scale * batch.prediction)
        comparison.update(robot, dataset.read(wanted, check=False))
    return comparison.compared()
