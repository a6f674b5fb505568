"""How each group's error fell over training steps, and whether what is at hand can show it."""

from collections.abc import Mapping, Sequence

import numpy as np

from surehand.decide.choice import Convergence
from surehand.decide.evidence import Evidence
from surehand.formats.checkpoint_names import parse_step, split_step

SETTLED = 0.1  # share of the fall from the first error to the best within which a group counts as settled
ENOUGH = 3  # checkpoints of one run below which there is no curve


def training_steps(checkpoints: Sequence[str], steps: Mapping[str, int] | None) -> list[int | None]:
    """Training step of each checkpoint (C): as given, else as its name says, else None."""
    return [(steps or {}).get(name, parse_step(name)) for name in checkpoints]


def convergence(evidence: Evidence, steps: Sequence[int | None]) -> tuple[dict[str, Convergence], str]:
    """Per group and total, how the error fell over the steps of one run, and a note on what that can and cannot show.

    The run with the most checkpoints is followed: names that are equal but for the step, each step once. A group has
    settled at the first step from which it stays within 10 % of its fall to the best. Neighbouring checkpoints'
    median change says how much of that is noise.
    """
    rows, note = _longest_run(evidence.checkpoints, steps)
    if len(rows) < ENOUGH:
        return {}, f"{note}; a curve needs at least {ENOUGH}"
    at = [step for step in (steps[row] for row in rows) if step is not None]
    curves = evidence.errors[rows]  # (S, G+1)
    live = [*np.flatnonzero(evidence.live), len(evidence.groups)]
    names = (*evidence.groups, "total")
    found = {names[g]: _curve(at, curves[:, g]) for g in live}
    bounce = {names[g]: _bounce(curves[:, g]) for g in live}
    changes = ", ".join(f"{group} {100 * change:.0f} %" for group, change in bounce.items())
    settled = {group: one.settled_step for group, one in found.items() if group != "total"}
    reached = {group: step for group, step in settled.items() if step is not None}
    if not reached:
        verdict = "no group stays within 10 % of its fall to its best, so the slowest cannot be told"
    else:
        verdict = "settled: " + ", ".join(f"{g} at {s}" for g, s in sorted(reached.items(), key=lambda pair: pair[1]))
        late = [group for group in settled if group not in reached]
        verdict += f"; not settled: {', '.join(late)}" if late else ""
    episodes = "" if evidence.units else "; a table without episodes, so differences in speed have no interval"
    return found, f"{note}: {verdict}; neighbouring checkpoints differ by a median of {changes}{episodes}"


def _longest_run(checkpoints: Sequence[str], steps: Sequence[int | None]) -> tuple[list[int], str]:
    """Rows of the run with the most checkpoints in order of step, and how many others were left out."""
    runs: dict[str, dict[int, int]] = {}
    for row, (name, step) in enumerate(zip(checkpoints, steps, strict=True)):
        if step is not None:
            parsed = split_step(name)
            runs.setdefault(parsed[0] if parsed[1] is not None else "", {}).setdefault(step, row)
    if not runs:
        return [], "no training steps in the checkpoints' names"
    run, members = max(runs.items(), key=lambda item: len(item[1]))
    rows = [members[step] for step in sorted(members)]
    note = f"{len(rows)} checkpoints{f' of {run!r}' if run else ''} over training steps"
    left = len(checkpoints) - len(rows)
    return rows, note + (f" ({left} of other runs or without a step left out)" if left else "")


def _curve(steps: Sequence[int], errors: np.ndarray) -> Convergence:
    best = int(np.argmin(errors))
    near = errors <= errors[best] + SETTLED * (errors[0] - errors[best])
    outside = np.flatnonzero(~near)
    settled = 0 if not len(outside) else int(outside[-1]) + 1
    note = "never better than at the first checkpoint" if best == 0 else ""
    return Convergence(
        first=float(errors[0]),
        best=float(errors[best]),
        last=float(errors[-1]),
        best_step=steps[best],
        settled_step=steps[settled] if settled < len(steps) else None,
        note=note,
    )


def _bounce(errors: np.ndarray) -> float:
    """Median relative change between neighbouring checkpoints."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.diff(np.log(errors)))
    known = change[np.isfinite(change)]
    return float(np.expm1(np.median(known))) if len(known) else float("nan")
