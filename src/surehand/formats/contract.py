"""What surehand's own files share: a versioned header, whole-or-nothing writing, one line of refusal."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError

HEADER = "surehand"  # the one metadata key that the files carry


def package_version() -> str:
    """The version of surehand that is running."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("surehand")
    except PackageNotFoundError:  # run from a source folder that was never installed
        return "unknown"


def print_header(kind: str, schema_version: int, facts: Mapping[str, Any]) -> str:
    """The header as JSON; FormatError names the entry that JSON cannot hold."""
    head = {"kind": kind, "schema_version": schema_version, "surehand": package_version()}
    for key, value in facts.items():
        try:
            json.dumps(value, allow_nan=False, default=_plain)
        except (TypeError, ValueError):
            raise FormatError(
                f"metadata {key!r} is {value!r}; expected finite numbers, text, lists or mappings"
            ) from None
    return json.dumps({**facts, **head}, default=_plain)


def _plain(value: Any) -> Any:
    """A numpy number as Python's own; TypeError for anything else that JSON does not know."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)


def parse_header(path: str | os.PathLike[str], text: str | bytes | None, kind: str, latest: int) -> dict[str, Any]:
    """The header's facts; FormatError where it is absent, of another kind, or newer than this surehand."""
    if text is None:
        raise FormatError(f"{path}: not a surehand {kind} file (no {HEADER!r} metadata); write it with surehand")
    try:
        head = json.loads(text)
    except ValueError:
        head = None
    if not isinstance(head, dict) or head.get("kind") != kind:
        found = head.get("kind") if isinstance(head, dict) else "no readable header"
        raise FormatError(f"{path}: expected a surehand {kind} file, found {found!r}")
    version = head.get("schema_version")
    if not isinstance(version, int) or not 1 <= version <= latest:
        raise FormatError(f"{path}: schema version {version}, this surehand reads 1 to {latest}; upgrade surehand")
    return head


def need(path: str | os.PathLike[str], head: Mapping[str, Any], key: str, kind: type) -> Any:
    """One entry of the header; FormatError where it is missing or of another type."""
    value = head.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise FormatError(
            f"{path}: header entry {key!r} should be {kind.__name__}, found {value!r}; write the file again"
        )
    return value


@contextmanager
def replacing(path: str | os.PathLike[str], overwrite: bool) -> Iterator[Path]:
    """A temporary neighbour that becomes `path` when the block ends well and vanishes when it does not.

    FormatError where the file exists and may not be overwritten, or where the folder cannot be written.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FormatError(f"{target} exists; choose another name, or move it away first")
    made = [folder for folder in target.parents if not folder.exists()]
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, target)
    except BaseException as error:
        _clear(temporary, made)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise FormatError(f"cannot write {target}: {reason}; choose a folder you may write to") from None
        raise


def _clear(temporary: Path, made: list[Path]) -> None:
    """Nothing; removes what an interrupted write left, silently where the disk itself refuses."""
    try:
        temporary.unlink(missing_ok=True)
        for folder in made:
            if folder.exists():
                folder.rmdir()
    except OSError:
        pass


def open_parquet(path: str | os.PathLike[str], kind: str) -> Any:
    """An open pyarrow ParquetFile; FormatError where the file is missing, empty, truncated or no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = Path(path)
    if not target.is_file():
        raise FormatError(f"{target}: no such file; expected a surehand {kind} file")
    if target.stat().st_size == 0:
        raise FormatError(f"{target}: the file is empty; write the {kind} again")
    try:
        return pq.ParquetFile(target, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"{target}: not a Parquet file, or cut off ({_first_line(error)}); write it again") from None


def damaged(path: str | os.PathLike[str], error: Exception) -> FormatError:
    """The error to raise where a Parquet file's pages cannot be decoded."""
    return FormatError(f"{path}: damaged or cut off ({_first_line(error)}); write it again")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:120]


def check_columns(path: str | os.PathLike[str], found: Any, expected: Any) -> None:
    """Nothing, or FormatError naming the first column of a pyarrow schema that is missing or of another type."""
    for field in expected:
        if field.name not in found.names:
            raise FormatError(f"{path}: column {field.name!r} is missing; found {', '.join(found.names)}")
        if found.field(field.name).type != field.type:
            raise FormatError(
                f"{path}: column {field.name!r} is {found.field(field.name).type}, expected {field.type}; convert it"
            )
