"""Pictures of a dataset's cameras, video or image columns alike: decoded once, kept on disk or in memory."""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.lerobot_images import AT_ONCE, image_shape
from surehand.formats.lerobot_meta import EpisodeRow
from surehand.formats.lerobot_rows import EpisodeReader
from surehand.formats.lerobot_video import decode_clip, find_clip, need_av
from surehand.formats.picture_cache import CacheFailed, PictureCache
from surehand.formats.picture_files import Decode
from surehand.splits import check_episodes

CACHE_BYTES = 20 * 10**9
MEMORY_BYTES = 512 * 2**20  # where nothing is kept on disk
DECODER = 1  # raised when the same files would give other pictures: what is on disk counts no more


class Pictures:
    """The pictures of some cameras, each decoded once for all processes that share the folder `cache`.

    With `cache=None`, or once the disk refuses (`warnings` then says so, once), a small part is kept in memory.
    Threads may share one. Raises FormatError for a camera that the dataset lacks, ShapeError for one without colour.
    """

    def __init__(
        self, dataset: LeRobotFolder, cameras: Sequence[str], cache: Path | None, limit_bytes: int = CACHE_BYTES
    ) -> None:
        self.dataset = dataset
        self.warnings: list[str] = []
        self.sizes = {camera: _size(dataset, camera) for camera in cameras}  # (h, w)
        self._rows = {row.index: row for row in dataset.rows}
        self._images = {camera: _image_reader(dataset, camera, self.sizes[camera]) for camera in cameras}
        if any(reader is None for reader in self._images.values()):
            need_av()
        self._reading = threading.Lock()
        self._disk = PictureCache(cache, limit_bytes) if cache is not None else None
        self._memory = _Memory(min(limit_bytes, MEMORY_BYTES))

    def frames(self, episode: int, camera: str, rows: np.ndarray) -> np.ndarray:
        """(n, h, w, 3) uint8 RGB of these frame indices (n,) of an episode, in any order; not to be written to.

        Raises FormatError or ShapeError, naming episode and frame, where the dataset does not hold such a picture.
        """
        wanted, back = np.unique(np.asarray(rows, np.int64).reshape(-1), return_inverse=True)
        if not len(wanted):
            return np.zeros((0, *self._size(camera), 3), np.uint8)
        row = self._row(episode, wanted)
        found = self._get(row, camera, wanted)
        return found if len(back) == len(wanted) and (np.diff(back) > 0).all() else found[back]

    def prepare(self, episodes: Iterable[int], rows: Callable[[int], np.ndarray] | None = None) -> None:
        """Nothing; decodes these episodes ahead of use, all their frames or those that `rows(episode)` names (n,).

        Meant for a background thread; errors as `frames`. In memory only as much is prepared as can be kept.
        """
        room = self._memory.limit // 2
        for episode in episodes:
            row = self._row(episode)
            wanted = np.unique(np.arange(row.length) if rows is None else np.asarray(rows(episode), np.int64))
            row = self._row(episode, wanted)
            for camera in self.sizes if len(wanted) else ():
                room -= len(wanted) * int(np.prod(self.sizes[camera])) * 3
                if self._disk is None and room < 0:
                    return
                self._get(row, camera, wanted, ahead=True)

    def _get(self, row: EpisodeRow, camera: str, wanted: np.ndarray, ahead: bool = False) -> np.ndarray:
        size = self._size(camera)
        key, decode = self._source(row, camera)
        disk = self._disk
        if disk is not None:
            try:
                if ahead:
                    disk.ensure(key, wanted, size, decode)
                    return np.zeros((0, *size, 3), np.uint8)
                return disk.get(key, wanted, size, decode)
            except CacheFailed as failed:
                if failed.lasting:
                    self._disk = None
                if not self.warnings:
                    self.warnings.append(f"pictures go on without the cache {disk.folder}: {failed}")
                if ahead:  # a whole episode may be more than memory holds
                    return np.zeros((0, *size, 3), np.uint8)
        return self._memory.get(key, wanted, decode)

    def _source(self, row: EpisodeRow, camera: str) -> tuple[str, Decode]:
        """What identifies an episode's pictures on this machine, and the way to decode them.

        The file's size and time stand for its contents: it is not read for the key.
        """
        size = self.sizes[camera]
        if self._images[camera] is None:
            clip = find_clip(self.dataset, row, camera)
            path, moment = clip.path, (clip.begin, clip.fps)

            def decode(frames: np.ndarray) -> Iterator[np.ndarray]:
                return decode_clip(clip, frames, size)
        else:
            path, moment = row.path, (0.0, 0.0)

            def decode(frames: np.ndarray) -> Iterator[np.ndarray]:
                return self._stored(row, camera, frames)

        try:
            state = path.stat()
        except OSError as error:
            raise FormatError(
                f"{path}: {error.strerror}; it holds episode {row.index}, download the dataset again"
            ) from None
        facts = (DECODER, os.path.realpath(path), state.st_size, state.st_mtime_ns, camera, row.index, size, moment)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32], decode

    def _stored(self, row: EpisodeRow, camera: str, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Pictures of an image column, some read at a time."""
        reader = self._images[camera]
        assert reader is not None
        for first in range(0, len(frames), AT_ONCE):
            with self._reading:  # one file is open at a time
                found = reader.read_images(row, camera, frames[first : first + AT_ONCE])
            yield from found

    def _size(self, camera: str) -> tuple[int, int]:
        if camera not in self.sizes:
            raise FormatError(f"camera {camera!r} was not asked for; opened are {', '.join(self.sizes) or 'none'}")
        return self.sizes[camera]

    def _row(self, episode: int, frames: np.ndarray | None = None) -> EpisodeRow:
        if int(episode) not in self._rows:
            check_episodes([int(episode)], list(self._rows))
        row = self._rows[int(episode)]
        if frames is not None and len(frames) and not 0 <= frames[0] <= frames[-1] < row.length:
            wrong = int(frames[0] if frames[0] < 0 else frames[-1])
            raise ShapeError(f"episode {episode} has frames 0 to {row.length - 1}, asked for {wrong}")
        return row


def _size(dataset: LeRobotFolder, camera: str) -> tuple[int, int]:
    """(h, w) as info.json declares it."""
    if camera not in dataset.cameras:
        raise FormatError(f"{dataset.root}: no camera {camera!r}; it has {', '.join(dataset.cameras) or 'none'}")
    return image_shape(dataset.features[camera], f"{dataset.root}: feature {camera!r}")


def _image_reader(dataset: LeRobotFolder, camera: str, size: tuple[int, int]) -> EpisodeReader | None:
    """What reads an image column; None for a video."""
    if dataset.features[camera]["dtype"] == "video":
        return None
    shared = dataset.version == "v3.0"
    return EpisodeReader([camera, "episode_index"], shared_files=shared, step=AT_ONCE, images={camera: size})


class _Memory:
    """The pictures used last, at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._bytes = 0
        self._changing = threading.Lock()
        self._decoding: dict[str, threading.Lock] = {}

    def get(self, key: str, rows: np.ndarray, decode: Decode) -> np.ndarray:
        """Pictures (n, h, w, 3) of ascending rows (n,); a second thread that asks for the same key meanwhile waits."""
        with self._changing:
            lock = self._decoding.setdefault(key, threading.Lock())
        with lock:
            with self._changing:
                found = {row: self._held[key, row] for row in rows.tolist() if (key, row) in self._held}
            missing = np.array([row for row in rows.tolist() if row not in found], np.int64)
            for row, picture in zip(missing.tolist(), decode(missing) if len(missing) else (), strict=True):
                found[row] = picture
                self._keep((key, row), picture)
        with self._changing:
            for row in rows.tolist():
                if (key, row) in self._held:
                    self._held.move_to_end((key, row))
        return np.stack([found[row] for row in rows.tolist()])

    def _keep(self, place: tuple[str, int], picture: np.ndarray) -> None:
        with self._changing:
            self._held[place] = np.array(picture)  # a copy: a view would keep all that it was decoded with
            self._bytes += picture.nbytes
            while self._bytes > self.limit:
                _, oldest = self._held.popitem(last=False)
                self._bytes -= oldest.nbytes
