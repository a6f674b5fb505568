"""surehand's adapter beside lerobot's own calls, in a process of its own.

Run as `python lerobot_policy.py tiny|ask FOLDER [NAME ...]`: `tiny` saves small untrained checkpoints below FOLDER
(those of these names, or all); `ask` loads every checkpoint folder NAME below FOLDER both ways and writes what each
answers to NAME.npz, or why not to NAME.txt.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

DIMS, STATE, VIEW, STEPS, LENGTH = 3, 5, 4, 4, 12
CAMERAS = ("observation.images.head", "observation.images.hand")
TASKS = ("pick up the red cube", "go home")
VLM = "tiny-vlm"


def stats(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """Statistics far from mean 0 and deviation 1, so that a forgotten normalisation is seen."""
    import torch

    low = rng.normal(3.0, 1.0, size).astype(np.float32)
    high = low + rng.uniform(4.0, 9.0, size).astype(np.float32)
    found = {"mean": (low + high) / 2, "std": (high - low) / 3, "min": low, "max": high}
    return {name: torch.from_numpy(values) for name, values in found.items()}


def configs(root: Path) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """Type, fields and inputs of every checkpoint that `tiny` saves."""
    from lerobot.configs.types import FeatureType, PolicyFeature

    state = {"observation.state": PolicyFeature(FeatureType.STATE, (STATE,))}
    numbers = state | {"observation.environment_state": PolicyFeature(FeatureType.ENV, (VIEW,))}
    head = state | {CAMERAS[0]: PolicyFeature(FeatureType.VISUAL, (3, 32, 32))}
    both = head | {CAMERAS[1]: PolicyFeature(FeatureType.VISUAL, (3, 32, 32))}
    act = {
        "chunk_size": STEPS, "n_action_steps": STEPS, "dim_model": 16, "n_heads": 2, "dim_feedforward": 16,
        "n_encoder_layers": 1, "n_vae_encoder_layers": 1, "pretrained_backbone_weights": None,
    }  # fmt: skip
    noisy = {
        "horizon": 8, "n_action_steps": STEPS, "n_obs_steps": 1, "down_dims": (8, 16), "n_groups": 4,
        "diffusion_step_embed_dim": 8, "num_train_timesteps": 5, "drop_n_last_frames": 4,
        "pretrained_backbone_weights": None, "use_group_norm": True,  # the defaults of 0.4 and 0.5, not of 0.6
    }  # fmt: skip
    codes = {
        "n_obs_steps": 2, "n_action_pred_token": 2, "action_chunk_size": STEPS, "gpt_block_size": 50, "gpt_n_layer": 1,
        "gpt_n_head": 2, "gpt_input_dim": 16, "gpt_output_dim": 16, "gpt_hidden_dim": 16, "vqvae_n_embed": 4,
        "vqvae_embedding_dim": 8, "vqvae_enc_hidden_dim": 8, "pretrained_backbone_weights": None,
        "crop_shape": (60, 60), "spatial_softmax_num_keypoints": 4, "use_group_norm": False,
    }  # fmt: skip
    planned = {
        "horizon": STEPS, "n_action_steps": STEPS, "n_action_repeats": 1, "cem_iterations": 2, "n_gaussian_samples": 16,
        "n_pi_samples": 3, "n_elites": 4, "latent_dim": 8, "mlp_dim": 16, "state_encoder_hidden_dim": 8,
    }  # fmt: skip
    spoken = {
        "chunk_size": STEPS, "n_action_steps": STEPS, "vlm_model_name": str(root / VLM), "load_vlm_weights": False,
        "num_vlm_layers": 4, "expert_width_multiplier": 1.0, "resize_imgs_with_padding": (64, 64), "num_steps": 4,
    }  # fmt: skip
    two = {"n_obs_steps": 2, "drop_n_last_frames": 3}
    return {
        "act": ("act", act, numbers),
        "act-images": ("act", act, head),
        "diffusion": ("diffusion", noisy, numbers),
        "two-steps": ("diffusion", noisy | two, numbers),
        "two-steps-images": ("diffusion", noisy | two, both),
        "vqbet": ("vqbet", codes, state | {CAMERAS[0]: PolicyFeature(FeatureType.VISUAL, (3, 64, 64))}),
        "tdmpc": ("tdmpc", planned, numbers),
        "toy": ("toy", {}, state),
        "smolvla": ("smolvla", spoken, both),
        "smolvla-pretrained": ("smolvla", spoken | {"load_vlm_weights": True}, both),
    }


def tiny(root: Path, wanted: list[str]) -> None:
    """The checkpoints with their processors, and the language model that SmolVLA's name."""
    import torch
    from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors
    from lerobot.utils.import_utils import register_third_party_plugins
    from tiny_vlm import make

    register_third_party_plugins()
    make(root / VLM, weights=True)
    for name, (kind, fields, inputs) in configs(root).items():
        if wanted and name not in wanted:
            continue
        rng = np.random.default_rng(8)
        torch.manual_seed(3)
        mode = NormalizationMode.MIN_MAX if kind == "tdmpc" else NormalizationMode.MEAN_STD
        seen = NormalizationMode.IDENTITY if kind == "smolvla" else mode
        config = make_policy_config(
            kind,
            **fields,
            input_features=inputs,
            output_features={"action": PolicyFeature(FeatureType.ACTION, (DIMS,))},
            normalization_mapping={"STATE": mode, "ENV": mode, "VISUAL": seen, "ACTION": mode},
            device="cpu",
        )
        known = {"action": stats(rng, DIMS)}
        for key, feature in inputs.items():
            picture = feature.type is FeatureType.VISUAL
            known[key] = stats(rng, feature.shape[0])
            if picture:
                known[key] = {n: v.view(-1, 1, 1) for n, v in known[key].items()}
        before, after = make_pre_post_processors(config, dataset_stats=known)
        folder = root / name / "pretrained_model"
        policy = get_policy_class(config.type)(config)
        if name == "act-images":
            # As lerobot-train saves it by default: a name of weights to download, which the checkpoint's replace.
            config.pretrained_backbone_weights = "ResNet18_Weights.IMAGENET1K_V1"
        policy.save_pretrained(folder)
        before.save_pretrained(folder)
        after.save_pretrained(folder)


