"""Offline numbers of several policies, one row per metric, and what may be resampled behind them.

P policies, M metrics, E units (held-out episodes, or clusters of them), B draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.frames import ErrorTable
from surehand.measure.clusters import cluster_weights

TOTAL = "total"
BLOCK = 1 << 10  # draws whose weights are held at once


@dataclass(frozen=True, eq=False)
class Metric:
    """One offline number of every policy, and the sums behind it where whoever measured kept them."""

    name: str  # total, arm, arm@contact, arm@1, arm@executed, success
    values: np.ndarray  # (P,)
    space: str = ""
    higher: bool = False  # is better; errors are better when lower
    numerators: np.ndarray | None = None  # (E, P)
    denominators: np.ndarray | None = None  # (E,)

    @property
    def merit(self) -> np.ndarray:
        """The numbers turned so that higher is better (P,)."""
        return self.values if self.higher else -self.values

    @property
    def title(self) -> str:
        """The name, with its space where it has one."""
        return f"{self.name} ({self.space})" if self.space else self.name


@dataclass(frozen=True, eq=False)
class Offline:
    """What was measured offline: policies, metrics, and the units that all metrics share."""

    policies: tuple[str, ...]  # (P,)
    metrics: tuple[Metric, ...]  # (M,)
    units: int = 0  # (E) behind those metrics that have sums
    unit: str = "episode"
    source: str = ""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.metrics:
            raise NotEnoughData("no offline number to compare with the robot; give one with --metric")
        lengths = {len(metric.values) for metric in self.metrics}
        if lengths != {len(self.policies)}:
            raise ShapeError(f"{len(self.policies)} policies, but metrics of {sorted(lengths)} numbers")
        if len(set(self.policies)) < len(self.policies):
            twice = next(p for i, p in enumerate(self.policies) if p in self.policies[:i])
            raise SurehandError(f"policy {twice!r} appears twice offline; give each a name of its own")

    def take(self, rows: Sequence[int]) -> "Offline":
        """The same metrics of these policies alone, in this order."""
        at = list(rows)
        metrics = tuple(
            replace(m, values=m.values[at], numerators=None if m.numerators is None else m.numerators[:, at])
            for m in self.metrics
        )
        return replace(self, policies=tuple(self.policies[i] for i in at), metrics=metrics)

    def merits(self) -> np.ndarray:
        """Every metric with higher numbers better (M, P)."""
        return np.array([metric.merit for metric in self.metrics])

    def resample(self, draws: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Per metric its numbers, higher better, from units drawn anew (B, P); (1, P) where nothing can be drawn.

        All metrics and policies share each draw's weights, so that what the same episodes did to all of them cancels.
        """
        found = [metric.merit[None] for metric in self.metrics]
        able = [i for i, metric in enumerate(self.metrics) if metric.numerators is not None]
        if not able or self.units < 2:
            return found
        parts: list[list[np.ndarray]] = [[] for _ in able]
        for start in range(0, draws, BLOCK):
            weights = cluster_weights(self.units, min(BLOCK, draws - start), rng)  # (b, E)
            for part, i in zip(parts, able, strict=True):
                part.append(_weighted(self.metrics[i], weights))
        for part, i in zip(parts, able, strict=True):
            found[i] = np.concatenate(part)
        return found


def _weighted(metric: Metric, weights: np.ndarray) -> np.ndarray:
    """The metric from units counted by weights (B, E): (B, P), NaN where a draw holds none of its frames."""
    assert metric.numerators is not None and metric.denominators is not None
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (weights @ metric.numerators) / (weights @ metric.denominators)[:, None]
    return np.asarray(values if metric.higher else -values)


def offline_table(table: ErrorTable, wanted: Sequence[str] = ()) -> Offline:
    """The columns of a table of errors as metrics; without episodes behind them nothing is resampled."""
    columns = {group: table.errors[:, i] for i, group in enumerate(table.groups)}
    if table.total is not None:
        columns = {TOTAL: np.asarray(table.total, float), **columns}
    elif table.dims is not None:
        columns = {TOTAL: np.asarray(table.errors @ table.dims / table.dims.sum()), **columns}
    return offline_columns(table.checkpoints, columns, wanted=wanted, source=table.source)


def offline_columns(
    policies: Sequence[str],
    columns: Mapping[str, np.ndarray],
    *,
    higher: Sequence[str] = (),
    wanted: Sequence[str] = (),
    source: str = "",
) -> Offline:
    """Any numbers per policy as metrics; those named in `higher` are better when higher, all others when lower."""
    for name in (*wanted, *higher):
        if name not in columns:
            raise SurehandError(f"no column {name!r} in {source or 'the table'}; it has {', '.join(columns)}")
    chosen = wanted or list(columns)
    metrics = (Metric(name, np.asarray(columns[name], float), higher=name in higher) for name in dict.fromkeys(chosen))
    return Offline(tuple(policies), tuple(metrics), source=source)
