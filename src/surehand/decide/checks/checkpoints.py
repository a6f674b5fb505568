"""Does a checkpoint, by what its files say, belong to this dataset? Sizes, names, cameras, statistics."""

from collections.abc import Sequence

import numpy as np

from surehand.decide.checks.words import plural, some, worst
from surehand.decide.findings import Finding, finding
from surehand.formats.checkpoint_features import CheckpointFeature, CheckpointFeatures
from surehand.formats.checkpoint_stats import NEEDED
from surehand.frames import Stats

INERT = 1e-3  # how far from mean 0 and deviation 1 (or −1 to 1) statistics may be and change nothing
SAME = 1e-4  # relative difference of one statistic on both sides of a policy, by rounding
FAR = 3.0  # deviations between the mean of the checkpoint's states and the dataset's
IMAGENET = (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))  # what lerobot puts in by default


def check_sizes(features: CheckpointFeatures, shapes: dict[str, tuple[int, ...]], size: int) -> list[Finding]:
    """Actions, inputs and cameras that the dataset has otherwise or not at all. `shapes` of the dataset's features."""
    found = []
    action = features.outputs.get("action")
    if action is not None and action.shape != (size,):
        found.append(finding("policy.action_size", f"{action.shape[0]} columns, the dataset records {size}"))
    for key, feature in features.inputs.items():
        if feature.kind == "VISUAL":
            continue
        if key not in shapes:
            there = some([name for name in shapes if name.startswith("observation.")]) or "no observation"
            found.append(finding("policy.inputs", f"it reads {key}, the dataset has {there}"))
        elif shapes[key] != feature.shape:
            evidence = f"{key} has shape {list(shapes[key])} in the dataset, {list(feature.shape)} in the checkpoint"
            found.append(finding("policy.inputs", evidence))
    return found


def check_cameras(wanted: Sequence[str], cameras: Sequence[str]) -> list[Finding]:
    """The cameras that the policy looks through and the dataset lacks."""
    absent = [key for key in wanted if key not in cameras]
    if not absent:
        return []
    there = some(list(cameras)) or "none"
    return [finding("policy.cameras", f"it looks through {some(absent)}; the dataset has {there}")]


def check_joint_order(known: Sequence[str] | None, names: Sequence[str] | None) -> list[Finding]:
    """An error where policy and dataset name the same joints in another order; a warning for other joints."""
    if known is None or names is None or tuple(known) == tuple(names):
        return []
    if sorted(known) == sorted(names):
        moved = [i for i, (a, b) in enumerate(zip(known, names, strict=True)) if a != b]
        evidence = f"column {moved[0]} is {known[moved[0]]} for the policy, {names[moved[0]]} in the dataset"
        return [finding("policy.joint_order", f"{evidence}; {plural(len(moved), 'column')} differ")]
    other = sorted(set(known) - set(names)) or sorted(set(names) - set(known))
    if len(known) != len(names):
        return []  # the size is complained of elsewhere
    return [finding("policy.joint_order", f"one side alone has {some(other)}", severity="warning")]


def check_normalisers(features: CheckpointFeatures, own: dict[str, Stats]) -> list[Finding]:
    """Features that are to be normalised and have no statistics, such as change nothing, or others after the policy
    than before it. `own`: the dataset's."""
    found = []
    for key, feature in {**features.inputs, **features.outputs}.items():
        missing = [name for name in NEEDED[feature.by] if feature.stats is None or getattr(feature.stats, name) is None]
        if missing:
            held = f"; it holds statistics of {some(features.stray)}" if features.stray else ""
            evidence = f"{key} is normalised by {feature.by}, but has no {' and no '.join(missing)}{held}"
            found.append(finding("policy.normaliser_missing", evidence, key))
        elif _inert(feature) and key in own and not _plain(own[key], feature.by):
            evidence = f"{key}: every {' is {} and every '.join(NEEDED[feature.by])} is {{}}"
            said = ("0", "1") if feature.by == "mean_std" else ("−1", "1")
            found.append(finding("policy.normaliser_inert", evidence.format(*said), key))
        elif evidence := _apart(feature):
            found.append(finding("policy.normaliser_differs", f"{key} {evidence}", key))
        elif feature.stated is not None and feature.stated != feature.by:
            evidence = (
                f"{key} is normalised by {feature.stated or 'nothing'} in config.json, by {feature.by or 'nothing'}"
            )
            found.append(finding("policy.normaliser_differs", f"{evidence} in its processors", key, severity="warning"))
    return found


def _apart(feature: CheckpointFeature) -> str:
    """How what undoes an output differs from what normalised it for training, "" where it does not."""
    if feature.trained is None:
        return ""
    by, stats = feature.trained
    if by != feature.by:
        return (
            f"is normalised by {by or 'nothing'} before the policy, un-normalised by {feature.by or 'nothing'} after it"
        )
    for name in NEEDED[by]:
        one, other = getattr(stats, name), getattr(feature.stats, name, None)
        if one is None or other is None or one.shape != other.shape:
            continue
        gap = np.abs(one - other) / np.maximum(1e-6 + np.abs(one), 1e-6)
        if not (gap <= SAME).all():
            dim = worst(np.nan_to_num(gap, nan=np.inf))
            return f"{name} of dim {dim} is {one[dim]:.4g} before the policy, {other[dim]:.4g} after it"
    return ""


