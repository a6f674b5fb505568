"""Real checkpoints predicted here, by processes and through Ray, in a program of its own.

Run as `python real_checkpoints.py FOLDER [here|processes|ray|batches ...]`: trains two small learners, saves untrained
ACT and diffusion checkpoints (tests/peers), and predicts with all of them each way into FOLDER/<way>.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]
LAYOUT = "arm(a b):revolute[rad] gripper:gripper[0..1]"
LEARNED = ("mlp", "flow")
TASKS = ("pick up the red cube", "go home")


def open_shimmed(where: str, access: Any) -> Any:
    """As the commands open policies, where torchvision needs a shim."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    from surehand.opening import open_policy

    return open_policy(where, access)


def recording(folder: Path) -> Path:
    """Four episodes with what the checkpoints of tests/peers read: state, environment, two pictures."""
    from surehand.formats.lerobot_write import write_lerobot
    from surehand.frames import Actions

    rng = np.random.default_rng(2)
    episodes = []
    for index in range(4):
        n = 40 + index
        pictures = rng.integers(0, 256, (n, 32, 32, 3), np.uint8)
        columns = {
            "observation.environment_state": rng.normal(4, 2, (n, 4)).astype(np.float32),
            "observation.images.head": pictures,
            "observation.images.hand": pictures[::-1].copy(),
        }
        episodes.append(
            Actions(
                action=rng.normal(5, 1, (n, 3)).astype(np.float32),
                episode=np.full(n, index),
                frame=np.arange(n),
                task=np.full(n, index % 2),
                state=rng.normal(4, 2, (n, 5)).astype(np.float32),
                timestamp=np.arange(n) / 10,
                columns=columns,
                tasks=TASKS,
                fps=10.0,
            )
        )
    return write_lerobot(folder, episodes)


def make(root: Path) -> None:
    """The dataset and the checkpoints."""
    from lerobot_policy import tiny

    from surehand.formats.lerobot import open_lerobot
    from surehand.layout import Layout
    from surehand.sim.learners.settings import Training
    from surehand.sim.learners.train import train

    data = open_lerobot(recording(root / "data"))
    seen = ["observation.environment_state"]
    for learner in LEARNED:
        recipe = Training(learner, 3, (2, 3), horizon=4)  # type: ignore[arg-type]
        train(recipe, data.read([0, 1], seen), data.read([2, 3], seen), root / learner, layout=Layout.parse(LAYOUT))
    tiny(root, ["act", "act-images", "diffusion", "two-steps-images", "smolvla"])


def main() -> None:
    """Makes and predicts."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    from real_checkpoints import open_shimmed  # by the name under which workers find it

    from surehand.formats.lerobot import open_lerobot
    from surehand.predictions.plan import PredictPlan
    from surehand.predictions.run import predict

    root, *wanted = Path(sys.argv[1]), *sys.argv[2:]
    make(root)
    data = open_lerobot(root / "data")
    plan = PredictPlan((2, 3), (0, 1), shard=50, batch=16, seed=3)
    lerobot = ["act", "act-images", "diffusion", "two-steps-images", "smolvla"]
    ways: dict[str, tuple[PredictPlan, list[str], dict[str, Any]]] = {
        "here": (plan, [*LEARNED, *lerobot], {}),
        "processes": (plan, [*LEARNED, "act", "act-images", "diffusion"], {"processes": 2}),
        "ray": (plan, [*LEARNED, "act", "diffusion"], {"processes": 2, "ray": "local"}),
        "batches": (replace(plan, batch=7), [*LEARNED, *lerobot], {}),
        "draws": (replace(plan, samples=3), ["flow", "diffusion", "two-steps-images", "smolvla"], {}),
    }
    for name in wanted or ways:
        plan, policies, how = ways[name]
        record = predict(
            data, [str(root / policy) for policy in policies], plan, root / "out" / name,
            open_policy=open_shimmed, threads=1, cache=root / "cache", **how,
        )  # fmt: skip
        assert not record.failed, [policy.reason for policy in record.failed]


if __name__ == "__main__":
    main()
