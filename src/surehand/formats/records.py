"""Results as versioned JSON: the base of every record, written whole or not at all, NaN as null."""

import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from surehand.exceptions import FormatError
from surehand.formats.contract import replacing


def _number(value: float | None) -> float:
    return math.nan if value is None or (isinstance(value, float) and math.isinf(value)) else value


# A float that may be unknown: NaN in Python, null in JSON, which has neither NaN nor infinity. A limit at infinity says
# no more than that there is none, so it becomes NaN at once and a record equals what its file holds.
Number = Annotated[
    float,
    BeforeValidator(_number),
    PlainSerializer(lambda v: v if math.isfinite(v) else None, return_type=float | None, when_used="json"),
]


class Part(BaseModel):
    """A piece of a record: unknown fields are refused, so that a typo never becomes silence."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=True)


class Record(Part):
    """One versioned result; subclasses set `kind` and `schema_version` as class defaults."""

    latest: ClassVar[int] = 1

    kind: str
    schema_version: int = 1
    surehand: str = ""  # package version that wrote it
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The path written; the file appears whole or not at all."""
        return write_text(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The record in this file; FormatError names the file, the version and the first field that does not fit."""
        data = read_json(path)
        kind = data.get("kind") if isinstance(data, dict) else None
        expected = cls.model_fields["kind"].default
        if kind != expected:
            raise FormatError(f"{path}: expected a surehand {expected!r} record, found kind {kind!r}")
        version = data.get("schema_version", 1)
        if not isinstance(version, int) or not 1 <= version <= cls.latest:
            raise FormatError(f"{path}: schema {version!r}, this surehand reads 1 to {cls.latest}; upgrade surehand")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise FormatError(f"{path}: field {where}: {first['msg']}; measure again, or upgrade surehand") from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """Parsed JSON; FormatError where the file is missing, unreadable, damaged or no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file") from None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); expected a JSON file") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path}: not text; expected a JSON file") from None
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{path} line {error.lineno}: not JSON, or cut off ({error.msg}); write or download it again"
        ) from None
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        raise FormatError(f"{path}: not the JSON of any file read here; write or download it again") from None


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """The path written, through a temporary neighbour and an atomic rename; FormatError where that fails."""
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """As `write_text`, for bytes."""
    with replacing(path, overwrite=True) as temporary:
        temporary.write_bytes(data)
    return Path(path)
