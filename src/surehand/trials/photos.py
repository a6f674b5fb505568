"""Photos in the database, named by their SHA-256."""

import hashlib
from datetime import datetime

from sqlalchemy import Connection, insert, select

from surehand.exceptions import FormatError
from surehand.trials import studies
from surehand.trials.checks import Refused
from surehand.trials.tables import PHOTOS, ROWS

LARGEST = 20 * 2**20  # bytes
_BEGINS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n", "image/webp": b"RIFF"}


def add(connection: Connection, study: str, data: bytes, media_type: str, now: datetime) -> str:
    """The picture's SHA-256; FormatError for what is no picture, Refused once the study is closed."""
    begins = _BEGINS.get(media_type)
    if begins is None or not data.startswith(begins):
        raise FormatError(f"photo of type {media_type[:40]!r}: expected the bytes of one of {', '.join(_BEGINS)}")
    if len(data) > LARGEST:
        raise FormatError(f"photo of {len(data) / 2**20:.0f} MiB; at most {LARGEST // 2**20}, take it smaller")
    sha = hashlib.sha256(data).hexdigest()
    studies.lock(connection, study)
    if connection.execute(select(PHOTOS.c.sha256).where(PHOTOS.c.sha256 == sha)).first() is not None:
        return sha
    expected = select(ROWS.c.number).where(ROWS.c.study == study, ROWS.c.photo == sha).limit(1)
    if studies.closing(connection, study) is not None and connection.execute(expected).first() is None:
        raise Refused(f"photo {sha[:8]}: study {study!r} is closed, and no row of it names this photo")
    line = {"sha256": sha, "study": study, "media_type": media_type, "received": studies.printed(now), "bytes": data}
    connection.execute(insert(PHOTOS), line)
    return sha


def get(connection: Connection, sha: str) -> tuple[bytes, str] | None:
    """(bytes, media type); None where there is none; FormatError where the bytes are not those that were added."""
    found = connection.execute(select(PHOTOS.c.bytes, PHOTOS.c.media_type).where(PHOTOS.c.sha256 == sha)).first()
    if found is None:
        return None
    if hashlib.sha256(found.bytes).hexdigest() != sha:
        raise FormatError(f"photo {sha[:8]}: its bytes were changed after it was added; take the newest copy")
    return bytes(found.bytes), str(found.media_type)
