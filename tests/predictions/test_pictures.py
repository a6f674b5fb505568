"""A policy that reads from every picture which one it is: films and image columns, here and in two processes."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.formats.lerobot import open_lerobot
from surehand.formats.predictions import read_predictions
from surehand.predictions.plan import PredictPlan
from surehand.predictions.run import predict

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))
from video_datasets import KEY, video_dataset


@pytest.mark.parametrize(
    ("codec", "stride", "processes", "kept"),
    [("h264 long", 1, 1, True), ("h264 long", 2, 1, False), ("h264 open", 3, 2, True)],
)
def test_every_frame_of_a_film_comes_with_its_own_picture(
    tmp_path: Path, need: Callable[[str], None], codec: str, stride: int, processes: int, kept: bool
) -> None:
    need("av")
    data = open_lerobot(video_dataset(tmp_path / "film", codec=codec))
    code = tmp_path / "reader.py"
    code.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[1] / 'formats')!r})\n"
        "from video_datasets import read_scene\n"
        f"def read(observation):\n    return [read_scene(observation[{KEY!r}])] * 2\n"
    )
    plan = PredictPlan(episodes=(0, 1, 2, 3), shard=10, batch=4, stride=stride)
    record = predict(
        data, [f"eyes={code}:read"], plan, tmp_path / "out", processes=processes,
        cache=tmp_path / "cache", cache_bytes=10**8 if kept else 0,
    )  # fmt: skip
    assert not record.failed, record.failed[0].reason
    found = read_predictions(tmp_path / "out" / "eyes.parquet")
    np.testing.assert_array_equal(found.prediction[:, 0, 0], np.column_stack([found.episode, found.frame]))
    assert len(found) == sum(-(-n // stride) for n in (7, 12, 5, 9))
    assert any((tmp_path / "cache").rglob("*.npy")) is kept


def test_a_missing_film_is_one_line(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("av")
    root = video_dataset(tmp_path / "film")
    next(iter(sorted(root.rglob("*.mp4")))).unlink()
    code = tmp_path / "reader.py"
    code.write_text("def read(observation):\n    return [0.0, 0.0]\n")
    record = predict(
        open_lerobot(root), [f"eyes={code}:read"], PredictPlan(episodes=(0,)), tmp_path / "out",
        cache=tmp_path / "cache",
    )  # fmt: skip
    assert ".mp4" in record.failed[0].reason and "\n" not in record.failed[0].reason
