"""What recorded ranges say about a robot's units: which can be true, and which are dropped."""

from dataclasses import replace

import numpy as np

from surehand.layout import Layout
from surehand.robots.presets import Robot

Ranges = tuple[np.ndarray, np.ndarray] | None  # smallest and largest recorded action, each (D,)

_MOST_RAD = 4 * np.pi  # no joint is commanded beyond two turns; degrees and percents are


def fewest_misfits(found: list[Robot], ranges: Ranges) -> tuple[Robot, list[Robot]]:
    """The robot whose units fit the ranges best, and those that fit as well but differ from it in kind or unit."""
    count = {known.name: len(misfits(known.layout, ranges)) for known in found}
    best = [known for known in found if count[known.name] == min(count.values())]
    return best[0], [known for known in best[1:] if _facts(known.layout) != _facts(best[0].layout)]


def agreed(found: list[Robot]) -> Layout:
    """The first robot's joints with the kinds and units that all of them share."""
    joints = []
    for columns in zip(*(known.layout.joints for known in found), strict=True):
        kinds, units = {joint.kind for joint in columns}, {joint.unit for joint in columns}
        kind = columns[0].kind if len(kinds) == 1 else "unknown"
        joints.append(replace(columns[0], kind=kind, unit=columns[0].unit if len(units) == 1 else ""))
    return Layout(tuple(joints))


def _facts(layout: Layout) -> list[tuple[str, str, str]]:
    return [(joint.group, joint.kind, joint.unit) for joint in layout.joints]


def misfits(layout: Layout, ranges: Ranges) -> dict[int, str]:
    """Columns whose recorded range their unit cannot have, with what was recorded."""
    if ranges is None:
        return {}
    low, high = ranges
    reach = np.maximum(np.abs(low), np.abs(high))
    turning = [i for i, joint in enumerate(layout.joints) if joint.unit == "deg"]
    too_small = (
        bool(turning) and bool(np.all(reach[turning] < 2 * np.pi)) and bool(np.any(low[turning] != high[turning]))
    )
    found: dict[int, str] = {}
    for i, joint in enumerate(layout.joints):
        lowest, dots, highest = joint.unit.partition("..")
        if joint.unit == "rad" and reach[i] > _MOST_RAD:
            found[i] = f"reaches {reach[i]:.4g}"
        elif joint.unit == "deg" and too_small:
            found[i] = f"stays within ±{reach[i]:.4g}"
        elif dots:
            slack = 0.05 * (float(highest) - float(lowest))
            if low[i] < float(lowest) - slack or high[i] > float(highest) + slack:
                found[i] = f"runs from {low[i]:.4g} to {high[i]:.4g}"
    return found


def fit_units(layout: Layout, ranges: Ranges) -> tuple[Layout, tuple[str, ...]]:
    """The layout without the units that the ranges contradict, and a sentence on each unit dropped."""
    wrong = misfits(layout, ranges)
    if not wrong:
        checked = ranges is not None and any(j.unit in ("rad", "deg") or ".." in j.unit for j in layout.joints)
        return layout, ("recorded ranges fit its units",) if checked else ()
    said: dict[str, list[str]] = {}
    for i, what in wrong.items():
        said.setdefault(layout.joints[i].unit, []).append(f"{layout.joints[i].group} {layout.joints[i].name} {what}")
    joints = tuple(replace(j, unit="") if i in wrong else j for i, j in enumerate(layout.joints))
    return Layout(joints), tuple(
        f"{found[0]}, which does not fit {unit}: that unit is dropped for {len(found)} column{'s' * (len(found) > 1)}"
        for unit, found in said.items()
    )
