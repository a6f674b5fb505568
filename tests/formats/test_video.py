"""Pictures of videos: exactly those that lerobot and PyAV see, and one line where a file does not hold them."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.formats import video_packets
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_video import decode_clip, find_clip
from surehand.formats.pictures import Pictures
from surehand.formats.video_packets import Clip

from .video_datasets import CODECS, FPS, HEIGHT, KEY, WIDTH, encode, plain, read_scene, scene, video_dataset

PEERS = Path(__file__).parents[1] / "peers"
SIZE = (HEIGHT, WIDTH)
LENGTHS = (7, 12, 5, 9)


@pytest.fixture(autouse=True)
def _needs_av(need: Callable[[str], None]) -> None:
    need("av")


def ask(command: str, root: Path, home: Path, *rest: str) -> dict[str, np.ndarray]:
    """What the peer answers; its complaint is the test's."""
    environment = os.environ | {"HF_HOME": str(home), "HF_DATASETS_CACHE": str(home / "cache"), "PYTHONWARNINGS": ""}
    call = [sys.executable, PEERS / "lerobot_video_peer.py", command, root, *rest]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(f"{root}.npz")) if Path(f"{root}.npz").exists() else {}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One film of forty pictures of each codec."""
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp("films")
    paths = {codec: folder / f"{codec}.mp4" for codec in CODECS}
    for codec, path in paths.items():
        encode(path, [scene(0, frame) for frame in range(40)], codec)
    return paths


def clip_of(path: Path, length: int = 40, fps: float = FPS, begin: float = 0.0) -> Clip:
    return Clip(path, begin, fps, 3, length)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_is_the_one_recorded(tmp_path: Path, version: str, codec: str) -> None:
    dataset = open_lerobot(video_dataset(tmp_path / "set", version, LENGTHS, codec))
    for row in dataset.rows:
        clip = find_clip(dataset, row, KEY)
        found = list(decode_clip(clip, np.arange(row.length), SIZE))
        assert [read_scene(picture) for picture in found] == [(row.index, frame) for frame in range(row.length)]
        first = round(clip.begin * FPS)  # the same bytes as PyAV gives when it decodes everything before, too
        np.testing.assert_array_equal(found, plain(clip.path)[first : first + row.length])
    assert dataset.read().action.shape == (sum(LENGTHS), 2)  # the numbers are read as ever


@given(codec=st.sampled_from(list(CODECS)), frames=st.sets(st.integers(0, 39), min_size=1))
def test_any_choice_of_frames(films: dict[str, Path], codec: str, frames: set[int]) -> None:
    chosen = np.array(sorted(frames))
    found = list(decode_clip(clip_of(films[codec]), chosen, SIZE))
    assert [read_scene(picture)[1] for picture in found] == chosen.tolist()


def test_groups_without_a_chosen_frame_are_not_decoded(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    stretches = []
    original = video_packets.PacketIndex.stretches
    monkeypatch.setattr(
        video_packets.PacketIndex,
        "stretches",
        lambda self, chosen: stretches.extend(original(self, chosen)) or original(self, chosen),
    )
    list(decode_clip(clip_of(films["h264"]), np.array([3, 20]), SIZE))
    assert [end - begin for begin, end in stretches] == [2, 2]  # groups of two, as lerobot encodes


def test_lerobot_sees_the_same_pictures(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("lerobot")
    root = video_dataset(tmp_path / "set", "v3.0", LENGTHS, "h264 long")
    theirs = ask("load", root, tmp_path)["images"]
    pictures = Pictures(open_lerobot(root), [KEY], None)
    ours = np.concatenate([pictures.frames(i, KEY, np.arange(n)) for i, n in enumerate(LENGTHS)])
    np.testing.assert_array_equal(ours, np.rint(theirs * 255).astype(np.uint8).transpose(0, 2, 3, 1))
    places = ask("places", root, tmp_path)
    dataset = open_lerobot(root)
    clips = [find_clip(dataset, row, KEY) for row in dataset.rows]
    assert [str(clip.path.relative_to(root)) for clip in clips] == places["paths"].tolist()
    assert [clip.begin for clip in clips] == places["begin"].tolist()


@pytest.mark.parametrize("codec", ["h264", "libsvtav1"])
def test_we_see_the_videos_lerobot_records(tmp_path: Path, need: Callable[[str], None], codec: str) -> None:
    need("lerobot")
    root = tmp_path / "theirs"
    ask("write", root, tmp_path, codec)
    theirs = ask("load", root, tmp_path)["images"]
    dataset = open_lerobot(root)
    pictures = Pictures(dataset, [KEY], None)
    ours = np.concatenate([pictures.frames(row.index, KEY, np.arange(row.length)) for row in dataset.rows])
    np.testing.assert_array_equal(ours, np.rint(theirs * 255).astype(np.uint8).transpose(0, 2, 3, 1))
    assert read_scene(ours[10]) == (1, 3)


def test_a_film_at_twice_the_rate_is_read_by_time(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    encode(path, [scene(0, frame) for frame in range(20)], fps=2 * FPS)
    found = list(decode_clip(clip_of(path, 10), np.arange(10), SIZE))
    assert [read_scene(picture)[1] for picture in found] == list(range(0, 20, 2))


def test_times_may_be_off_by_less_than_half_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    times = [frame / FPS + (0.04 if frame % 2 else 0.0) for frame in range(12)]
    encode(path, [scene(0, frame) for frame in range(12)], times=times)
    found = list(decode_clip(clip_of(path, 12), np.arange(12), SIZE))
    assert [read_scene(picture)[1] for picture in found] == list(range(12))


def refused(clip: Clip, frames: np.ndarray, error: type[Exception] = FormatError) -> str:
    """The one line that decoding ends with."""
    with pytest.raises(error) as found:
        list(decode_clip(clip, frames, SIZE))
    assert "\n" not in str(found.value) and str(clip.path) in str(found.value)
    return str(found.value)


def test_a_variable_rate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    times = [0.0, 0.1, 0.2, 0.45, 0.5, 0.6, 0.7]
    encode(path, [scene(0, frame) for frame in range(7)], times=times)
    line = refused(clip_of(path, 8), np.arange(7))
    assert "episode 3, frame 3 is due at 0.300 s" in line and "50 to 250 ms apart, not 100" in line


@pytest.mark.parametrize("codec", CODECS)
def test_fewer_pictures_than_frames(films: dict[str, Path], codec: str) -> None:
    line = refused(clip_of(films[codec], 45), np.arange(45))
    assert "episode 3, frame 40 is due at 4.000 s, but the video ends with a picture at 3.900 s" in line
    assert "has 45 frames" in line
    assert "frame 60" in refused(clip_of(films[codec], 70), np.arange(60, 70))


@pytest.mark.parametrize("codec", ["av1", "h264", "h264 long"])
def test_cut_off_and_damaged_films(tmp_path: Path, films: dict[str, Path], codec: str) -> None:
    whole = films[codec].read_bytes()
    path = tmp_path / "film.mp4"
    for content in (b"", b"no film", whole[:40], whole[: len(whole) // 2], whole[:-100]):
        path.write_bytes(content)
        assert "or cut off" in refused(clip_of(path), np.arange(40))
    data = whole.index(b"mdat") + 4
    length = len(whole) - data - 2500  # the index follows the pictures
    broken = bytearray(whole)
    broken[data + length // 3 : data + length // 3 + 600] = bytes(600)
    path.write_bytes(broken)
    assert "cannot be decoded" in refused(clip_of(path), np.arange(40))


def test_a_film_whose_end_is_lost(tmp_path: Path, films: dict[str, Path]) -> None:
    av = importlib.import_module("av")
    front = tmp_path / "front.mp4"  # its index comes first, so that it opens whatever is lost behind
    with av.open(str(films["h264"])) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    cut = tmp_path / "cut.mp4"
    whole = front.read_bytes()
    cut.write_bytes(whole[: whole.index(b"mdat") + (len(whole) - whole.index(b"mdat")) // 2])
    assert [read_scene(p)[1] for p in decode_clip(clip_of(cut), np.arange(5), SIZE)] == list(range(5))
    line = refused(clip_of(cut), np.arange(40))
    assert "cut off" in line or "cannot be decoded" in line


def test_a_film_of_another_size_and_a_sound(tmp_path: Path, films: dict[str, Path]) -> None:
    line = "info.json says 96 × 32; correct one of them"
    with pytest.raises(ShapeError, match="frame 0 is 96 × 64 pixels") as found:
        list(decode_clip(clip_of(films["h264"]), np.arange(2), (32, 96)))
    assert line in str(found.value)
    av = importlib.import_module("av")
    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        stream = file.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate = 8000
        file.mux(stream.encode(sound))
        file.mux(stream.encode())
    assert "holds no video" in refused(clip_of(tmp_path / "sound.mp4"), np.arange(2))


def test_a_playlist_is_no_film(tmp_path: Path, films: dict[str, Path]) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{films['h264']}\n#EXT-X-ENDLIST\n")
    assert "no video" in refused(clip_of(path), np.arange(2))
    path = films["h264"].with_name("list.mp4")  # FFmpeg alone would show the film that it names
    path.write_text("ffconcat version 1.0\nfile h264.mp4\n")
    assert "no video" in refused(clip_of(path), np.arange(2))


def test_what_the_metadata_lacks(tmp_path: Path) -> None:
    root = video_dataset(tmp_path / "set", "v3.0", LENGTHS)
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)

    def changed(name: str, values: list[float] | None) -> str:
        column = f"videos/{KEY}/{name}"
        other = table.drop_columns([column])
        pq.write_table(other if values is None else other.append_column(column, pa.array(values)), path)
        dataset = open_lerobot(root)
        dataset.read()  # the numbers do not depend on it
        with pytest.raises(FormatError) as found:
            find_clip(dataset, dataset.rows[1], KEY)
        assert "\n" not in str(found.value)
        return str(found.value)

    assert "episode 1 lacks videos/observation.images.head" in changed("from_timestamp", None)
    assert "file-007.mp4: no such file, episode 1" in changed("file_index", [7, 7, 7, 7])
    assert "episode 1 has 12 frames at 10 per second" in changed("to_timestamp", [0.7, 1.2, 2.4, 0.9])
    assert "runs from nan to 1.9 s" in changed("from_timestamp", [0.0, float("nan"), 1.9, 0.0])
    assert "runs from -1 to 1.9 s" in changed("from_timestamp", [0.0, -1.0, 1.9, 0.0])
    pq.write_table(table, path)
    for template in (None, "videos/{camera}.mp4", "videos/{chunk_index!x}"):
        info = json.loads((root / "meta/info.json").read_text()) | {"video_path": template}
        (root / "meta/info.json").write_text(json.dumps(info))
        dataset = open_lerobot(root)
        with pytest.raises(FormatError, match=r"video_path .* is no template of video_key, chunk_index, file_index"):
            find_clip(dataset, dataset.rows[0], KEY)


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_lerobot(video_dataset(tmp_path / "set", "v2.1", (3,)))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SurehandError, match=r"pip install 'surehand\[video\]'"):
        Pictures(dataset, [KEY], None)
