"""What a policy's files are, so that a continued run never mixes two checkpoints of one name."""

import hashlib
from pathlib import Path

from surehand.exceptions import FormatError

SMALL = (
    1 << 20
)  # bytes; larger files count by size and time, reading gigabytes of weights would cost more than it saves
BESIDE = {"training_state", "train_state", "optimizer.pt", "__pycache__"}  # not part of the policy


def fingerprint(where: str) -> str:
    """16 hex digits over names, sizes and contents of a checkpoint's files; the address itself for all else.

    Files above 1 MB count by name, size and time of change. FormatError where they cannot be read.
    """
    path = Path(where.rpartition(":")[0]) if ".py:" in where else Path(where)
    if "://" in where or not path.exists():
        return where
    inside = path / "pretrained_model"
    root = inside if inside.is_dir() else path
    files = [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    try:
        for file in files:
            name = file.name if file == root else file.relative_to(root).as_posix()
            if BESIDE.isdisjoint(name.split("/")):
                digest.update(f"{name} {_content(file)}\n".encode())
    except OSError as error:
        raise FormatError(f"{where}: cannot be read ({error.strerror}); check the checkpoint's files") from None
    return digest.hexdigest()[:16]


def _content(file: Path) -> str:
    facts = file.stat()
    if facts.st_size <= SMALL:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{facts.st_size} {facts.st_mtime_ns}"
