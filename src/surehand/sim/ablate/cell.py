"""One run of an ablation: demonstrations, training, errors, closed-loop success; its result is one small JSON file."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from surehand.formats.contract import package_version
from surehand.formats.predictions import read_predictions
from surehand.formats.records import Number, Part, Record, read_json, write_text
from surehand.frames import Actions
from surehand.policies.protocol import Policy
from surehand.sim.ablate.demonstrations import demonstrations, held_out_demonstrations
from surehand.sim.ablate.errors import Ruler, Table
from surehand.sim.ablate.plan import MOST_CELLS, Cell, Plan
from surehand.sim.learners import load_policy
from surehand.sim.learners.settings import Training
from surehand.sim.learners.train import Trained, train
from surehand.sim.robot import body as find_body
from surehand.sim.rollout import play, rollout_scenes


class Outcome(Part):
    """Episodes of one task. One that had to stop because the simulation diverged counts as failed."""

    successes: int
    episodes: int
    void: int = 0


class CheckpointResult(Part):
    """What was measured of one checkpoint."""

    step: int
    train_loss: Number
    validation_loss: Number
    errors: dict[str, dict[str, Number]]  # space -> column, with @near or @first -> mean squared error
    tool_position: Number  # m, at the last executed step
    selection: dict[str, Outcome]  # task ->
    score: dict[str, Outcome]


class CellResult(Record):
    """One finished run."""

    kind: str = "ablation-cell"

    name: str
    number: int
    demonstrations_seed: int
    body: str
    nudges: bool
    learner: str
    size: int
    seed: int
    plan_hash: str
    versions: dict[str, str]
    mean_action: dict[str, dict[str, Number]]  # errors of always answering the mean training action
    checkpoints: list[CheckpointResult]
    seconds: dict[str, float]  # per stage, for information


@dataclass(frozen=True)
class Job:
    """What a worker is given."""

    plan: Plan
    cell: Cell
    out: Path

    @property
    def result(self) -> Path:
        """Where the finished run is written."""
        return self.out / "cells" / f"{self.cell.name}.json"

    @property
    def scratch(self) -> Path:
        """Where it works until then."""
        return self.out / "work" / self.cell.name


def run_cell(job: Job) -> str:
    """The name of the run, which is then in its file. An interrupted one goes on with the checkpoint it was at."""
    import torch

    torch.set_num_threads(1)  # runs stand side by side, one core each
    clock = _Clock()
    plan, cell = job.plan, job.cell
    scratch = job.scratch
    scratch.mkdir(parents=True, exist_ok=True)
    seed, recorded = demonstrations(plan, cell, scratch)
    held_out = held_out_demonstrations(plan, cell, scratch)
    clock.stop("demonstrations")
    trained = _train(plan, cell, recorded, held_out, scratch / "run")
    clock.stop("training")
    ruler = Ruler.of(recorded, held_out, find_body(cell.body), plan.near, plan.execute, scratch)
    measured = [read_predictions(_predictions(trained.path, cell.learner, int(step))) for step in trained.steps]
    errors = [ruler.measure(found) for found in measured]
    clock.stop("errors")
    checkpoints = [_judge(job, trained, i, *found) for i, found in enumerate(errors)]
    clock.stop("episodes")
    CellResult(
        surehand=package_version(),
        name=cell.name,
        number=cell.number,
        demonstrations_seed=seed,
        body=cell.body,
        nudges=cell.nudges,
        learner=cell.learner,
        size=cell.size,
        seed=cell.seed,
        plan_hash=plan.hash(),
        versions=versions(),
        mean_action=ruler.mean_action(measured[0]),
        checkpoints=checkpoints,
        seconds=clock.seconds,
    ).save(job.result)
    shutil.rmtree(scratch)
    return cell.name


def versions() -> dict[str, str]:
    """What the numbers of a run hold for."""
    import mujoco
    import torch

    return {"surehand": package_version(), "mujoco": str(mujoco.__version__), "torch": str(torch.__version__)}


def _train(plan: Plan, cell: Cell, recorded: Actions, held_out: Actions, folder: Path) -> Trained:
    chosen = plan.learners[cell.learner]
    recipe = Training(
        learner=cell.learner,  # type: ignore[arg-type]  # checked by Training, as the options are
        steps=chosen.checkpoints[-1],
        checkpoints=tuple(chosen.checkpoints),
        seed=cell.number,
        horizon=plan.horizon,
        **chosen.options,  # type: ignore[arg-type]
    )
    return train(recipe, recorded, held_out, folder, layout=find_body(cell.body).layout)


def _predictions(run: Path, learner: str, step: int) -> Path:
    return run / "predictions" / f"{learner}-{step:06d}.parquet"


def _judge(job: Job, trained: Trained, at: int, errors: Table, tool: float) -> CheckpointResult:
    """One checkpoint's numbers; its episodes of either kind are the same scenes for every checkpoint of the run."""
    plan, cell, step = job.plan, job.cell, int(trained.steps[at])
    kept = job.scratch / f"checkpoint-{step:06d}.json"
    if kept.exists():
        return CheckpointResult.model_validate(read_json(kept))
    policy = load_policy(trained.checkpoint(step))
    result = CheckpointResult(
        step=step,
        train_loss=float(trained.train_loss[at]),
        validation_loss=float(trained.validation_loss[at]),
        errors=errors,
        tool_position=tool,
        selection=_episodes(plan, cell, policy, plan.selection_episodes, cell.number),
        score=_episodes(plan, cell, policy, plan.score_episodes, MOST_CELLS + cell.number),
    )
    write_text(kept, result.model_dump_json())
    return result


def _episodes(plan: Plan, cell: Cell, policy: Policy, episodes: int, seed: int) -> dict[str, Outcome]:
    each = episodes // len(plan.tasks)
    found = {}
    for task in plan.tasks:
        played = play(policy, task, cell.body, rollout_scenes(seed, each), execute=plan.execute)
        found[task] = Outcome(
            successes=sum(e.success for e in played), episodes=each, void=sum(bool(e.void) for e in played)
        )
    return found


class _Clock:
    """Seconds per stage."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now, self._last = now, now()
        self.seconds: dict[str, float] = {}

    def stop(self, stage: str) -> None:
        """The time since the last call belongs to this stage."""
        now = self._now()
        self.seconds[stage] = round(now - self._last, 1)
        self._last = now
