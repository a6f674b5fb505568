"""A checkpoint as a policy, whoever trained it: surehand's own learners or LeRobot."""

import json
import os
from pathlib import Path

from surehand.exceptions import FormatError
from surehand.policies.protocol import Policy


def open_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in a checkpoint's folder; a LeRobot checkpoint needs `surehand[lerobot]`.

    Raises FormatError, in one line, for a folder that holds neither or one that does not load.
    """
    folder = Path(path)
    if (folder / "pretrained_model").is_dir() or "type" in _config(folder):
        from surehand.policies.lerobot import LeRobotPolicy

        return LeRobotPolicy(folder)
    if not (folder / "config.json").is_file():
        inside = sorted(found.name for found in (folder / "checkpoints").glob("*") if found.is_dir())
        hint = (
            f"name one of its checkpoints, e.g. {folder / 'checkpoints' / inside[-1]}"
            if inside
            else "is the path right?"
        )
        raise FormatError(f"{folder}: no checkpoint of `surehand sim train` or lerobot-train here; {hint}")
    from surehand.sim.learners import load_policy

    return load_policy(folder)


def _config(folder: Path) -> dict[str, object]:
    """config.json of a checkpoint, empty where there is none to read; who opens the folder says what is wrong."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
