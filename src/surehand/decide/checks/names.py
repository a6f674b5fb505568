"""Do names, shapes and layout agree, with each other and with the columns they name?"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from surehand.decide.checks.words import columns, some
from surehand.decide.findings import Finding, finding
from surehand.layout import Layout


def check_names(names: Sequence[str] | None, size: int, key: str = "action") -> list[Finding]:
    """Both counts where they differ; names that appear twice."""
    if names is None:
        return []
    found = []
    if len(names) != size:
        found.append(finding("names.count", f"{len(names)} names for {size} dimensions of {key}", key))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        found.append(finding("names.duplicate", f"{some(twice)} in {key}", key))
    return found


def check_layout_size(layout: Layout | None, size: int) -> list[Finding]:
    """Both counts where layout and data differ in size."""
    if layout is None or layout.size == size:
        return []
    return [finding("names.layout", f"the layout has {layout.size} dimensions, the data {size}")]


def check_right_first(names: Sequence[str] | None, robot_type: str | None) -> list[Finding]:
    """A warning for ALOHA-like names that begin with the right arm, a note for any other robot.

    openpi's ALOHA converter lists right names over left-first columns; the same names are in public datasets.
    """
    sides = [(_side(name), i) for i, name in enumerate(names or ())]
    left, right = ([i for side, i in sides if side == wanted] for wanted in ("left", "right"))
    if not left or not right or min(right) > min(left):
        return []
    text = " ".join(names or ()).lower()
    aloha = "aloha" in (robot_type or "").lower() or ("forearm_roll" in text and "waist" in text)
    evidence = f"columns {columns(right)} are named right, {columns(left)} left"
    return [finding("names.right_first", evidence, severity="warning" if aloha else "note")]


def _side(name: str) -> str:
    word = name.lower().lstrip("k")
    if word.startswith(("left", "l_")):
        return "left"
    return "right" if word.startswith(("right", "r_")) else ""


def check_names_against_state(
    names: Sequence[str] | None, state_names: Sequence[str] | None, correlation: np.ndarray
) -> list[Finding]:
    """An error where each action column follows the state column of its index, though the names say another.

    `correlation` (D, S) of action with state. Fires at a mean of .7 by index that is .4 above the mean by name.
    """
    if names is None or state_names is None or correlation.shape[0] != len(names):
        return []
    where = {name: i for i, name in enumerate(state_names[: correlation.shape[1]])}
    moved = [i for i, name in enumerate(names) if name in where and where[name] != i and i < correlation.shape[1]]
    if not moved:
        return []
    by_name = float(np.mean([correlation[i, where[names[i]]] for i in moved]))
    by_index = float(np.mean([correlation[i, i] for i in moved]))
    if by_index < 0.7 or by_index - by_name < 0.4:
        return []
    evidence = (
        f"columns {columns(moved)}: mean correlation with the state {by_index:.2f} by index, {by_name:.2f} by name"
    )
    return [finding("names.contradict_data", evidence)]
