"""One command in a folder at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from surehand.exceptions import SurehandError


@contextmanager
def only_one(folder: str | os.PathLike[str]) -> Iterator[None]:
    """No other process is let in while the block lasts; SurehandError where one is at work in this folder already.

    The lock ends with its process, however that ends, and leaves no file behind.
    """
    handle = _locked(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _locked(folder: str | os.PathLike[str]) -> int | None:
    """The open folder, locked; None where the system or the disk knows no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # the other command has just ended and taken the folder along
        raise SurehandError(f"another command has just finished in {folder}; look at its result") from None
    except OSError as error:
        raise SurehandError(f"{folder}: {error.strerror}; choose a folder you may work in") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SurehandError(
            f"another command is at work in {folder}; wait until it ends, or choose another folder"
        ) from None
    except OSError:
        os.close(handle)
        return None
    return handle
