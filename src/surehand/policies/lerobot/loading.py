"""A checkpoint's policy and processors, loaded by lerobot's own code; whatever stands in the way is one line."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError, SpaceError, SurehandError
from surehand.policies.chunks import first_line
from surehand.policies.lerobot.checkpoint import EMPTY_CAMERA, WEIGHTS, Checkpoint, Processor
from surehand.policies.lerobot.language import local_copy
from surehand.policies.lerobot.versions import config_class_of, installed_version, refuse_newer, unknown_fields

TOKENIZER = "tokenizer_processor"
NOT_LOADED = "Could not load state dict"  # as lerobot prints it


@dataclass(frozen=True)
class Loaded:
    """lerobot's objects: configuration, policy, and the processors before and after it."""

    config: Any
    policy: Any
    before: Any
    after: Any

    @property
    def told(self) -> bool:
        """Whether the instruction is read: the pre-processor tokenizes it."""
        return any(hasattr(step, "task_key") for step in self.before.steps)


def load(checkpoint: Checkpoint, vlm: str | None = None) -> Loaded:
    """Everything of the checkpoint, every weight in its place; FormatError or SpaceError in one line otherwise.

    `vlm` names the folder of the vision-language model (or tokenizer) to use instead of the one that the checkpoint
    names; the environment variable SUREHAND_VLM does the same.
    """
    version = installed_version()
    folder = checkpoint.folder
    config_class = config_class_of(checkpoint, version)
    unknown = unknown_fields(folder, config_class)
    if checkpoint.before is not None:
        refuse_newer(checkpoint, unknown, config_class, version)
    with _told(folder, version):
        config = _config(folder, unknown)
        named = _without_downloads(config)
        tokenizer = ((checkpoint.before and checkpoint.before.step(TOKENIZER)) or {}).get("tokenizer_name")
        if hasattr(config, "vlm_model_name"):
            same = tokenizer in (None, config.vlm_model_name)
            config.vlm_model_name = local_copy(folder, config.vlm_model_name, vlm, "vision-language model")
            tokenizer = config.vlm_model_name if same else local_copy(folder, str(tokenizer), vlm, "tokenizer")
        elif tokenizer:
            tokenizer = local_copy(folder, tokenizer, vlm, "tokenizer")
        if checkpoint.before is None:
            from surehand.policies.lerobot.old import load_old

            policy, before, after = load_old(checkpoint, config)
        else:
            policy = _policy(folder, config)
            before, after = _processors(checkpoint, config, tokenizer)
        if named.get("load_vlm_weights"):
            _as_saved(policy, folder / WEIGHTS)
    _need_statistics(checkpoint, before, after)
    return Loaded(config, policy, before, after)


@contextmanager
def _told(folder: Path, version: str) -> Iterator[None]:
    """Quiet inside, and every failure is one line: whatever lerobot, draccus, transformers or safetensors raise."""
    try:
        with redirect_stdout(StringIO()):  # lerobot prints that it loads
            yield
    except SurehandError:
        raise
    except Exception as error:
        raise FormatError(
            f"{folder}: lerobot {version} cannot load it ({first_line(error)}); copy or save it again"
        ) from None


def _config(folder: Path, unknown: list[str]) -> Any:
    """lerobot's configuration object; fields that it has dropped since an old checkpoint was written are left out."""
    from tempfile import TemporaryDirectory

    from lerobot.configs.policies import PreTrainedConfig

    if not unknown:
        return PreTrainedConfig.from_pretrained(folder, local_files_only=True)
    written = json.loads((folder / "config.json").read_bytes())
    with TemporaryDirectory() as other:
        kept = {name: value for name, value in written.items() if name not in unknown}
        (Path(other) / "config.json").write_text(json.dumps(kept), encoding="utf-8")
        return PreTrainedConfig.from_pretrained(Path(other), local_files_only=True)


def _without_downloads(config: Any) -> dict[str, Any]:
    """What the configuration asked for before its requests for weights, which the checkpoint's replace, were dropped.

    A compiled policy is run as it is written: compiled code draws its noise where nobody sees it.
    """
    quiet = {"pretrained_backbone_weights": None, "load_vlm_weights": False, "compile_model": False}
    asked = {name: getattr(config, name) for name in quiet if getattr(config, name, None)}
    for name in asked:
        setattr(config, name, quiet[name])
    return asked


def _policy(folder: Path, config: Any) -> Any:
    """lerobot's policy with the checkpoint's weights; RuntimeError where it goes on with random ones.

    pi0, pi05, pi0_fast and wall_x print that the weights do not fit and return the policy all the same (0.4 to 0.6).
    """
    from lerobot.policies.factory import get_policy_class

    with redirect_stdout(StringIO()) as printed:
        policy = get_policy_class(config.type).from_pretrained(folder, config=config, strict=True)
    _, failed, why = printed.getvalue().partition(NOT_LOADED)
    if failed:
        raise RuntimeError(why.partition(": ")[2])
    return policy


def _processors(checkpoint: Checkpoint, config: Any, tokenizer: str | None) -> tuple[Any, Any]:
    """Pre- and post-processor, on this machine's device and with the tokenizer that lies here."""
    from lerobot.policies.factory import make_pre_post_processors

    before = checkpoint.before or Processor(steps=[])
    overrides = {}
    if before.step("device_processor") is not None:
        overrides["device_processor"] = {"device": config.device}
    if before.step(TOKENIZER) is not None and tokenizer:
        overrides[TOKENIZER] = {"tokenizer_name": tokenizer}
    pair: tuple[Any, Any] = make_pre_post_processors(
        config, os.fspath(checkpoint.folder), preprocessor_overrides=overrides
    )
    return pair


def _as_saved(policy: Any, weights: Path) -> None:
    """Parameters in the precision in which they were saved: lerobot downloads the language model's in bfloat16."""
    import torch
    from safetensors import safe_open

    with safe_open(weights, framework="pt") as file:
        halves = {name for name in file.keys() if file.get_slice(name).get_dtype() == "BF16"}
    for name, parameter in policy.named_parameters():
        if name in halves:
            parameter.data = parameter.data.to(torch.bfloat16)


def _need_statistics(checkpoint: Checkpoint, before: Any, after: Any) -> None:
    """Nothing, or SpaceError: lerobot passes a feature without statistics through, in whatever units it is."""
    config = checkpoint.config
    for pipeline, features in ((before, config.input_features), (after, config.output_features)):
        known = {key for step in pipeline.steps for key in getattr(step, "stats", None) or {}}
        for key, feature in features.items():
            mode = config.normalization_mapping.get(feature.type, "IDENTITY")
            if mode != "IDENTITY" and key not in known and EMPTY_CAMERA not in key:
                where = "the weights" if checkpoint.before is None else "the processors"
                raise SpaceError(
                    f"{checkpoint.folder}: {key} was trained as {mode}, but its statistics are not with {where}; "
                    "save the checkpoint again with its dataset's statistics"
                )
