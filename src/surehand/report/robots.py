"""Known robots on a terminal, and which one fits a dataset."""

import json
from typing import TYPE_CHECKING

from surehand.layout import Layout
from surehand.report.columns import print_table
from surehand.report.tables import Table
from surehand.robots import OMITTED, ROBOTS, Match, robot

if TYPE_CHECKING:
    from rich.console import Console


def print_robots(console: "Console") -> None:
    """All presets with their groups; what was left out and why."""
    rows = tuple((known.name, known.layout.size, _groups(known.layout)) for known in ROBOTS.values())
    print_table(Table("robots", "Known robots", ("robot", "dims", "groups"), rows), console)
    for name, why in OMITTED.items():
        console.print(f"left out: {name}: {why}", style="dim", markup=False)


def print_robot(name: str, console: "Console") -> None:
    """One robot in full: its pattern, source and note. Raises UnknownRobot with the nearest name."""
    layout = robot(name)
    console.print(str(layout), markup=False, soft_wrap=True)
    for known in ROBOTS.values():
        if known.layout is layout:
            console.print(f"source: {known.source}", style="dim", markup=False)
            if known.note:
                console.print(f"note: {known.note}", style="dim", markup=False)


def print_match(match: Match, console: "Console") -> None:
    """The layout found for a dataset and the evidence for it."""
    console.print(f"{match.robot or 'no known robot'}", style="bold", markup=False)
    console.print(str(match.layout), markup=False, soft_wrap=True)
    for line in match.evidence:
        console.print(f"- {line}", markup=False)
    if match.candidates:
        console.print(f"might also be: {', '.join(match.candidates)}", style="dim", markup=False)


def robots_json() -> str:
    """All presets as JSON."""
    return json.dumps([_facts(name, known.layout, known.source) for name, known in ROBOTS.items()], indent=1)


def match_json(match: Match) -> str:
    """A match as JSON."""
    facts = {"robot": match.robot, "layout": str(match.layout), "evidence": match.evidence}
    return json.dumps({**facts, "candidates": match.candidates}, indent=1)


def _facts(name: str, layout: Layout, source: str) -> dict[str, object]:
    return {"robot": name, "dims": layout.size, "layout": str(layout), "source": source}


def _groups(layout: Layout) -> str:
    return " ".join(f"{group}({len(layout.columns(group))})" for group in layout.groups)
