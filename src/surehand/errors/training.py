"""What the training episodes say of the actions: their statistics, streamed in constant memory."""

from collections.abc import Iterable

import numpy as np

from surehand.exceptions import NotEnoughData
from surehand.frames import Actions, Stats

QUANTILE_FRAMES = 200_000  # frames kept for quantiles; exact below, a uniform random sample above


def training_stats(batches: Iterable[Actions], rng: np.random.Generator, source: str) -> Stats:
    """Mean, std (population), min, max, 1 % and 99 % quantiles of the actions, each (D,).

    Moments are merged batch by batch (Chan, Golub & LeVeque 1983); raises NotEnoughData without a frame.
    """
    count, mean, moment = 0, np.zeros(0), np.zeros(0)
    low, high = np.zeros(0), np.zeros(0)
    kept, keys = np.zeros((0, 0)), np.zeros(0)
    for batch in batches:
        action = batch.action.astype(np.float64)  # (n, D)
        if not len(action):
            continue
        batch_mean = action.mean(axis=0)
        batch_moment = ((action - batch_mean) ** 2).sum(axis=0)
        if not count:
            mean, moment = np.zeros_like(batch_mean), np.zeros_like(batch_mean)
            low, high = action.min(axis=0), action.max(axis=0)
            kept = np.zeros((0, action.shape[1]))
        total = count + len(action)
        moment = moment + batch_moment + (batch_mean - mean) ** 2 * (count * len(action) / total)
        mean = mean + (batch_mean - mean) * (len(action) / total)
        low, high = np.minimum(low, action.min(axis=0)), np.maximum(high, action.max(axis=0))
        count = total
        # The frames with the smallest random keys are a uniform sample of all frames seen so far.
        kept, keys = np.concatenate([kept, action]), np.concatenate([keys, rng.random(len(action))])
        if len(keys) > QUANTILE_FRAMES:
            best = np.argpartition(keys, QUANTILE_FRAMES)[:QUANTILE_FRAMES]
            kept, keys = kept[best], keys[best]
    if not count:
        raise NotEnoughData("no training frames to take statistics from; hold out fewer episodes")
    q01, q99 = np.quantile(kept, [0.01, 0.99], axis=0)
    return Stats(mean, np.sqrt(moment / count), low, high, q01, q99, count, source)
