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
# Digits at the end, padded or long: "mlp 012000"; shorter ones may be a seed, a version or a date.
_TRAILING = re.compile(r"(?<![A-Za-z0-9.])(\d{4,7})()$")


def parse_step(name: str | os.PathLike[str]) -> int | None:
    """The training step in a checkpoint's name or path, or None where it states none.

    The last part of the path counts: a number alone, one beside a word such as step or checkpoint, or thousands (40k).

    >>> parse_step("outputs/train/act/checkpoints/020000/pretrained_model")
    20000
    >>> parse_step("B32 40k"), parse_step("runs/checkpoint-500"), parse_step("pi05_ours")
    (40000, 500, None)
    """
    return split_step(name)[1]


def split_step(name: str | os.PathLike[str]) -> tuple[str, int | None]:
    """What is left of a name without its training step, which names the run, and that step.

    >>> split_step("B32 40k"), split_step("runs/act/checkpoints/020000/pretrained_model")
    (('B32', 40000), ('runs/act/checkpoints', 20000))
    """
    parts = [part for part in re.split(r"[/\\]", os.fspath(name)) if part and part not in _BELOW]
    if not parts:
        return os.fspath(name), None
    *above, last = parts
    last = _SUFFIX.sub("", last.strip())
    if last.isascii() and last.isdigit():  # LeRobot's 020000, openpi's 20000
        return "/".join(above), int(last)
    for pattern in (_SAID, _COUNTED, _THOUSANDS, _TRAILING):
        if found := list(pattern.finditer(last)):
            number, scale = found[-1][1], found[-1][2] or ""
            rest = f"{last[: found[-1].start()]} {last[found[-1].end() :]}".strip(" -_=")
            return "/".join([*above, *([rest] if rest else [])]), round(float(number) * _SCALE[scale.lower()])
    return os.fspath(name), None
