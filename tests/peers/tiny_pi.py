"""π0 and π0.5 with tiny random weights: unmodified lerobot, its hard-coded sizes patched before a model is built.

Run as `python tiny_pi.py tiny|ask FOLDER`: `tiny` saves checkpoints below FOLDER with a tokenizer beside them; `ask`
loads every checkpoint folder NAME with surehand's adapter and with lerobot and writes what each answers to NAME.npz,
or why not to NAME.txt; where a tokenizer is missing, the answer with a local one to NAME.npy. `tiny` needs lerobot 0.5
or newer.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

STATE, DIMS, STEPS, EDGE, WORDS = 3, 3, 4, 28, 300
NAMES = ["lift", "roll", "gripper"]
TOKENIZER = ".tokenizer"
HEAD, WRIST = "observation.images.head", "observation.images.wrist"
# What is saved: policy type and fields of its config.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "pi0": ("pi0", {}),
    "pi05": ("pi05", {}),
    "pi0-relative": ("pi0", {"use_relative_actions": True, "action_feature_names": NAMES}),
    "pi05-relative": ("pi05", {"use_relative_actions": True, "relative_exclude_joints": []}),
    "pi0-empty-camera": ("pi0", {"empty_cameras": 1}),
}


def shrink() -> None:
    """Models of both types are built with the sizes below from here on; lerobot takes them from no config."""
    for kind in ("pi0", "pi05"):
        module = importlib.import_module(f"lerobot.policies.{kind}.modeling_{kind}")
        if not hasattr(module, "PiGemmaForCausalLM"):
            return  # before lerobot 0.5: these models are not built at all
        sizes = module.GemmaConfig(width=32, depth=2, mlp_dim=32, num_heads=8, num_kv_heads=1, head_dim=4)
        module.get_gemma_config = lambda variant, sizes=sizes: sizes
        for name in ("PaliGemmaForConditionalGenerationWithPiGemma", "PiGemmaForCausalLM"):
            setattr(module, name, _smaller(getattr(module, name)))


def _smaller(model: Any) -> Any:
    """The model class as a function of its config, which is cut down first."""

    def build(config: Any) -> Any:
        text = getattr(config, "text_config", config)
        text.vocab_size = WORDS
        if text is not config:
            config._vocab_size = config.image_token_index = WORDS
            config.projection_dim = text.hidden_size
            vision = config.vision_config
            vision.hidden_size = vision.intermediate_size = 16
            vision.num_hidden_layers, vision.num_attention_heads = 1, 2
            vision.projection_dim = text.hidden_size
        return model(config=config)

    return build


def save_tokenizer(folder: Path) -> None:
    """A tokenizer that knows single bytes alone, where the processors' hard-coded one is gated."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "<bos>", "<eos>", "<unk>"]
    pieces = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    found = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], unk_token="<unk>"))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), specials, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=found, **names).save_pretrained(folder)


def tiny(root: Path) -> None:
    """The checkpoints of KINDS with their processors."""
    import torch
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    from lerobot.processor import TokenizerProcessorStep

    words = root.resolve() / TOKENIZER
    save_tokenizer(words)
    shrink()
    wanted = TokenizerProcessorStep.__post_init__

    def local(step: Any) -> None:
        step.tokenizer_name = str(words)
        wanted(step)

    TokenizerProcessorStep.__post_init__ = local
    rng = np.random.default_rng(11)
    state, action = _stats(rng, STATE), _stats(rng, DIMS)
    for name, (kind, fields) in KINDS.items():
        torch.manual_seed(5)
        policy_class = get_policy_class(kind)
        config = policy_class.config_class(
            **fields,
            input_features={
                "observation.state": PolicyFeature(FeatureType.STATE, (STATE,)),
                HEAD: PolicyFeature(FeatureType.VISUAL, (3, EDGE, EDGE)),
                WRIST: PolicyFeature(FeatureType.VISUAL, (3, EDGE, 2 * EDGE)),
            },
            output_features={"action": PolicyFeature(FeatureType.ACTION, (DIMS,))},
            chunk_size=STEPS, n_action_steps=STEPS, max_state_dim=6, max_action_dim=5, num_inference_steps=3,
            image_resolution=(EDGE, EDGE), tokenizer_max_length=64, device="cpu",
        )  # fmt: skip
        policy = policy_class(config)
        _stir(policy)
        before, after = make_pre_post_processors(config, dataset_stats={"observation.state": state, "action": action})
        for part in (policy, before, after):
            part.save_pretrained(root / name / "pretrained_model")
    TokenizerProcessorStep.__post_init__ = wanted


