"""What a database says when something is wrong, as one line for a person; loaded with the store, never before."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from surehand.exceptions import FormatError, StoreError, SurehandError

# part of what the driver says -> what that means, what to do; the first that fits
_FILES = (
    ("file is not a database", "not a surehand store (not SQLite at all); give the file that surehand wrote"),
    ("malformed", "the file is damaged or cut off; take the newest copy, and see what `sqlite3 FILE .recover` saves"),
)
_LATER = (
    ("readonly database", "the file may not be written; give yourself the right to write it and its folder"),
    ("database is locked", "another program has been holding the file for too long; close it, then try again"),
    ("database or disk is full", "the disk is full, nothing was acknowledged; make room, then try again"),
    ("unable to open database file", "cannot be opened; check the folder, and that you may write there"),
    ("disk i/o error", "the disk refuses to read or write; nothing was acknowledged, check the disk"),
    ("password authentication failed", "the server does not know this user with this password; check both"),
    ("no password supplied", "the server wants a password; write postgresql://USER:PASSWORD@HOST/NAME"),
    ("does not exist", "the server has no such database or user; create it: createdb NAME"),
    ("pg_hba.conf", "the server lets nobody in from here with this user; add a line to its pg_hba.conf"),
    ("could not translate host name", "no such host; check its name and the network"),
    ("failed to resolve host", "no such host; check its name and the network"),
    ("connection refused", "nobody answers at that host and port; start PostgreSQL, or check the address"),
    ("timeout expired", "the server did not answer in time; check address and network"),
    ("lock timeout", "another program has been holding the study for too long; try again"),
    ("permission denied", "this user may not use the tables; grant the right, or let surehand create its own database"),
    ("no space left on device", "the server's disk is full, nothing was acknowledged; make room, then try again"),
    ("too many clients", "the server has no connection left; raise its max_connections, or try again"),
)


@contextmanager
def told(target: str) -> Iterator[None]:
    """Nothing; whatever the database refuses inside becomes a FormatError or StoreError of one line."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise said(target, error) from None


def said(target: str, error: exc.SQLAlchemyError) -> SurehandError:
    """The line for a person."""
    found = " ".join(str(getattr(error, "orig", None) or error).split())
    for kind, lines in ((FormatError, _FILES), (StoreError, _LATER)):
        for part, line in lines:
            if part in found.lower():
                return kind(f"{target}: {line}")
    if "only ever added" in found or "are numbered" in found:
        return FormatError(f"{target}: {found.split('CONTEXT')[0].strip()}; correct by a new row")
    return StoreError(f"{target}: {found[:300] or type(error).__name__}; nothing was acknowledged, try again")
