"""What was sampled anew with each episode: the episode itself, or a session, an operator, an initial state."""

from collections.abc import Sequence

import numpy as np

from surehand.exceptions import SurehandError
from surehand.formats.lerobot import LeRobotFolder


def read_clusters(dataset: LeRobotFolder, column: str, episodes: Sequence[int]) -> dict[int, str]:
    """Value of a column at each episode's first frame, empty where no column is named.

    Raises SurehandError for a column the dataset lacks, or one that changes inside an episode.
    """
    if not column:
        return {}
    if column not in dataset.features:
        raise SurehandError(f"no column {column!r} in {dataset.root.name}; it has {', '.join(dataset.features)}")
    found: dict[int, str] = {}
    for batch in dataset.batches(list(episodes), columns=[column]):
        values = batch.columns[column].reshape(len(batch), -1)
        starts = np.flatnonzero(np.diff(batch.episode, prepend=-1))
        firsts = np.repeat(starts, np.diff(starts, append=len(batch)))
        changed = (values != values[firsts]).any(axis=1)
        if changed.any():
            i = int(np.argmax(changed))
            raise SurehandError(
                f"column {column!r} changes inside episode {batch.episode[i]} at frame {batch.frame[i]}; "
                "a cluster needs one value per episode"
            )
        found.update({int(batch.episode[i]): str(values[i].tolist()) for i in starts})
    return found
