"""An errors record as evidence for a choice: its units carry the uncertainty."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from surehand.decide.evidence import Evidence
from surehand.errors.record import EpisodeErrors, ErrorsRecord
from surehand.exceptions import NotEnoughData
from surehand.measure.clusters import by_cluster


def recorded_errors(record: ErrorsRecord) -> Evidence:
    """Errors, floors and sums per unit of the record's checkpoints, phase by phase too.

    NotEnoughData where the record holds rivals alone.
    """
    checkpoints = [policy for policy in record.policies if not policy.rival]
    if not checkpoints:
        raise NotEnoughData(f"the record of {record.dataset} holds rivals alone; measure recorded predictions first")
    whole = _evidence(record, {policy.name: policy.by_episode for policy in checkpoints})
    parted = {
        phase: _evidence(record, {policy.name: policy.phases_by_episode[phase] for policy in checkpoints})
        for phase in checkpoints[0].phases_by_episode
    }
    return replace(whole, phases=parted)


def _evidence(record: ErrorsRecord, found: Mapping[str, EpisodeErrors]) -> Evidence:
    groups = tuple(group.name for group in record.groups)
    counts = np.array(next(iter(found.values())).pairs, float)  # (E,)
    nothing = [float("nan")] * len(counts)
    means = np.array([[one.errors.get(name, nothing) for name in (*groups, "total")] for one in found.values()])
    sums = np.where(counts > 0, means, 0.0) * counts  # (C, G+1, E)
    kept = counts > 0
    numerators, denominators = sums.transpose(2, 0, 1)[kept], counts[kept]  # (E, C, G+1), (E,)
    if record.clusters:
        cluster = np.array(record.clusters)[kept]
        numerators, denominators = by_cluster(numerators, cluster), by_cluster(denominators, cluster)
    return Evidence(
        checkpoints=tuple(found),
        groups=groups,
        errors=numerators.sum(axis=0) / counts.sum(),
        numerators=numerators,
        denominators=denominators,
        space=record.space,
        unit="cluster" if record.clusters else "episode",
        floors={group.name: group.floor for group in record.groups},
    )
