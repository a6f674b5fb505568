"""Claimed minima, maxima and quantiles against the data's, with the usual merging mistakes named."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from surehand.decide.checks.digest import Facts
from surehand.decide.checks.words import columns, worst
from surehand.decide.findings import Finding, finding
from surehand.frames import Stats

Fit = Literal["exact", "subset", "wrong"]  # how well mean and std fit
CLOSE = 0.01  # of a standard deviation (mean, std) or of the range (min, max)


def check_stats_range(claimed: Stats, facts: Facts, truths: Sequence[Stats], fit: Fit) -> list[Finding]:
    """Min and max: to 1 % of the range where mean and std are exact, else only what no subset could explain.

    A subset's own episodes lie inside its min and max: fewer than 3 in 10 inside, or a range five times the data's,
    is no subset.
    """
    low, high, live = claimed.min, claimed.max, facts.live
    if low is None or high is None or fit == "wrong" or not live.any():
        return []
    if any(_near(low, high, truth.min, truth.max, truths[0], live) for truth in truths):
        return []
    kept = facts.rows > 0
    if _near(low, high, facts.low[kept].mean(0), facts.high[kept].mean(0), truths[0], live):
        evidence = "min and max are averages of per-episode minima and maxima"
        return [finding("stats.per_episode", evidence, claimed.source)]
    truth = truths[0]
    assert truth.min is not None and truth.max is not None
    width = np.where(live, truth.max - truth.min, 1)
    gap = np.maximum(np.abs(low - truth.min), np.abs(high - truth.max)) / width
    if fit == "exact":
        wrong = live & (gap > CLOSE)
    else:
        slack = CLOSE * width
        inside = ((facts.low[kept] >= low - slack) & (facts.high[kept] <= high + slack)).mean(0)
        wrong = live & ((inside < 0.3) | (high - low > 5 * width))
    if not wrong.any():
        return []
    d = worst(np.where(wrong, gap, -1))
    evidence = (
        f"dim {d} is claimed [{low[d]:.6g}, {high[d]:.6g}], the data have [{truth.min[d]:.6g}, {truth.max[d]:.6g}]"
    )
    return [finding("stats.min_max", evidence, f"columns {columns(np.flatnonzero(wrong))}")]


def _near(
    low: np.ndarray,
    high: np.ndarray,
    other_low: np.ndarray | None,
    other_high: np.ndarray | None,
    truth: Stats,
    live: np.ndarray,
) -> bool:
    """Whether both ends agree to 1 % of the true range in every live dimension."""
    assert truth.min is not None and truth.max is not None
    tolerance = CLOSE * (truth.max - truth.min)
    return bool((np.maximum(np.abs(low - other_low), np.abs(high - other_high)) <= tolerance)[live].all())


def check_stats_quantiles(claimed: Stats, facts: Facts, truths: Sequence[Stats], fit: Fit) -> list[Finding]:
    """q01 and q99, by value (2 % of their distance) and by rank, with the merging mistakes named.

    By rank: q01 passes where the shares of frames below it and at most it bracket [.005, .02], q99 likewise from
    above. Where the claim may stem from other episodes: 0 to .05, or to six standard errors over episodes.
    """
    if claimed.q01 is None or claimed.q99 is None or not facts.live.any() or not len(facts.sample):
        return []
    claim = np.stack([claimed.q01, claimed.q99])  # (2, D)
    gaps = [_quantile_gap(claim, facts, truth) for truth in truths]
    off = np.where(facts.live, np.min(gaps, axis=0), 0)
    wrong = (off > 0.02) & ~_rank_fits(claim, facts, strict=fit == "exact").all(0)
    if not wrong.any():
        return []
    said = _merged_quantiles(claim, facts)
    d = worst(np.where(wrong, off, 0))
    truth = truths[0]
    assert truth.q01 is not None and truth.q99 is not None
    outside = 100 * float(((facts.sample[:, d] < claim[0, d]) | (facts.sample[:, d] > claim[1, d])).mean())
    evidence = (
        f"dim {d} is claimed [{claim[0, d]:.6g}, {claim[1, d]:.6g}], "
        f"the data have [{truth.q01[d]:.6g}, {truth.q99[d]:.6g}]; {outside:.1f} % of frames lie outside (2 % expected)"
    )
    place = f"columns {columns(np.flatnonzero(wrong))}"
    if said:
        return [finding("stats.quantiles_per_episode", f"{said}; {evidence}", place)]
    return [finding("stats.quantiles", evidence, place)]


def _quantile_gap(claim: np.ndarray, facts: Facts, truth: Stats) -> np.ndarray:
    """Larger deviation of the two, over the distance between the true ones, or the range where that is 0 (D,)."""
    assert truth.q01 is not None and truth.q99 is not None and truth.min is not None and truth.max is not None
    width = truth.q99 - truth.q01
    width = np.where(width > 0, width, np.maximum(truth.max - truth.min, 1e-300))
    gap: np.ndarray = np.maximum(np.abs(claim[0] - truth.q01), np.abs(claim[1] - truth.q99)) / width
    return gap


def _rank_fits(claim: np.ndarray, facts: Facts, *, strict: bool) -> np.ndarray:
    """Whether each quantile sits at its rank (2, D); ties count on both sides."""
    sample = facts.sample
    beyond = np.stack([sample < claim[0], sample > claim[1]])  # (2, R, D)
    at_least = np.stack([sample <= claim[0], sample >= claim[1]]).mean(1)
    near, far = (0.005, np.full(claim.shape, 0.02)) if strict else (0.0, _subset_limit(beyond, facts.sample_episode))
    fits: np.ndarray = (beyond.mean(1) <= far) & (at_least >= near)
    return fits


def _subset_limit(beyond: np.ndarray, episode: np.ndarray) -> np.ndarray:
    """Largest share beyond a quantile that leaving out some episodes explains: 6 se, at least .05 (2, D)."""
    _, label, count = np.unique(episode, return_inverse=True, return_counts=True)
    share = beyond.mean(1)
    sums = np.stack([[np.bincount(label, column) for column in side.T] for side in beyond])  # (2, D, E)
    se = np.sqrt(((sums - share[..., None] * count) ** 2).sum(2)) / count.sum()
    limit: np.ndarray = np.maximum(0.05, 0.01 + 6 * se)
    return limit


def _merged_quantiles(claim: np.ndarray, facts: Facts) -> str:
    """Which merge of per-episode quantiles reproduces the claim to 2 % of their spread, "" if none."""
    kept, live = facts.rows > 0, facts.live
    q01, q99, low, high = facts.q01[kept], facts.q99[kept], facts.low[kept], facts.high[kept]
    share = facts.rows[kept, None] / facts.frames
    tolerance = np.where(live, 0.02 * (high.max(0) - low.min(0)), 1)
    merges = [
        # Up to 100 frames LeRobot's per-episode q01 is the episode's minimum: allow anything between the two.
        (
            "averages of per-episode quantiles, weighted by frames",
            (share * low).sum(0),
            (share * q01).sum(0),
            (share * q99).sum(0),
            (share * high).sum(0),
        ),
        ("plain averages of per-episode quantiles", low.mean(0), q01.mean(0), q99.mean(0), high.mean(0)),
        ("the outermost per-episode quantiles", q01.min(0), q01.min(0), q99.max(0), q99.max(0)),
        ("min and max", low.min(0), low.min(0), high.max(0), high.max(0)),
    ]
    gaps = []
    for _, first, second, third, fourth in merges:
        below = np.maximum(np.maximum(first - claim[0], claim[0] - second), 0)
        above = np.maximum(np.maximum(third - claim[1], claim[1] - fourth), 0)
        gaps.append(float((np.maximum(below, above) / tolerance)[live].max()))
    nearest = int(np.argmin(gaps))
    return f"q01 and q99 are {merges[nearest][0]}" if gaps[nearest] <= 1 else ""
