"""Are predictions and targets the same kind of number: space, scale, reference, side, sign?"""

import numpy as np

from surehand.decide.checks.commands import range_label
from surehand.decide.checks.compare import Compared
from surehand.decide.checks.moments import CrossMoments
from surehand.decide.checks.space import live_pairs
from surehand.decide.checks.values import Names
from surehand.decide.checks.words import columns, joint, plural, some, worst
from surehand.decide.findings import Finding, finding

GRIPPER_RANGES = {"0..1": (0.0, 1.0), "−1..1": (-1.0, 1.0), "0..100": (0.0, 100.0)}
KNOWN_SCALES = (
    (np.pi / 180, "degrees against radians"),
    (180 / np.pi, "radians against degrees"),
    (0.01, "percent against 0..1"),
    (100.0, "0..1 against percent"),
    (1e-3, "millimetres against metres"),
    (1e3, "metres against millimetres"),
)


def check_draws(compared: Compared) -> list[Finding]:
    """Frames whose K > 1 draws are all equal, where that is every frame."""
    if compared.draws < 2 or not compared.frames or compared.identical < compared.frames:
        return []
    return [
        finding(
            "predictions.identical_draws",
            f"K = {compared.draws} draws are equal in all {plural(compared.frames, 'frame')}",
        )
    ]


def check_keys(compared: Compared) -> list[Finding]:
    """Count and first key of frames the dataset lacks, and of values that are not finite."""
    found = []
    if compared.unknown and compared.first_unknown:
        first = "episode {}, frame {}".format(*compared.first_unknown)
        found.append(
            finding(
                "predictions.unknown_frames",
                f"{compared.unknown} of {plural(compared.frames, 'frame')}",
                f"first {first}",
            )
        )
    if compared.bad and compared.first_bad:
        first = "episode {}, frame {}, dim {}".format(*compared.first_bad)
        found.append(finding("predictions.nonfinite", plural(compared.bad, "value"), f"first {first}"))
    return found


def check_scale(level: CrossMoments, names: Names = None) -> list[Finding]:
    """Columns that follow the target (correlation ≥ .8) with a slope of target on prediction outside [½, 2]."""
    live = live_pairs(level)
    correlation = np.diag(level.correlation)
    slope = np.divide(np.diag(level.product), level.x_square, out=np.ones(len(live)), where=level.x_square > 0)
    wrong = np.flatnonzero(live & (correlation >= 0.8) & ((slope < 0.5) | (slope > 2)))
    if not len(wrong):
        return []
    typical = float(np.exp(np.median(np.log(slope[wrong]))))
    guess = next((f"; looks like {words}" for scale, words in KNOWN_SCALES if abs(np.log(typical / scale)) < 0.15), "")
    d = int(wrong[0])
    offset = level.y_mean[d] - slope[d] * level.x_mean[d]
    line = f"target = {offset:.4g} + {slope[d]:.4g} · prediction"
    evidence = f"{joint(names, d)}: {line} (correlation {correlation[d]:.2f}){guess}"
    return [finding("predictions.scale", evidence, f"columns {columns(wrong)}")]


def check_spread(level: CrossMoments, sample: np.ndarray, names: Names = None) -> list[Finding]:
    """Ranges [q01, q99] that do not meet, and variances that differ by a factor above 100. `sample` (R, 2, D)."""
    live, found = live_pairs(level), []
    if len(sample) < 100:
        return []
    low, high = np.quantile(sample, (0.01, 0.99), axis=0)  # (2, D) each
    width = np.maximum(high - low, 1e-12).max(0)
    apart = np.maximum(low[0] - high[1], low[1] - high[0])
    gone = np.flatnonzero(live & (apart > 0.1 * width) & (apart > level.y_std))
    if len(gone):
        d = worst(np.where(live, apart / width, -1))
        said, seen = (f"{low[i, d]:.4g} to {high[i, d]:.4g}" for i in (0, 1))
        evidence = f"{joint(names, d)}: predicted {said}, recorded {seen}"
        found.append(finding("predictions.range", evidence, f"columns {columns(gone)}"))
    ratio = np.divide(level.x_std, level.y_std, out=np.ones(len(live)), where=live) ** 2
    odd = np.flatnonzero(live & ((ratio > 100) | (ratio < 0.01)))
    if len(odd):
        d = worst(np.where(live, np.abs(np.log(ratio + 1e-300)), -1))
        found.append(
            finding(
                "predictions.variance", f"{joint(names, d)}: variance ratio {ratio[d]:.3g}", f"columns {columns(odd)}"
            )
        )
    return found


