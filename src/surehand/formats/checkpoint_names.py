"""The training step that a checkpoint's name or path states."""

import os
import re

# Folders and files below the one that carries the step: LeRobot, openpi, Hugging Face trainers.
_BELOW = {"pretrained_model", "training_state", "params", "train_state", "assets", "model.safetensors", "config.json"}
_SUFFIX = re.compile(r"\.(parquet|npz|safetensors|ckpt|pth|pt|bin|json)$", re.IGNORECASE)
_SCALE = {"": 1, "k": 1_000, "m": 1_000_000}

_SAID = re.compile(
    r"(?<![a-z])(?:checkpoint|ckpt|global[-_ ]?step|steps?|iter(?:ation)?)[-_ =:]*(\d+(?:\.\d+)?)(k|m)?(?![a-z0-9])",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)(k|m)?[-_ ]?steps?(?![a-z])", re.IGNORECASE)
# Thousands alone: a bare "450M" in a name counts parameters, not steps.
_THOUSANDS = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)(k)(?![a-z0-9])", re.IGNORECASE)


def parse_step(name: str | os.PathLike[str]) -> int | None:
    """The training step in a checkpoint's name or path, or None where it states none.

    >>> parse_step("outputs/train/act/checkpoints/020000/pretrained_model")
    20000
    >>> parse_step("B32 40k"), parse_step("runs/checkpoint-500"), parse_step("pi05_ours")
    (40000, 500, None)
    """
    parts = [part for part in re.split(r"[/\\]", os.fspath(name)) if part and part not in _BELOW]
    if not parts:
        return None
    last = _SUFFIX.sub("", parts[-1].strip())
    if last.isascii() and last.isdigit():  # LeRobot's 020000, openpi's 20000
        return int(last)
    for pattern in (_SAID, _COUNTED, _THOUSANDS):
        if found := pattern.findall(last):
            number, scale = found[-1]
            return round(float(number) * _SCALE[scale.lower()])
    return None
