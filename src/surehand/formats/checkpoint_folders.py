"""Which checkpoints a folder holds, whoever trained them: LeRobot, openpi, Hugging Face's trainer, surehand itself."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from surehand.exceptions import FormatError
from surehand.formats.checkpoint_names import parse_step
from surehand.formats.checkpoint_weights import SHARDS, WEIGHTS, why_not_whole
from surehand.formats.records import read_json

Layout = Literal["lerobot", "openpi", "hf-trainer", "surehand"]
LOOKED_FOR = (
    "LeRobot (<step>/pretrained_model), openpi (<step>/params), Hugging Face's trainer (checkpoint-<step>/config.json) "
    "or surehand (<step>/config.json)"
)
DEPTH = 4  # folders below the one named, as in outputs/train/<date>/<run>/checkpoints/<step>
DRAFT = re.compile(
    r"orbax-checkpoint-tmp|^tmp-checkpoint-\d|^\.\d+\.[0-9a-f]{8}$|^\d+\.tmp"
)  # names of what is in the works
STEP = re.compile(r"(checkpoint-)?\d+")


@dataclass(frozen=True)
class CheckpointFolder:
    """One whole checkpoint; `name` is what its policy calls itself, unless that would not be unique."""

    path: Path
    layout: Layout
    step: int | None
    name: str
    run: Path  # the folder of the training run


@dataclass(frozen=True)
class Found:
    """What a folder holds."""

    checkpoints: tuple[CheckpointFolder, ...]  # by run, then by step
    skipped: tuple[tuple[Path, str], ...]  # half-written or temporary ones, and why


def find_checkpoints(path: str | os.PathLike[str]) -> Found:
    """The checkpoints at or below a folder: one itself, a run, its `checkpoints/`, or a folder of runs.

    Nothing is loaded: files are there, and safetensors as long as their headers say. FormatError where there is none.
    """
    top = Path(path)
    if not top.is_dir():
        raise FormatError(f"{top}: no such folder; expected a checkpoint or a training run")
    checkpoints: dict[Path, CheckpointFolder] = {}
    skipped: dict[Path, str] = {}
    for folder, found in _walk(top, DEPTH):
        if isinstance(found, str):
            skipped.setdefault(folder, found)
        else:
            checkpoints.setdefault(found.path.resolve(), found)  # `last` points at one of them
    if not checkpoints:
        why = "".join(f"; {folder}: {reason}" for folder, reason in list(skipped.items())[:1])
        raise FormatError(f"{top}: no checkpoint of {LOOKED_FOR}{why}")
    ordered = sorted(checkpoints.values(), key=lambda c: (str(c.run), -1 if c.step is None else c.step, c.name))
    return Found(tuple(unique_names(ordered)), tuple(skipped.items()))


def unique_names(checkpoints: Sequence[CheckpointFolder]) -> list[CheckpointFolder]:
    """The same, those of runs whose names meet called after their run as well: folders above it, until they differ."""
    named = list(checkpoints)
    for depth in range(1, 9):
        count = Counter(checkpoint.name for checkpoint in named)
        meeting = {checkpoint.run.resolve() for checkpoint in named if count[checkpoint.name] > 1}
        if not meeting:
            return named
        for i, checkpoint in enumerate(named):
            parts = [part for part in checkpoint.run.resolve().parts if part != os.sep]
            if checkpoint.run.resolve() in meeting and depth <= len(parts):
                named[i] = replace(checkpoint, name=f"{parts[-depth]} {checkpoint.name}")
    seen: Counter[str] = Counter()
    for i, checkpoint in enumerate(named):  # one folder, two checkpoints of a name
        seen[checkpoint.name] += 1
        if seen[checkpoint.name] > 1:
            named[i] = replace(checkpoint, name=f"{checkpoint.name} ({seen[checkpoint.name]})")
    return named


def _walk(folder: Path, depth: int) -> Iterator[tuple[Path, CheckpointFolder | str]]:
    """(folder, checkpoint or why it is none) of everything that is or would be a checkpoint; real folders first."""
    found = _look(folder)
    if found is not None:
        yield folder, found
    try:
        inside = sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path.name)) if depth else []
    except OSError as error:
        yield folder, f"cannot be looked into ({error.strerror})"
        return
    if found is not None:  # the end of a run may lie above its steps
        inside = [path for path in inside if path.name == "checkpoints" or path.name.startswith("checkpoint-")]
    for path in inside:
        if path.is_dir() and (not path.name.startswith(".") or DRAFT.search(path.name)):
            below = list(_walk(path, depth - 1))
            if not below and folder.resolve().name == "checkpoints" and STEP.fullmatch(path.name):
                yield path, "holds nothing that is known here"
            yield from below
        elif path.is_symlink() and not path.exists():
            yield path, "a link to what is no longer there"


def _look(folder: Path) -> CheckpointFolder | str | None:
    """The checkpoint in exactly this folder, why it is not whole, or None for a folder of another kind."""
    if DRAFT.search(folder.name):
        return "temporary; its writing was not finished"
    try:
        inner = folder / "pretrained_model"
        if inner.is_dir():
            return _with_config(inner, folder)
        if (folder / "config.json").is_file():
            return _with_config(folder, folder)
        if any((folder / name).exists() for name in ("params", "_CHECKPOINT_METADATA", "train_state")):
            return _openpi(folder)
        if (folder / "assets").is_dir() and (folder / WEIGHTS[0]).is_file():  # openpi's PyTorch training
            return why_not_whole(folder) or _checkpoint(folder, "openpi", _run(folder).name)
    except FormatError as error:
        return str(error)
    if folder.name == "pretrained_model" or (folder / "training_state").is_dir():
        return "config.json is missing" if folder.name == "pretrained_model" else "pretrained_model is missing"
    if any((folder / name).is_file() for name in (*WEIGHTS, SHARDS, "trainer_state.json")):
        return "config.json is missing"
    return None


def _with_config(files: Path, folder: Path) -> CheckpointFolder | str | None:
    """A checkpoint whose config.json says whose it is."""
    if not (files / "config.json").is_file():
        return "config.json is missing"
    config = read_json(files / "config.json")
    if not isinstance(config, dict):
        return "config.json is no object"
    kind: Any
    if config.get("kind") == "learner":
        reason = why_not_whole(files)
        step = config.get("step")
        if reason or not isinstance(step, int):
            return reason or "config.json states no step"
        return _checkpoint(folder, "surehand", str(config.get("learner")), step)
    if isinstance(kind := config.get("type"), str) and (files != folder or "input_features" in config):
        return why_not_whole(files) or _checkpoint(folder, "lerobot", kind)
    if isinstance(kind := config.get("model_type"), str) or "architectures" in config:
        return why_not_whole(files) or _checkpoint(
            folder, "hf-trainer", kind or _run(folder).name, _trainer_step(files)
        )
    return "config.json is no policy's that is known here" if files != folder or STEP.fullmatch(folder.name) else None


def _checkpoint(folder: Path, layout: Layout, kind: str, step: int | None = None) -> CheckpointFolder:
    """Called by its kind and its folder, as LeRobot's and surehand's policies call themselves."""
    real = folder.resolve()
    if real.name == "pretrained_model":
        real = real.parent
    step = parse_step(real.name) if step is None else step
    said = (
        f"{step:06d}"
        if layout == "surehand"
        else str(step)
        if layout == "hf-trainer" and step is not None
        else real.name
    )
    return CheckpointFolder(folder, layout, step, f"{kind} {said}", _run(folder))


def _run(folder: Path) -> Path:
    """The folder of the run that a checkpoint belongs to."""
    above = folder.resolve().parent
    if folder.resolve().name == "pretrained_model":
        above = above.parent
    return above.parent if above.name == "checkpoints" and above.parent.name else above


def _openpi(folder: Path) -> CheckpointFolder | str:
    """orbax writes `params` aside and renames it when it is whole."""
    params = folder / "params"
    if not params.is_dir():
        return "params is missing"
    if any(DRAFT.search(path.name) for path in (*folder.iterdir(), *params.iterdir())):
        return "its writing was not finished (a temporary folder of orbax is inside)"
    if not any((params / name).exists() for name in ("_METADATA", "manifest.ocdbt", "checkpoint")):
        return "params holds no weights (neither _METADATA nor manifest.ocdbt)"
    return _checkpoint(folder, "openpi", _run(folder).name)


def _trainer_step(files: Path) -> int | None:
    """The step that Hugging Face's trainer noted, where it did."""
    if not (files / "trainer_state.json").is_file():
        return None
    state = read_json(files / "trainer_state.json")
    step = state.get("global_step") if isinstance(state, dict) else None
    return step if isinstance(step, int) else None
