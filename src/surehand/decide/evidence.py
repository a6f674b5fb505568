"""What a choice rests on: errors of several checkpoints on the same frames, or a table of them without episodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SpaceError, SurehandError
from surehand.frames import ErrorTable
from surehand.measure.clusters import by_cluster
from surehand.measure.error import GroupErrors


@dataclass(frozen=True, eq=False)
class Evidence:
    """Errors per checkpoint and group, the total in the last column, and the sums per unit behind them if known."""

    checkpoints: tuple[str, ...]  # (C,)
    groups: tuple[str, ...]  # (G,)
    errors: np.ndarray  # (C, G+1) NaN in groups without a live joint
    numerators: np.ndarray | None = None  # (E, C, G+1)
    denominators: np.ndarray | None = None  # (E,) > 0
    space: str = ""
    unit: str = "episode"  # or "cluster": episodes that share a session, an initial state
    floors: Mapping[str, float] | None = None  # noise level per group, where whoever measured declared it
    phases: Mapping[str, "Evidence"] = field(default_factory=dict)  # the same within each phase, where that was kept

    @property
    def units(self) -> int:
        """Units of evidence (E); 0 for a table of errors, which supports no uncertainty."""
        return 0 if self.denominators is None else len(self.denominators)

    @property
    def live(self) -> np.ndarray:
        """True for groups that have an error (G,)."""
        return np.asarray(np.isfinite(self.errors[:, :-1]).all(axis=0))

    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Numerators (E, C, G+1) and denominators (E,); NotEnoughData without two units."""
        if self.numerators is None or self.denominators is None or self.units < 2:
            raise NotEnoughData(f"uncertainty needs at least 2 {self.unit}s, got {self.units}")
        return self.numerators, self.denominators

    def group_index(self, group: str) -> int:
        """Column of a group; SurehandError suggests the nearest name."""
        if group not in self.groups:
            near = get_close_matches(group, self.groups, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SurehandError(f"no group {group!r} among {', '.join(self.groups)}{hint}")
        index = self.groups.index(group)
        if not self.live[index]:
            raise SurehandError(f"group {group!r} has no live joint (none moves in training), so it cannot choose")
        return index


Errors = Mapping[str, GroupErrors] | ErrorTable | Evidence


def gather(errors: Errors, phase: str | None = None, cluster: np.ndarray | None = None) -> Evidence:
    """The evidence in a table or in errors per checkpoint, within one phase if named, summed by `cluster` (E,) ids.

    Raises where checkpoints were not measured on the same frames, in the same space and with the same groups.
    """
    if isinstance(errors, ErrorTable):
        if phase is not None:
            raise SurehandError(f"a table of errors has no phases, so {phase!r} cannot be looked at; give predictions")
        return _from_table(errors)
    if isinstance(errors, Evidence):
        if cluster is not None:
            raise SurehandError("these errors are already summed by unit; name clusters when measuring them")
        if phase is None:
            return errors
        if phase not in errors.phases:
            known = f"there are {', '.join(errors.phases)}" if errors.phases else "these errors are not parted by phase"
            raise SurehandError(f"no phase {phase!r} to look at: {known}; measure again with --phase for others")
        return errors.phases[phase]
    if not errors:
        raise NotEnoughData("no checkpoint to choose from; give at least one")
    _check_alike(errors)
    numerators = np.stack([one.numerators(phase) for one in errors.values()], axis=1)  # (E, C, G+1)
    first = next(iter(errors.values()))
    denominators = np.asarray(first.denominators(phase), float)
    if cluster is not None:
        if len(cluster) != len(denominators):
            raise ShapeError(f"cluster has {len(cluster)} ids for {len(denominators)} episodes")
        numerators, denominators = by_cluster(numerators, cluster), by_cluster(denominators, cluster)
    kept = denominators > 0
    if not kept.any():
        raise NotEnoughData(f"no frame to measure on{'' if phase is None else f' in phase {phase!r}'}")
    numerators, denominators = numerators[kept], denominators[kept]
    table = numerators.sum(axis=0) / denominators.sum()
    if not np.isfinite(table[:, -1]).all():
        raise NotEnoughData("no joint moves in training, so there is no total error to choose by")
    unit = "episode" if cluster is None else "cluster"
    return Evidence(tuple(errors), first.groups, table, numerators, denominators, str(first.scale), unit)


def _check_alike(errors: Mapping[str, GroupErrors]) -> None:
    """Raises naming the first checkpoint that differs from the first one, and the first episode where it does."""
    (name, first), *others = errors.items()
    episodes, counts = first.sums.episode, first.denominators()
    for other_name, other in others:
        if other.groups != first.groups:
            raise ShapeError(f"{other_name} has groups {', '.join(other.groups)}, {name} has {', '.join(first.groups)}")
        if str(other.scale) != str(first.scale) or not np.array_equal(
            other.scale.values, first.scale.values, equal_nan=True
        ):
            raise SpaceError(
                f"{other_name} is measured in {other.scale} units ({other.scale.source or 'no statistics'}), {name} in "
                f"{first.scale} ({first.scale.source or 'no statistics'}); measure both with the same statistics"
            )
        if not np.array_equal(other.dead, first.dead):
            raise ShapeError(f"{other_name} and {name} leave out different dead joints; use one set of statistics")
        theirs = dict(zip(other.sums.episode.tolist(), other.denominators().tolist(), strict=True))
        ours = dict(zip(episodes.tolist(), counts.tolist(), strict=True))
        if theirs != ours:
            episode = min(e for e in theirs.keys() | ours.keys() if theirs.get(e) != ours.get(e))
            raise ShapeError(
                f"{other_name} and {name} were not measured on the same frames: episode {episode} has "
                f"{theirs.get(episode, 0)} pairs for {other_name}, {ours.get(episode, 0)} for {name}; predict the same "
                "episodes with the same horizon"
            )


def _from_table(table: ErrorTable) -> Evidence:
    if not table.checkpoints:
        raise NotEnoughData("the table has no checkpoint to choose from")
    if table.total is not None:
        total = np.asarray(table.total, float)
    elif table.dims is not None:
        total = table.errors @ table.dims / table.dims.sum()
    else:
        raise SurehandError(
            "the table has no total: add a column `total`, or each group's joints to its heading, as arm[5]"
        )
    errors = np.column_stack([table.errors, total])
    if not np.isfinite(total).all() or (errors[np.isfinite(errors)] < 0).any():
        raise SurehandError("a table of squared errors needs finite totals and no negative numbers")
    return Evidence(table.checkpoints, table.groups, errors)
