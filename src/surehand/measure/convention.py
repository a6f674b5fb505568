"""How a dataset writes its gripper: the range of the values, which end is open, and what the evidence was."""

from dataclasses import dataclass

import numpy as np

from surehand.exceptions import NotEnoughData

# (name, low, high): a range is recognised when the values fill it to within a tenth and hardly leave it.
_RANGES = (("0..1", 0.0, 1.0), ("-1..1", -1.0, 1.0), ("0..100", 0.0, 100.0))


@dataclass(frozen=True)
class GripperConvention:
    """Hysteresis thresholds and what they were derived from; `opens` is the end the evidence points to, or unknown."""

    range: str  # 0..1, -1..1, 0..100, relative, or the numbers seen
    low: float
    high: float
    opens: str  # "high", "low" or "unknown"
    evidence: str

    @property
    def thresholds(self) -> tuple[float, float]:
        """A value below the first is at the low end, above the second at the high end, between them unchanged."""
        middle, width = (self.low + self.high) / 2, self.high - self.low
        if self.range == "relative":
            return (-0.5, 0.5)
        return (middle - 0.1 * width, middle + 0.1 * width)


def gripper_convention(values: np.ndarray, episode: np.ndarray) -> GripperConvention:
    """The convention that recorded gripper values (N,) of whole episodes (N,) follow.

    Which end is open cannot be seen in values alone. Robots mostly start open: where at least nine in ten of ten or
    more episodes start at the same end, that end is reported with this reason, else unknown.
    """
    if not len(values):
        raise NotEnoughData("no recorded gripper values: the convention needs at least one frame")
    low, high = (float(x) for x in np.quantile(values, [0.005, 0.995]))
    name = _range_name(values, low, high)
    if name == "relative":
        return GripperConvention(
            name, -1.0, 1.0, "unknown", "the values are -1, 0 and 1 alone, mostly 0: open/close commands"
        )
    for known, bottom, top in _RANGES:
        if name == known:
            low, high = bottom, top
    starts = values[np.flatnonzero(np.diff(episode, prepend=-1))]
    at_high = float((starts > (low + high) / 2).mean())
    said = f"values run from {float(values.min()):.4g} to {float(values.max()):.4g}"
    if len(starts) < 10 or 0.1 < at_high < 0.9 or low == high:
        return GripperConvention(
            name, low, high, "unknown", f"{said}; {at_high:.0%} of {len(starts)} episodes start high"
        )
    opens = "high" if at_high >= 0.9 else "low"
    share = max(at_high, 1 - at_high)
    return GripperConvention(name, low, high, opens, f"{said}; {share:.0%} of {len(starts)} episodes start {opens}")


def polarity_agreement(prediction: np.ndarray, target: np.ndarray) -> float:
    """Correlation of predicted and recorded gripper values (M,): near −1, one of them is reversed; NaN if still."""
    if len(target) < 2 or np.ptp(prediction) == 0 or np.ptp(target) == 0:
        return float("nan")
    return float(np.corrcoef(prediction, target)[0, 1])


def _range_name(values: np.ndarray, low: float, high: float) -> str:
    if np.isin(values, (-1.0, 0.0, 1.0)).all() and (values == -1).any() and (values == 0).mean() > 0.5:
        return "relative"
    for name, bottom, top in _RANGES:
        slack = 0.1 * (top - bottom)
        if abs(low - bottom) <= slack and abs(high - top) <= slack:
            return name
    return f"{low:.4g}..{high:.4g}"