def _stats(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """Statistics far from mean 0 and deviation 1, so that a forgotten normalisation is seen."""
    import torch

    low = rng.normal(3.0, 1.0, size).astype(np.float32)
    high = low + rng.uniform(4.0, 9.0, size).astype(np.float32)
    found = {"mean": (low + high) / 2, "std": (high - low) / 3, "min": low, "max": high, "q01": low, "q99": high}
    return {name: torch.from_numpy(values) for name, values in found.items()}


def _stir(policy: Any) -> None:
    """Weights large enough that pictures, words and state are all seen in the answer."""
    import torch

    with torch.no_grad():
        for weight in policy.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)


def ask(root: Path) -> None:
    """Both answers of every checkpoint, or the adapter's complaint."""
    import torch

    from surehand.exceptions import SurehandError
    from surehand.policies.lerobot.policy import LeRobotPolicy

    torch.set_num_threads(1)  # several round differently
    shrink()
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        try:
            ours = LeRobotPolicy(folder)
        except SurehandError as error:
            Path(f"{folder}.txt").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
            if "tokenizer" in str(error):
                named = LeRobotPolicy(folder, vlm=str(root / TOKENIZER))
                np.save(f"{folder}.npy", named.infer(observations(1)[0])["actions"])
        else:
            compare(folder, ours)


def observations(count: int) -> list[dict[str, Any]]:
    """That many, each with its own state, pictures and words."""
    rng = np.random.default_rng(9)
    return [
        {
            "observation.state": rng.normal(6.0, 2.0, STATE),
            HEAD: rng.integers(0, 256, (EDGE, EDGE, 3), np.uint8),
            WRIST: rng.integers(0, 256, (EDGE, 2 * EDGE, 3), np.uint8),
            "task": ("pick", "open the drawer", "fold")[i % 3],
        }
        for i in range(count)
    ]


def compare(folder: Path, ours: Any) -> None:
    """Answers to three observations: the adapter's, lerobot's select_action, and its normalised chunk undone here."""
    import torch
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    from safetensors.numpy import load_file

    from surehand.policies.batches import sample_batch

    inside = folder / "pretrained_model"
    config = PreTrainedConfig.from_pretrained(inside)
    policy = get_policy_class(config.type).from_pretrained(inside, config=config)
    before, after = make_pre_post_processors(config, str(inside))
    rows = observations(3)

    executed, raw = [], []
    for row in rows:
        torch.manual_seed(0)
        policy.reset()
        executed.append(
            np.stack([after(policy.select_action(before(_as_batch(row)))).numpy()[0] for _ in range(STEPS)])
        )
        torch.manual_seed(0)
        raw.append(policy.predict_action_chunk(before(_as_batch(row))).numpy()[0])
    known = load_file(next(inside.glob("policy_postprocessor*.safetensors")))

    outside = torch.random.get_rng_state()
    batch = np.stack([answer["actions"] for answer in ours.infer_batch(rows)])
    again = np.stack([answer["actions"] for answer in ours.infer_batch(rows[::-1])])[::-1]
    alone = np.stack([ours.infer(row)["actions"] for row in rows])
    drawn = [ours.sample(row, 4, np.random.default_rng([3, i])).actions for i, row in enumerate(rows)]
    same = ours.sample(rows[0], 4, np.random.default_rng([3, 0])).actions
    together = sample_batch(ours, rows, 4, [np.random.default_rng([3, i]) for i in range(3)])
    other_words = ours.infer(rows[0] | {"task": "another word"})["actions"]
    other_picture = ours.infer(rows[0] | {HEAD: 255 - rows[0][HEAD]})["actions"]
    untouched = bool((torch.random.get_rng_state() == outside).all())
    spec, std = ours.spec, ours.action_std
    np.savez(
        f"{folder}.npz",
        executed=np.stack(executed), raw=np.stack(raw), states=np.stack([row["observation.state"] for row in rows]),
        batch=batch, again=again, alone=alone, drawn=np.stack(drawn), same=same, untouched=untouched,
        together=np.stack([samples.actions for samples in together]), generator=together[0].generator,
        other_words=other_words, other_picture=other_picture, has_std=std is not None,
        spec=np.array([spec.horizon, spec.dims, spec.stochastic, str(spec.space), ",".join(spec.cameras)]),
        **{name: known[f"action.{name}"] for name in ("mean", "std", "q01", "q99")},
    )  # fmt: skip


def _as_batch(row: dict[str, Any]) -> dict[str, Any]:
    """One observation as lerobot's robot loop makes it: float32, pictures (3, h, w) in 0..1."""
    import torch

    found: dict[str, Any] = {
        "task": row["task"],
        "observation.state": torch.from_numpy(row["observation.state"]).float(),
    }
    for key in (HEAD, WRIST):
        found[key] = torch.from_numpy(row[key]).permute(2, 0, 1).float() / 255
    return found


def main() -> None:
    """Runs the command that the arguments name."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    command, root = sys.argv[1:]
    {"tiny": tiny, "ask": ask}[command](Path(root))


if __name__ == "__main__":
    main()
