"""Predictions from Parquet: whole episodes at a time, in constant memory, without copying the numbers."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.formats import contract
from surehand.formats.predictions_check import NO_KEY, Key, check_order, check_shape, finite
from surehand.formats.predictions_schema import KIND, ROW_GROUP_VALUES, Facts
from surehand.frames import Predictions


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows as they lie in the file, one per draw."""

    episode: np.ndarray
    frame: np.ndarray
    draw: np.ndarray
    length: np.ndarray
    values: np.ndarray  # (rows, H·D)
    task: np.ndarray  # (rows,) int64, or (0,) where the file has none

    def cut(self, start: int, stop: int | None = None) -> "_Rows":
        return _Rows(**{name: column[start:stop] for name, column in vars(self).items()})

    @staticmethod
    def join(parts: list["_Rows"]) -> "_Rows":
        if len(parts) == 1:
            return parts[0]
        return _Rows(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


@dataclass
class _Tasks:
    """Task texts in the order they first appear in the file."""

    known: dict[str, int] = field(default_factory=dict)

    def index(self, column: Any) -> np.ndarray:
        coded = column.dictionary_encode() if not hasattr(column, "dictionary") else column
        texts = coded.dictionary.to_pylist()
        codes = np.array([self.known.setdefault(text, len(self.known)) for text in texts], np.int64)
        found: np.ndarray = codes[coded.indices.to_numpy(zero_copy_only=False)]
        return found


def read_batches(path: Path, facts: Facts, frames: int) -> Iterator[Predictions]:
    """Whole episodes, at most `frames` frames at a time (more only where one episode is longer), in constant memory."""
    tasks = _Tasks()
    for rows in _whole_episodes(_read_rows(path, facts, tasks)):
        whole = _as_predictions(facts, rows, tuple(tasks.known))
        yield from split_episodes(whole, frames)


def read_episodes(path: Path) -> np.ndarray:
    """Distinct episodes, ascending (E,) int64, from their column alone."""
    import pyarrow as pa

    try:
        with contract.open_parquet(path, KIND) as file:
            found = file.read(columns=["episode"]).column("episode").unique().to_numpy()
    except (pa.ArrowException, OSError) as error:
        raise contract.damaged(path, error) from None
    return np.sort(found).astype(np.int64)


def _read_rows(path: Path, facts: Facts, tasks: _Tasks) -> Iterator[_Rows]:
    """The file's rows, sorted and unique, in blocks that fit the cache."""
    import pyarrow as pa

    names = ["episode", "frame", "draw", "length", "prediction"] + ["task"] * facts.has_tasks
    block = max(1, ROW_GROUP_VALUES // (facts.horizon * facts.dims))
    last: Key = NO_KEY
    try:
        for batch in _read_ahead(path, names, block):
            rows = _decode(path, batch, facts, tasks)
            last = check_order(facts.where, last, {"episode": rows.episode, "frame": rows.frame, "draw": rows.draw})
            yield rows
    except (pa.ArrowException, OSError) as error:
        raise contract.damaged(path, error) from None


def _read_ahead(path: Path, names: list[str], block: int) -> Iterator[Any]:
    """Record batches in the file's order, a few row groups decoded by threads ahead of the one in use."""
    with contract.open_parquet(path, KIND) as file:
        footer = file.metadata
    threads = min(4, os.cpu_count() or 1)
    waiting: deque[Future[Iterable[Any]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for group in range(footer.num_row_groups):
            if len(waiting) == threads:
                yield from waiting.popleft().result()
            waiting.append(pool.submit(_read_group, path, footer, group, names, block))
        while waiting:
            yield from waiting.popleft().result()


def _read_group(path: Path, footer: Any, group: int, names: list[str], block: int) -> Iterable[Any]:
    """One row group as record batches; one that other software made very large is decoded piece by piece."""
    import pyarrow.parquet as pq

    if footer.row_group(group).num_rows > 4 * block:
        return _stream_group(path, footer, group, names, block)
    with pq.ParquetFile(path, metadata=footer) as file:  # a handle per thread: they are not safe to share
        table = file.read_row_group(group, columns=names, use_threads=False)
    return list(table.combine_chunks().to_batches())


def _stream_group(path: Path, footer: Any, group: int, names: list[str], block: int) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, metadata=footer) as file:
        yield from file.iter_batches(batch_size=block, row_groups=[group], columns=names)


def _decode(path: Path, batch: Any, facts: Facts, tasks: _Tasks) -> _Rows:
    """The batch's numbers, without copying them."""
    for name in ("episode", "frame", "draw", "length", "prediction"):
        if batch.column(name).null_count:
            raise FormatError(f"{path}: column {name!r} holds nulls; every row needs one")
    chunk = batch.column("prediction").flatten()
    if chunk.null_count:
        raise FormatError(f"{path}: a prediction holds nulls; predictions must be finite")
    return _Rows(
        **{name: batch.column(name).to_numpy() for name in ("episode", "frame", "draw", "length")},
        values=chunk.to_numpy().reshape(len(batch), facts.horizon * facts.dims),
        task=_read_tasks(path, batch, tasks) if facts.has_tasks else np.empty(0, np.int64),
    )


def _read_tasks(path: Path, batch: Any, tasks: _Tasks) -> np.ndarray:
    if batch.column("task").null_count:
        raise FormatError(f"{path}: some rows have a task and some have none; give all of them one, or none")
    return tasks.index(batch.column("task"))


def _whole_episodes(blocks: Iterable[_Rows]) -> Iterator[_Rows]:
    """The same rows, cut only between episodes; a block that ends with an episode passes uncopied."""
    held: list[_Rows] = []
    for block in blocks:
        if held and block.episode[0] != held[-1].episode[-1]:
            yield _Rows.join(held)
            held = []
        elif held:
            # The held rows' last episode goes on: what stands before it is complete.
            start = int(np.searchsorted(held[0].episode, block.episode[0]))
            if start:
                yield held[0].cut(0, start)
                held[0] = held[0].cut(start)
            end = int(np.searchsorted(block.episode, block.episode[0], side="right"))
            held.append(block.cut(0, end))
            if end == len(block.episode):
                continue
            yield _Rows.join(held)
            held, block = [], block.cut(end)
        held.append(block)
    if held:
        yield _Rows.join(held)


def _as_predictions(facts: Facts, rows: _Rows, tasks: tuple[str, ...]) -> Predictions:
    """Whole frames of K draws each; FormatError names the first frame whose draws are not 0..K-1."""
    draws = facts.draws
    _check_draws(facts, rows)
    n = len(rows.episode) // draws
    length = rows.length.reshape(n, draws)
    if (length != length[:, :1]).any():
        row = int(np.argmax((length != length[:, :1]).any(1)))
        at = f"episode {rows.episode[row * draws]} frame {rows.frame[row * draws]}"
        raise ShapeError(f"{facts.where}: draws of {at} have different valid lengths; a frame has one")
    part = Predictions(
        prediction=rows.values.reshape(n, draws, facts.horizon, facts.dims),
        episode=rows.episode[::draws],
        frame=rows.frame[::draws],
        length=length[:, 0].astype(np.int64),
        checkpoint=facts.checkpoint,
        space=facts.space,
        metadata=facts.metadata,
        task=rows.task[::draws] if facts.has_tasks else None,
        tasks=tasks,
    )
    check_shape(facts.where, part)
    values = finite(facts.where, part)
    return part if values is part.prediction else replace(part, prediction=values)


def _check_draws(facts: Facts, rows: _Rows) -> None:
    draws, n = facts.draws, len(rows.episode)
    whole = n // draws * draws
    wrong = rows.draw[:whole] != np.tile(np.arange(draws), n // draws)
    if draws > 1 and not wrong.any():  # draws count up right, but perhaps across two frames
        keys = np.stack([rows.episode[:whole], rows.frame[:whole]]).reshape(2, -1, draws)
        wrong = (keys != keys[:, :, :1]).any((0, 2)).repeat(draws)
    if not wrong.any() and whole == n:
        return
    row = int(np.argmax(wrong)) if wrong.any() else whole
    for at in (max(row - 1, 0), row):  # a frame that lacks its last draws shows at the row after it
        found = rows.draw[(rows.episode == rows.episode[at]) & (rows.frame == rows.frame[at])].tolist()
        if found != list(range(draws)):
            raise FormatError(
                f"{facts.where}: episode {rows.episode[at]} frame {rows.frame[at]} has draws {found[:8]}, "
                f"expected 0 to {draws - 1}; every frame needs all K = {draws}"
            )


def split_episodes(part: Predictions, frames: int) -> Iterator[Predictions]:
    """The same frames in pieces of whole episodes, at most `frames` each unless one episode is longer."""
    if len(part) <= frames:
        yield part
        return
    ends = np.append(np.flatnonzero(np.diff(part.episode)) + 1, len(part))
    start = 0
    while start < len(part):
        fits = ends[(ends > start) & (ends - start <= frames)]
        stop = int(fits[-1]) if fits.size else int(ends[ends > start][0])
        yield part.take(slice(start, stop))
        start = stop
