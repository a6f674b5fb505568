"""GR00T's meta/modality.json: joint groups as {start, end} of each part of the action, read and written."""

import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError, ShapeError
from surehand.grouping import speakable
from surehand.layout import PAD, Joint, Kind, Layout

_OWN_KEY = "action"  # entries of another original_key slice another column of the dataset


def read_modality(path: str | Path, size: int | None = None, names: Sequence[str] | None = None) -> Layout:
    """The action's groups as a layout (D); columns that no group names become padding.

    `size` is the dataset's action width: columns after the last group are padding too, and a group beyond it is
    refused. `names` (D) names the joints; without it they are j0, j1, ... of their group. A group called gripper is of
    kind gripper, one called pad is padding; other kinds and all units are left open.
    Raises FormatError for a file that cannot be read as such, ShapeError for overlaps, groups out of range and counts
    that disagree.
    """
    spans = _spans(Path(path))
    end = max(stop for _, stop, _ in spans)
    width = end if size is None else size
    if end > width:
        last = next(name for _, stop, name in spans if stop == end)
        raise ShapeError(
            f"{path}: group {last!r} ends at {end}, but the action has {width} dimensions; fix one of them"
        )
    if names is not None and len(names) != width:
        raise ShapeError(f"{len(names)} joint names for {width} action dimensions; fix names in meta/info.json")
    joints = [PAD] * width
    before = (0, 0, "")
    for span in spans:
        if span[0] < before[1]:
            raise ShapeError(
                f"{path}: groups {before[2]!r} ({before[0]}:{before[1]}) and {span[2]!r} ({span[0]}:{span[1]}) "
                "overlap; every action column belongs to one group"
            )
        for i in range(span[0], span[1]):
            joints[i] = _joint(span, i, names)
        before = span
    return Layout(tuple(joints))


def read_modality_keys(path: str | Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(clauses, groups): where a GR00T server's inputs come from in this dataset, and the order of its action.

    Clauses read NAME=FEATURE or NAME=FEATURE[start:end], as `surehand predict --map` takes them. ShapeError where the
    groups do not cover the action's columns from the first on: such an action cannot be put together from them.
    """
    spans = _spans(Path(path))
    for (_, end, group), (start, _, after) in pairwise([(0, 0, "the first column"), *spans]):
        if start != end:
            raise ShapeError(f"{path}: no group has the action columns {end}:{start}, between {group} and {after}")
    sections, clauses = _load(Path(path)), []
    for kind in ("video", "state"):
        found = sections.get(kind)
        for name, entry in found.items() if isinstance(found, dict) else ():
            if not isinstance(entry, dict):
                raise FormatError(f"{path}: {kind}.{name} is {entry!r}, expected where it comes from")
            if kind == "video":
                clauses.append(f"video.{name}={entry.get('original_key') or name}")
            else:
                key = entry.get("original_key") or "observation.state"
                clauses.append(f"state.{name}={key}[{entry.get('start')}:{entry.get('end')}]")
    return tuple(clauses), tuple(group for _, _, group in spans)


def write_modality(path: str | Path, layout: Layout, *, overwrite: bool = False) -> Path:
    """The path, after the layout's groups became its action section; padding becomes the gaps between groups.

    An existing file is only changed with `overwrite`, and then keeps its state, video and annotation sections. The
    format has no place for joint names, kinds and units, nor for a group in several runs (refused with ShapeError).
    """
    target = Path(path)
    sections: dict[str, Any] = {}
    if target.exists():
        if not overwrite:
            raise FormatError(f"{target} exists; say overwrite to replace its action section")
        sections = _load(target)
    sections["action"] = {group: _span_of(layout, group) for group in layout.groups}
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.write_text(json.dumps(sections, indent=4) + "\n", encoding="utf-8")
        scratch.replace(target)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise FormatError(f"cannot write {target}: {error.strerror}") from error
    return target


def _load(path: Path) -> dict[str, Any]:
    try:
        sections = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise FormatError(f"{path} is not JSON ({error}); expected GR00T's modality.json") from error
    if not isinstance(sections, dict):
        raise FormatError(f"{path} holds a {type(sections).__name__}, expected the sections of GR00T's modality.json")
    return sections


def _spans(path: Path) -> list[tuple[int, int, str]]:
    """(start, end, group) of the action section, by start."""
    section = _load(path).get("action")
    if not isinstance(section, dict) or not section:
        raise FormatError(f"{path} has no action section; expected action.<group>.start and .end")
    spans = []
    for group, entry in section.items():
        if not isinstance(entry, dict):
            raise FormatError(f"{path}: action.{group} is {entry!r}, expected start and end")
        if entry.get("original_key", _OWN_KEY) not in (_OWN_KEY, None):
            continue
        start, end = entry.get("start"), entry.get("end")
        if type(start) is not int or type(end) is not int or not 0 <= start < end:
            raise FormatError(f"{path}: action.{group} runs from {start!r} to {end!r}, expected 0 <= start < end")
        spans.append((start, end, group))
    if not spans:
        raise FormatError(f"{path}: every action group is of another column than {_OWN_KEY!r}; name the robot instead")
    return sorted(spans)


def _joint(span: tuple[int, int, str], column: int, names: Sequence[str] | None) -> Joint:
    start, end, group = span
    if group == "pad":
        return PAD
    own = group if end - start == 1 else f"j{column - start}"
    kind: Kind = "gripper" if "gripper" in group.lower() else "unknown"
    return Joint(own if names is None else speakable(names[column]), group, kind)


def _span_of(layout: Layout, group: str) -> dict[str, int]:
    columns = layout.columns(group)
    start, end = int(columns[0]), int(columns[-1]) + 1
    if end - start != len(columns):
        raise ShapeError(
            f"group {group!r} has {len(columns)} columns between {start} and {end}, so other groups lie within; "
            "modality.json needs one run per group: give each run a name of its own"
        )
    return {"start": start, "end": end}
