"""Whether a checkpoint's weights are all there: safetensors files as long as their headers say, no tensor read."""

import json
import os
from pathlib import Path

from surehand.formats.records import read_json

WEIGHTS = ("model.safetensors", "adapter_model.safetensors")
SHARDS = "model.safetensors.index.json"
HEADER = 8  # bytes that say how long a safetensors file's header is
MOST_HEADER = 100_000_000  # bytes, as safetensors itself allows


def why_not_whole(files: Path) -> str | None:
    """Why the weights beside a config.json are not whole, or None."""
    names = [name for name in WEIGHTS if (files / name).is_file()]
    if (files / SHARDS).is_file():
        index = read_json(files / SHARDS)
        shards = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(shards, dict) or not shards:
            return f"{SHARDS} lists no weights"
        names += sorted({os.path.basename(str(name)) for name in shards.values()})
    if not names:
        if any(files.glob("*.bin")) or any(files.glob("*.pt")):
            return "its weights are pickled, which is not opened here; save them as safetensors"
        return "the weights (model.safetensors) are missing"
    for name in names:
        if not (files / name).is_file():
            return f"{name} is missing"
        if reason := _short(files / name):
            return f"{name} {reason}"
    return None


def _short(path: Path) -> str | None:
    """Why a safetensors file is not as long as its header says, or None."""
    try:
        held = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(HEADER), "little")
            if held < HEADER or length > min(held - HEADER, MOST_HEADER):
                return "is cut off"
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        wanted = HEADER + length + max(ends, default=0)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return "is no safetensors file"
    return f"is cut off: {held} of {wanted} bytes" if held < wanted else None
