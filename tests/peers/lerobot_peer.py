"""An unmodified lerobot in a process of its own: loads, writes and converts datasets, and saves a checkpoint.

Run as `python lerobot_peer.py load|write|convert|checkpoint FOLDER`; answers go to FOLDER.npz.
"""

import os
import runpy
import sys
from pathlib import Path


def load(root: Path) -> None:
    """Every frame of a v3.0 dataset as LeRobotDataset gives it, with a chunk of five actions."""
    import numpy as np
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    fps = LeRobotDataset("peer/peer", root=root).fps
    chunk = {"action": [step / fps for step in range(5)]}
    dataset = LeRobotDataset("peer/peer", root=root, delta_timestamps=chunk)
    items = [dataset[i] for i in range(len(dataset))]
    last = dataset.num_episodes - 1
    subset = LeRobotDataset("peer/peer", root=root, episodes=[last])
    np.savez(
        f"{root}.npz",
        chunk=np.stack([item["action"].numpy() for item in items]),
        pad=np.stack([item["action_is_pad"].numpy() for item in items]),
        state=np.stack([item["observation.state"].numpy() for item in items]),
        timestamp=np.array([float(item["timestamp"]) for item in items]),
        frame=np.array([int(item["frame_index"]) for item in items]),
        episode=np.array([int(item["episode_index"]) for item in items]),
        task=np.array([item["task"] for item in items]),
        first_tasks=np.array([tasks[0] for tasks in dataset.meta.episodes["tasks"]]),
        last_action=np.stack([subset[i]["action"].numpy() for i in range(len(subset))]),
        fps=dataset.fps,
        robot_type=str(dataset.meta.robot_type),
        names=np.array(dataset.meta.features["action"]["names"]),
        **{f"stats_{name}": values for name, values in dataset.meta.stats["action"].items()},
    )


def write(root: Path) -> None:
    """A v3.0 dataset recorded by lerobot itself, and what was put into it."""
    import numpy as np
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    rng = np.random.default_rng(5)
    features = {
        "action": {"dtype": "float32", "shape": (3,), "names": {"motors": ["lift", "turn", "gripper"]}},
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["lift", "turn"]},
    }
    dataset = LeRobotDataset.create("peer/peer", 20, features, root=root, robot_type="crane", use_videos=False)
    action = rng.normal(size=(20, 3)).astype(np.float32)
    state = rng.normal(size=(20, 2)).astype(np.float32)
    row = 0
    for length, task in ((7, "pick"), (4, "place"), (9, "pick")):
        for _ in range(length):
            dataset.add_frame({"action": action[row], "observation.state": state[row], "task": task})
            row += 1
        dataset.save_episode()
    dataset.finalize()
    np.savez(f"{root}.npz", action=action, state=state)


def convert(root: Path) -> None:
    """lerobot's own converter, run in place on a v2.1 dataset."""
    arguments = [f"--repo-id={root.name}", f"--root={root.parent}", "--push-to-hub=false"]
    sys.argv = ["convert", *arguments]
    runpy.run_module("lerobot.datasets.v30.convert_dataset_v21_to_v30", run_name="__main__")


def checkpoint(root: Path) -> None:
    """A tiny ACT checkpoint with its processors, and what its post-processor makes of a known chunk."""
    import numpy as np
    import torch
    from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy
    from lerobot.policies.factory import make_pre_post_processors

    rng = np.random.default_rng(6)
    low, high = np.sort(rng.normal(size=(2, 3)).astype(np.float32), axis=0)
    both = {
        "mean": (low + high) / 2,
        "std": high - low,
        "min": low - 1,
        "max": high + 1,
        "q01": low,
        "q99": high,
    }
    stats = {
        key: {name: torch.from_numpy(values) for name, values in both.items()}
        for key in ("action", "observation.environment_state")
    }
    z = rng.normal(size=(4, 3)).astype(np.float32)
    answers = {}
    for mode in ("MEAN_STD", "MIN_MAX", "QUANTILES"):
        config = ACTConfig(
            input_features={"observation.environment_state": PolicyFeature(FeatureType.ENV, (3,))},
            output_features={"action": PolicyFeature(FeatureType.ACTION, (3,))},
            normalization_mapping={"ENV": NormalizationMode[mode], "ACTION": NormalizationMode[mode]},
            pretrained_backbone_weights=None,
            dim_model=8,
            n_heads=1,
            dim_feedforward=8,
            n_encoder_layers=1,
            n_vae_encoder_layers=1,
            chunk_size=4,
            n_action_steps=4,
            device="cpu",
        )
        before, after = make_pre_post_processors(config, dataset_stats=stats)
        folder = root / mode / "pretrained_model"
        ACTPolicy(config).save_pretrained(folder)
        before.save_pretrained(folder)
        after.save_pretrained(folder)
        answers[mode] = after(torch.from_numpy(z)).numpy()
    np.savez(f"{root}.npz", z=z, **answers)


def main() -> None:
    """Runs the command that the arguments name."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    command, root = sys.argv[1:]
    {"load": load, "write": write, "convert": convert, "checkpoint": checkpoint}[command](Path(root))


if __name__ == "__main__":
    main()
