"""Tiny policies trained by lerobot's own training program on demonstrations of the simulator.

Run as `python lerobot_training.py FOLDER`: records demonstrations, trains ACT, Diffusion and SmolVLA on them, and
writes for every checkpoint what surehand's adapter answers on episodes that were held out to NAME.npz.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

TASK, BODY, CAMERA, EDGE = "press", "desk", "head", 64
EPISODES, HELD_OUT = 24, 6
STEPS = {"act": 250, "diffusion": 500, "smolvla": 120}
NORMALISE = json.dumps({"STATE": "MEAN_STD", "ENV": "MEAN_STD", "VISUAL": "IDENTITY", "ACTION": "MEAN_STD"})
FIELDS: dict[str, dict[str, Any]] = {
    "act": {
        "chunk_size": 8, "n_action_steps": 8, "dim_model": 64, "n_heads": 4, "dim_feedforward": 128,
        "n_encoder_layers": 2, "n_vae_encoder_layers": 1, "dropout": 0.0, "optimizer_lr": 1e-3,
        "pretrained_backbone_weights": "null",
    },
    "diffusion": {
        "horizon": 16, "n_action_steps": 8, "n_obs_steps": 2, "down_dims": "[32,64]", "n_groups": 4,
        "diffusion_step_embed_dim": 32, "noise_scheduler_type": "DDIM", "num_inference_steps": 10,
        "prediction_type": "sample",
        "optimizer_lr": 1e-3, "scheduler_warmup_steps": 20,
    },
    "smolvla": {
        "chunk_size": 8, "n_action_steps": 8, "num_vlm_layers": 4, "expert_width_multiplier": 1.0,
        "resize_imgs_with_padding": f"[{EDGE},{EDGE}]", "optimizer_lr": 3e-3, "scheduler_warmup_steps": 10,
        "scheduler_decay_steps": 120,
    },
}  # fmt: skip


def inputs(kind: str, sizes: dict[str, int]) -> dict[str, Any]:
    """What a policy looks at: joints and where things stand, or joints and a picture."""
    state = {"observation.state": {"type": "STATE", "shape": [sizes["state"]]}}
    if kind == "smolvla":
        return state | {f"observation.images.{CAMERA}": {"type": "VISUAL", "shape": [3, EDGE, EDGE]}}
    return state | {"observation.environment_state": {"type": "ENV", "shape": [sizes["observation.environment_state"]]}}


def train(kind: str, root: Path, sizes: dict[str, int]) -> Path:
    """The checkpoint that lerobot-train leaves behind."""
    from lerobot.scripts.lerobot_train import main as lerobot_train

    fields = FIELDS[kind] | {"type": kind, "device": "cpu", "push_to_hub": "false", "normalization_mapping": NORMALISE}
    fields["input_features"] = json.dumps(inputs(kind, sizes))
    if kind == "smolvla":
        fields |= {"vlm_model_name": root / "vlm", "load_vlm_weights": "false"}
    sys.argv = [
        "lerobot-train",
        "--dataset.repo_id=surehand/demonstrations",
        f"--dataset.root={root / ('seen' if kind == 'smolvla' else 'told')}",  # pictures take time to decode
        *(f"--policy.{key}={value}" for key, value in fields.items()),
        f"--output_dir={root / kind}",
        f"--steps={STEPS[kind]}",
        f"--save_freq={STEPS[kind]}",
        "--log_freq=100",
        "--batch_size=16",
        "--seed=1",
        "--num_workers=0",
        "--wandb.enable=false",
    ]
    lerobot_train()
    return root / kind / "checkpoints" / f"{STEPS[kind]:06d}"


def observations(episode: dict[str, np.ndarray], instruction: str) -> list[dict[str, Any]]:
    """What the robot saw at every step, each with the step before."""
    seen = {"observation.state": episode["state"]} | {
        key: values for key, values in episode.items() if key.startswith("observation.")
    }
    rows = [{key: values[t] for key, values in seen.items()} for t in range(len(episode["action"]))]
    return [row | {"task": instruction, "history": rows[max(0, t - 1) : t] or [row]} for t, row in enumerate(rows)]


def main() -> None:
    """The recording, the three trainings, and the answers."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    import torch
    from tiny_vlm import make

    from surehand.policies.lerobot.policy import LeRobotPolicy
    from surehand.sim.follow import Variation
    from surehand.sim.record import Recipe, demonstrate, record
    from surehand.sim.robot import body
    from surehand.sim.tasks import task

    torch.set_num_threads(1)  # as fast for models of this size, and it leaves a core to others
    root = Path(sys.argv[1])
    varied = Variation(nudges=True)
    for name, cameras in (("told", ()), ("seen", (CAMERA,))):
        record(Recipe((TASK,), EPISODES, BODY, 1, varied, cameras, EDGE), root / name)
    held_out = [demonstrate(TASK, BODY, scene, varied, (CAMERA,), EDGE) for scene in range(HELD_OUT)]
    make(root / "vlm")
    sizes = {key: values.shape[1] for key, values in held_out[0].items() if values.ndim == 2}
    for kind in FIELDS:
        policy = LeRobotPolicy(train(kind, root, sizes))
        rows, actions = [], []
        for scene, episode in enumerate(held_out):
            instruction = task(TASK).draw(body(BODY), scene).instruction
            rows += observations(episode, instruction)
            actions += list(episode["action"])
        answered = np.stack([answer["actions"][0] for answer in policy.infer_batch(rows)])
        stats = json.loads((root / "told" / "meta" / "stats.json").read_text())["action"]
        np.savez(root / f"{kind}.npz", answered=answered, done=np.stack(actions), mean=stats["mean"], std=stats["std"])


if __name__ == "__main__":
    main()