def check_delta(compared: Compared) -> list[Finding]:
    """Deltas predicted against absolute targets, or the reverse.

    A column speaks for a reading when its correlation with that reading exceeds .3 and that with the plain target by
    .2, and its spread is within a factor of three of that reading's and not of the plain target's; half must speak.
    """
    level = compared.level
    live = live_pairs(level)
    if compared.to_step.count < 100 or not live.any():
        return []
    readings = (
        (
            "predictions are steps a_t − a_(t−1), targets absolute",
            compared.to_step,
            compared.to_step.y_std,
            level.x_std,
        ),
        (
            "predictions are relative to the chunk's start, targets absolute",
            compared.to_start,
            compared.to_start.y_std,
            level.x_std,
        ),
        ("predictions are absolute, targets steps", compared.step_to, compared.step_to.x_std, level.y_std),
    )
    plain = np.diag(level.correlation)
    for words, cross, one, other in readings:
        correlation = np.diag(cross.correlation)
        near = np.abs(np.log((one + 1e-12) / (other + 1e-12))) < np.log(3)
        far = np.abs(np.log((level.x_std + 1e-12) / (level.y_std + 1e-12))) > np.log(2)
        speaks = live & (correlation > 0.3) & (correlation > np.abs(plain) + 0.2) & near & far
        if speaks.sum() >= 0.5 * live.sum():
            evidence = (
                f"{words}: correlation {correlation[speaks].mean():.2f} so, {plain[speaks].mean():.2f} as absolute"
            )
            return [finding("predictions.delta", evidence, f"columns {columns(np.flatnonzero(speaks))}")]
    return []


def check_predicted_gripper(
    level: CrossMoments, sample: np.ndarray, grippers: np.ndarray, names: Names = None
) -> list[Finding]:
    """Grippers that run backwards, or fill another usual range.

    Backwards: correlation below −.5, and flipping halves the squared error. Another range: mapping it to the recorded
    one leaves less than a quarter of the squared error, which noise on a right prediction cannot imitate.
    """
    found = []
    if len(sample) < 100:
        return []
    for d in grippers:
        predicted, target = sample[:, 0, d], sample[:, 1, d]
        if np.ptp(target) <= 1e-6:
            continue
        correlation, error = float(level.correlation[d, d]), ((predicted - target) ** 2).mean()
        flipped = target.min() + target.max() - predicted
        if correlation < -0.5 and ((flipped - target) ** 2).mean() < 0.5 * error:
            found.append(finding("predictions.gripper_polarity", f"correlation {correlation:.2f}", joint(names, d)))
            continue
        recorded = range_label(target)
        if recorded not in GRIPPER_RANGES or abs(correlation) < 0.3:
            continue
        low, high = GRIPPER_RANGES[recorded]
        errors = {
            label: ((low + (predicted - start) * (high - low) / (end - start) - target) ** 2).mean()
            for label, (start, end) in GRIPPER_RANGES.items()
        }
        label = min(errors, key=lambda name: errors[name])
        if errors[label] < 0.25 * error:
            evidence = f"predicted {label}, recorded {recorded} (correlation {correlation:.2f})"
            found.append(finding("predictions.gripper_range", evidence, joint(names, d)))
    return found


def check_column_order(level: CrossMoments, names: Names = None) -> list[Finding]:
    """Another assignment of columns correlates above .8 on average and .4 more than the given one."""
    from scipy.optimize import linear_sum_assignment

    live = np.flatnonzero(live_pairs(level) & (level.x_std > 1e-9))
    if len(live) < 3:
        return []
    correlation = level.correlation[np.ix_(live, live)]
    rows, best = linear_sum_assignment(-correlation)
    straight, crossed = np.diag(correlation), correlation[rows, best]
    moved = np.flatnonzero(best != rows)
    if len(moved) < 2 or crossed[moved].mean() < 0.8 or crossed[moved].mean() - straight[moved].mean() < 0.4:
        return []
    pairs = [f"{live[i]} → {live[best[i]]}" for i in moved]
    gain = f"correlation {crossed[moved].mean():.2f} so, {straight[moved].mean():.2f} as given"
    evidence = f"predicted column → recorded column: {some(pairs, 8)}; {gain}"
    return [finding("predictions.column_order", evidence)]


def check_motion(compared: Compared) -> list[Finding]:
    """Chunks that go less than a quarter as far, or wander more than five times as far, as the recording.

    Distance first to last step and path length, each dim in units of its target's std, averaged over live dims.
    """
    level = compared.level
    live = live_pairs(level)
    if compared.to_step.count < 100 or not live.any():
        return []
    scale = level.y_std[live]
    far, far_recorded = (compared.reach[:, live] / scale).mean(1)
    long, long_recorded = (compared.path[:, live] / scale).mean(1)
    if far_recorded <= 0 or long_recorded <= 0:
        return []
    reach, path = far / far_recorded, long / long_recorded
    evidence = f"a chunk goes {100 * reach:.0f} % as far as the recording, along {100 * path:.0f} % of its path length"
    if reach < 0.25 and path < 0.5:
        return [finding("predictions.barely_moves", evidence)]
    return [finding("predictions.jitter", evidence)] if path > 5 else []
