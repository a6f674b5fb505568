"""Small LeRobot datasets for the tests of this room, and a way to break them."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions


def _episodes(lengths: Sequence[int], dims: int, states: int) -> Iterator[Actions]:
    rng = np.random.default_rng(1)
    for episode, length in enumerate(lengths):
        yield Actions(
            action=rng.normal(size=(length, dims)).astype(np.float32),
            episode=np.full(length, episode),
            frame=np.arange(length),
            task=np.full(length, episode % 2),
            state=rng.normal(size=(length, states)).astype(np.float32),
            tasks=("pick", "place"),
            names=tuple(f"joint_{i}" for i in range(dims)),
            fps=10.0,
        )


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Path]:
    """A call that writes a dataset of episodes of these lengths and gives its folder."""

    def make(
        version: str = "v3.0",
        lengths: Sequence[int] = (5, 3, 4),
        dims: int = 3,
        states: int = 2,
        megabytes: float = 100,
    ) -> Path:
        episodes = _episodes(lengths, dims, states)
        return write_lerobot(tmp_path / "dataset", episodes, version=version, file_megabytes=megabytes)

    return make


@pytest.fixture
def edit_info() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """A call that changes a dataset's info.json in place."""

    def edit(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
        path = root / "meta" / "info.json"
        info = json.loads(path.read_text())
        change(info)
        path.write_text(json.dumps(info))

    return edit


@pytest.fixture
def edit_table() -> Callable[[Path, Callable[[Any], Any]], None]:
    """A call that replaces a Parquet file's table by what a function makes of it."""

    def edit(path: Path, change: Callable[[Any], Any]) -> None:
        import pyarrow.parquet as pq

        table = pq.ParquetFile(path).read()
        pq.write_table(change(table), path)

    return edit
