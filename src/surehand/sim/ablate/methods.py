"""The block that ends the page of an ablation: how its numbers were made."""

from collections.abc import Sequence

from surehand.sim.ablate.cell import CellResult
from surehand.sim.ablate.plan import Plan, Series


def methods_of(plan: Plan, cells: Sequence[CellResult]) -> dict[str, str]:
    """Name -> text of everything a reader needs to repeat or doubt the numbers."""
    hours = sum(sum(cell.seconds.values()) for cell in cells) / 3600
    return {
        "Plan": f"{plan.hash()}, written before the first run; {'; '.join(map(_series, plan.parts))}",
        "Tasks": f"{', '.join(plan.tasks)}: success is the share over all of them, as many episodes each",
        "Unit": "the training run. Every run has demonstrations, held-out demonstrations, selection and score episodes "
        "and a training seed of its own; no scene occurs twice",
        "Demonstrations": f"by the scripted expert; {plan.held_out} further ones, recorded alike, are held out",
        "Training": "; ".join(f"{name}: {_learner(plan, name)}" for name in plan.learners),
        "Errors": f"mean squared error of predicted chunks of {plan.horizon} steps on every held-out frame, in robot "
        "units, and divided by the standard deviation of the run's own demonstrations; joints that never move are left "
        "out; a policy that draws is measured by the chunk it would carry out",
        "Near contact": f"recorded tool less than {100 * plan.near:.0f} cm from the object's centre at the target step",
        "Tool position": f"distance between predicted and recorded tool at step {plan.execute} of the chunk",
        "Minimax": f"largest ratio to the best checkpoint over the groups, with a floor of {100 * plan.floor:.0f} % of "
        "the error of always answering the mean action",
        "Success": f"closed loop, {plan.execute} of {plan.horizon} steps executed; {plan.selection_episodes} episodes "
        f"per checkpoint name the best one, {plan.score_episodes} others judge the picks, the same scenes for every "
        "checkpoint of a run; an episode whose simulation diverges counts as failed",
        "Regret": "score success of the best checkpoint (by selection episodes) − score success of the pick; it can be "
        "negative. Checkpoints that a rule cannot tell apart count as one drawn among them",
        "Rank agreement": "Kendall's τ_b of −value and score success within a run; undefined where either is constant; "
        "partial: with the training step held fixed",
        "Intervals": f"{100 * plan.level:.0f} % t over runs. Where few runs are far off and most are not, 5 of them "
        "cover less than they claim (see docs/within-run.md)",
        "Tests": f"two-sided sign flips over runs (enumerated up to 20, else {plan.draws:,} draws, seed {plan.seed}), "
        f"Holm over all comparisons of a part; α {plan.alpha:g}; differences below {plan.margin:g} do not matter",
        "Computed in": f"{hours:.1f} hours, runs added up; {_versions(cells)}",
    }


def _series(series: Series) -> str:
    sizes = " and ".join(map(str, series.sizes))
    pushed = "pushed off course, the action corrects it" if series.nudges else "not pushed"
    learners = ", ".join(series.learners)
    return f"{series.title}: {learners} × {sizes} demonstrations ({pushed}) × {series.seeds} seeds"


def _learner(plan: Plan, name: str) -> str:
    chosen = plan.learners[name]
    options = "".join(f", {key} {value:g}" for key, value in chosen.options.items())
    return f"checkpoints at steps {', '.join(map(str, chosen.checkpoints))}{options}"


def _versions(cells: Sequence[CellResult]) -> str:
    versions = {f"{name} {number}" for cell in cells for name, number in cell.versions.items()}
    return ", ".join(sorted(versions))
