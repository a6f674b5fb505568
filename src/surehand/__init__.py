"""surehand: know which checkpoint to deploy, and when the robot should not move.

The front door: the names a user types. Importing it needs numpy alone; what a name needs beyond that is loaded when
the name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from surehand.exceptions import SurehandError
from surehand.frames import Actions, Pairs, Predictions, Round, Samples, Space, Stats
from surehand.layout import Layout

if TYPE_CHECKING:
    from surehand.align import pair
    from surehand.decide.compare import compare_trials
    from surehand.decide.doctor import examine
    from surehand.decide.select import select_checkpoint
    from surehand.errors.offline import agree
    from surehand.errors.plan import Plan
    from surehand.errors.run import measure_errors
    from surehand.formats.lerobot import open_lerobot, read_lerobot
    from surehand.formats.predictions import open_predictions, read_predictions, write_predictions
    from surehand.formats.tables import read_error_table
    from surehand.formats.trials import read_trials
    from surehand.measure.error import group_error
    from surehand.opening import open_policy, predict
    from surehand.predictions.plan import PredictPlan
    from surehand.report import write_report
    from surehand.robots import robot

__version__ = "0.1.0"

_LAZY = {
    "Plan": "surehand.errors.plan",
    "PredictPlan": "surehand.predictions.plan",
    "agree": "surehand.errors.offline",
    "compare_trials": "surehand.decide.compare",
    "examine": "surehand.decide.doctor",
    "group_error": "surehand.measure.error",
    "measure_errors": "surehand.errors.run",
    "open_lerobot": "surehand.formats.lerobot",
    "open_policy": "surehand.opening",
    "open_predictions": "surehand.formats.predictions",
    "pair": "surehand.align",
    "predict": "surehand.opening",
    "read_error_table": "surehand.formats.tables",
    "read_lerobot": "surehand.formats.lerobot",
    "read_predictions": "surehand.formats.predictions",
    "read_trials": "surehand.formats.trials",
    "robot": "surehand.robots",
    "select_checkpoint": "surehand.decide.select",
    "write_predictions": "surehand.formats.predictions",
    "write_report": "surehand.report",
}

__all__ = [
    "Actions",
    "Layout",
    "Pairs",
    "Plan",
    "PredictPlan",
    "Predictions",
    "Round",
    "Samples",
    "Space",
    "Stats",
    "SurehandError",
    "__version__",
    "agree",
    "compare_trials",
    "examine",
    "group_error",
    "measure_errors",
    "open_lerobot",
    "open_policy",
    "open_predictions",
    "pair",
    "predict",
    "read_error_table",
    "read_lerobot",
    "read_predictions",
    "read_trials",
    "robot",
    "select_checkpoint",
    "write_predictions",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'surehand' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
