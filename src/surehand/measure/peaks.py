"""Signals step by step become one peak per episode and phase; limits are compared with them.

N steps, E episodes, P phases, S signals. Values point upwards: the greater, the worse. A limit is broken where a value
is greater (strictly); NaN is no value anybody can vouch for, so it breaks every limit.
"""

import numpy as np

from surehand.exceptions import ShapeError


def find_peaks(values: np.ndarray, episode: np.ndarray, phase: np.ndarray, episodes: int, phases: int) -> np.ndarray:
    """The largest value of every episode in every phase (E, P, S), −inf where it was never in that phase.

    `values` (N, S), `episode` (N,) from 0 to E − 1, `phase` (N,) from 0 to P − 1.
    """
    if not len(values) == len(episode) == len(phase):
        raise ShapeError(f"{len(values)} values, {len(episode)} episodes and {len(phase)} phases; one per step each")
    found = np.full((episodes * phases, values.shape[1]), -np.inf)
    np.maximum.at(found, episode * phases + phase, values)
    return found.reshape(episodes, phases, values.shape[1])


def beyond(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Whether each value is beyond its limit (strictly); NaN always is, whatever the limit.

    >>> beyond(np.array([1.0, 2.0, np.nan]), np.array(1.0)).tolist()
    [False, True, True]
    """
    return np.asarray(~(values <= limits))


def flag_episodes(broken: np.ndarray, episode: np.ndarray, episodes: int) -> np.ndarray:
    """Whether each episode has a broken step (E,), from `broken` (N,)."""
    found = np.zeros(episodes, bool)
    found[episode[broken]] = True
    return found
