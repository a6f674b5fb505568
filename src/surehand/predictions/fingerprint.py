"""What a policy's and a dataset's files are, so that a continued run never mixes two of one name."""

import hashlib
import os
import sys
from pathlib import Path

from surehand.formats.lerobot import LeRobotFolder
from surehand.policies.function import is_function

SMALL = 1 << 20  # bytes; of larger files size and time count, as reading gigabytes of weights would cost too much
BESIDE = {"training_state", "train_state", "optimizer.pt", "__pycache__"}  # not part of the policy


def fingerprint(where: str) -> str:
    """16 hex digits over names and contents of a checkpoint's files or a function's own; of the address for all else.

    Files above 1 MB count by name, size and time of change. What cannot be read counts as such: who opens it says why.
    """
    path = _files_of(where)
    if path is None:
        return hashlib.sha256(where.encode()).hexdigest()[:16]  # an address may hold a password
    inside = path / "pretrained_model"
    root = inside if inside.is_dir() else path
    files = [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        name = file.name if file == root else file.relative_to(root).as_posix()
        if BESIDE.isdisjoint(name.split("/")):
            digest.update(f"{name} {_content(file)}\n".encode())
    return digest.hexdigest()[:16]


def data_files(dataset: LeRobotFolder) -> str:
    """16 hex digits over names and sizes of a dataset's data and video files, and its features: what policies look at.

    The dataset's identity covers actions and states alone, which recordings with other pictures may share.
    """
    digest = hashlib.sha256(repr(sorted(dataset.features.items())).encode())
    for folder in ("data", "videos"):
        for file in sorted(file for file in (dataset.root / folder).rglob("*") if file.is_file()):
            digest.update(f"{file.relative_to(dataset.root).as_posix()} {file.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def _files_of(where: str) -> Path | None:
    """The file or folder that an address stands for; None for a server and for what is not there."""
    if "://" in where:
        return None
    if Path(where).exists() or not is_function(where):
        return Path(where) if where and Path(where).exists() else None
    module = where.rpartition(":")[0]
    if module.endswith(".py"):
        return Path(module) if Path(module).exists() else None
    bases = [Path(folder, *module.split(".")) for folder in (*sys.path, os.getcwd())]
    files = (file for base in bases for file in (base / "__init__.py", base.with_suffix(".py")))
    return next((file for file in files if file.is_file()), None)


def _content(file: Path) -> str:
    try:
        facts = file.stat()
        if facts.st_size <= SMALL:
            return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return f"{facts.st_size} {facts.st_mtime_ns}"
