"""How two policies' trials belong together: independent samples, blocks, or pairs; the worst that void ones hide."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from surehand.decide.compare_data import Arm
from surehand.decide.comparison import Within
from surehand.exceptions import SurehandError
from surehand.formats.trial_rows import Trial
from surehand.measure.superiority import DRAWS, PRIOR, draw_distributions

Design = Literal["independent", "blocked", "paired"]
Asked = Literal["auto", "independent", "blocked", "paired"]
Blocks = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The design of one pair: the blocks of either policy's trials (N,), (M,), where they are used."""

    design: Design
    blocks: Blocks | None = None
    note: str = ""  # a warning

    @property
    def shared(self) -> list[str]:
        """Blocks that hold both policies."""
        return [] if self.blocks is None else sorted({*self.blocks[0].tolist()} & {*self.blocks[1].tolist()})

    @property
    def alone(self) -> int:
        """Trials in blocks without the other policy."""
        shared = set(self.shared)
        return sum(block not in shared for side in self.blocks or () for block in side.tolist())

    @property
    def balanced(self) -> bool:
        """Whether every block holds the two policies in the same proportion, so that it may also be ignored."""
        if self.blocks is None:
            return True
        a, b = (Counter(side.tolist()) for side in self.blocks)
        n, m = a.total(), b.total()
        return all(a[block] * m == b[block] * n for block in {*a, *b})


def arrange(a: Arm, b: Arm, asked: Asked) -> Arrangement:
    """The design that two policies' blocks show, or the one asked for; SurehandError where it cannot be."""
    if asked == "independent":
        return Arrangement("independent")
    names = f"{a.policy} and {b.policy}"
    unblocked = next((row for row in (*a.rows, *b.rows) if not row.block), None)
    if unblocked is not None:
        if asked != "auto":
            raise SurehandError(
                f"design {asked!r} needs a block for every trial; trial {unblocked.trial} of {unblocked.policy!r} has "
                "none; fill in the column, or take --design independent"
            )
        some = any(row.block for row in (*a.rows, *b.rows))
        note = f"some trials of {names} have no block: they are compared as independent samples" if some else ""
        return Arrangement("independent", note=note)
    found = Arrangement("blocked", (_labels(a.rows), _labels(b.rows)))
    if asked == "auto" and len({row.block for row in (*a.rows, *b.rows)}) < 2:
        return Arrangement("independent")
    if not found.shared:
        if asked != "auto":
            raise SurehandError(f"design {asked!r}: no block holds both {names}; take --design independent")
        note = f"{names} have no block in common: they are compared as independent samples, not run side by side"
        return Arrangement("independent", note=note)
    several = _several(found)
    if asked == "paired" and several:
        raise SurehandError(f"design 'paired': block {several!r} holds a policy more than once; take --design blocked")
    return found if several or asked == "blocked" else replace(found, design="paired")


def _several(arrangement: Arrangement) -> str:
    """The first block that holds one policy more than once, or "" where none does."""
    return min(
        (block for side in arrangement.blocks or () for block, n in Counter(side.tolist()).items() if n > 1), default=""
    )


def _labels(rows: Iterable[Trial]) -> np.ndarray:
    return np.array([row.block for row in rows], str)


def worst_case(
    first: Arm, second: Arm, arrangement: Arrangement, low: float, high: float
) -> tuple[Arm, Arm, Arrangement]:
    """The arms had every void trial of the first failed and every one of the second succeeded.

    In a paired design the void trial stands in for the one that was run again in its place, so that pairs stay pairs.
    """
    if arrangement.blocks is None:
        bad = (
            replace(arm, values=np.append(arm.values, [value] * len(arm.void)), success=None)
            for arm, value in ((first, low), (second, high))
        )
        return next(bad), next(bad), arrangement
    (one, left), (two, right) = (
        _with_void(arm, blocks, value, arrangement.design == "paired")
        for arm, blocks, value in zip((first, second), arrangement.blocks, (low, high), strict=True)
    )
    return one, two, replace(arrangement, blocks=(left, right))


def _with_void(arm: Arm, blocks: np.ndarray, value: float, in_place: bool) -> tuple[Arm, np.ndarray]:
    """The arm with its void trials at this value, and the blocks of all of them."""
    values, void = arm.values.copy(), list(arm.void)
    if in_place:
        once = {row.block: row for row in void}
        values[np.isin(blocks, list(once))] = value
        void = [row for block, row in once.items() if block not in set(blocks.tolist())]
    more = np.append(blocks, _labels(void)) if void else blocks
    return replace(arm, values=np.append(values, [value] * len(void)), success=None), more


def signs(first: Arm, second: Arm, arrangement: Arrangement) -> tuple[int, int, int]:
    """Blocks won, lost and tied by the first policy, by the match-ups inside each."""
    gaps = np.subtract(*_inside(first, second, arrangement))
    return int((gaps > 0).sum()), int((gaps < 0).sum()), int((gaps == 0).sum())


def within(first: Arm, second: Arm, arrangement: Arrangement, level: float, rng: np.random.Generator) -> Within | None:
    """Match-ups inside blocks; limits for pairs, from the posterior of blocks won, lost and tied under Dirichlet(½)."""
    if arrangement.blocks is None:
        return None
    won, lost = _inside(first, second, arrangement)
    wins, losses = float(won.mean()), float(lost.mean())
    low = high = float("nan")
    if arrangement.design == "paired":
        drawn = draw_distributions(np.array(signs(first, second, arrangement)), PRIOR, DRAWS, rng)
        low, high = np.quantile(drawn[:, 0] + drawn[:, 2] / 2, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Within(
        blocks=len(won),
        alone=arrangement.alone,
        wins=wins,
        losses=losses,
        ties=1 - wins - losses,
        win_rate=(1 + wins - losses) / 2,
        low=low,
        high=high,
    )


def _inside(first: Arm, second: Arm, arrangement: Arrangement) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the match-ups won and lost (S,) in each of the S blocks that hold both."""
    shared = np.array(arrangement.shared, str)
    if arrangement.blocks is None or not len(shared):
        return np.empty(0), np.empty(0)
    levels = np.unique(np.concatenate([first.values, second.values]))
    counts = []
    for arm, blocks in zip((first, second), arrangement.blocks, strict=True):
        kept = np.isin(blocks, shared)
        table = np.zeros((len(shared), len(levels)))
        np.add.at(table, (np.searchsorted(shared, blocks[kept]), np.searchsorted(levels, arm.values[kept])), 1)
        counts.append(table)
    a, b = counts  # (S, L) trials at each level
    pairs = a.sum(axis=1) * b.sum(axis=1)
    return (a * (np.cumsum(b, axis=1) - b)).sum(axis=1) / pairs, (b * (np.cumsum(a, axis=1) - a)).sum(axis=1) / pairs
