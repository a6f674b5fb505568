"""In which space are the predicted numbers: the declared one, or another that the statistics explain?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surehand.decide.checks.moments import CrossMoments
from surehand.decide.checks.words import worst
from surehand.decide.findings import Finding, finding
from surehand.exceptions import SpaceError
from surehand.frames import By, Space, Stats


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read predictions: target = offset + scale · prediction, each (D,)."""

    words: str
    offset: np.ndarray
    scale: np.ndarray


def live_pairs(level: CrossMoments) -> np.ndarray:
    """Columns whose target moves (D,)."""
    found: np.ndarray = level.y_std > 1e-6 * np.maximum(np.abs(level.y_mean), 1)
    return found


def fits(mean: np.ndarray, std: np.ndarray, level: CrossMoments) -> np.ndarray:
    """Whether predictions with this mean and spread lie where the targets lie (D,).

    Mean within half a target std, spread within a factor of two.
    """
    scale = np.where(level.y_std > 0, level.y_std, 1)
    close: np.ndarray = (np.abs(mean - level.y_mean) <= 0.5 * scale) & (std >= 0.5 * scale) & (std <= 2 * scale)
    return close


def readings(claims: Sequence[Stats], size: int) -> list[Reading]:
    """As robot units, and every un-normalisation that the statistics allow."""
    found = [Reading("robot units", np.zeros(size), np.ones(size))]
    for stats in claims:
        for by in ("mean_std", "quantiles", "min_max"):
            way = _reading(stats, by, size)
            if way is not None:
                found.append(way)
    return found


def _reading(stats: Stats, by: By, size: int) -> Reading | None:
    try:
        offset, scale = stats.affine(by)
    except SpaceError:
        return None
    if offset.shape != (size,) or not np.isfinite([offset, scale]).all() or not (scale > 0).any():
        return None
    return Reading(f"normalised by {by} of {stats.source or 'the statistics'}", offset, scale)


def declared_reading(space: Space, claims: Sequence[Stats], size: int) -> Reading:
    """How the declared space is read: by the first claim that allows it, else as robot units."""
    if space.units == "normalised":
        for stats in claims:
            way = _reading(stats, space.by, size)
            if way is not None:
                return way
    return readings((), size)[0]


def check_space(level: CrossMoments, declared: Reading, ways: Sequence[Reading]) -> list[Finding]:
    """Predictions that fit the targets only when read otherwise than declared.

    `level`: prediction, read as declared, beside target. Judged on live columns where the two readings differ by more
    than `fits` tolerates: the declared one fits at most 3 in 10 of them, the other at least 7 in 10.
    """
    live = live_pairs(level)
    best: tuple[float, Reading, np.ndarray] | None = None
    for way in ways:
        tell = live & _differ(declared, way, level)
        if not tell.any():
            continue
        now = float(fits(level.x_mean, level.x_std, level)[tell].mean())
        then = float(fits(*_reread(declared, way, level), level)[tell].mean())
        if now <= 0.3 and then >= 0.7 and (best is None or then > best[0]):
            best = (then, way, tell)
    if best is None:
        return []
    share, way, tell = best
    d = worst(np.where(tell, np.abs(level.x_mean - level.y_mean) / np.where(level.y_std > 0, level.y_std, 1), -1))
    evidence = (
        f"declared {declared.words}, but they look {way.words}: read so, {100 * share:.0f} % of {int(tell.sum())} "
        f"telling dimensions have the targets' mean and spread; as declared dim {d} has mean {level.x_mean[d]:.3g} ± "
        f"{level.x_std[d]:.3g}, the targets {level.y_mean[d]:.3g} ± {level.y_std[d]:.3g}"
    )
    return [finding("predictions.space", evidence)]


def _reread(declared: Reading, way: Reading, level: CrossMoments) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of the predictions read the other way (D,) each."""
    back = np.where(declared.scale > 0, declared.scale, 1)
    stored_mean, stored_std = (level.x_mean - declared.offset) / back, level.x_std / back
    return way.offset + way.scale * stored_mean, way.scale * stored_std


def _differ(a: Reading, b: Reading, level: CrossMoments) -> np.ndarray:
    """Columns where targets written in space b and read in space a would not fit (D,)."""
    scale_b = np.where(b.scale > 0, b.scale, 1)
    mean = a.offset + a.scale * (level.y_mean - b.offset) / scale_b
    return ~fits(mean, np.abs(a.scale) * level.y_std / scale_b, level) & (b.scale > 0) & (a.scale > 0)
