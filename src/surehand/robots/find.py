"""Which known robot a dataset's columns are, by evidence that is handed back in plain sentences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from surehand.exceptions import ShapeError
from surehand.grouping import auto_layout, is_padding, read_name
from surehand.layout import PAD, Joint, Layout
from surehand.robots.presets import ROBOTS, Robot
from surehand.robots.units import Ranges, agreed, fewest_misfits, fit_units, misfits

_FEWEST = 4  # columns that a part of a robot must have before its names count as evidence


@dataclass(frozen=True)
class Match:
    """The robot found (None: none known), the layout to use, and why; candidates are the others that might be it."""

    robot: str | None
    layout: Layout
    evidence: tuple[str, ...]
    candidates: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.robot or 'no known robot'}: {'; '.join(self.evidence)}"


def find_robot(
    names: Sequence[str] | None,
    size: int,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    robot_type: str | None = None,
) -> Match:
    """The robot whose columns these are, by names first, then robot_type; ranges decide ties and correct units.

    `names` (D) as the dataset spells them, `low` and `high` (D,) the smallest and largest recorded action. Size alone
    never names a robot: without further evidence the columns are grouped by their names, or stay one group.
    Raises ShapeError with both counts where names or ranges contradict the size.
    """
    said: list[str] = []
    if names is not None and len(names) == 1 < size:
        said.append(f"one name ({names[0]!r}) stands for all {size} columns, so they are unnamed")
        names = None
    if names is not None and len(names) != size:
        raise ShapeError(f"{len(names)} joint names for {size} action dimensions; fix names in meta/info.json")
    ranges = _checked_ranges(low, high, size)
    typed = _of_type(robot_type, size)
    match = (
        _by_all_names(names, size, ranges, typed)
        or _by_swapped_names(names, size)
        or _by_some_names(names)
        or _by_type(names, size, ranges, typed, robot_type)
        or _by_nothing(names, size, robot_type)
    )
    if typed and match.robot and match.robot not in [known.name for known in typed]:
        said.append(f"robot_type {robot_type!r} would make it {typed[0].name}, but the names decide")
    layout, corrections = fit_units(match.layout, ranges) if match.robot else (match.layout, ())
    return replace(match, layout=layout, evidence=(*said, *match.evidence, *corrections))


def _checked_ranges(low: np.ndarray | None, high: np.ndarray | None, size: int) -> Ranges:
    if low is None or high is None:
        return None
    if np.shape(low) != (size,) or np.shape(high) != (size,):
        raise ShapeError(f"ranges of {np.size(low)} and {np.size(high)} columns for {size} action dimensions")
    return np.asarray(low, float), np.asarray(high, float)


def _canonical(names: Sequence[str]) -> tuple[str, ...]:
    """One spelling per column (D), "" for padding."""
    return tuple("" if not name or is_padding(name) else read_name(name).canonical for name in names)


def _spellings(known: Robot) -> set[tuple[str, ...]]:
    return {_canonical(alias) for alias in known.aliases}


def _by_all_names(names: Sequence[str] | None, size: int, ranges: Ranges, typed: list[Robot]) -> Match | None:
    if names is None:
        return None
    wanted = _canonical(names)
    found = [known for known in ROBOTS.values() if known.layout.size == size and wanted in _spellings(known)]
    if not found:
        return None
    agreeing = [known for known in found if known in typed] or found
    chosen, rivals = fewest_misfits(agreeing, ranges)
    others = tuple(known.name for known in found if known.name != chosen.name)
    says = f"all {size} column names are {chosen.name}'s, in its order"
    if rivals:
        listed = " and ".join(known.name for known in (chosen, *rivals))
        says = f"the {size} column names fit {listed}, which differ in kind or unit; choose one by name"
        return Match(None, agreed([chosen, *rivals]), (says,), tuple(known.name for known in (chosen, *rivals)))
    evidence = [says]
    if others:
        evidence.append(f"{', '.join(others)} {'spells' if len(others) == 1 else 'spell'} them alike")
    if chosen in typed:
        evidence.append("robot_type agrees")
    return Match(chosen.name, chosen.layout, tuple(evidence), others)


def _by_swapped_names(names: Sequence[str] | None, size: int) -> Match | None:
    """ALOHA named right arm first: openpi's converter writes such names over data that is left arm first."""
    if names is None or read_name(names[0]).side != "right":
        return None
    swapped = tuple(_other_side(name) for name in _canonical(names))
    for known in (ROBOTS["aloha"], ROBOTS["mobile_aloha"]):
        if known.layout.size == size and swapped in _spellings(known):
            evidence = (
                f"the {size} column names are {known.name}'s, but right arm first",
                "openpi's ALOHA converter writes such names over data that is left arm first, so the left arm is taken "
                "to come first; if your recorder truly wrote the right arm first, write the layout yourself",
            )
            return Match(known.name, known.layout, evidence)
    return None


