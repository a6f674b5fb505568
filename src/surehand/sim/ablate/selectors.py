"""Every rule's value for the checkpoints of a finished run: the lowest one is chosen."""

from collections.abc import Sequence

import numpy as np

from surehand.decide.selectors import LAST, RANDOM, TOOL, TRAIN, VALIDATION, Selector
from surehand.decide.within_run_judge import Run
from surehand.exceptions import SurehandError
from surehand.sim.ablate.cell import CellResult, CheckpointResult, Outcome

MINIMAX = "minimax"


def run_of(cell: CellResult, rules: Sequence[str], floor: float) -> Run:
    """A finished run as the judgement takes it; rules of groups that this robot lacks are left out."""
    checkpoints = cell.checkpoints
    known = {rule: Selector.parse(rule) for rule in rules if rule != RANDOM and measured(cell, rule)}
    return Run(
        name=cell.name,
        learner=cell.learner,
        size=cell.size,
        seed=cell.seed,
        step=np.array([c.step for c in checkpoints]),
        selection=np.array([_success(c.selection) for c in checkpoints]),
        score=np.array([_success(c.score) for c in checkpoints]),
        values={rule: _values(cell, chosen, floor) for rule, chosen in known.items()},
    )


def measured(cell: CellResult, rule: str) -> bool:
    """Whether this robot has what the rule needs."""
    chosen = Selector.parse(rule)
    return not chosen.column or chosen.column == MINIMAX or chosen.column in [*_groups(cell, chosen.space), "total"]


def _values(cell: CellResult, rule: Selector, floor: float) -> np.ndarray:
    """The rule's value of each checkpoint (C,)."""
    if rule.column == MINIMAX:
        return minimax(cell, rule.space, floor)
    if rule.column:
        key = f"{rule.column}@{rule.part}" if rule.part else rule.column
        return np.array([c.errors[rule.space][key] for c in cell.checkpoints])
    reads = {
        TOOL: lambda c: c.tool_position,
        VALIDATION: lambda c: c.validation_loss,
        TRAIN: lambda c: c.train_loss,
        LAST: lambda c: -c.step,
    }
    return np.array([float(reads[rule.name](c)) for c in cell.checkpoints])


def minimax(cell: CellResult, space: str, floor: float) -> np.ndarray:
    """Largest (err_g + f_g)/(best_g + f_g) over the groups g, of each checkpoint (C,).

    f_g is the share `floor` of the error of always answering the mean action: below it an error is noise level.
    """
    groups = _groups(cell, space)
    errors = np.array([[c.errors[space][g] for g in groups] for c in cell.checkpoints])  # (C, G)
    lift = floor * np.array([cell.mean_action[space][g] for g in groups])
    return np.asarray(((errors + lift) / (errors.min(axis=0) + lift)).max(axis=1))


def _groups(cell: CellResult, space: str) -> list[str]:
    return [name for name in cell.mean_action[space] if "@" not in name and name != "total"]


def _success(outcomes: dict[str, Outcome]) -> float:
    """Share of successes over all tasks; every task has as many episodes."""
    episodes = sum(o.episodes for o in outcomes.values())
    if not episodes:
        raise SurehandError("a finished run without episodes; remove its file and run the ablation again")
    return sum(o.successes for o in outcomes.values()) / episodes


def voids(checkpoint: CheckpointResult) -> int:
    """Episodes of a checkpoint in which the simulation diverged."""
    return sum(o.void for o in [*checkpoint.selection.values(), *checkpoint.score.values()])
