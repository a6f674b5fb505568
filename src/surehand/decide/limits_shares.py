"""What share of expert episodes and steps a set of limits calls violations; what one limit for all tasks does to it.

N steps, E episodes, T tasks, P phases, S signals. Everything here points upwards: minima come negated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surehand.decide.limits_record import ALL, UPWARDS, Judged, Share, Signal, SweepPoint
from surehand.measure.peaks import beyond, flag_episodes
from surehand.measure.success import clopper_pearson
from surehand.measure.tolerance import order_limit

SWEPT = 20  # limits per signal
What = Literal["per task and phase", "one for all", "lowest for all", "proposed"]


@dataclass(frozen=True, eq=False)
class Steps:
    """Expert steps as limits meet them: values (N, S), phase and episode (N,), task (E,) as indices."""

    values: np.ndarray
    phase: np.ndarray
    episode: np.ndarray
    task: np.ndarray
    tasks: tuple[str, ...]
    phases: tuple[str, ...]
    signals: tuple[Signal, ...]


def judge_limits(
    steps: Steps,
    peaks: np.ndarray,
    limits: np.ndarray,
    proposed: Sequence[tuple[int, float]],
    content: float,
    each: float,
) -> list[Judged]:
    """Every signal's limits per task and phase (T, P, S), the usual two limits for all, and the proposed ones.

    `peaks` (E, P, S) are those that set the limits; `steps` those that are judged, which may be others.
    """
    found = []
    visited = np.zeros((len(steps.task), len(steps.phases)), bool)
    visited[steps.episode, steps.phase] = True
    allowed = (1 - content) * float(visited.sum()) / max(len(visited), 1)
    for s, signal in enumerate(steps.signals):
        own = limits[:, :, s]
        base = _judge("per task and phase", steps, s, own, math.nan, allowed)
        complete = not np.isnan(own[steps.task[steps.episode], steps.phase]).any()
        rows = [base] if complete else []
        tries: list[tuple[What, float]] = []
        tasks = _of_tasks(own)
        if np.nanmax(own, initial=-np.inf) > np.nanmin(own, initial=np.inf):
            tries.append(("one for all", order_limit(peaks[:, :, s].max(axis=1), content, each).value))
        if np.isfinite(tasks).sum() > 1:
            tries.append(("lowest for all", float(np.nanmin(tasks))))
        tries += [("proposed", value * UPWARDS[signal.side]) for at, value in proposed if at == s]
        for what, limit in tries:
            if not math.isnan(limit):
                one = _judge(what, steps, s, np.full(own.shape, limit), limit, allowed)
                rows.append(_compared(one, base if complete else None, own, limit, steps))
        found += rows
    return found


def sweep_limits(steps: Steps, peaks: np.ndarray) -> list[SweepPoint]:
    """Shares flagged by one limit for all, from below most peaks to above the worst; `peaks` (E, P, S) of the steps."""
    found = []
    for s, signal in enumerate(steps.signals):
        worst = peaks[:, :, s].max(axis=1)
        values = np.sort(steps.values[:, s])
        low, high = float(np.quantile(worst, 0.05)), float(worst.max())
        for limit in _round(low - 0.1 * (high - low), high + 0.05 * (high - low)):
            over = worst > limit
            by_task = [
                float(over[steps.task == t].mean()) if (steps.task == t).any() else 0.0 for t in range(len(steps.tasks))
            ]
            at = int(np.argmax(by_task))
            found.append(
                SweepPoint(
                    signal=signal.name,
                    limit=limit * UPWARDS[signal.side],
                    episodes=float(over.mean()),
                    steps=1 - float(np.searchsorted(values, limit, side="right")) / len(values),
                    worst_task=steps.tasks[at],
                    worst=by_task[at],
                )
            )
    return found


def _round(low: float, high: float) -> list[float]:
    """About 20 round numbers from low to high."""
    if not high > low:
        return [low]
    rough = (high - low) / SWEPT
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [float(f"{i * step:.12g}") for i in range(math.ceil(low / step), math.ceil(high / step) + 1)]


def _judge(what: What, steps: Steps, s: int, limits: np.ndarray, limit: float, allowed: float) -> Judged:
    """The shares that limits (T, P) on signal s flag."""
    broken = beyond(steps.values[:, s], limits[steps.task[steps.episode], steps.phase])
    flagged = flag_episodes(broken, steps.episode, len(steps.task))
    shares = [_share(ALL, flagged, broken)]
    if len(steps.tasks) > 1:
        for t, name in enumerate(steps.tasks):
            if (steps.task == t).any():
                shares.append(_share(name, flagged[steps.task == t], broken[steps.task[steps.episode] == t]))
    signal = steps.signals[s]
    return Judged(what=what, signal=signal.name, limit=limit * UPWARDS[signal.side], shares=shares, allowed=allowed)


def _share(task: str, flagged: np.ndarray, broken: np.ndarray) -> Share:
    k, n = int(flagged.sum()), len(flagged)
    low, high = clopper_pearson(k, n)
    return Share(
        task=task,
        episodes=n,
        flagged=k,
        share=k / n,
        low=low,
        high=high,
        steps=len(broken),
        steps_flagged=int(broken.sum()),
    )


def _of_tasks(own: np.ndarray) -> np.ndarray:
    """The widest limit of each task (T,) over its phases, from (T, P); NaN where it has none, or never feels any."""
    widest = np.where(np.isnan(own), -np.inf, own).max(axis=1)
    return np.asarray(np.where((widest == 0) | np.isinf(widest), np.nan, widest))


def _compared(one: Judged, base: Judged | None, own: np.ndarray, limit: float, steps: Steps) -> Judged:
    """The same with its inflation over limits per task and phase, and how far above the gentlest task's it lies."""
    inflation = math.nan
    if base is not None and base.shares[0].flagged:
        inflation = one.shares[0].flagged / base.shares[0].flagged
    slack, where, tasks = math.nan, "", _of_tasks(own)
    if np.isfinite(tasks).sum() > 1 and np.nanmin(tasks) > 0:
        gentlest = int(np.nanargmin(tasks))
        slack, where = limit / float(tasks[gentlest]), steps.tasks[gentlest]
    return one.model_copy(update={"inflation": inflation, "slack": slack, "gentlest": where})
