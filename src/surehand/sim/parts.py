"""Finished pieces of a long job: they wait beside its folder until all are there, and only the same job uses them."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from surehand.exceptions import FormatError
from surehand.formats.records import write_text

NOTE, WHOLE = "job.json", "whole"


def open_parts(target: Path, job: Mapping[str, object], others: str) -> Path:
    """The folder where the pieces of `target` wait, new or left by an earlier run of the same `job`.

    FormatError where `target` holds files, or where pieces of something else (`others`, in words) lie in the way.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FormatError(f"{target} exists and is not empty; choose a new folder")
    folder = target.parent / f".{target.name}.parts"
    wanted = json.dumps(job, sort_keys=True)
    note = folder / NOTE
    try:
        found = note.read_text(encoding="utf-8") if note.exists() else None
        if found != wanted and folder.exists() and any(piece.name != NOTE for piece in folder.iterdir()):
            raise FormatError(f"{folder} holds parts of {others}; remove it or choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        write_text(note, wanted)
    except OSError as error:
        raise FormatError(f"cannot write {folder}: {error.strerror}; choose a folder you may write to") from None
    return folder


def new_whole(parts: Path) -> Path:
    """Where the result is put together before it is moved; nothing lies there, whatever an earlier run left."""
    shutil.rmtree(parts / WHOLE, ignore_errors=True)
    return parts / WHOLE


def finish(parts: Path, target: Path) -> None:
    """Nothing; the result becomes `target` in one step and the pieces go. FormatError where files came in the way."""
    try:
        os.replace(parts / WHOLE, target)  # onto nothing or an empty folder; it never takes the place of files
    except OSError as error:
        raise FormatError(
            f"cannot write {target}: {error.strerror}; all results wait in {parts}, make room and give the same "
            "command again"
        ) from None
    shutil.rmtree(parts)
