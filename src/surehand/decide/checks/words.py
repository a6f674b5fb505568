"""Short phrases for evidence: lists of columns, joints and numbers that fit on a line."""

from collections.abc import Iterable, Sequence

import numpy as np


def columns(indices: Iterable[int]) -> str:
    """Indices with runs joined.

    >>> columns([7, 8, 9, 12])
    '7–9, 12'
    """
    runs: list[list[int]] = []
    for index in sorted(int(i) for i in indices):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def joint(names: Sequence[str] | None, dim: int) -> str:
    """A column's index with its name where known."""
    return f"dim {dim} ({names[dim]})" if names is not None and dim < len(names) else f"dim {dim}"


def some(items: Sequence[object], limit: int = 5) -> str:
    """The first few items, and how many more there are."""
    shown = ", ".join(str(item) for item in items[:limit])
    return f"{shown} and {len(items) - limit} more" if len(items) > limit else shown


def plural(count: int, noun: str) -> str:
    """The count with its noun.

    >>> plural(1, "episode"), plural(2000, "frame"), plural(3, "policy")
    ('1 episode', '2 000 frames', '3 policies')
    """
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}".replace(",", " ")


def worst(values: np.ndarray) -> int:
    """Index of the largest entry, NaN counted as smallest."""
    return int(np.argmax(np.nan_to_num(values, nan=-np.inf)))
