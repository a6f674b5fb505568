"""A policy by its address, whoever trained it: surehand's own learners, LeRobot, a server, a model file, a function."""

import json
import os
from pathlib import Path

from surehand.exceptions import FormatError
from surehand.policies.protocol import Policy
from surehand.predictions.opening import Access
from surehand.predictions.opening import open_policy as open_other


def open_policy(path: str | os.PathLike[str], access: Access | None = None) -> Policy:
    """The policy at an address; a folder with config.json but no "type" in it is a checkpoint of `surehand sim train`.

    Raises SurehandError, in one line, for what holds none or does not load.
    """
    folder = Path(path)
    if "://" in os.fspath(path) or not (folder.is_dir() or _looks_like_a_folder(folder)):
        return open_other(path, access)
    if not (folder / "config.json").is_file():
        if any((folder / name).exists() for name in ("pretrained_model", "params", "trainer_state.json")):
            return open_other(path, access)
        inside = sorted(found.name for found in (folder / "checkpoints").glob("*") if found.is_dir())
        hint = (
            f"name one of its checkpoints, e.g. {folder / 'checkpoints' / inside[-1]}"
            if inside
            else "is the path right?"
        )
        raise FormatError(f"{folder}: no checkpoint of `surehand sim train` or lerobot-train here; {hint}")
    if "type" in _config(folder) or (folder / "trainer_state.json").exists():
        return open_other(path, access)
    from surehand.sim.learners import load_policy

    return load_policy(folder)


def _looks_like_a_folder(path: Path) -> bool:
    """Whether a path that is not there was meant for a checkpoint: it has no suffix and names no function."""
    return not path.exists() and not path.suffix and ":" not in path.name


def _config(folder: Path) -> dict[str, object]:
    """config.json of a checkpoint, empty where there is none to read; who opens the folder says what is wrong."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