def ask(root: Path, wanted: list[str]) -> None:
    """Both answers of every checkpoint, or the adapter's complaint."""
    from surehand.exceptions import SurehandError
    from surehand.policies.lerobot.policy import LeRobotPolicy

    for folder in sorted(path for path in root.iterdir() if (path / "pretrained_model").is_dir()):
        name = folder.name
        if wanted and name not in wanted:
            continue
        if name == "moved-variable":
            os.environ["SUREHAND_VLM"] = str(root / VLM)
        try:
            compare(folder, LeRobotPolicy(folder, vlm=str(root / VLM) if name == "moved-argument" else None))
        except SurehandError as error:
            Path(f"{folder}.txt").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        os.environ.pop("SUREHAND_VLM", None)


def reference(folder: Path) -> Path:
    """The checkpoint that lerobot is asked about: the same policy where the folder's is one that it cannot read."""
    first, _, rest = folder.name.partition("-")
    others = {"old": rest, "moved": "smolvla", "renamed": rest}
    return folder.parent / others.get(first, folder.name) / "pretrained_model"


def episode(config: Any, length: int) -> list[dict[str, Any]]:
    """Observations of an episode, each with the one before it under "history"; SmolVLA's pictures of another size."""
    other = (48, 56) if config.type == "smolvla" else None
    rng = np.random.default_rng(9)
    rows: list[dict[str, Any]] = []
    for number in range(length):
        row: dict[str, Any] = {"task": TASKS[number % 2], "another": rng.normal(size=2)}
        for key, feature in config.input_features.items():
            c, *rest = feature.shape
            row[key] = rng.integers(0, 256, (*(other or rest), c), np.uint8) if rest else rng.normal(4.0, 2.0, c)
        rows.append(row)
    return [row | {"history": rows[max(0, t - 1) : t] or [row]} for t, row in enumerate(rows)]


