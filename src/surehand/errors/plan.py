"""What to measure and how: every choice that a number depends on, in one place, printed at the end of every page."""

from dataclasses import dataclass
from pathlib import Path

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.formats.predictions import PredictionsFile
from surehand.frames import By, Stats
from surehand.layout import Layout
from surehand.measure.scale import ErrorSpace
from surehand.splits import Split

RIVALS = ("hold", "state", "mean", "nearest")
FLOOR = 0.01  # of the best rival's error: differences below are noise level when checkpoints are compared
HORIZON = 16  # steps a rival's chunk has where no predictions say otherwise


@dataclass(frozen=True)
class Plan:
    """One evaluation's choices; the defaults are the documented ones."""

    layout: Layout
    split: Split
    robot: str = ""
    evidence: tuple[str, ...] = ()
    horizon: int = HORIZON  # where recorded predictions bring none of their own
    executed: int | None = None  # leading steps of a chunk that the robot executes; half the horizon by default
    space: ErrorSpace = "robot"
    by: By = "mean_std"  # which statistics `normalised` means
    stats: Stats | None = None  # undo the normalisation of normalised predictions
    phase: str = "auto"  # none, gripper, column:NAME, speed:NAME[:LIMIT] or distance:NAME:LIMIT; see phases.py
    rivals: tuple[str, ...] = RIVALS
    rule: str = "total"
    watch: str = ""
    weights: dict[str, float] | None = None
    model: Path | None = None  # robot model for task-space error
    site: str = ""
    cluster: str = ""  # column whose values are resampled whole: session, initial state; "" for the episode
    seed: int = 0
    draws: int = 10_000
    level: float = 0.95

    def __post_init__(self) -> None:
        unknown = [name for name in self.rivals if name not in RIVALS]
        if unknown:
            raise SurehandError(f"unknown rival {unknown[0]!r}; known: {', '.join(RIVALS)}")
        if self.horizon < 1 or (self.executed is not None and self.executed < 1):
            wrong = f"horizon {self.horizon}" if self.horizon < 1 else f"executed steps {self.executed}"
            raise ShapeError(f"{wrong}: expected at least 1")
        if not 0 < self.level < 1:
            raise SurehandError(f"level {self.level}: expected a number between 0 and 1, as 0.95")
        if self.draws < 100:
            raise SurehandError(f"resamples {self.draws}: expected at least 100, better 10000")
        if self.watch:
            self.layout.columns(self.watch)  # raises with the groups there are

    def executed_steps(self, horizon: int) -> int:
        """Steps of the executed prefix, at most the horizon."""
        return min(self.executed or -(-horizon // 2), horizon)


def common_horizon(files: list[PredictionsFile], plan: Plan) -> int:
    """The horizon all files share, or the plan's own without files; ShapeError names the two that differ."""
    if not files:
        return plan.horizon
    first = files[0]
    for file in files[1:]:
        if file.horizon != first.horizon:
            raise ShapeError(
                f"{first.path.name} predicts {first.horizon} steps, {file.path.name} {file.horizon}; "
                "compare checkpoints of one horizon"
            )
    for file in files:
        if file.dims != plan.layout.size:
            raise ShapeError(f"{file.path.name} has {file.dims} action dimensions, the layout {plan.layout.size}")
    names = [file.checkpoint for file in files]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SurehandError(f"two prediction files call their checkpoint {twice[0]!r}; give each its own name")
    return first.horizon


def require_held_out(split: Split) -> None:
    """Nothing, or NotEnoughData where no episode is held out."""
    if not split.held_out:
        raise NotEnoughData("no episodes are held out; name some with --split, --episodes or --ratio")
