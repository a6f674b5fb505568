"""Are training and evaluation apart: by index, by content, by start, by task?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surehand.decide.checks.words import columns, plural, some
from surehand.decide.findings import Finding, finding


def check_split_members(dataset: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> list[Finding]:
    """Episodes outside the dataset, and an empty held-out set. `dataset`: all episode indices (E,)."""
    found = []
    outside = np.setdiff1d(np.r_[train, held_out], dataset)
    if len(outside):
        evidence = f"{plural(len(outside), 'episode')}, the first is {int(outside[0])}; the dataset has {len(dataset)}"
        found.append(finding("split.outside", evidence))
    if len(held_out) == 0:
        found.append(finding("split.empty", f"all {plural(len(dataset), 'episode')} were trained on"))
    return found


def check_overlap(train: np.ndarray, held_out: np.ndarray) -> list[Finding]:
    """Episodes on both sides, by index."""
    both = np.intersect1d(train, held_out)
    if not len(both):
        return []
    evidence = f"{len(both)} of {plural(len(np.unique(held_out)), 'evaluation episode')} were trained on"
    return [finding("split.overlap", evidence, f"episodes {columns(both)}")]


def check_copies(train: Mapping[str, str], held_out: Mapping[str, str]) -> list[Finding]:
    """Evaluation episodes whose content hash equals a training episode's under another label. Label → hash."""
    seen: dict[str, str] = {}
    for label, content in train.items():
        seen.setdefault(content, label)
    copies = [
        f"{label} = {seen[content]}" for label, content in held_out.items() if content in seen and label not in train
    ]
    if not copies:
        return []
    return [finding("split.copied_episode", f"{plural(len(copies), 'episode')}: {some(copies)}")]


def check_starts(train: Sequence[str], held_out: Sequence[str]) -> list[Finding]:
    """Evaluation episodes whose first observation equals a training episode's ("" is unknown)."""
    known = {start for start in train if start}
    shared = sum(start in known for start in held_out)
    if not shared:
        return []
    return [
        finding("split.shared_start", f"{shared} of {plural(len(held_out), 'evaluation episode')} (equal first state)")
    ]


def check_tasks(train: Sequence[str], held_out: Sequence[str]) -> list[Finding]:
    """Tasks of evaluation episodes that no training episode has."""
    unseen = sorted(set(held_out) - set(train))
    return [finding("split.unseen_task", f"{len(unseen)}: {some(unseen, 3)}")] if unseen and train else []


def check_predicted_training(train: np.ndarray, predicted: np.ndarray, name: str) -> list[Finding]:
    """Training episodes among those that a checkpoint predicted."""
    both = np.intersect1d(train, predicted)
    if not len(both):
        return []
    evidence = f"{len(both)} of {plural(len(np.unique(predicted)), 'predicted episode')}"
    return [finding("split.predicted_training", evidence, f"{name}: episodes {columns(both)}")]


def configured_episodes(config: Mapping[str, Any]) -> tuple[list[int] | None, float]:
    """(listed training episodes or None for all, held-out fraction) of a LeRobot train_config.json."""
    dataset = config.get("dataset") or {}
    episodes = dataset.get("episodes")
    return (None if episodes is None else [int(e) for e in episodes]), float(dataset.get("eval_split") or 0.0)
