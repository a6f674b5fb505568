"""Any policy by its address, and predictions of any: where surehand's own learners meet everything else.

Only a checkpoint of `surehand sim train` loads the simulator's room, which needs more than policies of others do.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surehand.formats.lerobot import LeRobotFolder
from surehand.policies.protocol import Policy
from surehand.predictions.opening import Access
from surehand.predictions.opening import open_policy as open_other
from surehand.predictions.plan import Address, PredictPlan
from surehand.predictions.record import PredictRecord
from surehand.predictions.run import predict as run


def open_policy(address: str | os.PathLike[str], access: Access | None = None) -> Policy:
    """The policy at an address: a checkpoint's folder, a server, a model file, recorded predictions, a function.

    SurehandError, in one line, for what is none, is not there or does not load.
    """
    if _learned(Path(address)):
        from surehand.sim.learners import load_policy

        return load_policy(address)
    return open_other(address, access)


def predict(
    dataset: LeRobotFolder,
    policies: Sequence[str | Address],
    plan: PredictPlan,
    out: str | os.PathLike[str],
    **how: Any,
) -> PredictRecord:
    """The record of the folder `out`, which holds one file of predictions per policy after this.

    Policies are addresses as `open_policy` takes them, and run folders for all checkpoints in them; `NAME=WHERE` names
    one. `how` is as in `surehand.predictions.run.predict`: processes, ray, gpus, threads, cache, again, progress, ...
    """
    return run(dataset, policies, plan, out, **{"open_policy": open_policy, **how})


def _learned(folder: Path) -> bool:
    """Whether this is a checkpoint of `surehand sim train`."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == "learner"
