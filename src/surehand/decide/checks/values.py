"""Are the recorded values sound: finite, alive, in one unit, and what kind of command are they?"""

from collections.abc import Sequence

import numpy as np

from surehand.decide.checks.digest import Facts, is_dead
from surehand.decide.checks.words import columns, joint, plural, some, worst
from surehand.decide.findings import Finding, finding
from surehand.frames import Stats
from surehand.layout import Layout

Names = Sequence[str] | None


def check_finite(facts: Facts, names: Names = None) -> list[Finding]:
    """The first non-finite value of the actions, and of the states, with episode, frame and dim."""
    found = []
    if facts.bad_count:
        episode, frame, dim, value = facts.bad[0]
        many = f"{plural(facts.bad_count, 'value')} in {plural(facts.bad_episodes, 'episode')}"
        where = f"episode {episode}, frame {frame}, {joint(names, dim)}"
        found.append(finding("data.nonfinite", f"{many}, the first is {value}", where))
    if facts.bad_state_count:
        episode, frame, dim, value = facts.bad_state[0]
        many = f"{plural(facts.bad_state_count, 'value')} of the recorded state"
        where = f"episode {episode}, frame {frame}, state dimension {dim}"
        found.append(finding("data.nonfinite", f"{many}, the first is {value}", where))
    return found


def check_dead(stats: Stats, layout: Layout | None = None) -> list[Finding]:
    """Dimensions whose range is below tolerance and which the layout does not declare as padding."""
    dead = is_dead(stats)
    if layout is not None and layout.size == len(dead):
        dead = dead & ~layout.is_pad
    if not dead.any():
        return []
    evidence = f"{int(dead.sum())} of {len(dead)} dimensions do not move: {columns(np.flatnonzero(dead))}"
    return [finding("data.dead_dims", f"{evidence} (by {stats.source or 'their statistics'})")]


def check_idle_side(std: np.ndarray, layout: Layout | None) -> list[Finding]:
    """A note where one of two mirrored groups has less than a tenth of the other's spread.

    `std` (D,): the spread within episodes; where an episode's pose is set up says nothing about moving.
    """
    found = []
    for left, right in sides(layout, len(std)):
        spread = {name: float(np.sqrt((std[cols] ** 2).mean())) for name, cols in (left, right)}
        quiet, busy = sorted(spread, key=lambda name: spread[name])
        if 0 < spread[quiet] < 0.1 * spread[busy]:
            share = 100 * spread[quiet] / spread[busy]
            found.append(
                finding("data.idle_side", f"within episodes {quiet} spreads {share:.1f} % as far as {busy}", quiet)
            )
    return found


def sides(layout: Layout | None, size: int) -> list[tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]]]:
    """Mirrored groups of equal size: (left name, columns), (right name, columns)."""
    if layout is None or layout.size != size:
        return []
    pairs = []
    for name in layout.groups:
        mirror = name.replace("left", "right", 1)
        if mirror != name and mirror in layout.groups:
            left, right = layout.columns(name), layout.columns(mirror)
            if len(left) == len(right):
                pairs.append(((name, left), (mirror, right)))
    return pairs


def check_quantised(sample: np.ndarray, names: Names = None) -> list[Finding]:
    """Live dimensions with at most 32 distinct values among at least 1 000 sampled frames (R, D)."""
    if len(sample) < 1000:
        return []
    few = []
    for dim in range(sample.shape[1]):
        distinct = np.unique(sample[:, dim])
        if 2 <= len(distinct) <= 32:
            few.append(f"{joint(names, dim)}: {len(distinct)} values, smallest step {np.diff(distinct).min():.4g}")
    return [finding("data.quantised", some(few), f"{plural(len(few), 'dimension')}")] if few else []


