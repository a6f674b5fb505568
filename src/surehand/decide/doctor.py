"""Can these numbers be trusted? One pass over a dataset, its statistics, predictions and split, as findings.

Memory does not grow with frames: per episode a small table stays, and a uniform sample of frames for quantiles.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from surehand.decide.checks import episodes, names, splits
from surehand.decide.checks.digest import Facts
from surehand.decide.checks.words import plural
from surehand.decide.doctor_data import (
    check_claims,
    check_frames,
    check_metadata_stats,
    check_naming,
    choose_layout,
    digest_of,
    quietly,
    read_own_stats,
)
from surehand.decide.doctor_policy import Patient, check_policy
from surehand.decide.doctor_predictions import Sides, check_predictions, check_split
from surehand.decide.findings import DoctorRecord, Finding, finding
from surehand.exceptions import SurehandError
from surehand.formats import lerobot_meta, lerobot_stats
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.predictions import PredictionsFile
from surehand.formats.records import read_json
from surehand.frames import Predictions, Stats
from surehand.layout import Layout
from surehand.splits import lerobot_split


def examine(
    dataset: LeRobotFolder,
    *,
    layout: Layout | None = None,
    stats: Stats | None = None,
    predictions: Sequence[PredictionsFile | Predictions] = (),
    policies: Sequence[Patient] = (),
    train_episodes: Sequence[int] | None = None,
    eval_episodes: Sequence[int] | None = None,
    other_datasets: Sequence[LeRobotFolder] = (),
    rng: np.random.Generator | None = None,
) -> DoctorRecord:
    """Every finding on this dataset and on what claims to belong to it, worst first.

    `stats` are claimed statistics (of a checkpoint, of norm_stats.json), examined beside the dataset's own. Where
    only one side of the split is given, the other is the rest of the dataset. `other_datasets` are what the policy
    was trained on instead, searched for copies of the evaluation episodes. `policies` have been asked already. Open
    the dataset with check=False, so that contradictions are reported and not refused. `rng` draws the sample of frames
    (seed 0 where none is given).
    """
    rng = rng or np.random.default_rng(0)
    sides = Sides.of(dataset, train_episodes, eval_episodes, other_datasets)
    has_frames = (dataset.root / "data").is_dir()
    facts, found = digest_of(dataset, rng) if has_frames else (None, [])
    if not has_frames:
        found.append(finding("data.no_frames", f"{dataset.root} has no data/"))
    found += episodes.check_count(len(dataset.episodes), dataset.info.get("total_episodes"))
    own, unreadable = read_own_stats(dataset)
    found += unreadable
    measured = facts.stats if facts is not None else None
    chosen, evidence, misfit = choose_layout(dataset, layout, measured or own)
    found += check_naming(dataset) + misfit
    if facts is not None:
        found += check_frames(dataset, facts, chosen)
    elif own is not None:
        found += check_metadata_stats(own, dataset.size, chosen)
    claims = [claim for claim in (stats, own) if claim is not None]
    found += check_claims(claims, dataset.size, facts, sides.train)
    found += check_split(dataset, sides, facts, claims)
    known = claims if measured is None else [*claims, measured]
    for one in predictions:
        found += check_predictions(dataset, one, sides.train, chosen, known, given=stats is not None, rng=rng)
    for patient in policies:
        found += check_policy(dataset, patient, facts, chosen, sides.train, known, rng)
    found += _all_clear(dataset, found, facts)
    return DoctorRecord.of(
        str(dataset.root),
        found,
        data_hash=(quietly(dataset.identity) or "") if facts is not None else "",
        layout=str(chosen) if chosen is not None else "",
        evidence=evidence,
        methods=[*_methods(facts), str(sides)],
    )


def examine_folder(
    root: str | PathLike[str],
    *,
    action_key: str | None = None,
    layout: Layout | None = None,
    stats: Stats | None = None,
    predictions: Sequence[PredictionsFile | Predictions] = (),
    policies: Sequence[Patient] = (),
    train_episodes: Sequence[int] | None = None,
    eval_episodes: Sequence[int] | None = None,
    other_datasets: Sequence[LeRobotFolder] = (),
    rng: np.random.Generator | None = None,
) -> DoctorRecord:
    """As `examine`, for a folder; one that cannot be opened is examined as far as its metadata go.

    Raises FormatError where there is not even a meta/info.json (or info.json in the folder itself) with an action.
    """
    try:
        dataset = open_lerobot(root, action_key, check=False)
    except SurehandError as error:
        return _examine_metadata(Path(root), action_key, layout, stats, error)
    return examine(
        dataset,
        layout=layout,
        stats=stats,
        predictions=predictions,
        policies=policies,
        train_episodes=train_episodes,
        eval_episodes=eval_episodes,
        other_datasets=other_datasets,
        rng=rng,
    )


def split_of_config(path: str | PathLike[str], dataset: LeRobotFolder) -> tuple[list[int], list[int]]:
    """(training episodes, held-out episodes) as a LeRobot train_config.json states them for this dataset.

    A listed `dataset.episodes` was trained on; `dataset.eval_split` takes its held-out share from those episodes.
    """
    listed, fraction = splits.configured_episodes(read_json(path))
    everything = dataset.episodes.tolist()
    chosen = everything if listed is None else listed
    if fraction <= 0:
        return chosen, sorted(set(everything) - set(chosen))
    task_of = dict(zip(everything, dataset.episode_tasks, strict=True))
    split = lerobot_split({e: task_of.get(e, "") for e in chosen}, fraction)
    return list(split.train), list(split.held_out)


def _examine_metadata(
    root: Path, action_key: str | None, layout: Layout | None, stats: Stats | None, error: SurehandError
) -> DoctorRecord:
    """What info.json and stats.json alone can tell."""
    path = root / "meta" / "info.json"
    if not path.is_file() and (root / "info.json").is_file():
        path = root / "info.json"
    if not path.is_file():
        raise error
    info = read_json(path)
    features = lerobot_meta.read_features(info, path)
    key = lerobot_meta.find_action_key(features, action_key, path)
    size = lerobot_meta.feature_size(features, key, path)
    listed = lerobot_meta.feature_names(features, key, path, check=False)
    found = [finding("data.unreadable", str(error))]
    found += names.check_names(listed, size, key) + names.check_layout_size(layout, size)
    for claimed in (stats, quietly(lambda: lerobot_stats.read_stats(root, info, key))):
        if claimed is not None:
            found += check_metadata_stats(claimed, size, layout)
    return DoctorRecord.of(str(root), found, layout=str(layout or ""), methods=_methods(None))


def _all_clear(dataset: LeRobotFolder, found: Sequence[Finding], facts: Facts | None) -> list[Finding]:
    """One `ok` per area that was examined without an error or a warning."""
    bad = {f.code.split(".")[0] for f in found if f.severity in ("error", "warning")}
    codes = {f.code for f in found}
    clear = []
    if "names" not in bad and dataset.action_names is not None:
        clear.append(finding("names.ok", f"{dataset.size} names for {dataset.size} dimensions"))
    if facts is not None and "data" not in bad:
        evidence = f"{plural(facts.frames, 'frame')} of {facts.dims} dimensions are finite and alive"
        clear.append(finding("data.ok", evidence))
    if facts is not None and not {"episode", "time"} & bad:
        evidence = f"{plural(len(facts.episode), 'episode')}, {dataset.fps:g} frames per second"
        clear.append(finding("episode.ok", evidence))
    if facts is not None and "stats" not in bad and not codes & {"stats.unknown", "stats.subset"}:
        clear.append(finding("stats.ok", f"they fit the {plural(facts.frames, 'recorded frame')}"))
    if "split" not in bad and "split.unknown" not in codes:
        how = "by index" if facts is None else "by index or by content"
        clear.append(finding("split.ok", f"no episode is on both sides, {how}"))
    return clear


def _methods(facts: Facts | None) -> list[str]:
    """What was read, and what is exact."""
    if facts is None:
        return ["metadata alone"]
    exact = "all frames" if facts.sample_exact else f"a uniform sample of {plural(len(facts.sample), 'frame')}"
    return [
        f"mean, std, min, max: all {plural(facts.frames, 'frame')}, merged per episode",
        f"quantiles, distinct values: {exact}",
    ]
