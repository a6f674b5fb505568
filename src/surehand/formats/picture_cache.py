"""Decoded pictures kept on disk: each decoded once for all processes, the longest unused removed where space ends.

An entry is a folder for one camera's pictures of one episode, see `picture_files`.
"""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from surehand.formats.picture_files import Decode, read, record, sound_rows, write

SPARE = 256 * 2**20  # bytes of the disk that are left to others
LOOK_AGAIN = 5.0  # seconds after which other processes' writing is counted anew


class CacheFailed(Exception):
    """The cache cannot hold these pictures; the text says why. Without `lasting`, others may fit."""

    def __init__(self, why: str, lasting: bool = True) -> None:
        super().__init__(why)
        self.lasting = lasting


def open_cache_folder() -> Path:
    """Where surehand keeps what it can make again: $SUREHAND_CACHE, $XDG_CACHE_HOME/surehand or ~/.cache/surehand."""
    if chosen := os.environ.get("SUREHAND_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "surehand"


class PictureCache:
    """Pictures in a folder that several processes and threads may share."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit = folder / "pictures", limit_bytes
        self._trusted: set[Path] = set()  # files written or checked by this object: nobody changes them
        self._used, self._looked = 0, float("-inf")
        self._counting = threading.Lock()

    def get(self, key: str, rows: np.ndarray, size: tuple[int, int], decode: Decode) -> np.ndarray:
        """Pictures (n, h, w, 3) of ascending rows (n,), read-only; what is not there, or damaged, is decoded first.

        A second process that asks for the same key meanwhile waits. CacheFailed where they cannot be kept.
        """
        found = read(self.folder / key, rows, size, self._trusted)
        if found is None:
            self.ensure(key, rows, size, decode)
            found = read(self.folder / key, rows, size, self._trusted)
            if found is None:  # removed between two lines of ours, or the disk loses what it is given
                raise CacheFailed("pictures vanish from it; is it large enough?", lasting=False)
        with contextlib.suppress(OSError):
            os.utime(self.folder / key)
        return found

    def ensure(self, key: str, rows: np.ndarray, size: tuple[int, int], decode: Decode) -> None:
        """Nothing; decodes into the cache those of the ascending rows (n,) that are not there."""
        entry = self.folder / key
        try:
            with _locked(entry):
                missing = np.setdiff1d(rows, sound_rows(entry, rows, size, self._trusted))
                if len(missing):
                    self._make_room(entry, len(missing) * record(size).itemsize)
                    self._trusted.add(write(entry, missing, size, decode))
        except OSError as error:
            raise CacheFailed(error.strerror or str(error)) from None

    def _make_room(self, entry: Path, need: int) -> None:
        """Nothing; removes what was unused longest. CacheFailed where that does not suffice."""
        with self._counting:
            allowed = min(self.limit, self._used + shutil.disk_usage(self.folder).free - SPARE)
            if time.monotonic() - self._looked > LOOK_AGAIN or self._used + need > allowed:
                entries = _entries(self.folder)
                self._used, self._looked = sum(bytes_ for _, bytes_, _ in entries), time.monotonic()
                allowed = min(self.limit, self._used + shutil.disk_usage(self.folder).free - SPARE)
                for _, held, path in entries:
                    if self._used + need <= allowed:
                        break
                    if path != entry and _remove(path):
                        self._used -= held
            if self._used + need > allowed:
                raise CacheFailed(
                    f"{need / 1e9:.2g} GB do not fit into {max(allowed, 0) / 1e9:.2g} GB; allow it more, or free space",
                    lasting=False,
                )
            self._used += need


def _entries(folder: Path) -> list[tuple[float, int, Path]]:
    """(last used, bytes, folder) of every entry, the longest unused first."""
    found = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # removed meanwhile
            with os.scandir(path) as files:
                held = sum(file.stat().st_size for file in files)
            found.append((path.stat().st_mtime, held, path))
    return sorted(found)


def _remove(entry: Path) -> bool:
    """Whether an entry was removed; not where someone is at work in it."""
    with contextlib.suppress(OSError), _locked(entry, wait=False):
        shutil.rmtree(entry)
        return True
    return False


@contextlib.contextmanager
def _locked(entry: Path, wait: bool = True) -> Iterator[None]:
    """The entry's folder, made where it is absent, for us alone; the lock ends with its process, however that ends.

    OSError where it is taken and we do not wait. A system or disk without locks goes without: work may be done twice.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        entry.mkdir(parents=True, exist_ok=True)
        yield
        return
    while True:
        entry.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(entry, os.O_RDONLY)
        except FileNotFoundError:  # removed since the line above
            continue
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except OSError:
                if not wait:
                    raise
            same = False
            with contextlib.suppress(FileNotFoundError):
                same = os.fstat(handle).st_ino == entry.stat().st_ino  # not removed while we waited
            if same:
                yield
                return
        finally:
            os.close(handle)
