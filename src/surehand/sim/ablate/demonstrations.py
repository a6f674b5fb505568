"""The demonstrations of one run: those it learns from and those it is measured on."""

from pathlib import Path

from surehand.exceptions import SurehandError
from surehand.formats.lerobot import open_lerobot
from surehand.frames import Actions
from surehand.sim.ablate.errors import DISTANCE
from surehand.sim.ablate.plan import MOST_CELLS, Cell, Plan
from surehand.sim.follow import Variation
from surehand.sim.observation import ENVIRONMENT
from surehand.sim.record import Recipe, record
from surehand.sim.robot import body as find_body
from surehand.sim.rollout import rollout_scenes
from surehand.sim.tasks import task as find_task

# Seeds of demonstrations and held-out ones are blocks of as many as there are runs: 0, then 1; the rest are in reserve.
SEED_BLOCKS = (0, 2, 3, 4)


def demonstrations(plan: Plan, cell: Cell, scratch: Path) -> tuple[int, Actions]:
    """Seed and frames of the demonstrations to learn from: the first seed whose instructions are all that will be told.

    A learner knows the instructions it was shown and no others; among few demonstrations one may be missing.
    """
    told = _instructions(plan, cell)
    for block in SEED_BLOCKS:
        seed = block * MOST_CELLS + cell.number
        recorded = _record(plan, cell, cell.size, seed, scratch / f"train-{block}")
        if told <= set(recorded.tasks):
            return seed, recorded
    raise SurehandError(
        f"run {cell.name}: {cell.size} demonstrations never held all {len(told)} instructions; plan with more of them"
    )


def held_out_demonstrations(plan: Plan, cell: Cell, scratch: Path) -> Actions:
    """Demonstrations that the run does not learn from: its errors are measured on them."""
    return _record(plan, cell, plan.held_out, MOST_CELLS + cell.number, scratch / "held-out")


def _instructions(plan: Plan, cell: Cell) -> set[str]:
    """Everything that the run's episodes will tell the policy."""
    return {
        find_task(task).draw(find_body(cell.body), scene).instruction
        for task in plan.tasks
        for seed in (cell.number, MOST_CELLS + cell.number)
        for scene in rollout_scenes(seed, max(plan.selection_episodes, plan.score_episodes))
    }


def _record(plan: Plan, cell: Cell, episodes: int, seed: int, folder: Path) -> Actions:
    """Demonstrations of the expert, recorded now or by an earlier attempt at the same run."""
    recipe = Recipe(tuple(plan.tasks), episodes, cell.body, seed, Variation(nudges=cell.nudges))
    if not (folder / "meta" / "sim.json").exists():
        record(recipe, folder)
    return open_lerobot(folder).read(columns=[ENVIRONMENT, DISTANCE])
