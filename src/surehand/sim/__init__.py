"""A robot everyone owns: an HSR-class manipulator in MuJoCo, its tasks, experts and demonstrations.

Importing this registers the Gymnasium environments `surehand/Pick-v0`, `surehand/Place-v0`, `surehand/Press-v0` and
`surehand/Push-v0`; keyword `body="desk"` takes the second body. Needs `pip install surehand[sim]`.
"""

import os
from importlib.util import find_spec

from surehand.exceptions import SurehandError

if find_spec("mujoco") is None or find_spec("gymnasium") is None:
    raise SurehandError("the simulated robot needs mujoco and gymnasium; pip install 'surehand[sim]'")
if os.environ.get("MUJOCO_GL"):  # mujoco raises errors of many kinds where it does not know it or cannot follow it
    try:
        import mujoco  # noqa: F401
    except Exception as error:
        raise SurehandError(
            f"mujoco cannot draw with MUJOCO_GL={os.environ['MUJOCO_GL']} ({error}); unset it, or choose egl"
        ) from None

import gymnasium

from surehand.sim.tasks import TASKS

for _name in TASKS:
    gymnasium.register(
        id=f"surehand/{_name.capitalize()}-v0",
        entry_point="surehand.sim.env:TaskEnv",
        kwargs={"task": _name},
    )
