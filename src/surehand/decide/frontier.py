"""Minimax ratios and Pareto fronts of group errors, on one table and on every table inside a band."""

import numpy as np


def pareto_front(errors: np.ndarray) -> np.ndarray:
    """True where no other checkpoint is at least as good in every group and better in one: (..., C, G) -> (..., C)."""
    front = np.ones(errors.shape[:-1], bool)
    for other in range(errors.shape[-2]):
        rival = errors[..., other : other + 1, :]
        front &= ~((rival <= errors).all(axis=-1) & (rival < errors).any(axis=-1))
    return front


def minimax_ratios(errors: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """How far each group is from the best checkpoint's, (err + f_g) / (best + f_g): (..., C, G) and (G,) floors.

    1 where both are zero.
    """
    best = errors.min(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (errors + floor) / (best + floor)
    return np.asarray(np.nan_to_num(ratio, nan=1.0, posinf=np.inf))


def possible_pareto(low: np.ndarray) -> np.ndarray:
    """True for checkpoints (C,) that no other surely dominates, given lower limits (C, C, G) of err_c/err_c'.

    c is out where for some c' every group's limit is at least 1 and one is above. Whenever the limits hold, every
    checkpoint of the true front is in.
    """
    dominated = np.all(low >= 1, axis=2) & np.any(low > 1, axis=2)  # (C, C): the row by the column
    return np.asarray(~np.any(dominated, axis=1))


def possible_minimax(low: np.ndarray) -> np.ndarray:
    """True for checkpoints (C,) that may have the smallest worst ratio, given lower limits (C, C, G) of err_c/err_c'.

    The worst ratio of c is max over c', g of err_c/err_c'. At best it is the largest lower limit, at worst the largest
    upper one; c is out where its best case is above the worst case of another. Whenever the limits hold, the true
    winner is in. Floors enter by being added to the errors before.
    """
    with np.errstate(divide="ignore", over="ignore"):  # a lower limit of 1e−320 has no upper one
        high = 1 / low.swapaxes(0, 1)
    return np.asarray(low.max(axis=(1, 2)) <= high.max(axis=(1, 2)).min())
