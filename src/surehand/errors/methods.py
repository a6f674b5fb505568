"""How the numbers were made, in words: the block that ends every page."""

from surehand.decide.choice import Choice
from surehand.errors.meter import Yardstick
from surehand.errors.phases import PhaseLabels
from surehand.errors.plan import FLOOR, Plan
from surehand.errors.record import Methods
from surehand.formats.lerobot import LeRobotFolder
from surehand.layout import Layout
from surehand.measure.resample import MANY
from surehand.measure.scale import Scale


def methods_block(
    dataset: LeRobotFolder,
    yardstick: Yardstick,
    scale: Scale,
    labels: PhaseLabels,
    skip: int,
    choice: Choice | None,
) -> Methods:
    """The methods of one evaluation, every choice named."""
    plan = yardstick.plan
    masked = "; the first frame of each episode is not scored (hold last is undefined there)" if skip else ""
    return Methods(
        split=f"{plan.split.rule}; {len(plan.split.held_out)} held out, {len(plan.split.train)} for training",
        seed=plan.seed,
        space=_space(scale),
        normalisation=_normalisation(yardstick),
        weighting="every frame and chunk step counts once; a group's error is the mean over its live joints, "
        "the total the mean over all live joints",
        unit=f"{_unit(plan)}{masked}",
        intervals=f"{100 * plan.level:g} %, whole units resampled {plan.draws:,} times and the same way for all "
        f"policies; bootstrap-t below {MANY} units (cluster-robust t within tasks where there are several), percentile "
        "from there; sets and alarms resample whole units of all tasks together",
        horizon=yardstick.horizon,
        executed=yardstick.executed,
        phases=str(labels.rule) if len(labels.rule.phases) > 1 else labels.rule.description,
        chosen=_chosen(choice),
        data=f"{dataset.root.name} ({dataset.version}), content {dataset.identity()}, "
        f"{len(dataset.episodes)} episodes, {int(dataset.lengths.sum())} frames at {dataset.fps:g} per second",
        notes=[
            f"dead joints, range and std from {yardstick.training.source}",
            f"floors: {100 * FLOOR:g} % of the best rival's error on these frames",
            *labels.notes,
        ],
    )


def unit_note(scale: Scale, layout: Layout) -> str:
    """How to read errors of this scale."""
    if scale.name == "robot":
        units = [unit for unit in dict.fromkeys(joint.unit for joint in layout.joints) if unit]
        what = f"({', '.join(units)})" if units else "the dataset's own units"
        mixed = "; joints of different units are averaged as they are, as in a plain MSE" if len(units) > 1 else ""
        return f"mean squared error in {what}²{mixed}"
    words = {"range": "its training range", "std": "its training standard deviation"}
    divisor = words.get(scale.name, f"its normaliser ({scale.by})")
    return f"mean squared error, each joint divided by {divisor}: 0.01 is an error of a tenth of that"


def _unit(plan: Plan) -> str:
    return f"episodes of one {plan.cluster} together" if plan.cluster else "the episode"


def _space(scale: Scale) -> str:
    return str(scale) if not scale.source else f"{scale}, statistics from {scale.source}"


def _normalisation(yardstick: Yardstick) -> str:
    spaces, stats = yardstick.recorded_in, yardstick.plan.stats
    if not spaces:
        return "none: no predictions, rivals alone"
    undone = [space for space in spaces if space.startswith("normalised")]
    if not undone or stats is None:
        return "none undone: predictions were recorded in robot units"
    return f"{', '.join(undone)} predictions brought to robot units with {stats.source}"


def _chosen(choice: Choice | None) -> str:
    if choice is None:
        return "no choice: fewer than two checkpoints"
    return f"rule {choice.rule}, selected from {choice.selected_from} checkpoints; every rule's pick is shown"
