"""The robot as one readable pattern: joints in columns, columns in groups, a kind and a unit for each."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from surehand.exceptions import ShapeError, SurehandError

Kind = Literal["revolute", "continuous", "prismatic", "gripper", "velocity", "pose_delta", "unknown", "pad"]

_NAME = r"[A-Za-z_][\w.\-]*?"
_UNIT = r"[^\[\]()\s]*"
_SUFFIX = rf"(?::(?P<kind>[a-z_]+))?(?:\[(?P<unit>{_UNIT})\])?"
_JOINT = re.compile(rf"(?P<name>{_NAME})(?:\.\.(?P<last>{_NAME}))?{_SUFFIX}", re.ASCII)
_GROUP = re.compile(rf"(?P<name>{_NAME})(?:\((?P<joints>[^()]*)\))?{_SUFFIX}", re.ASCII)
_MOST = 10_000  # columns; a typing slip such as pad(99999999) must not fill the memory


class LayoutError(SurehandError):
    """A layout pattern that cannot be read, or a group or joint that it does not have."""


@dataclass(frozen=True)
class Joint:
    """One action column: its name, the group it belongs to, its kind and its unit ("" when unknown)."""

    name: str
    group: str
    kind: Kind = "unknown"
    unit: str = ""


PAD = Joint("pad", "", "pad")


@dataclass(frozen=True)
class Layout:
    """Joints in column order; groups are asked for by name, never by slice.

    >>> hsr = Layout.parse("arm(lift:prismatic[m] flex roll):revolute[rad] gripper:gripper[0..1] pad(2)")
    >>> hsr.groups, hsr.size
    (('arm', 'gripper'), 6)
    >>> hsr.columns("arm")
    array([0, 1, 2])
    >>> str(hsr)
    'arm(lift:prismatic[m] flex roll):revolute[rad] gripper:gripper[0..1] pad(2)'
    """

    joints: tuple[Joint, ...]

    def __post_init__(self) -> None:
        if all(joint.kind == "pad" for joint in self.joints):
            raise LayoutError(
                f"a layout needs at least one joint, got {f'{len(self.joints)} of padding' if self.joints else 'none'}"
            )
        seen: set[tuple[str, str]] = set()
        for joint in self.joints:
            _check_words(joint)
            key = (joint.group, joint.name)
            if joint.kind != "pad" and key in seen:
                raise LayoutError(f"joint {joint.name!r} appears twice in group {joint.group!r}; names must differ")
            seen.add(key)

    @classmethod
    def parse(cls, pattern: str) -> "Layout":
        """The layout that the pattern declares; raises LayoutError naming the part that cannot be read."""
        return cls(tuple(joint for item in _split(pattern) for joint in _parse_item(item)))

    @property
    def size(self) -> int:
        """Number of action dimensions D, padding included."""
        return len(self.joints)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Joint names in column order (D)."""
        return tuple(joint.name for joint in self.joints)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Group names in the order they first appear (G); padding is in no group."""
        return tuple(dict.fromkeys(joint.group for joint in self.joints if joint.kind != "pad"))

    def columns(self, group: str) -> np.ndarray:
        """Column indices of one group; raises LayoutError listing the groups there are."""
        found = [i for i, joint in enumerate(self.joints) if joint.kind != "pad" and joint.group == group]
        if not found:
            raise LayoutError(f"no group {group!r} in this layout; it has {', '.join(self.groups)}")
        return np.array(found)

    @cached_property
    def is_pad(self) -> np.ndarray:
        """True where the column is padding (D,)."""
        return np.array([joint.kind == "pad" for joint in self.joints])

    @cached_property
    def period(self) -> np.ndarray:
        """Full turn of each continuous joint in its own unit, 0 for joints that do not wrap (D,)."""
        turn = {"rad": 2 * np.pi, "": 2 * np.pi, "deg": 360.0}
        return np.array([turn.get(joint.unit, 0.0) if joint.kind == "continuous" else 0.0 for joint in self.joints])

    def __str__(self) -> str:
        return " ".join(_print_run(run) for run in _runs(self.joints))

    def check_names(self, names: Sequence[str] | None, size: int) -> None:
        """Nothing, or ShapeError with both counts where a dataset's names or size contradict this layout."""
        if names is not None and len(names) != size:
            raise ShapeError(f"{len(names)} joint names for {size} action dimensions; fix names in meta/info.json")
        if size != self.size:
            raise ShapeError(f"the layout has {self.size} dimensions ({self}), the data {size}; choose another robot")


def _check_words(joint: Joint) -> None:
    _check_kind(joint.name, joint.kind)
    if joint.kind == "pad":
        if joint != PAD:
            raise LayoutError(f"padding has no name, group or unit, got {joint.name!r}; use PAD or pad(n)")
        return
    for word in (joint.name, joint.group):
        if not re.fullmatch(_NAME, word, re.ASCII) or ".." in word or word == "pad":
            raise LayoutError(
                f"{word!r} is no name for a joint or group: letters, digits, _ . - after a letter or _, not 'pad'; "
                "ranges such as j1..j7 stand inside a group's brackets"
            )
    if not re.fullmatch(_UNIT, joint.unit):
        raise LayoutError(f"unit {joint.unit!r} of {joint.name!r} may not hold brackets or blanks")


def _check_kind(name: str, kind: str) -> None:
    if kind not in get_args(Kind):
        known = [word for word in get_args(Kind) if word != "pad"]
        raise LayoutError(f"unknown kind {kind!r} of joint {name!r}; known: {', '.join(known)}")


