"""Are the claimed statistics those of the data, and if not, whose are they?

A claim may be exact, may fit other episodes of the same kind (a training subset), or be wrong; a wrong one is compared
with the usual mistakes, so that the finding names the mistake.
"""

from collections.abc import Sequence

import numpy as np

from surehand.decide.checks.digest import Facts, is_dead
from surehand.decide.checks.extremes import CLOSE, Fit, check_stats_quantiles, check_stats_range
from surehand.decide.checks.words import columns, worst
from surehand.decide.findings import Finding, finding
from surehand.frames import Stats

Candidate = tuple[str, str, np.ndarray]  # code, words, values (D,)
Z_LIMIT = 4.0
FIELDS = ("mean", "std", "min", "max", "q01", "q99")


def check_stats_size(claimed: Stats, size: int) -> list[Finding]:
    """Both sizes where a field has another number of dimensions than the data."""
    wrong = [
        (name, np.shape(value))
        for name in FIELDS
        if (value := getattr(claimed, name)) is not None and np.shape(value) != (size,)
    ]
    if not wrong:
        return []
    name, shape = wrong[0]
    return [finding("stats.size", f"{name} has shape {shape}, the data have {size} dimensions", claimed.source)]


def check_stats_sane(claimed: Stats, live: np.ndarray) -> list[Finding]:
    """Non-finite entries, an impossible order, no spread where the data move. `live` (D,)."""
    given = {name: np.asarray(value, float) for name in FIELDS if (value := getattr(claimed, name)) is not None}
    bad = [
        f"{name} of dim {int(np.argmin(np.isfinite(value)))}"
        for name, value in given.items()
        if not np.isfinite(value).all()
    ]
    if bad:
        return [finding("stats.nonfinite", bad[0], claimed.source)]
    found = []
    for first, second in (
        ("min", "q01"),
        ("q01", "q99"),
        ("q99", "max"),
        ("min", "max"),
        ("min", "mean"),
        ("mean", "max"),
    ):
        if first in given and second in given:
            slack = 1e-4 * (1 + np.abs(given[second]))
            dims = np.flatnonzero(given[first] > given[second] + slack)
            if len(dims):
                d = int(dims[0])
                evidence = f"{first} {given[first][d]:.6g} > {second} {given[second][d]:.6g} in dim {d}"
                return [finding("stats.order", evidence, f"columns {columns(dims)}")]
    if "std" in given and (given["std"] < 0).any():
        return [finding("stats.order", f"std is negative in columns {columns(np.flatnonzero(given['std'] < 0))}")]
    zero = live & _no_spread(given)
    if zero.any():
        found.append(finding("stats.zero_std", f"columns {columns(np.flatnonzero(zero))}", claimed.source))
    return found


def _no_spread(given: dict[str, np.ndarray]) -> np.ndarray:
    size = len(next(iter(given.values())))
    zero = np.zeros(size, bool)
    if "std" in given:
        zero |= given["std"] == 0
    for low, high in (("q01", "q99"), ("min", "max")):
        # Rare grippers have q01 = q99 honestly; only min = max cannot be true of a dimension that moves.
        if low == "min" and low in given and high in given:
            zero |= given[low] == given[high]
    return zero


def check_stats_moments(claimed: Stats, facts: Facts, truths: Sequence[Stats]) -> tuple[list[Finding], Fit]:
    """Findings on mean and std, and how well they fit. `truths`: of all frames, and of the training frames if known."""
    live = facts.live
    if not live.any() or (claimed.mean is None and claimed.std is None):
        return [], "subset"
    if any(_moment_gap(claimed, truth, live) <= CLOSE for truth in truths):
        return [], "exact"
    named = _name_mistake(claimed, facts)
    if named:
        return named, "wrong"
    z = _plausible(claimed, facts)
    if z <= Z_LIMIT:
        evidence = f"mean and std differ by at most {z:.1f} times what another choice of episodes would change"
        return [finding("stats.subset", evidence, claimed.source)], "subset"
    return _plain_mistake(claimed, truths[0], live), "wrong"


def _moment_gap(claimed: Stats, truth: Stats, live: np.ndarray) -> float:
    """Largest deviation over live dims, in standard deviations."""
    assert truth.mean is not None and truth.std is not None
    gaps = [0.0]
    if claimed.mean is not None:
        gaps.append(float((np.abs(claimed.mean - truth.mean)[live] / truth.std[live]).max()))
    if claimed.std is not None:
        gaps.append(float((np.abs(claimed.std - truth.std)[live] / truth.std[live]).max()))
    return max(gaps)


def _plausible(claimed: Stats, facts: Facts) -> float:
    """Largest deviation in units of twice its standard error over episodes (infinite below five episodes).

    Ratio means over clusters: se² = Σ n_e² (x_e − x)² / (Σ n_e)², for the mean and for the second moment about it.
    Another sample of the same number of episodes differs by √2 se, a random half by one se.
    """
    kept = facts.rows > 0
    if kept.sum() < 5:
        return np.inf
    truth, live = facts.stats, facts.live
    assert truth.mean is not None and truth.std is not None
    weight = facts.rows[kept, None] / facts.frames
    squares = facts.std[kept] ** 2 + (facts.mean[kept] - truth.mean) ** 2
    mean_se = np.sqrt((weight**2 * (facts.mean[kept] - truth.mean) ** 2).sum(0))
    square_se = np.sqrt((weight**2 * (squares - truth.std**2) ** 2).sum(0))
    worst_z = 0.0
    if claimed.mean is not None:
        shift = np.abs(claimed.mean - truth.mean)[live]
        worst_z = max(worst_z, float((shift / (2 * mean_se + CLOSE * truth.std)[live]).max()))
    if claimed.std is not None:
        shift = np.abs(claimed.std**2 - truth.std**2)[live]
        worst_z = max(worst_z, float((shift / (2 * square_se + CLOSE * truth.std**2)[live]).max()))
    return worst_z


