"""An errors record as evidence for a choice: its units carry the uncertainty."""

import numpy as np

from surehand.decide.evidence import Evidence
from surehand.errors.record import ErrorsRecord
from surehand.exceptions import NotEnoughData
from surehand.measure.clusters import by_cluster


def recorded_errors(record: ErrorsRecord) -> Evidence:
    """Errors, floors and sums per unit of the record's checkpoints; NotEnoughData where it holds rivals alone."""
    checkpoints = [policy for policy in record.policies if not policy.rival]
    if not checkpoints:
        raise NotEnoughData(f"the record of {record.dataset} holds rivals alone; measure recorded predictions first")
    groups = tuple(group.name for group in record.groups)
    names = (*groups, "total")
    counts = np.array(checkpoints[0].episode_pairs, float)  # (E,)
    nothing = [float("nan")] * len(counts)
    means = np.array(
        [[policy.by_episode.get(name, nothing) for name in names] for policy in checkpoints]
    )  # (C, G+1, E)
    sums = np.where(counts > 0, means, 0.0) * counts
    kept = counts > 0
    numerators, denominators = sums.transpose(2, 0, 1)[kept], counts[kept]  # (E, C, G+1), (E,)
    if record.clusters:
        cluster = np.array(record.clusters)[kept]
        numerators, denominators = by_cluster(numerators, cluster), by_cluster(denominators, cluster)
    return Evidence(
        checkpoints=tuple(policy.name for policy in checkpoints),
        groups=groups,
        errors=numerators.sum(axis=0) / counts.sum(),
        numerators=numerators,
        denominators=denominators,
        space=record.space,
        unit="cluster" if record.clusters else "episode",
        floors={group.name: group.floor for group in record.groups},
    )