def compare(folder: Path, ours: Any) -> None:
    """An episode: lerobot's select_action at every step, and the adapter's chunks; then draws, alone and in batches."""
    import torch
    from lerobot.configs.policies import PreTrainedConfig

    from surehand.policies.protocol import Policy

    torch.set_num_threads(1)
    before_all = torch.random.get_rng_state()
    assert isinstance(ours, Policy)
    config = PreTrainedConfig.from_pretrained(reference(folder))
    rows = episode(config, LENGTH)
    theirs = _theirs(reference(folder), rows)
    if folder.name.startswith("renamed"):
        rows = [{key.replace("images.head", "images.front"): value for key, value in row.items()} for row in rows]
    torch.random.set_rng_state(before_all)
    said = ours.spec.horizon
    ours.infer(rows[0])
    ours.reset()
    spec = ours.spec
    asked = rows[:: spec.horizon]
    batch = _actions(ours.infer_batch(asked))
    again = _actions(ours.infer_batch(asked[::-1]))[::-1]
    alone = _actions([ours.infer(row) for row in asked])
    ours.reset()
    remembered = _actions([ours.infer(_without(row, "history")) for row in rows])[:: spec.horizon]
    draws = [ours.sample(rows[t], 6, np.random.default_rng(t)).actions for t in range(7)]
    some = ours.sample_batch(rows[:3], 6, [np.random.default_rng(t) for t in range(3)])
    every = ours.sample_batch(rows[:7], 6, [np.random.default_rng(t) for t in range(7)])
    back = ours.sample_batch(rows[6::-1], 6, [np.random.default_rng(t) for t in range(6, -1, -1)])[::-1]
    fewer = ours.sample(rows[0], 2, np.random.default_rng(0))
    more = ours.sample_batch(rows[:3], 30, [np.random.default_rng(t) for t in range(3)])  # in several passes
    untouched = bool((torch.random.get_rng_state() == before_all).all())
    drawn = {"some": some, "every": every, "back": back, "more": more, "fewer": [fewer]}
    told = (spec.horizon, spec.dims, spec.stochastic, spec.space, ",".join(spec.cameras), spec.first_step, spec.history)
    np.savez(
        f"{folder}.npz",
        theirs=theirs, batch=batch, again=again, alone=alone, remembered=remembered, untouched=untouched,
        refused=np.array(_refusals(ours, rows)), drawn=np.stack(draws), generator=every[0].generator,
        seeds=[-1 if samples.seed is None else samples.seed for samples in every],
        name=ours.name, empty=len(ours.infer_batch([])), image_size=ours.image_size, said=said,
        std=np.nan if ours.action_std is None else ours.action_std, row_by_row=ours._runner.row_by_row,
        spec=np.array([*map(str, told), ",".join(spec.inputs)]),
        **{name: np.stack([samples.actions for samples in found]) for name, found in drawn.items()},
    )  # fmt: skip


def _actions(answers: list[dict[str, Any]]) -> np.ndarray:
    return np.stack([answer["actions"] for answer in answers])


def _without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}


def _refusals(ours: Any, rows: list[dict[str, Any]]) -> list[str]:
    """What the adapter says to an observation without a state, one that is too short, one with NaN, and to pictures."""
    row, other = rows[0], rows[1]
    state = "observation.state"
    broken = [
        [_without(row, state)],
        [row | {state: row[state][:-1]}],
        [row | {state: np.full(STATE, np.nan)}],
        [_without(row, "task")],
        [_without(row, "history"), _without(other, "history")],
    ]
    if CAMERAS[0] in row:
        broken.append([row, other | {CAMERAS[0]: other[CAMERAS[0]][:-2]}])
        broken.append([row | {CAMERAS[0]: row[CAMERAS[0]][..., :1]}])
        broken.append([row | {CAMERAS[0]: row[CAMERAS[0]] / 255}])
    said = []
    for asked in broken:
        try:
            ours.infer_batch(asked)
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
        else:
            said.append("")
    return said


def _theirs(folder: Path, rows: list[dict[str, Any]]) -> np.ndarray:
    """Actions (N, D) of an episode as a robot that runs lerobot executes it: select_action and the post-processor."""
    import torch
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    config = PreTrainedConfig.from_pretrained(folder)
    if hasattr(config, "pretrained_backbone_weights"):
        config.pretrained_backbone_weights = None
    policy = get_policy_class(config.type).from_pretrained(folder, config=config)
    before, after = make_pre_post_processors(config, str(folder))
    policy.reset()
    actions = []
    for row in rows:
        batch: dict[str, Any] = {"task": row["task"]}
        for key in config.input_features:
            value = torch.from_numpy(row[key])
            batch[key] = value.permute(2, 0, 1).float() / 255 if value.ndim == 3 else value.float()
        torch.manual_seed(0)
        actions.append(after(policy.select_action(before(batch))).float().numpy()[0])
    return np.stack(actions)


def main() -> None:
    """Runs the command that the arguments name."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    command, root, *wanted = sys.argv[1:]
    {"tiny": tiny, "ask": ask}[command](Path(root), wanted)


if __name__ == "__main__":
    main()
