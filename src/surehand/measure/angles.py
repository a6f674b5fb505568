"""Differences and means on the circle, for joints that turn without end."""

import numpy as np


def wrap(difference: np.ndarray, period: np.ndarray) -> np.ndarray:
    """The difference taken the short way round, in [−period/2, period/2]; unchanged where period is 0.

    >>> wrap(np.array([350.0, 350.0]), np.array([360.0, 0.0]))
    array([-10., 350.])
    """
    turn = np.where(period > 0, period, 1.0)
    return difference - np.where(period > 0, turn * np.round(difference / turn), 0.0)


def chord(difference: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Straight-line distance between two angles, 2·sin(Δ/2), in the joint's own unit; unchanged where period is 0."""
    radius = np.where(period > 0, period, 1.0) / (2 * np.pi)
    return np.where(period > 0, 2 * radius * np.sin(difference / (2 * radius)), difference)


def mean_draw(draws: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Mean over K of draws (N, K, H, D), circular for joints with a period (Fisher 1993): (N, H, D) float64."""
    mean = draws.mean(axis=1, dtype=np.float64)
    turning = np.flatnonzero(period > 0)
    if len(turning):
        radius = period[turning] / (2 * np.pi)
        angle = draws[..., turning] / radius
        mean[..., turning] = np.arctan2(np.sin(angle).mean(axis=1), np.cos(angle).mean(axis=1)) * radius
    return np.asarray(mean)
