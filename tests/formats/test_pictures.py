"""Pictures decoded once for everyone: the same with and without the cache, and whatever becomes of what it holds."""

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError, ShapeError
from surehand.formats import picture_cache, pictures
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.picture_cache import open_cache_folder
from surehand.formats.pictures import Pictures
from surehand.frames import Actions
from surehand.splits import SplitError

from .video_datasets import FPS, HEIGHT, KEY, WIDTH, read_scene, scene, video_dataset

LENGTHS = (7, 12, 5, 9)
FRAME = HEIGHT * WIDTH * 3


@pytest.fixture(autouse=True)
def _needs_av(need: Callable[[str], None]) -> None:
    need("av")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of one camera, several episodes to a film."""
    pytest.importorskip("av")
    return video_dataset(tmp_path_factory.mktemp("set") / "set", "v3.0", LENGTHS)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, tuple[int, ...]]]:
    """(episode, frames) of everything that is decoded from here on."""
    seen: list[tuple[int, tuple[int, ...]]] = []
    decode = pictures.decode_clip

    def counted(clip: object, frames: np.ndarray, size: tuple[int, int]) -> Iterator[np.ndarray]:
        seen.append((clip.episode, tuple(frames.tolist())))  # type: ignore[attr-defined]
        return decode(clip, frames, size)  # type: ignore[arg-type]

    monkeypatch.setattr(pictures, "decode_clip", counted)
    return seen


def said(found: np.ndarray) -> list[tuple[int, int]]:
    """(episode, frame) that each picture says it is."""
    return [read_scene(picture) for picture in found]


def image_dataset(root: Path, version: str, lengths: Sequence[int] = LENGTHS) -> Path:
    """The same scenes as image columns, which lose nothing."""
    return write_lerobot(
        root,
        (
            Actions(
                action=np.zeros((length, 2), np.float32),
                episode=np.full(length, episode),
                frame=np.arange(length),
                task=np.zeros(length, np.int64),
                tasks=("look",),
                columns={KEY: np.stack([scene(episode, frame) for frame in range(length)])},
                fps=float(FPS),
            )
            for episode, length in enumerate(lengths)
        ),
        version=version,
    )


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("cached", [True, False])
def test_image_columns(tmp_path: Path, version: str, cached: bool) -> None:
    dataset = open_lerobot(image_dataset(tmp_path / "set", version))
    for _ in range(2):
        seen = Pictures(dataset, [KEY], tmp_path / "cache" if cached else None)
        for episode in (2, 0, 1, 3):
            rows = np.array([4, 0, 4, 2])
            expected = [scene(episode, row) for row in rows]
            np.testing.assert_array_equal(seen.frames(episode, KEY, rows), expected)


@settings(max_examples=25, deadline=None)
@given(asks=st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 4), max_size=6)), max_size=6))
def test_whatever_was_asked_before(
    root: Path, tmp_path_factory: pytest.TempPathFactory, asks: list[tuple[int, list[int]]]
) -> None:
    dataset = open_lerobot(root)
    cache = tmp_path_factory.mktemp("cache")
    for seen in (Pictures(dataset, [KEY], cache), Pictures(dataset, [KEY], None)):
        for episode, rows in asks:
            found = seen.frames(episode, KEY, np.array(rows, int))
            assert found.shape == (len(rows), HEIGHT, WIDTH, 3) and found.dtype == np.uint8
            assert said(found) == [(episode, row) for row in rows]
        assert not seen.warnings
    held = [row for path in cache.rglob("*.npy") for row in np.load(path)["row"].tolist()]
    assert len(held) == len({(episode, row) for episode, rows in asks for row in rows})  # no picture twice


def test_a_second_checkpoint_decodes_nothing(root: Path, tmp_path: Path, asked: list[object]) -> None:
    dataset, every = open_lerobot(root), np.arange(12)
    assert said(Pictures(dataset, [KEY], tmp_path).frames(1, KEY, every[::3])) == [(1, row) for row in (0, 3, 6, 9)]
    again = Pictures(dataset, [KEY], tmp_path).frames(1, KEY, every[::3])
    assert asked == [(1, (0, 3, 6, 9))]
    assert said(again) == [(1, 0), (1, 3), (1, 6), (1, 9)] and not again.flags.writeable
    other = Pictures(dataset, [KEY], tmp_path)  # another stride: what is there is used, the rest is decoded
    assert said(other.frames(1, KEY, every[::2])) == [(1, row) for row in range(0, 12, 2)]
    assert asked[1:] == [(1, (2, 4, 8, 10))]
    assert said(other.frames(1, KEY, every[6:])) == [(1, row) for row in range(6, 12)]
    assert asked[2:] == [(1, (7, 11))]


@pytest.mark.parametrize("cached", [True, False])
def test_prepared_ahead(root: Path, tmp_path: Path, asked: list[object], cached: bool) -> None:
    seen = Pictures(open_lerobot(root), [KEY], tmp_path if cached else None)
    thread = threading.Thread(target=seen.prepare, args=([0, 1],))
    thread.start()
    thread.join()
    seen.prepare([2], lambda episode: np.arange(0, 5, 2))
    assert asked == [(0, tuple(range(7))), (1, tuple(range(12))), (2, (0, 2, 4))]
    for first in range(0, 12, 4):
        assert said(seen.frames(1, KEY, np.arange(first, first + 4))) == [(1, first + i) for i in range(4)]
    seen.frames(2, KEY, np.array([4, 0]))
    assert len(asked) == 3


def test_memory_is_bounded(root: Path, asked: list[object]) -> None:
    seen = Pictures(open_lerobot(root), [KEY], None, limit_bytes=10 * FRAME)
    assert said(seen.frames(1, KEY, np.arange(12))) == [(1, row) for row in range(12)]  # more than it may keep
    assert said(seen.frames(0, KEY, np.arange(7))) == [(0, row) for row in range(7)]
    assert said(seen.frames(0, KEY, np.arange(7))) == [(0, row) for row in range(7)]
    assert len(asked) == 2
    assert seen._memory._bytes == sum(picture.nbytes for picture in seen._memory._held.values()) <= 10 * FRAME
    seen.prepare([1, 2])
    assert len(asked) == 2  # more than could be kept until it is used


def test_a_changed_film_is_decoded_again(tmp_path: Path, asked: list[object]) -> None:
    root = video_dataset(tmp_path / "set", "v2.1", (4,))
    seen = Pictures(open_lerobot(root), [KEY], tmp_path / "cache")
    seen.frames(0, KEY, np.arange(4))
    film = next(root.rglob("*.mp4"))
    os.utime(film, (1, 1))
    seen.frames(0, KEY, np.arange(4))
    assert len(asked) == 2


def entries(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.npy"))


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "pixel", "number", "pickled", "other"])
def test_damaged_entries_are_decoded_again(root: Path, tmp_path: Path, asked: list[object], damage: str) -> None:
    dataset, every = open_lerobot(root), np.arange(7)
    Pictures(dataset, [KEY], tmp_path).frames(0, KEY, every)
    (path,) = entries(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("no pictures")
    elif damage == "pickled":
        np.save(path, np.array([print], object), allow_pickle=True)
    elif damage == "other":
        np.save(path, np.zeros(7))
    else:
        place = len(content) - 5000 if damage == "pixel" else len(content) - 7 * (FRAME + 12)
        content[place] ^= 1
        path.write_bytes(content)
    seen = Pictures(dataset, [KEY], tmp_path)
    assert said(seen.frames(0, KEY, every)) == [(0, row) for row in every]
    assert len(asked) == 2 and not seen.warnings and len(entries(tmp_path)) == 1
    seen.frames(0, KEY, every)
    assert len(asked) == 2


def size_of(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())


def test_the_longest_unused_is_removed(tmp_path: Path, asked: list[tuple[int, object]]) -> None:
    root = video_dataset(tmp_path / "set", "v2.1", (5, 5, 5, 5, 5))
    cache, every = tmp_path / "cache", np.arange(5)
    limit = 17 * FRAME  # three episodes
    seen = Pictures(open_lerobot(root), [KEY], cache, limit)
    kept = seen.frames(0, KEY, every)  # a view into the cache
    for episode in (1, 2, 0, 3):
        seen.frames(episode, KEY, every)
        time.sleep(0.02)  # the clock of folders may be coarse
    assert len(entries(cache)) == 3 and size_of(cache) <= limit
    seen.frames(0, KEY, every)
    assert [episode for episode, _ in asked] == [0, 1, 2, 3]  # 0 was used after 1, which went
    seen.frames(1, KEY, every)
    seen.frames(4, KEY, every)
    assert [episode for episode, _ in asked] == [0, 1, 2, 3, 1, 4]
    assert said(kept) == [(0, row) for row in range(5)]  # removed or not, what is in hand stays
    assert not seen.warnings and size_of(cache) <= limit


def test_an_entry_at_work_is_not_removed(tmp_path: Path) -> None:
    root = video_dataset(tmp_path / "set", "v2.1", (5, 5))
    seen = Pictures(open_lerobot(root), [KEY], tmp_path / "cache", 6 * FRAME)
    seen.frames(0, KEY, np.arange(5))
    (path,) = entries(tmp_path / "cache")
    with picture_cache._locked(path.parent):
        assert said(seen.frames(1, KEY, np.arange(5))) == [(1, row) for row in range(5)]
    assert path.exists() and len(seen.warnings) == 1 and "do not fit" in seen.warnings[0]
    seen.frames(1, KEY, np.arange(4))  # free again: the cache goes on
    assert not path.exists() and len(entries(tmp_path / "cache")) == 1 and len(seen.warnings) == 1


def test_a_limit_too_small_for_one_episode(root: Path, tmp_path: Path) -> None:
    seen = Pictures(open_lerobot(root), [KEY], tmp_path, 3 * FRAME)
    for episode, length in enumerate(LENGTHS):
        assert said(seen.frames(episode, KEY, np.arange(length))) == [(episode, row) for row in range(length)]
    assert len(seen.warnings) == 1 and "go on without the cache" in seen.warnings[0] and "\n" not in seen.warnings[0]
    assert not entries(tmp_path)


def test_what_the_disk_refuses_ahead_of_use_is_not_put_into_memory(
    root: Path, tmp_path: Path, asked: list[object]
) -> None:
    seen = Pictures(open_lerobot(root), [KEY], tmp_path, 3 * FRAME)
    seen.prepare([1])  # twelve pictures, as a long episode's may be more than memory holds
    assert not asked and "do not fit" in seen.warnings[0]
    assert said(seen.frames(1, KEY, np.arange(2))) == [(1, 0), (1, 1)]


FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from surehand.formats.lerobot import open_lerobot
from surehand.formats.pictures import Pictures
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # as a disk that fills up while writing
seen = Pictures(open_lerobot(sys.argv[1]), [sys.argv[3]], Path(sys.argv[2]))
seen.prepare([0])
found = [seen.frames(episode, sys.argv[3], np.arange(5)) for episode in (0, 1, 2)]
assert len(seen.warnings) == 1, seen.warnings
print(seen.warnings[0])
np.save(sys.stdout.buffer, np.stack(found))
"""


