"""The doctor's third department: policies, by what their files say and by what they answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surehand.decide.checks import answers, checkpoints
from surehand.decide.checks.digest import Facts
from surehand.decide.checks.words import plural
from surehand.decide.doctor_data import check_claims, quietly
from surehand.decide.doctor_predictions import check_predictions
from surehand.decide.findings import Finding, finding
from surehand.exceptions import SurehandError
from surehand.formats.checkpoint_features import CheckpointFeatures
from surehand.formats.lerobot import LeRobotFolder
from surehand.frames import Stats
from surehand.layout import Layout
from surehand.policies.probe import Probe


@dataclass(frozen=True, eq=False)
class Patient:
    """One policy to examine: what its files say, what it answered, or why it could not be asked."""

    name: str
    features: CheckpointFeatures | None = None  # of a LeRobot checkpoint
    probe: Probe | None = None
    trouble: str = ""
    samples: int = 1  # K samples that somebody wants of it
    executed: int | None = None  # steps of a chunk that the robot executes; half by default


def check_policy(
    dataset: LeRobotFolder,
    patient: Patient,
    facts: Facts | None,
    layout: Layout | None,
    train: np.ndarray | None,
    known: Sequence[Stats],
    rng: np.random.Generator,
) -> list[Finding]:
    """Everything found on one policy, each with its name; `policy.ok` where nothing grave was.

    `known`: statistics of the dataset's actions, by which answers in a wrong space are told.
    """
    found = [] if patient.features is None else _check_files(dataset, patient.features, facts, train)
    if patient.trouble:
        found.append(finding("policy.unreadable", patient.trouble))
    if patient.probe is not None:
        found += _check_answers(dataset, patient, patient.probe, layout, known, rng)
    if not any(one.severity in ("error", "warning") for one in found):
        found.append(_all_clear(patient))
    return [one if one.where.startswith(patient.name) else _at(patient.name, one) for one in found]


def _at(name: str, one: Finding) -> Finding:
    return one.model_copy(update={"where": f"{name}: {one.where}" if one.where else name})


def _check_files(
    dataset: LeRobotFolder, features: CheckpointFeatures, facts: Facts | None, train: np.ndarray | None
) -> list[Finding]:
    shapes = {key: tuple(feature.get("shape") or ()) for key, feature in dataset.features.items()}
    keys = [dataset.action_key, *features.inputs]
    own = {key: stats for key in keys if (stats := quietly(lambda key=key: dataset.stats(key))) is not None}  # type: ignore[misc]
    own |= {"action": own[dataset.action_key]} if dataset.action_key in own else {}
    order = checkpoints.check_order(features, own)
    moved = {one.where for one in order}
    found = [
        *checkpoints.check_sizes(features, shapes, dataset.size),
        *checkpoints.check_cameras(features.cameras, dataset.cameras),
        *checkpoints.check_joint_order(features.action_names, dataset.action_names),
        *order,
        *checkpoints.check_normalisers(features, own),
        *(one for one in checkpoints.check_state_stats(features, own) if one.where not in moved),
        *checkpoints.check_picture_stats(features, own),
    ]
    action = features.outputs.get("action")
    troubled = any(one.where == "action" or one.code == "policy.action_size" for one in found)
    if action is not None and action.stats is not None and not troubled and not features.relative:
        found += check_claims([action.stats], dataset.size, facts, train)
    return found


def _check_answers(
    dataset: LeRobotFolder,
    patient: Patient,
    probe: Probe,
    layout: Layout | None,
    known: Sequence[Stats],
    rng: np.random.Generator,
) -> list[Finding]:
    found = [
        *answers.check_draws(probe, patient.samples),
        *answers.check_latency(probe, dataset.fps, patient.executed),
    ]
    if probe.predictions.prediction.shape[3] != dataset.size:
        columns = probe.predictions.prediction.shape[3]
        return [*found, finding("policy.action_size", f"{columns} columns, the dataset records {dataset.size}")]
    try:
        recorded = dataset.read(np.unique(probe.predictions.episode), check=False)
        found += answers.check_pictures(probe, recorded)
    except SurehandError as error:
        return [*found, finding("policy.unreadable", str(error))]
    # It may have been asked about training episodes: this is no evaluation, so no split is given.
    about = check_predictions(dataset, probe.predictions, None, layout, known, given=True, rng=rng)
    return found + [one for one in about if one.code != "predictions.ok"]


def _all_clear(patient: Patient) -> Finding:
    parts = []
    if patient.features is not None:
        parts.append(f"inputs, cameras and statistics of {patient.features.type or 'the checkpoint'} are the dataset's")
    if patient.probe is not None:
        took = 1000 * float(np.median(patient.probe.seconds))
        parts.append(f"{plural(len(patient.probe.predictions), 'answer')} look like its actions, {took:.3g} ms each")
    return finding("policy.ok", "; ".join(parts))
