"""Image columns: what is written comes back, lerobot agrees, and what is no image is refused in one line."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_images import count_levels, image_shape, level_summary
from surehand.formats.lerobot_write import QUANTILES, write_lerobot
from surehand.frames import Actions

PEERS = Path(__file__).parents[1] / "peers"
KEY = "observation.images.head"


def recorded(rng: np.random.Generator, lengths: tuple[int, ...] = (4, 1, 6), side: int = 20) -> Iterator[Actions]:
    """Episodes with images of noise, 20 high and 28 wide."""
    for episode, length in enumerate(lengths):
        yield Actions(
            action=rng.normal(size=(length, 2)).astype(np.float32),
            episode=np.full(length, episode),
            frame=np.arange(length),
            task=np.zeros(length, np.int64),
            tasks=("look",),
            columns={KEY: rng.integers(0, 256, (length, side, 28, 3), dtype=np.uint8), "force": np.ones(length)},
            fps=10.0,
        )


def ask(peer: str, command: str, root: Path, home: Path) -> dict[str, np.ndarray]:
    """What one command of a peer answers; its complaint is the test's."""
    environment = os.environ | {"HF_HOME": str(home), "HF_DATASETS_CACHE": str(home / "cache"), "PYTHONWARNINGS": ""}
    call = [sys.executable, PEERS / peer, command, root]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(f"{root}.npz")) if Path(f"{root}.npz").exists() else {}


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
@pytest.mark.parametrize("megabytes", [100, 0.001])
def test_images_come_back(tmp_path: Path, rng: np.random.Generator, version: str, megabytes: float) -> None:
    put = list(recorded(rng))
    folder = open_lerobot(write_lerobot(tmp_path / "set", put, version=version, file_megabytes=megabytes))
    wanted = np.concatenate([actions.columns[KEY] for actions in put])
    assert folder.features[KEY] == {"dtype": "image", "shape": [20, 28, 3], "names": ["height", "width", "channels"]}
    found = folder.read(columns=(KEY, "force"))
    np.testing.assert_array_equal(found.columns[KEY], wanted)
    assert found.columns[KEY].dtype == np.uint8 and found.columns["force"].shape == (11,)
    np.testing.assert_array_equal(folder.read([2, 0], columns=(KEY,)).columns[KEY], wanted[[*range(5, 11), *range(4)]])
    parts = [batch.columns[KEY] for batch in folder.batches(frames=4, columns=(KEY,))]
    np.testing.assert_array_equal(np.concatenate(parts), wanted)
    assert KEY not in folder.read().columns  # numbers alone cost what they did
    stats = folder.stats(KEY)
    assert stats is not None and stats.mean is not None and stats.std is not None and stats.max is not None
    np.testing.assert_allclose(stats.mean.ravel(), (wanted / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(stats.std.ravel(), (wanted / 255).std(axis=(0, 1, 2)), rtol=1e-12)
    assert stats.mean.shape == (3, 1, 1) and stats.count == 11 and (stats.max == 1).all()
    np.testing.assert_allclose(folder.episode_stats(KEY)[1].mean.ravel(), (wanted[4] / 255).mean(axis=(0, 1)))


@given(st.lists(st.integers(0, 255), min_size=3, max_size=60))
def test_statistics_of_levels_are_those_of_pixels(levels: list[int]) -> None:
    pixels = np.array(levels[: len(levels) // 3 * 3], np.uint8).reshape(-1, 1, 1, 3)
    found = level_summary(count_levels(pixels), QUANTILES)
    values = pixels.reshape(-1, 3) / 255
    for name, q in QUANTILES.items():
        np.testing.assert_allclose(found[name].ravel(), np.quantile(values, q, axis=0), atol=1e-12)
    for name in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(found[name].ravel(), getattr(values, name)(axis=0), atol=1e-12)


def test_episodes_must_agree_on_the_size_of_images(tmp_path: Path, rng: np.random.Generator) -> None:
    with pytest.raises(ShapeError, match="episode 1 differs from the first in 'observation"):
        write_lerobot(tmp_path / "set", [*recorded(rng, (3,)), *recorded(rng, (3,), side=16)])
    assert not (tmp_path / "set").exists()


def png(image: Image.Image) -> bytes:
    """The file of an image."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("stored", "error", "line"),
    [
        ({"bytes": b"no image", "path": None}, FormatError, "episode 1 frame 0 is no readable image"),
        ({"bytes": png(Image.effect_noise((28, 20), 90))[:200], "path": None}, FormatError, "is no readable image"),
        ({"bytes": None, "path": "images/frame_000.png"}, FormatError, "holds no image file"),
        (None, FormatError, "episode 1 frame 0 holds no image file"),
        ({"bytes": png(Image.new("I;16", (28, 20))), "path": None}, FormatError, "has mode I;16"),
        (
            {"bytes": png(Image.new("RGB", (20, 28))), "path": None},
            ShapeError,
            "20 × 28 pixels, info.json says 28 × 20",
        ),
    ],
)
def test_what_is_no_image_is_refused(
    tmp_path: Path, rng: np.random.Generator, stored: object, error: type[Exception], line: str
) -> None:
    root = write_lerobot(tmp_path / "set", recorded(rng), version="v2.1")
    path = root / "data/chunk-000/episode_000001.parquet"
    table = pq.read_table(path)
    image = pa.array([stored], table.schema.field(KEY).type)
    pq.write_table(table.set_column(table.schema.get_field_index(KEY), KEY, image), path)
    with pytest.raises(error, match=line) as found:
        open_lerobot(root).read(columns=(KEY,))
    assert "\n" not in str(found.value)
    open_lerobot(root).read()  # the numbers are still there


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_other_colour_modes_are_converted(tmp_path: Path, rng: np.random.Generator, mode: str) -> None:
    root = write_lerobot(tmp_path / "set", recorded(rng), version="v2.1")
    path = root / "data/chunk-000/episode_000001.parquet"
    table = pq.read_table(path)
    grey = Image.new("RGB", (28, 20), (102, 102, 102)).convert(mode)
    image = pa.array([{"bytes": png(grey), "path": None}], table.schema.field(KEY).type)
    pq.write_table(table.set_column(table.schema.get_field_index(KEY), KEY, image), path)
    assert (open_lerobot(root).read([1], columns=(KEY,)).columns[KEY] == 102).all()


@pytest.mark.parametrize(
    "feature",
    [
        {},
        {"shape": [20, 28]},
        {"shape": [20, 28, 1]},
        {"shape": "20"},
        {"shape": [20, 0, 3]},
        {"shape": [3, 20, 28], "names": ["height", "width", "channels"]},
    ],
)
def test_features_that_declare_no_colour_image(feature: dict[str, object]) -> None:
    with pytest.raises(ShapeError, match="expected height, width and 3 channels"):
        image_shape(feature, "feature 'x'")


def test_channels_may_be_declared_first() -> None:
    assert image_shape({"shape": [3, 20, 28], "names": ["channels", "height", "width"]}, "x") == (20, 28)
    assert image_shape({"shape": [20, 28, 3], "names": None}, "x") == (20, 28)


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_lerobot_sees_the_images_we_write(
    tmp_path: Path, rng: np.random.Generator, need: Callable[[str], None], version: str
) -> None:
    need("lerobot")
    put = list(recorded(rng))
    root = write_lerobot(tmp_path / "set", put, version=version)
    if version == "v2.1":
        ask("lerobot_peer.py", "convert", root, tmp_path)
    theirs = ask("lerobot_images_peer.py", "load", root, tmp_path)
    wanted = np.concatenate([actions.columns[KEY] for actions in put])
    np.testing.assert_array_equal(np.rint(theirs["images"] * 255).astype(np.uint8), wanted.transpose(0, 3, 1, 2))
    assert theirs["shape"].tolist() == [20, 28, 3] and theirs["stats_mean"].shape == (3, 1, 1)
    np.testing.assert_allclose(theirs["stats_mean"].ravel(), (wanted / 255).mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(theirs["stats_std"].ravel(), (wanted / 255).std(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_array_equal(open_lerobot(root).read(columns=(KEY,)).columns[KEY], wanted)


def test_we_see_the_images_lerobot_writes(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("lerobot")
    put = ask("lerobot_images_peer.py", "write", tmp_path / "theirs", tmp_path)
    folder = open_lerobot(tmp_path / "theirs")
    np.testing.assert_array_equal(folder.read(columns=(KEY,)).columns[KEY], put["images"])
    stats = folder.stats(KEY)
    assert stats is not None and stats.mean is not None and stats.mean.shape == (3, 1, 1)
    assert json.loads((folder.root / "meta/info.json").read_text())["features"][KEY]["dtype"] == "image"