def test_a_full_disk(root: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, root, tmp_path, KEY], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    line, _, rest = done.stdout.partition(b"\n")
    assert b"pictures go on without the cache" in line and b"File too large" in line
    assert rest.startswith(b"\x93NUMPY") and not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_written(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    seen = Pictures(open_lerobot(root), [KEY], tmp_path / "file")
    assert said(seen.frames(0, KEY, np.arange(7))) == [(0, row) for row in range(7)]
    assert len(seen.warnings) == 1 and "Not a directory" in seen.warnings[0]


WORK = """
import sys, time, os
import numpy as np
from pathlib import Path
from surehand.formats import pictures
from surehand.formats.lerobot import open_lerobot
root, cache, key, log, go = sys.argv[1:]
decode = pictures.decode_clip
def counted(clip, frames, size):
    with open(log, "a") as file:
        file.write(f"{os.getpid()}\\n")
    for picture in decode(clip, frames, size):
        time.sleep(0.1)  # long enough for the others to arrive meanwhile
        yield picture
pictures.decode_clip = counted
seen = pictures.Pictures(open_lerobot(root), [key], Path(cache))
while not Path(go).exists():
    time.sleep(0.01)
found = seen.frames(1, key, np.arange(12))
assert not seen.warnings
np.save(sys.stdout.buffer, found)
"""


def begin(root: Path, folder: Path, go: Path) -> "subprocess.Popen[bytes]":
    """A process that reads an episode once the file `go` exists; every decoding leaves a line in the log."""
    call = [sys.executable, "-c", WORK, root, folder / "cache", KEY, folder / "log", go]
    return subprocess.Popen(call, stdout=subprocess.PIPE)


def test_processes_decode_once(root: Path, tmp_path: Path) -> None:
    at_work = [begin(root, tmp_path, tmp_path / "go") for _ in range(3)]
    time.sleep(1.5)
    (tmp_path / "go").touch()
    answers = [process.communicate(timeout=60)[0] for process in at_work]
    assert [process.returncode for process in at_work] == [0, 0, 0]
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    assert answers[0] == answers[1] == answers[2]
    assert said(np.load(io.BytesIO(answers[0]))) == [(1, row) for row in range(12)]


def test_a_killed_process_leaves_no_lock_and_no_draft(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    victim = begin(root, tmp_path, root)
    while not list(cache.rglob("*.part")):
        time.sleep(0.02)
        assert victim.poll() is None
    victim.kill()
    victim.communicate(timeout=60)
    assert list(cache.rglob("*.part")) and not entries(cache)
    assert said(Pictures(open_lerobot(root), [KEY], cache).frames(1, KEY, np.arange(12))) == [(1, i) for i in range(12)]
    assert not list(cache.rglob("*.part")) and len(entries(cache)) == 1


def test_a_decoding_error_leaves_nothing(tmp_path: Path) -> None:
    root = video_dataset(tmp_path / "set", "v2.1", (4,))
    next(root.rglob("*.mp4")).write_bytes(b"no film")
    seen = Pictures(open_lerobot(root), [KEY], tmp_path / "cache")
    with pytest.raises(FormatError, match="no video, or cut off"):
        seen.frames(0, KEY, np.arange(4))
    with pytest.raises(FormatError, match="no video, or cut off"):
        seen.prepare([0])
    assert not list((tmp_path / "cache").rglob("*/*")) and not seen.warnings
    next(root.rglob("*.mp4")).unlink()
    with pytest.raises(FormatError, match="no such file, episode 0 through observation"):
        seen.frames(0, KEY, np.arange(4))


def test_questions_without_an_answer(root: Path, tmp_path: Path) -> None:
    dataset = open_lerobot(root)
    with pytest.raises(FormatError, match=r"no camera 'observation\.state'; it has observation\.images\.head"):
        Pictures(dataset, ["observation.state"], None)
    with pytest.raises(FormatError, match="no camera 'action'"):
        Pictures(dataset, ["action"], None)
    seen = Pictures(dataset, [KEY], tmp_path)
    with pytest.raises(FormatError, match="'hand' was not asked for"):
        seen.frames(0, "hand", np.arange(2))
    with pytest.raises(ShapeError, match="episode 0 has frames 0 to 6, asked for 7"):
        seen.frames(0, KEY, np.arange(8))
    with pytest.raises(ShapeError, match="asked for -1"):
        seen.frames(0, KEY, np.array([-1, 9]))
    with pytest.raises(SplitError, match="the first is 9"):
        seen.frames(9, KEY, np.arange(2))
    assert seen.frames(0, KEY, np.arange(0)).shape == (0, HEIGHT, WIDTH, 3)


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREHAND_CACHE", "/data/pictures")
    assert open_cache_folder() == Path("/data/pictures")
    monkeypatch.delenv("SUREHAND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/data/cache")
    assert open_cache_folder() == Path("/data/cache/surehand")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert open_cache_folder() == Path("/home/someone/.cache/surehand")