def _split(pattern: str) -> list[str]:
    """Top-level items: blanks inside round or square brackets do not split."""
    items, depth, start = [], 0, 0
    for i, char in enumerate(pattern + " "):
        depth += (char in "([") - (char in ")]")
        if depth < 0:
            raise LayoutError(f"unbalanced bracket at position {i} of {pattern!r}")
        if char.isspace() and depth == 0:
            items.append(pattern[start:i])
            start = i + 1
    if depth:
        raise LayoutError(f"a bracket is never closed in {pattern!r}")
    return [item for item in items if item]


def _parse_item(item: str) -> list[Joint]:
    if padding := re.fullmatch(r"pad\(([0-9]{1,9})\)", item):
        return [PAD] * _checked_count(int(padding[1]), item)
    group = _GROUP.fullmatch(item)
    if group is None:
        raise LayoutError(f"cannot read {item!r}; expected name, name(joint joint) or pad(n), then :kind and [unit]")
    kind, unit = group["kind"] or "unknown", group["unit"] or ""
    if group["joints"] is None:
        return [_joint(group["name"], group["name"], kind, unit)]
    joints = [joint for text in _split(group["joints"]) for joint in _parse_joint(text, group["name"], kind, unit)]
    if not joints:
        raise LayoutError(f"group {group['name']!r} has empty brackets; name its joints")
    return joints


def _parse_joint(text: str, group: str, kind: str, unit: str) -> Iterable[Joint]:
    match = _JOINT.fullmatch(text)
    if match is None:
        raise LayoutError(f"cannot read joint {text!r} of group {group!r}; expected name:kind[unit] or j1..j7")
    # A joint that names its own kind does not inherit the group's unit: metres of a lift are not the arm's radians.
    own_unit = match["unit"] if match["unit"] is not None else ("" if match["kind"] else unit)
    for name in _range(match["name"], match["last"]):
        yield _joint(name, group, match["kind"] or kind, own_unit)


def _joint(name: str, group: str, kind: str, unit: str) -> Joint:
    if kind == "pad":
        raise LayoutError(f"joint {name!r} cannot be of kind pad; write pad(n) between the groups")
    _check_kind(name, kind)
    return Joint(name, group, kind, unit)  # type: ignore[arg-type]


def _checked_count(count: int, text: str) -> int:
    if not 1 <= count <= _MOST:
        raise LayoutError(f"{text!r} stands for {count} columns; expected 1 to {_MOST}")
    return count


def _range(first: str, last: str | None) -> list[str]:
    """j1..j7 as seven names, j01..j10 as ten of one width."""
    if last is None:
        return [first]
    head, tail = (re.fullmatch(r"(.*?)([0-9]{1,9})", word) for word in (first, last))
    if head is None or tail is None or head[1] != tail[1]:
        raise LayoutError(f"cannot count from {first!r} to {last!r}; a range reads j1..j7")
    width = len(head[2]) if head[2].startswith("0") else 0
    start = int(head[2])
    count = _checked_count(int(tail[2]) - start + 1, f"{first}..{last}")
    return [f"{head[1]}{start + i:0{width}d}" for i in range(count)]


def _runs(joints: Sequence[Joint]) -> list[list[Joint]]:
    """Consecutive joints of one group; a group may come in several runs (left fingers between two arms)."""
    runs: list[list[Joint]] = []
    for joint in joints:
        if runs and (runs[-1][0].group, runs[-1][0].kind == "pad") == (joint.group, joint.kind == "pad"):
            runs[-1].append(joint)
        else:
            runs.append([joint])
    return runs


def _print_run(run: list[Joint]) -> str:
    if run[0].kind == "pad":
        return f"pad({len(run)})"
    # The commonest (kind, unit) becomes the group's default; ties go to the first, so printing is stable.
    styles = [(joint.kind, joint.unit) for joint in run]
    default = max(dict.fromkeys(styles), key=styles.count)
    if len(run) == 1 and run[0].name == run[0].group:
        return run[0].name + _print_style(*default)
    inner = " ".join(_print_counted(names) + own for names, own in _counted(run, default))
    return f"{run[0].group}({inner}){_print_style(*default)}"


def _counted(run: list[Joint], default: tuple[str, str]) -> list[tuple[list[str], str]]:
    """(names, own style) of stretches that count up by one, so that seven numbered joints print as j1..j7."""
    stretches: list[tuple[list[str], str]] = []
    for joint in run:
        own = _print_own(joint, default)
        if stretches and stretches[-1][1] == own and _next_name(stretches[-1][0][-1]) == joint.name:
            stretches[-1][0].append(joint.name)
        else:
            stretches.append(([joint.name], own))
    return [
        part for names, own in stretches for part in ([(names, own)] if len(names) > 2 else [([n], own) for n in names])
    ]


def _next_name(name: str) -> str | None:
    """j2 after j1, j10 after j09; None after a name without a number at its end."""
    number = re.fullmatch(r"(.*[^0-9])([0-9]{1,8})", name)
    return f"{number[1]}{int(number[2]) + 1:0{len(number[2])}d}" if number else None


def _print_counted(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}"


def _print_style(kind: str, unit: str) -> str:
    return (f":{kind}" if kind != "unknown" else "") + (f"[{unit}]" if unit else "")


def _print_own(joint: Joint, default: tuple[str, str]) -> str:
    if (joint.kind, joint.unit) == default:
        return ""
    if joint.kind == default[0]:
        return f"[{joint.unit}]"
    return f":{joint.kind}" + (f"[{joint.unit}]" if joint.unit else "")
