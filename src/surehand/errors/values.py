"""Sums become values: errors with intervals over whole units, and what is undefined said to be so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surehand.errors.meter import Meter, Yardstick
from surehand.errors.plan import Plan
from surehand.errors.record import Value
from surehand.measure.clusters import by_cluster, pool_strata
from surehand.measure.error import GroupErrors
from surehand.measure.resample import ratio_interval, unit_warnings
from surehand.measure.scale import Scale


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What all policies of one record share while their sums become values."""

    yardstick: Yardstick
    scale: Scale
    task: Mapping[int, int]  # episode -> its task
    cluster: Mapping[int, str]  # episode -> what was sampled anew with it; empty where that is the episode

    @property
    def plan(self) -> Plan:
        """What was measured and how."""
        return self.yardstick.plan

    def errors(self, meter: Meter) -> GroupErrors:
        """Errors of one policy in the record's space."""
        return GroupErrors(meter.sums, self.plan.layout, self.scale, self.yardstick.dead)

    def rng(self) -> np.random.Generator:
        """The same generator for every interval: policies and groups share their resamples."""
        return np.random.default_rng(self.plan.seed)

    def units(self, episodes: np.ndarray) -> np.ndarray | None:
        """Cluster of each episode (E,), None where the episode itself is the unit."""
        return np.array([self.cluster[int(e)] for e in episodes]) if self.cluster else None

    def by_unit(self, episodes: np.ndarray, *sums: np.ndarray) -> list[np.ndarray]:
        """Sums per episode (E, ...) added up within each unit."""
        units = self.units(episodes)
        return list(sums) if units is None else [by_cluster(one, units) for one in sums]

    def strata(self, episodes: np.ndarray) -> np.ndarray | None:
        """Task of each episode (E,), within which it is resampled; None for one task, or where units cross tasks."""
        tasks = np.array([self.task[int(e)] for e in episodes])
        return tasks if not self.cluster and len(np.unique(tasks)) > 1 else None

    def values(self, names: Sequence[str], episodes: np.ndarray, num: np.ndarray, den: np.ndarray) -> dict[str, Value]:
        """Σnum/Σden per name, with its interval, from sums (E, C) and counts (E,) per episode."""
        num, den = self.by_unit(episodes, num, den)
        count = den.sum()
        value = num.sum(axis=0) / count if count else np.full(num.shape[1], np.nan)
        plan, strata = self.plan, self.strata(episodes)
        interval = ratio_interval(num, den, level=plan.level, rng=self.rng(), strata=strata, draws=plan.draws)
        rows = zip(names, value, interval.low, interval.high, strict=True)
        return {name: Value(value=v, low=low, high=high) for name, v, low, high in rows}

    def warnings(self, episodes: np.ndarray) -> list[str]:
        """What few units, and tasks of a single episode, mean for the intervals."""
        units, strata = self.units(episodes), self.strata(episodes)
        count = len(episodes) if units is None else len(np.unique(units))
        found = list(unit_warnings(count, self.plan.cluster or "episodes"))
        pooled = 0 if strata is None else pool_strata(strata)[1]
        if strata is not None and pooled:
            found.append(
                f"{pooled} of {len(np.unique(strata))} tasks have a single held-out episode: intervals resample these "
                "episodes together, not within their task"
            )
        return found


def undefined(share: Evaluation, meter: Meter) -> dict[str, str]:
    """Groups (and the total) that this policy has no opinion on, with the reason."""
    layout = share.plan.layout
    missing = meter.undefined & ~share.yardstick.dead
    found = {
        group: f"undefined: {meter.name} has no value for {', '.join(layout.names[i] for i in columns if missing[i])}"
        for group, columns in ((group, layout.columns(group)) for group in layout.groups)
        if missing[columns].any()
    }
    if found:
        found["total"] = f"undefined: {meter.name} has no total without {', '.join(found)}"
    return found
