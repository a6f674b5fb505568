"""What a policy is given at a decision, under the names a LeRobot dataset has for it."""

import numpy as np

from surehand.policies.protocol import Observation
from surehand.sim.env import TaskEnv

STATE = "observation.state"
ENVIRONMENT = "observation.environment_state"
IMAGES = "observation.images."  # before the camera's name
TASK = "task"


def observation(
    env: TaskEnv, seen: dict[str, np.ndarray], cameras: tuple[str, ...] = (), size: int = 96
) -> Observation:
    """State (S,), environment (V,), the instruction, and a square image (size, size, 3) uint8 of each camera."""
    images = {IMAGES + camera: env.picture(camera, size, size) for camera in cameras}
    return {STATE: seen["state"], ENVIRONMENT: seen["environment"], TASK: env.instruction, **images}
