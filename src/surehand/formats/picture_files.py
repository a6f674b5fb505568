"""Decoded pictures as files: each a plain .npy of records (row, checksum, picture), mapped into memory when read.

A folder holds one camera's pictures of one episode, every file in it those decoded at one time; files are written whole
or not at all and never changed. n pictures of size (h, w).
"""

import contextlib
import os
import secrets
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np

Decode = Callable[[np.ndarray], Iterator[np.ndarray]]  # pictures (h, w, 3) of these ascending rows (n,), one by one
IN_HAND = 4  # pictures decoded and not yet written


def record(size: tuple[int, int]) -> np.dtype[np.void]:
    """One picture as it is stored, with its frame index and a checksum of both."""
    return np.dtype([("row", "<i8"), ("check", "<u4"), ("picture", "u1", (*size, 3))])


def _segments(entry: Path, size: tuple[int, int]) -> Iterator[tuple[Path, np.ndarray | None]]:
    """(file, its records, mapped) of an entry; None for a file that is not what was once written."""
    for path in sorted(entry.glob("*.npy")):
        try:
            records = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, EOFError, OverflowError):  # cut off, or no .npy
            yield path, None
            continue
        whole = records.dtype == record(size) and records.ndim == 1 and (np.diff(records["row"]) > 0).all()
        yield path, records if whole else None


def _sound(records: np.ndarray, place: int) -> bool:
    return _check(records["picture"][place], int(records["row"][place])) == int(records["check"][place])


def _check(picture: np.ndarray, row: int) -> int:
    return zlib.crc32(picture.data, row & 0xFFFFFFFF)


def read(entry: Path, rows: np.ndarray, size: tuple[int, int], trusted: Collection[Path] = ()) -> np.ndarray | None:
    """(n, h, w, 3) of these rows, or None where one is absent or damaged; `trusted` files are not checked again."""
    places: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    left = np.ones(len(rows), bool)
    for path, records in _segments(entry, size):
        if records is None or not left.any():
            continue
        _, wanted, here = np.intersect1d(np.where(left, rows, -1), records["row"], return_indices=True)
        if len(here):
            if path not in trusted and not all(_sound(records, place) for place in here.tolist()):
                return None
            places.append((records, wanted, here))
            left[wanted] = False
    if left.any():
        return None
    if len(places) == 1 and len(places[0][2]) == places[0][2][-1] - places[0][2][0] + 1:
        records, _, here = places[0]
        return records["picture"][here[0] : here[-1] + 1].view(np.ndarray)  # nothing is copied
    found = np.empty((len(rows), *size, 3), np.uint8)
    for records, wanted, here in places:
        found[wanted] = records["picture"][here]
    found.flags.writeable = False
    return found


def sound_rows(entry: Path, rows: np.ndarray, size: tuple[int, int], trusted: set[Path]) -> np.ndarray:
    """Those of the rows that the entry holds; files with a damaged one, or left half-written, are removed.

    Files that are sound from end to end are `trusted` from now on.
    """
    for draft in entry.glob(".*.part"):  # its writer is dead: the entry is locked by us
        draft.unlink(missing_ok=True)
    held = [np.zeros(0, np.int64)]
    for path, records in _segments(entry, size):
        here = [] if records is None else np.flatnonzero(np.isin(records["row"], rows)).tolist()
        if records is None or (path not in trusted and not all(_sound(records, place) for place in here)):
            path.unlink(missing_ok=True)
            continue
        if len(here) == len(records):
            trusted.add(path)
        held.append(np.asarray(records["row"][here]))
    return np.concatenate(held)


def write(entry: Path, rows: np.ndarray, size: tuple[int, int], decode: Decode) -> Path:
    """One more file of the entry, whole or not at all."""
    name = secrets.token_hex(8)
    draft, path = entry / f".{name}.part", entry / f"{name}.npy"
    head = {"descr": np.lib.format.dtype_to_descr(record(size)), "fortran_order": False, "shape": (len(rows),)}
    try:
        # Written by a thread of its own: the decoder goes on meanwhile.
        with draft.open("wb") as file, ThreadPoolExecutor(1) as writer:
            np.lib.format.write_array_header_1_0(file, head)
            waiting: deque[Future[None]] = deque()
            for row, picture in zip(rows.tolist(), decode(rows), strict=True):
                waiting.append(writer.submit(_put, file, row, picture))
                if len(waiting) > IN_HAND:
                    waiting.popleft().result()
            for written in waiting:
                written.result()
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
            entry.rmdir()  # where nothing else is in it
        raise
    return path


def _put(file: IO[bytes], row: int, picture: np.ndarray) -> None:
    """Nothing; writes one record."""
    picture = np.ascontiguousarray(picture)
    file.write(row.to_bytes(8, "little") + _check(picture, row).to_bytes(4, "little"))
    file.write(picture.data)
