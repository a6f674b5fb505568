"""surehand's adapter beside lerobot's own calls, in a process of its own.

Run as `python lerobot_policy.py tiny|ask FOLDER`: `tiny` saves small untrained checkpoints below FOLDER; `ask` loads
every checkpoint folder NAME below FOLDER both ways and writes what each answers to NAME.npz, or why not to NAME.txt.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

DIMS, STATE, VIEW, STEPS = 3, 5, 4, 4


def stats(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """Statistics far from mean 0 and deviation 1, so that a forgotten normalisation is seen."""
    import torch

    low = rng.normal(3.0, 1.0, size).astype(np.float32)
    high = low + rng.uniform(4.0, 9.0, size).astype(np.float32)
    found = {"mean": (low + high) / 2, "std": (high - low) / 3, "min": low, "max": high}
    return {name: torch.from_numpy(values) for name, values in found.items()}


def tiny(root: Path) -> None:
    """Checkpoints act, act-images, diffusion and two-steps (a history of two) with their processors."""
    import torch
    from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    rng = np.random.default_rng(8)
    numbers = {
        "observation.state": PolicyFeature(FeatureType.STATE, (STATE,)),
        "observation.environment_state": PolicyFeature(FeatureType.ENV, (VIEW,)),
    }
    image = {"observation.images.head": PolicyFeature(FeatureType.VISUAL, (3, 32, 32))}
    act = {
        "chunk_size": STEPS, "n_action_steps": STEPS, "dim_model": 16, "n_heads": 2, "dim_feedforward": 16,
        "n_encoder_layers": 1, "n_vae_encoder_layers": 1, "pretrained_backbone_weights": None,
    }  # fmt: skip
    noisy = {
        "horizon": 8, "n_action_steps": STEPS, "n_obs_steps": 1, "down_dims": (8, 16), "n_groups": 4,
        "diffusion_step_embed_dim": 8, "num_train_timesteps": 5, "drop_n_last_frames": 4,
    }  # fmt: skip
    configs = {
        "act": (ACTConfig, act, numbers),
        "act-images": (ACTConfig, act, {"observation.state": numbers["observation.state"], **image}),
        "diffusion": (DiffusionConfig, noisy, numbers),
        "two-steps": (DiffusionConfig, noisy | {"n_obs_steps": 2, "drop_n_last_frames": 3}, numbers),
    }
    mode = NormalizationMode.MEAN_STD
    for name, (config_class, fields, inputs) in configs.items():
        torch.manual_seed(3)
        config = config_class(
            **fields,
            input_features=inputs,
            output_features={"action": PolicyFeature(FeatureType.ACTION, (DIMS,))},
            normalization_mapping={kind: mode for kind in ("STATE", "ENV", "VISUAL", "ACTION")},
            device="cpu",
        )
        known = {"action": stats(rng, DIMS)}
        for key, feature in inputs.items():
            known[key] = {n: v.view(-1, 1, 1) for n, v in stats(rng, 3).items()} if "image" in key else {}
            known[key] = known[key] or stats(rng, feature.shape[0])
        before, after = make_pre_post_processors(config, dataset_stats=known)
        folder = root / name / "pretrained_model"
        policy = get_policy_class(config.type)(config)
        if name == "act-images":
            # As lerobot-train saves it by default: a name of weights to download, which the checkpoint's replace.
            config.pretrained_backbone_weights = "ResNet18_Weights.IMAGENET1K_V1"
        policy.save_pretrained(folder)
        before.save_pretrained(folder)
        after.save_pretrained(folder)


def ask(root: Path) -> None:
    """Both answers of every checkpoint, or the adapter's complaint."""
    from surehand.exceptions import SurehandError
    from surehand.policies.lerobot import LeRobotPolicy

    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        try:
            ours = LeRobotPolicy(folder)
        except SurehandError as error:
            Path(f"{folder}.txt").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        else:
            compare(folder, ours)


def compare(folder: Path, ours: Any) -> None:
    """Answers to four observations: the adapter's, and lerobot's select_action called step by step for each alone."""
    import torch
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    from safetensors.numpy import load_file

    from surehand.policies.protocol import Policy

    torch.set_num_threads(1)
    before_all = torch.random.get_rng_state()
    assert isinstance(ours, Policy)
    config = PreTrainedConfig.from_pretrained(ours.folder)
    rng = np.random.default_rng(9)
    observations = []
    for _ in range(4):
        row: dict[str, Any] = {"task": "pick", "another": rng.normal(size=2)}
        for key, feature in config.input_features.items():
            c, *rest = feature.shape
            row[key] = rng.integers(0, 256, (*rest, c), np.uint8) if rest else rng.normal(4.0, 2.0, c)
        observations.append(row)

    theirs = [_theirs(folder, config, row, get_policy_class, make_pre_post_processors) for row in observations]
    torch.random.set_rng_state(before_all)
    batch = np.stack([answer["actions"] for answer in ours.infer_batch(observations)])
    again = np.stack([answer["actions"] for answer in ours.infer_batch(observations[::-1])])[::-1]
    alone = np.stack([ours.infer(row)["actions"] for row in observations])
    drawn = ours.sample(observations[0], 6, np.random.default_rng(1))
    same = ours.sample(observations[0], 6, np.random.default_rng(1))
    untouched = bool((torch.random.get_rng_state() == before_all).all())
    refused = []
    for broken in ({k: v for k, v in observations[0].items() if k != "observation.state"}, _short(observations[0])):
        try:
            ours.infer(broken)
        except Exception as error:
            refused.append(f"{type(error).__name__}: {error}")
    spec = ours.spec
    np.savez(
        f"{folder}.npz",
        theirs=np.stack(theirs), batch=batch, again=again, alone=alone, untouched=untouched, refused=np.array(refused),
        drawn=drawn.actions, same=same.actions, generator=drawn.generator, name=ours.name,
        empty=len(ours.infer_batch([])), image_size=ours.image_size, std=ours.action_std,
        known=load_file(next(ours.folder.glob("policy_postprocessor*.safetensors")))["action.std"],
        spec=np.array([spec.horizon, spec.dims, spec.stochastic, str(spec.space), ",".join(spec.cameras)]),
    )  # fmt: skip


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"observation.state": row["observation.state"][:-1]}


def _theirs(folder: Path, config: Any, row: dict[str, Any], get_class: Any, processors: Any) -> np.ndarray:
    """A chunk (H, D) as a robot that runs lerobot executes it: select_action and the post-processor, step by step."""
    import torch

    inside = folder / "pretrained_model"
    config.pretrained_backbone_weights = None
    policy = get_class(config.type).from_pretrained(inside, config=config)
    before, after = processors(config, str(inside))
    torch.manual_seed(0)
    actions = []
    for _ in range(config.n_action_steps):
        batch = {}
        for key in config.input_features:
            value = torch.from_numpy(row[key])
            value = value.permute(2, 0, 1).float() / 255 if value.ndim == 3 else value.float()
            batch[key] = value
        actions.append(after(policy.select_action(before(batch))).numpy()[0])
    return np.stack(actions)


def main() -> None:
    """Runs the command that the arguments name."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    command, root = sys.argv[1:]
    {"tiny": tiny, "ask": ask}[command](Path(root))


if __name__ == "__main__":
    main()