def check_order(features: CheckpointFeatures, own: dict[str, Stats]) -> list[Finding]:
    """Statistics that are the dataset's in another order of columns: its joints are in another order."""
    found = []
    for key, feature in {**features.inputs, **features.outputs}.items():
        trained, here = feature.stats, own.get(key)
        if feature.kind == "VISUAL" or trained is None or here is None:
            continue
        order = _order(trained, here)
        if len(order):
            moved = np.flatnonzero(order != np.arange(len(order)))
            evidence = (
                f"{key}: the statistics of column {moved[0]} are those of the dataset's column {order[moved[0]]}; "
                f"{plural(len(moved), 'column')} differ"
            )
            found.append(finding("policy.joint_order", evidence, key))
    return found


def _order(trained: Stats, here: Stats) -> np.ndarray:
    """The dataset's column (D,) that each column's mean and deviation fit, empty where they are in order or fit none.

    In another order: two columns or more lie half a deviation off, and within a tenth of one where they are moved to.
    """
    from scipy.optimize import linear_sum_assignment

    sides = [side for stats in (trained, here) for side in (stats.mean, stats.std)]
    if any(side is None or side.ndim != 1 or side.shape != sides[0].shape for side in sides):  # type: ignore[union-attr]
        return np.empty(0, int)
    mean, std, own_mean, own_std = (np.asarray(side, float) for side in sides)
    if not np.isfinite([mean, std, own_mean, own_std]).all():
        return np.empty(0, int)
    scale = np.maximum(own_std, 1e-6 + 1e-6 * np.abs(own_mean))
    gap = np.maximum(np.abs(mean[:, None] - own_mean), np.abs(std[:, None] - own_std)) / scale
    # Of columns that look alike (dead ones) each stays where it is.
    _, order = linear_sum_assignment(np.minimum(gap, 1e6) - 0.1 * np.eye(len(mean)))
    fits = gap[np.arange(len(mean)), order] <= 0.1
    if not fits.all() or (np.diag(gap) > 0.5).sum() < 2:
        return np.empty(0, int)
    return np.asarray(order)


def _inert(feature: CheckpointFeature) -> bool:
    return feature.stats is not None and bool(feature.by) and _plain(feature.stats, feature.by)


def _plain(stats: Stats, by: str) -> bool:
    """Whether normalising by these statistics would change nothing."""
    names = NEEDED[by]  # type: ignore[index]
    values = [getattr(stats, name) for name in names]
    if not names or any(value is None for value in values):
        return False
    neutral = (0.0, 1.0) if by == "mean_std" else (-1.0, 1.0)
    return all(bool((np.abs(value - wanted) <= INERT).all()) for value, wanted in zip(values, neutral, strict=True))


def check_state_stats(features: CheckpointFeatures, own: dict[str, Stats]) -> list[Finding]:
    """Numbers that lie far from those the policy was trained on, judged by both sides' mean and deviation."""
    found = []
    for key, feature in features.inputs.items():
        trained, here = feature.stats, own.get(key)
        if feature.kind == "VISUAL" or trained is None or here is None or _inert(feature):
            continue
        if trained.mean is None or trained.std is None or here.mean is None or trained.mean.shape != here.mean.shape:
            continue
        gap = np.abs(here.mean - trained.mean) / np.maximum(trained.std, 1e-6 + 1e-3 * np.abs(trained.mean))
        dim = worst(gap)
        if gap[dim] > FAR:
            evidence = (
                f"{key} dim {dim} has mean {here.mean[dim]:.3g} here, {trained.mean[dim]:.3g} ± {trained.std[dim]:.3g} "
                f"in training ({gap[dim]:.0f} deviations apart)"
            )
            found.append(finding("policy.state_stats", evidence, key))
    return found


def check_picture_stats(features: CheckpointFeatures, own: dict[str, Stats]) -> list[Finding]:
    """Pictures normalised for 0..255, or by the means of exchanged channels. ImageNet's statistics are no claim."""
    found = []
    for key in features.cameras:
        stats = features.inputs[key].stats
        if stats is None or stats.mean is None or stats.mean.shape != (3,) or not features.inputs[key].by:
            continue
        beyond = [
            f"{name} {np.round(values, 1).tolist()}"
            for name, most in (("mean", 1.5), ("std", 0.75), ("max", 1.5))
            if (name == "max") == (features.inputs[key].by != "mean_std")
            and (values := getattr(stats, name)) is not None
            and (values > most).any()
        ]
        if beyond:
            evidence = f"{key}: channels have {' and '.join(beyond)}, pictures are given in 0..1"
            found.append(finding("policy.image_range", evidence, key))
        elif np.abs(stats.mean - IMAGENET[0]).max() > 1e-3 and key in own and own[key].mean is not None:
            found += _exchanged(key, stats.mean, np.ravel(own[key].mean))  # type: ignore[arg-type]
    return found


def _exchanged(key: str, trained: np.ndarray, here: np.ndarray) -> list[Finding]:
    if here.shape != (3,):
        return []
    right, exchanged = (float(np.abs(trained - side).max()) for side in (here, here[::-1]))
    if exchanged > 0.02 or right < 3 * exchanged or right < 0.03:
        return []
    means = f"{np.round(trained, 3).tolist()} in training, {np.round(here, 3).tolist()} here"
    return [finding("policy.channel_order", f"{key}: channel means {means}", key)]