def _name_mistake(claimed: Stats, facts: Facts) -> list[Finding]:
    """The usual mistake that reproduces the claimed std or mean to 1 % in every live dimension, if any."""
    kept, live = facts.rows > 0, facts.live
    share = facts.rows[kept, None] / facts.frames
    mean, std = facts.mean[kept], facts.std[kept]
    truth = facts.stats
    assert truth.mean is not None and truth.std is not None
    std_mistakes: list[Candidate] = [
        ("stats.per_episode", "std is the plain average of per-episode stds", std.mean(0)),
        ("stats.per_episode", "std is the frame-weighted average of per-episode stds", (share * std).sum(0)),
        ("stats.per_episode", "std holds the spread within episodes alone", np.sqrt((share * std**2).sum(0))),
        ("stats.per_episode", "std is the spread of episode means", mean.std(0)),
        ("stats.std", "std is the variance: the square root is missing", truth.std**2),
    ]
    mean_mistakes: list[Candidate] = [
        ("stats.per_episode", "mean is the plain average of per-episode means", mean.mean(0))
    ]
    for other in (facts.state_stats, facts.step_stats):
        if other is not None and other.std is not None and other.std.shape == truth.std.shape:
            std_mistakes.append(("stats.other_key", f"std is that of {other.source}", other.std))
            assert other.mean is not None
            mean_mistakes.append(("stats.other_key", f"mean is that of {other.source}", other.mean))
    found = []
    for value, right, mistakes in ((claimed.std, truth.std, std_mistakes), (claimed.mean, truth.mean, mean_mistakes)):
        if value is not None and _apart(value, right, truth.std, live):
            found += _first_match(value, mistakes, truth.std, live, claimed.source)
    return found


def _apart(a: np.ndarray, b: np.ndarray, scale: np.ndarray, live: np.ndarray) -> bool:
    return bool((np.abs(a - b) > CLOSE * scale)[live].any())


def _first_match(
    value: np.ndarray, mistakes: Sequence[Candidate], scale: np.ndarray, live: np.ndarray, source: str
) -> list[Finding]:
    for code, words, wrong in mistakes:
        tolerance = CLOSE * np.maximum(np.abs(wrong), CLOSE * scale)
        if (np.abs(value - wrong) <= tolerance)[live].all() and _apart(wrong, value * 0, scale, live):
            return [finding(code, f"{words} (to 1 % in all {int(live.sum())} moving dimensions)", source)]
    return []


def _plain_mistake(claimed: Stats, truth: Stats, live: np.ndarray) -> list[Finding]:
    """The worst dimension of mean and of std, with both numbers."""
    assert truth.mean is not None and truth.std is not None
    found = []
    for code, name, value, right in (
        ("stats.mean", "mean", claimed.mean, truth.mean),
        ("stats.std", "std", claimed.std, truth.std),
    ):
        if value is None:
            continue
        gap = np.where(live, np.abs(value - right) / np.where(truth.std > 0, truth.std, 1), 0)
        if gap.max() > CLOSE:
            d = worst(gap)
            both = f"is claimed {value[d]:.6g}, the data have {right[d]:.6g}"
            evidence = f"{name} of dim {d} {both} ({gap[d]:.2g} std apart)"
            found.append(
                finding(code, evidence, f"{claimed.source} columns {columns(np.flatnonzero(gap > CLOSE))}".strip())
            )
    return found


def check_stats(claimed: Stats, facts: Facts, train: np.ndarray | None = None) -> list[Finding]:
    """Every finding on one claim. `train` (E,) bool marks the training episodes where known."""
    found = check_stats_size(claimed, facts.dims)
    found = found or check_stats_sane(claimed, facts.live)
    if found:
        return found
    if facts.frames < 2:
        return []
    truths = [facts.stats] + ([facts.pooled(train)] if train is not None and train.any() else [])
    found, fit = check_stats_moments(claimed, facts, truths)
    found = found + check_stats_range(claimed, facts, truths, fit)
    if fit != "wrong":
        found += check_stats_quantiles(claimed, facts, truths, fit)
    return found


def check_stats_saw_eval(claimed: Stats, facts: Facts, train: np.ndarray) -> list[Finding]:
    """A note where the claim is that of all episodes and not that of the training episodes. `train` (E,) bool."""
    if train.all() or not train.any() or claimed.mean is None or np.shape(claimed.mean) != (facts.dims,):
        return []
    everything, training, live = facts.stats, facts.pooled(train), ~is_dead(facts.stats)
    if not live.any():
        return []
    of_all, of_train = _moment_gap(claimed, everything, live), _moment_gap(claimed, training, live)
    if of_all <= 1e-3 < of_train:
        evidence = f"they match all {len(train)} episodes, not the {int(train.sum())} training episodes"
        return [finding("split.stats_saw_eval", evidence)]
    return []