def _other_side(name: str) -> str:
    side, _, rest = name.partition("_")
    swapped = {"left": "right", "right": "left"}.get(side)
    return f"{swapped}_{rest}" if swapped else name


def _by_some_names(names: Sequence[str] | None) -> Match | None:
    """A robot without some of its parts, or with padding between them."""
    if names is None:
        return None
    wanted = _canonical(names)
    best: tuple[float, Robot, list[int]] | None = None
    for known in ROBOTS.values():
        for spelling in _spellings(known):
            columns = _places(wanted, spelling)
            if columns is None or len(columns) < _FEWEST:
                continue
            share = len(columns) / known.layout.size
            if best is None or share > best[0]:
                best = share, known, columns
    if best is None:
        return None
    _, known, columns = best
    taken = iter(columns)
    joints: list[Joint] = [known.layout.joints[next(taken)] if name else PAD for name in wanted]
    absent = [j.name for i, j in enumerate(known.layout.joints) if i not in columns and j.kind != "pad"]
    says = [f"{len(columns)} column names are {known.name}'s, in its order"]
    if absent:
        says.append(f"absent: {', '.join(absent)}")
    if "" in wanted:
        says.append(f"{wanted.count('')} columns are named as padding")
    return Match(known.name, Layout(tuple(joints)), tuple(says))


def _places(wanted: tuple[str, ...], spelling: tuple[str, ...]) -> list[int] | None:
    """Where each named column stands in the robot's own order; None unless all do, in that order."""
    if any(name and name not in spelling for name in wanted):
        return None
    columns = [spelling.index(name) for name in wanted if name]
    return columns if all(a < b for a, b in pairwise(columns)) else None


def _of_type(robot_type: str | None, size: int) -> list[Robot]:
    """Robots of this size whose robot_type begins like the dataset's; the longest beginning wins."""
    said = _letters(robot_type or "")
    length = {
        known.name: max((len(_letters(t)) for t in known.robot_types if said.startswith(_letters(t))), default=0)
        for known in ROBOTS.values()
        if known.layout.size == size
    }
    longest = max(length.values(), default=0)
    return [ROBOTS[name] for name, found in length.items() if found == longest > 0]


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _by_type(
    names: Sequence[str] | None, size: int, ranges: Ranges, typed: list[Robot], robot_type: str | None
) -> Match | None:
    """robot_type and size, where neither names nor ranges speak against it."""
    if not typed:
        return None
    chosen, rivals = fewest_misfits(typed, ranges)
    if rivals:
        return None
    if names is not None and not _only_counts(names) and not _same_groups(auto_layout(names), chosen.layout):
        return None
    if misfits(chosen.layout, ranges):
        return None
    others = tuple(known.name for known in typed if known.name != chosen.name)
    how = (
        "names that only count"
        if names is not None and _only_counts(names)
        else "names that group alike"
        if names
        else "no names"
    )
    return Match(
        chosen.name,
        chosen.layout,
        (f"robot_type {robot_type!r} and {size} columns are {chosen.name}'s, with {how}",),
        others,
    )


def _only_counts(names: Sequence[str]) -> bool:
    return auto_layout(names).groups == ("joints",)


def _same_groups(first: Layout, second: Layout) -> bool:
    """Whether both divide the columns alike, whatever they call the groups."""
    pairs = {(a.group, b.group) for a, b in zip(first.joints, second.joints, strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _by_nothing(names: Sequence[str] | None, size: int, robot_type: str | None) -> Match:
    alike = tuple(known.name for known in ROBOTS.values() if known.layout.size == size)
    if names is None:
        layout = Layout(tuple(Joint(f"j{i}", "joints") for i in range(size)))
    else:
        layout = auto_layout(names)
    says = [f"no known robot of {size} columns has these names" if names else f"{size} columns without names"]
    if robot_type:
        says.append(f"robot_type {robot_type!r} does not settle it")
    says.append(
        "groups are made from the names" if names and layout.groups != ("joints",) else "all columns stay in one group"
    )
    if alike:
        says.append(f"as many columns have {', '.join(alike)}: choose one by name if it is yours")
    return Match(None, layout, tuple(says), alike)
