"""Where each LeRobot version puts an episode on disk: v2.1 one file each, v3.0 many to a file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from surehand.formats.lerobot_images import encode_images, holds_images

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1000  # files per folder, lerobot's default
BUFFER = 500  # episode rows of v3.0 metadata held before they are written


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode ready to be stored: its columns (N,), (N, D) or images (N, h, w, 3), and the statistics of each."""

    index: int
    first: int  # its first frame, counted over the dataset
    length: int
    tasks: tuple[str, ...]
    columns: dict[str, np.ndarray]
    stats: dict[str, dict[str, np.ndarray]]  # feature → name → (D,), of images (3, 1, 1)

    def table(self) -> "pa.Table":
        """Its rows as lerobot stores them: vectors as fixed-size lists, single numbers plain, images as files."""
        import pyarrow as pa

        return pa.table({key: _arrow(values) for key, values in self.columns.items()})


class Files(Protocol):
    """How a version lays files out."""

    def __init__(self, root: Path, file_bytes: int) -> None: ...

    def add(self, episode: Episode) -> None:
        """Stores one episode."""
        ...

    def close(self, tasks: list[str]) -> None:
        """Stores the task table and finishes every file."""
        ...

    def release(self) -> None:
        """Lets go of open files, finished or not."""
        ...

    def info(self, episodes: int) -> dict[str, Any]:
        """The fields of info.json that only this version has."""
        ...


class FilesV21:
    """data/chunk-000/episode_000000.parquet, and JSON lines for episodes, their statistics and tasks."""

    def __init__(self, root: Path, file_bytes: int) -> None:
        self.root = root
        (root / "meta").mkdir()
        self._episodes = (root / "meta" / "episodes.jsonl").open("w", encoding="utf-8")
        self._stats = (root / "meta" / "episodes_stats.jsonl").open("w", encoding="utf-8")

    def add(self, episode: Episode) -> None:
        import pyarrow.parquet as pq

        path = self.root / f"data/chunk-{episode.index // CHUNK:03d}/episode_{episode.index:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(episode.table(), path)
        _line(self._episodes, {"episode_index": episode.index, "tasks": episode.tasks, "length": episode.length})
        # v2.1 has no quantiles.
        stats = {
            key: {name: values[name].tolist() for name in ("min", "max", "mean", "std")} | {"count": [episode.length]}
            for key, values in episode.stats.items()
        }
        _line(self._stats, {"episode_index": episode.index, "stats": stats})

    def close(self, tasks: list[str]) -> None:
        with (self.root / "meta" / "tasks.jsonl").open("w", encoding="utf-8") as file:
            for index, task in enumerate(tasks):
                _line(file, {"task_index": index, "task": task})
        self.release()

    def release(self) -> None:
        self._episodes.close()
        self._stats.close()

    def info(self, episodes: int) -> dict[str, Any]:
        return {
            "total_videos": 0,
            "total_chunks": -(-episodes // CHUNK),
            "chunks_size": CHUNK,
            "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        }


class FilesV30:
    """data/chunk-000/file-000.parquet with one row group per episode, and Parquet tables for episodes and tasks."""

    def __init__(self, root: Path, file_bytes: int) -> None:
        self.root, self.file_bytes = root, file_bytes
        self._data: Any = None
        self._sink: IO[bytes] | None = None
        self._file = -1
        self._meta: Any = None
        self._rows: list[dict[str, Any]] = []

    def add(self, episode: Episode) -> None:
        table = episode.table()
        if self._sink is None or self._sink.tell() >= self.file_bytes:
            self._next_file(table.schema)
        self._data.write_table(table)
        self._rows.append(self._row(episode))
        if len(self._rows) >= BUFFER:
            self._flush()

    def _next_file(self, schema: "pa.Schema") -> None:
        import pyarrow.parquet as pq

        self._close_data()
        self._file += 1
        path = self.root / f"data/chunk-{self._file // CHUNK:03d}/file-{self._file % CHUNK:03d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sink = path.open("wb")
        self._data = pq.ParquetWriter(self._sink, schema)

    def _close_data(self) -> None:
        if self._sink is not None:
            self._data.close()
            self._sink.close()
            self._sink = None

    def release(self) -> None:
        self._close_data()
        if self._meta is not None:
            self._meta.close()
            self._meta = None

    def _row(self, episode: Episode) -> dict[str, Any]:
        row: dict[str, Any] = {
            "episode_index": episode.index,
            "tasks": list(episode.tasks),
            "length": episode.length,
            "data/chunk_index": self._file // CHUNK,
            "data/file_index": self._file % CHUNK,
            "dataset_from_index": episode.first,
            "dataset_to_index": episode.first + episode.length,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for key, values in episode.stats.items():
            row |= {f"stats/{key}/{name}": array.tolist() for name, array in values.items()}
            row[f"stats/{key}/count"] = [episode.length]
        return row

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._rows:
            table = pa.Table.from_pylist(self._rows)
            if self._meta is None:
                path = self.root / "meta/episodes/chunk-000/file-000.parquet"
                path.parent.mkdir(parents=True)
                self._meta = pq.ParquetWriter(path, table.schema)
            self._meta.write_table(table.cast(self._meta.schema))
            self._rows = []

    def close(self, tasks: list[str]) -> None:
        import pyarrow.parquet as pq

        self._flush()
        self.release()
        pq.write_table(_task_table(tasks), self.root / "meta" / "tasks.parquet")

    def info(self, episodes: int) -> dict[str, Any]:
        return {
            "chunks_size": CHUNK,
            "data_files_size_in_mb": max(1, self.file_bytes // 2**20),
            "video_files_size_in_mb": 200,
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        }


LAYOUTS: dict[str, type[Files]] = {"v2.1": FilesV21, "v3.0": FilesV30}


def _task_table(tasks: list[str]) -> "pa.Table":
    """task_index by task, the text marked as pandas' index: lerobot looks tasks up through it."""
    import pyarrow as pa

    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})
    column = {
        "field_name": "task_index",
        "name": "task_index",
        "numpy_type": "int64",
        "pandas_type": "int64",
        "metadata": None,
    }
    index = {"field_name": "task", "name": "task", "numpy_type": "object", "pandas_type": "unicode", "metadata": None}
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": [column, index], "pandas_version": "2.2.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _arrow(values: np.ndarray) -> "pa.Array":
    import pyarrow as pa

    if holds_images(values):
        return encode_images(values)
    if values.ndim == 1 or values.shape[1] == 1:
        return pa.array(values.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1])


def _line(file: IO[str], row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