def check_outliers(facts: Facts, names: Names = None) -> list[Finding]:
    """Extremes more than ten times the central 99.8 % range outside it."""
    if facts.frames < 1000:
        return []
    inner_low, inner_high = np.quantile(facts.sample, (0.001, 0.999), axis=0)
    width = inner_high - inner_low
    stats = facts.stats
    assert stats.min is not None and stats.max is not None
    beyond = np.maximum(inner_low - stats.min, stats.max - inner_high)
    ratio = np.divide(beyond, width, out=np.zeros_like(width), where=width > 1e-3 * np.abs(inner_high + inner_low))
    dims = np.flatnonzero(ratio > 10)
    if not len(dims):
        return []
    dim = worst(ratio)
    column = np.where(facts.high[:, dim] == stats.max[dim], facts.high[:, dim], -np.inf)
    use_high = stats.max[dim] - inner_high[dim] >= inner_low[dim] - stats.min[dim]
    episode = facts.episode[int(np.argmax(column)) if use_high else int(np.nanargmin(facts.low[:, dim]))]
    evidence = (
        f"{plural(len(dims), 'dimension')} ({columns(dims)}); {joint(names, dim)} reaches {ratio[dim]:.0f} times its "
        f"usual range [{inner_low[dim]:.4g}, {inner_high[dim]:.4g}] beyond it"
    )
    return [finding("data.outliers", evidence, f"episode {episode}")]


def check_wrap(full_turns: np.ndarray, stats: Stats, layout: Layout | None, names: Names = None) -> list[Finding]:
    """Steps of a full turn within an episode on joints not declared continuous. `full_turns` (2, D): steps of 2π, 360.

    A wrapped angle also stays within one turn, which tells it from a joint that merely moves fast.
    """
    if stats.min is None or stats.max is None:
        return []
    found = []
    for words, turn, counts in zip(("2π", "360"), (2 * np.pi, 360.0), full_turns, strict=True):
        fits = layout is not None and layout.size == len(counts)
        declared = layout.period > 0 if layout is not None and fits else np.zeros(len(counts), bool)
        dims = np.flatnonzero((counts > 0) & ~declared & (stats.max - stats.min < 1.02 * turn))
        if len(dims):
            evidence = ", ".join(f"{joint(names, d)} {plural(int(counts[d]), 'time')}" for d in dims[:5])
            found.append(finding("data.wrap", f"steps of {words}: {evidence}"))
    return found


def check_units(stats: Stats, layout: Layout | None, names: Names = None) -> list[Finding]:
    """Joints declared in radians beyond ±4π, and joints declared in degrees that never leave ±2π while others do."""
    if layout is None or stats.min is None or stats.max is None or layout.size != len(stats.min):
        return []
    reach = np.maximum(np.abs(stats.min), np.abs(stats.max))
    radians = [i for i, j in enumerate(layout.joints) if j.unit == "rad" and reach[i] > 4 * np.pi]
    degrees = [i for i, j in enumerate(layout.joints) if j.unit == "deg"]
    found = []
    if radians:
        evidence = f"{joint(names, radians[0])} declared rad reaches {reach[radians[0]]:.4g}"
        found.append(finding("data.units", evidence, f"columns {columns(radians)}"))
    if len(degrees) >= 3 and (reach[degrees] < np.pi).all():
        evidence = f"all {len(degrees)} joints declared deg stay within ±{reach[degrees].max():.3g}"
        found.append(finding("data.units", evidence, f"columns {columns(degrees)}"))
    return found


def check_looks_normalised(stats: Stats) -> list[Finding]:
    """Every live dimension (at least three) has mean 0 ± .05 and std 1 ± .1."""
    live = ~is_dead(stats)
    if stats.mean is None or stats.std is None or live.sum() < 3:
        return []
    if (np.abs(stats.mean[live]) < 0.05).all() and (np.abs(stats.std[live] - 1) < 0.1).all():
        return [finding("data.looks_normalised", f"mean 0 and std 1 in all {int(live.sum())} moving dimensions")]
    return []
