"""Small policies trained on demonstrations in minutes on one core; each speaks the policy protocol.

Nothing here imports torch before it is needed.
"""

import os
from typing import TYPE_CHECKING

from surehand.sim.learners.settings import LEARNERS

if TYPE_CHECKING:
    from surehand.sim.learners.policy import LearnedPolicy

__all__ = ["LEARNERS", "load_policy"]


def load_policy(folder: str | os.PathLike[str]) -> "LearnedPolicy":
    """The policy in a checkpoint folder of `train`; FormatError in one line for anything else."""
    from surehand.sim.learners.checkpoint import load_checkpoint
    from surehand.sim.learners.policy import LearnedPolicy

    return LearnedPolicy(*load_checkpoint(folder))
