"""Known robots: one readable pattern and its source each, and how a dataset's robot is found by evidence."""

import difflib

from surehand.exceptions import SurehandError
from surehand.layout import Layout
from surehand.robots.find import Match, find_robot
from surehand.robots.presets import OMITTED, ROBOTS, Robot

__all__ = ["OMITTED", "ROBOTS", "Match", "Robot", "UnknownRobot", "find_robot", "robot", "robots_table"]


class UnknownRobot(SurehandError):
    """No preset of that name; the message suggests the nearest."""


def robot(name: str) -> Layout:
    """The layout of a known robot; raises UnknownRobot with the nearest name, or with why a robot was left out.

    >>> robot("hsr").groups
    ('arm', 'gripper', 'head', 'base')
    """
    known = {_letters(preset): preset for preset in (*ROBOTS, *OMITTED)}
    wanted = known.get(_letters(name), name.lower())
    if wanted in ROBOTS:
        return ROBOTS[wanted].layout
    if wanted in OMITTED:
        raise UnknownRobot(f"robot {name!r} is not among the presets: {OMITTED[wanted]}; write its layout yourself")
    near = difflib.get_close_matches(wanted, ROBOTS, n=1, cutoff=0.5)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else "see `surehand robots`, or write a layout such as 'arm(j1..j7) gripper'"
    )
    raise UnknownRobot(f"no robot named {name!r}; {hint}")


def _letters(name: str) -> str:
    """SO-101, so_101 and so101 are one name."""
    return "".join(char for char in name.lower() if char.isalnum())


def robots_table() -> str:
    """All presets as a Markdown table, the omitted ones with their reason below: the text of docs/layouts.md."""
    rows = ["| robot | D | state, where it differs | layout | source | note |", "|---|---|---|---|---|---|"]
    for known in ROBOTS.values():
        state = known.state_size or ""
        rows.append(
            f"| {known.name} | {known.layout.size} | {state} | `{known.layout}` | {known.source} | {known.note} |"
        )
    left_out = [f"- **{name}**: {why}" for name, why in OMITTED.items()]
    return "\n".join([*rows, "", "Left out, and why:", "", *left_out])
