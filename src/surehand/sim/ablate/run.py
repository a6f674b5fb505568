"""A whole ablation: the runs that are still missing, then the judgement on all that are there; Ctrl-C loses little."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from surehand.decide.within_run import Judgement, WithinRun
from surehand.decide.within_run_judge import judge
from surehand.exceptions import FormatError, NotEnoughData
from surehand.formats.contract import package_version
from surehand.sim.ablate.cell import CellResult, Job, run_cell
from surehand.sim.ablate.methods import methods_of
from surehand.sim.ablate.plan import Cell, Plan, Series
from surehand.sim.ablate.selectors import measured, run_of, voids
from surehand.workers import only_one, run_jobs

PLAN = "plan.json"  # beside the runs: whose they are


def run_missing(
    plan: Plan,
    out: str | os.PathLike[str],
    *,
    processes: int = 2,
    ray: bool = False,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> int:
    """How many runs were added to `out`/cells; each file is written as its run ends, and never again.

    Raises FormatError where the folder holds runs of another plan.
    """
    folder = Path(out).absolute()
    kept = folder / PLAN
    if kept.exists() and Plan.load(kept).hash() != plan.hash():
        raise FormatError(f"{kept} is another plan; choose another folder, a plan is not changed once it is run")
    read_cells(plan, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder):
        return _run_missing(plan, folder, processes, ray, progress)


def _run_missing(plan: Plan, folder: Path, processes: int, ray: bool, progress: Callable[[str, float], None]) -> int:
    jobs = [Job(plan, cell, folder) for cell in plan.cells()]
    missing = [job for job in jobs if not job.result.exists()]
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    plan.save(folder / PLAN)
    progress("runs", 1 - len(missing) / len(jobs))
    with closing(run_jobs(run_cell, missing, processes=processes, ray=ray)) as finished:
        for done, name in enumerate(finished, start=1):
            progress(name, 1 - (len(missing) - done) / len(jobs))
    return len(missing)


def read_cells(plan: Plan, out: str | os.PathLike[str]) -> dict[Cell, CellResult]:
    """The finished runs of this plan in `out`/cells, in the plan's order."""
    found = {}
    for cell in plan.cells():
        path = Path(out) / "cells" / f"{cell.name}.json"
        if path.exists():
            result = CellResult.load(path)
            if result.plan_hash != plan.hash():
                raise FormatError(
                    f"{path}: of plan {result.plan_hash}, this one is {plan.hash()}; choose another folder, a plan is "
                    "not changed once it has results"
                )
            found[cell] = result
    return found


def judge_cells(plan: Plan, out: str | os.PathLike[str]) -> WithinRun:
    """The record of all finished runs in `out`; NotEnoughData where the headline has none."""
    cells = read_cells(plan, out)
    headline, *others = [_judgement(plan, part, cells) for part in plan.parts]
    if headline is None:
        raise NotEnoughData(f"{out}: no finished run of part {plan.parts[0].name!r} yet; run the ablation first")
    return WithinRun(
        surehand=package_version(),
        title=plan.title,
        plan_hash=plan.hash(),
        tasks=plan.tasks,
        level=plan.level,
        alpha=plan.alpha,
        margin=plan.margin,
        seed=plan.seed,
        draws=plan.draws,
        headline=headline,
        others=[other for other in others if other is not None],
        warnings=_warnings(plan, list(cells.values())),
        methods=methods_of(plan, list(cells.values())),
    )


def _judgement(plan: Plan, series: Series, cells: dict[Cell, CellResult]) -> Judgement | None:
    """The judgement on one part's runs, None where none is finished."""
    results = [result for cell, result in cells.items() if cell.part == series.name]
    if not results:
        return None
    rules = [rule for rule in plan.selectors if measured(results[0], rule)]
    return judge(
        [run_of(result, rules, plan.floor) for result in results],
        [h for h in plan.hypotheses if all(measured(results[0], rule) for rule in (h.better, h.worse))],
        name=series.name,
        title=series.title,
        planned=len(series.learners) * len(series.sizes) * series.seeds,
        level=plan.level,
        alpha=plan.alpha,
        margin=plan.margin,
        draws=plan.draws,
        seed=plan.seed,
    )


def _warnings(plan: Plan, cells: Sequence[CellResult]) -> list[str]:
    """What a reader must know before believing the numbers."""
    found = []
    planned = len(list(plan.cells()))
    if len(cells) < planned:
        found.append(f"{len(cells)} of {planned} planned runs are finished: not the result of this plan yet")
    if len({tuple(sorted(cell.versions.items())) for cell in cells}) > 1:
        found.append("the runs were made by different versions of surehand, mujoco or torch")
    stopped = sum(voids(checkpoint) for cell in cells for checkpoint in cell.checkpoints)
    if stopped:
        found.append(f"{stopped} episodes stopped because the simulation diverged; they count as failed")
    return found
