"""Predictions: what is written is what is read, batches never cut an episode, bad files give one line."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError, ShapeError, SpaceError, SurehandError
from surehand.formats import predictions_schema, predictions_write
from surehand.formats.predictions import open_predictions, read_predictions, write_predictions
from surehand.frames import Predictions, Space

SUFFIXES = ("parquet", "npz")


def make(lengths: dict[int, int], draws: int = 2, horizon: int = 3, dims: int = 4, **more: Any) -> Predictions:
    """Episodes (id → frames) of random chunks."""
    rng = np.random.default_rng(len(lengths))
    n = sum(lengths.values())
    made = Predictions(
        prediction=rng.normal(size=(n, draws, horizon, dims)).astype(np.float32),
        episode=np.repeat(np.array(list(lengths), np.int64), list(lengths.values())),
        frame=np.concatenate([np.arange(count) for count in lengths.values()]),
        length=rng.integers(0, horizon + 1, n),
        checkpoint="B32 40k",
    )
    return replace(made, **more)


def assert_same(a: Predictions, b: Predictions) -> None:
    for name in ("prediction", "episode", "frame", "length"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert (a.checkpoint, a.space, dict(a.metadata)) == (b.checkpoint, b.space, dict(b.metadata))
    assert (a.task is None) == (b.task is None)
    if a.task is not None and b.task is not None:
        assert [a.tasks[i] for i in a.task] == [b.tasks[i] for i in b.task]


# numpy drops NUL at the end of a text, so npz cannot keep it.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))

metadatas = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(-(2**63), 2**63 - 1),
        "generator": texts,
        "knob": texts,
        "knob_value": st.floats(allow_nan=False, allow_infinity=False).map(lambda v: v + 0.0),
        "layout": st.just("arm(j1..j4)"),
        "data_identity": st.just("0123456789abcdef"),
        "note": texts | st.lists(st.integers()),
    },
)


@st.composite
def predictions(draw: st.DrawFn) -> Predictions:
    episodes = draw(st.dictionaries(st.integers(0, 2**40), st.integers(1, 5), min_size=1, max_size=5))
    made = make(
        dict(sorted(episodes.items())),
        *(draw(st.integers(1, 3)) for _ in range(3)),
        checkpoint=draw(texts),
        space=draw(st.sampled_from([Space(), Space("normalised", "quantiles", "delta"), Space(reference="absolute")])),
        metadata=draw(metadatas),
    )
    if draw(st.booleans()):
        tasks = tuple(draw(st.lists(texts, min_size=1, max_size=3, unique=True)))
        made = replace(made, tasks=tasks, task=np.arange(len(made)) % len(tasks))
    return made


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=predictions(), frames=st.integers(1, 12))
def test_what_is_written_is_read(tmp_path: Path, suffix: str, made: Predictions, frames: int) -> None:
    path = write_predictions(tmp_path / f"p.{suffix}", made, overwrite=True)
    file = open_predictions(path)
    n, draws, horizon, dims = made.prediction.shape
    assert (file.draws, file.horizon, file.dims, file.rows, file.frames) == (draws, horizon, dims, n * draws, n)
    assert_same(file.read(), made)
    batches = list(file.batches(frames))
    np.testing.assert_array_equal(np.concatenate([b.prediction for b in batches]), made.prediction)
    for batch in batches:  # whole episodes; more frames than asked for only where one episode is longer
        assert len(batch) == np.isin(made.episode, batch.episode).sum()
        assert len(batch) <= frames or len(np.unique(batch.episode)) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=predictions(), cuts=st.lists(st.integers(0, 20), max_size=4))
def test_parts_write_what_the_whole_writes(tmp_path: Path, suffix: str, made: Predictions, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(made)]
    parts = (made.take(slice(a, b)) for a, b in pairwise(edges))
    assert_same(read_predictions(write_predictions(tmp_path / f"p.{suffix}", parts, overwrite=True)), made)


@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7, 100])
def test_row_groups_of_any_size_give_the_same_episodes(tmp_path: Path, rows: int) -> None:
    made = make({0: 5, 3: 1, 4: 9, 7: 2})
    table = pq.read_table(write_predictions(tmp_path / "ours.parquet", made))
    pq.write_table(table, tmp_path / "theirs.parquet", row_group_size=rows)
    file = open_predictions(tmp_path / "theirs.parquet")
    assert_same(file.read(), made)
    assert [len(batch) for batch in file.batches(1)] == [5, 1, 9, 2]


def test_row_groups_end_with_episodes_and_long_ones_are_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make({i: 10 for i in range(8)} | {9: 100}, draws=1)
    monkeypatch.setattr(predictions_write, "ROW_GROUP_VALUES", 25 * 12)
    path = write_predictions(tmp_path / "p.parquet", made)
    footer = pq.read_metadata(path)
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [20] * 4 + [25] * 4
    assert_same(read_predictions(path), made)


def test_a_very_large_row_group_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make({0: 40, 1: 40, 2: 3}, draws=1)
    path = write_predictions(tmp_path / "p.parquet", made)
    monkeypatch.setattr("surehand.formats.predictions_read.ROW_GROUP_VALUES", 7 * 12)
    assert [len(batch) for batch in open_predictions(path).batches()] == [40, 40, 3]
    assert_same(read_predictions(path), made)


def test_numbers_are_not_copied(tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "p.parquet", make({0: 5}))
    (batch,) = open_predictions(path).batches()
    assert not batch.prediction.flags.owndata and not batch.prediction.flags.writeable


def test_the_caller_may_reuse_its_array(tmp_path: Path) -> None:
    made = make({0: 5, 1: 5})
    buffer = made.prediction[:5].copy()

    def parts() -> Any:
        for start in (0, 5):
            buffer[:] = made.prediction[start : start + 5]
            yield replace(made.take(slice(start, start + 5)), prediction=buffer)

    assert_same(read_predictions(write_predictions(tmp_path / "p.parquet", parts())), made)


def test_seeds_of_parts_stand_in_the_header(tmp_path: Path) -> None:
    parts = [make({i: 2}, metadata={"seed": 7 + i}) for i in range(3)]
    for suffix in SUFFIXES:
        file = open_predictions(write_predictions(tmp_path / f"p.{suffix}", parts))
        assert file.metadata["seeds"] == [7, 8, 9] and "seed" not in file.read().metadata


def test_numpy_numbers_and_unknown_ones_in_the_metadata(tmp_path: Path) -> None:
    said = {"seed": np.int64(3), "knob_value": float("nan"), "note": [np.float32(0.5)]}
    for suffix in SUFFIXES:
        read = read_predictions(write_predictions(tmp_path / f"p.{suffix}", make({0: 2}, metadata=said)))
        assert read.metadata == {"seed": 3, "note": [0.5]}


def test_layout_and_identity_travel(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        first = write_predictions(tmp_path / f"a.{suffix}", make({0: 2}), layout="arm(j1..j4)", data_identity="ab12")
        file = open_predictions(write_predictions(tmp_path / f"b.{suffix}", read_predictions(first)))
        assert (file.metadata["layout"], file.metadata["data_identity"]) == ("arm(j1..j4)", "ab12")
        assert file.metadata["schema_version"] == 1 and file.metadata["surehand"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_steps_past_the_valid_length_may_be_anything(tmp_path: Path, suffix: str) -> None:
    made = make({0: 4})
    made = replace(made, length=np.array([3, 0, 1, 2]), prediction=made.prediction.copy())
    made.prediction[1], made.prediction[2, :, 1:] = np.nan, np.inf
    read = read_predictions(write_predictions(tmp_path / f"p.{suffix}", made))
    assert np.isfinite(read.prediction).all() and not read.prediction[1].any() and not read.prediction[2, :, 1:].any()
    np.testing.assert_array_equal(read.prediction[2, :, 0], made.prediction[2, :, 0])


def test_plain_npz_is_enough(tmp_path: Path) -> None:
    made = make({0: 4}, draws=1)
    np.savez(
        tmp_path / "40k.npz", prediction=made.prediction[:, 0], episode=made.episode, frame=made.frame, space="robot"
    )
    read = read_predictions(tmp_path / "40k.npz")
    assert read.prediction.shape == (4, 1, 3, 4) and read.checkpoint == "40k" and read.length.tolist() == [3] * 4


# What writers refuse


def _with_nan(value: float) -> Predictions:
    made = make({0: 4, 6: 3})
    made = replace(made, length=np.full(7, 3), prediction=made.prediction.copy())
    made.prediction[5, 1, 2, 3] = value
    return made


def _two(**more: Any) -> list[Predictions]:
    return [make({0: 2}), make({1: 2}, **more)]


UNWRITABLE: dict[str, tuple[Any, type[SurehandError], str]] = {
    "nan": (_with_nan(np.nan), FormatError, "nan at episode 6 frame 1 draw 1 step 2 dim 3"),
    "inf": (_with_nan(-np.inf), FormatError, "-inf at episode 6 frame 1 draw 1 step 2 dim 3"),
    "overflow": (replace(make({0: 1}), prediction=np.full((1, 1, 3, 4), 1e300), length=np.ones(1)), FormatError, "inf"),
    "unsorted": (make({4: 2, 1: 2}), FormatError, "episode 1 frame 0 comes after episode 4 frame 1"),
    "repeated": ([make({0: 2}), make({0: 2}).take(slice(1, 2))], FormatError, "episode 0 frame 1 appears twice"),
    "checkpoints": (_two(checkpoint="80k"), FormatError, "checkpoint 'B32 40k' and '80k'"),
    "spaces": (_two(space=Space("normalised", "mean_std")), FormatError, "space 'robot' and 'normalised:mean_std'"),
    "knobs": (_two(metadata={"knob_value": 0.5}), FormatError, "knob_value None and 0.5"),
    "horizons": (_two(horizon=2), FormatError, "draws, horizon and dims"),
    "length": (replace(make({0: 2}), length=np.array([3, 4])), ShapeError, "episode 0 frame 1 has valid length 4"),
    "shape": (replace(make({0: 2}), prediction=np.zeros((2, 3, 4))), ShapeError, r"\(2, 3, 4\)"),
    "tasks": (replace(make({0: 2}), task=np.array([0, 1]), tasks=("a",)), ShapeError, "0 to 1 for 1 tasks"),
    "nothing": ([], FormatError, "no predictions to write"),
    "metadata": (make({0: 2}, metadata={"note": {1, 2}}), FormatError, "metadata 'metadata'"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("case", UNWRITABLE)
def test_a_refused_write_leaves_nothing(tmp_path: Path, suffix: str, case: str) -> None:
    parts, kind, words = UNWRITABLE[case]
    with pytest.raises(kind, match=words) as error:
        write_predictions(tmp_path / "new" / f"p.{suffix}", parts)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    def parts() -> Any:
        yield make({0: 2})
        raise KeyboardInterrupt

    path = write_predictions(tmp_path / f"p.{suffix}", make({0: 5}))
    with pytest.raises(FormatError, match="exists"):
        write_predictions(path, make({0: 2}))
    with pytest.raises(KeyboardInterrupt):
        write_predictions(path, parts(), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name] and len(read_predictions(path)) == 5


def test_an_unwritable_folder_and_an_unknown_suffix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FormatError, match=r"cannot write .* choose a folder"):
        write_predictions(tmp_path / "file" / "p.parquet", make({0: 2}))
    with pytest.raises(FormatError, match=r"\.parquet or \.npz"):
        write_predictions(tmp_path / "p.csv", make({0: 2}))


# What readers refuse


def _rewritten(path: Path, change: Any) -> Path:
    """The same file after `change(columns)` on its columns as lists, header kept."""
    table = pq.read_table(path)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    change(columns)
    pq.write_table(pa.table(columns, table.schema), path)
    return path


def _swap(columns: dict[str, list[Any]]) -> None:
    for column in columns.values():
        column[2:4], column[4:6] = column[4:6], column[2:4]


def _drop(row: int | slice) -> Any:
    def change(columns: dict[str, list[Any]]) -> None:
        for column in columns.values():
            del column[row]

    return change


def _put(name: str, row: int, value: Any) -> Any:
    def change(columns: dict[str, list[Any]]) -> None:
        columns[name][row] = value

    return change


UNREADABLE: dict[str, tuple[Any, type[SurehandError], str]] = {
    "unsorted": (_swap, FormatError, "episode 0 frame 1 draw 0 comes after episode 0 frame 2 draw 1"),
    "duplicated": (_put("frame", slice(2, 4), [0, 0]), FormatError, "episode 0 frame 0 draw 0 comes after"),
    "draw missing": (_drop(3), FormatError, r"episode 0 frame 1 has draws \[0\], expected 0 to 1"),
    "two halves of frames": (_drop(slice(3, 5)), FormatError, r"episode 0 frame 1 has draws \[0\], expected 0 to 1"),
    "last draw missing": (_drop(-1), FormatError, r"episode 1 frame 1 has draws \[0\], expected 0 to 1"),
    "first draw missing": (_drop(0), FormatError, r"episode 0 frame 0 has draws \[1\]"),
    "draw of another frame": (_put("frame", 3, 2), FormatError, "episode 0 frame 2 draw 0 comes after"),
    "two checkpoints": (_put("checkpoint", 0, "other"), FormatError, "checkpoint .* and .* in one file"),
    "two spaces": (_put("space", 0, "normalised:quantiles"), FormatError, "space .* and .* in one file"),
    "two knob values": (_put("knob_value", 0, 0.5), FormatError, "knob_value .* in one file"),
    "lengths": (_put("length", 0, 1), ShapeError, "episode 0 frame 0 have different valid lengths"),
    "length": (_put("length", slice(0, 2), [9, 9]), ShapeError, "valid length 9, expected 0 to 3"),
    "nan": (_put("prediction", 5, [0.0] * 11 + [float("nan")]), FormatError, "episode 0 frame 2 draw 1 step 2 dim 3"),
    "half a task": (_put("task", 0, "pick"), FormatError, "some rows have a task"),
    "space": (_put("space", slice(0, 10), ["raw"] * 10), SpaceError, "unknown action space 'raw'"),
    "no rows": (lambda columns: [c.clear() for c in columns.values()], FormatError, "no predictions in the file"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_bad_parquet_gives_one_line(tmp_path: Path, case: str) -> None:
    change, kind, words = UNREADABLE[case]
    made = make({0: 3, 1: 2})
    path = write_predictions(tmp_path / "p.parquet", replace(made, length=np.full(5, 3)))
    with pytest.raises(kind, match=words) as error:
        read_predictions(_rewritten(path, change))
    assert "\n" not in str(error.value) and (kind is SpaceError or str(path) in str(error.value))


def test_draws_of_two_episodes_make_no_frame(tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "p.parquet", make({0: 1, 1: 1}))
    with pytest.raises(FormatError, match=r"episode 0 frame 0 has draws \[0\], expected 0 to 1"):
        read_predictions(_rewritten(path, _drop(slice(1, 3))))


def _reheaded(path: Path, text: str | None) -> Path:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({} if text is None else {"surehand": text}), path)
    return path


GOOD = '{"kind": "predictions", "schema_version": 1, "horizon": 3, "dims": 4, "draws": 2}'
HEADERS: dict[str, tuple[str | None, type[SurehandError], str]] = {
    "none": (None, FormatError, "not a surehand predictions file"),
    "no json": ("{", FormatError, "no readable header"),
    "other kind": (GOOD.replace('"predictions"', '"rounds"'), FormatError, "found 'rounds'"),
    "newer": (GOOD.replace(": 1,", ": 2,"), FormatError, "schema version 2, this surehand reads 1 to 1; upgrade"),
    "no version": (GOOD.replace("schema_version", "version"), FormatError, "schema version None"),
    "no horizon": (GOOD.replace("horizon", "h"), FormatError, "'horizon' should be int, found None"),
    "dims": (GOOD.replace('"dims": 4', '"dims": 5'), ShapeError, "rows hold 12 numbers, .*3·5"),
    "draws": (GOOD.replace('"draws": 2', '"draws": 3'), FormatError, "expected 0 to 2"),
    "no draws": (GOOD.replace('"draws": 2', '"draws": 0'), ShapeError, "K = 0"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_header_gives_one_line(tmp_path: Path, case: str) -> None:
    text, kind, words = HEADERS[case]
    path = write_predictions(tmp_path / "p.parquet", make({0: 2}))
    with pytest.raises(kind, match=words):
        read_predictions(_reheaded(path, text))


def test_a_plain_header_is_enough(tmp_path: Path) -> None:
    made = make({0: 2})
    assert_same(read_predictions(_reheaded(write_predictions(tmp_path / "p.parquet", made), GOOD)), made)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_empty_and_truncated_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p.{suffix}"
    with pytest.raises(FormatError, match="no such file"):
        open_predictions(path)
    path.write_bytes(b"")
    with pytest.raises(FormatError, match="the file is empty"):
        open_predictions(path)
    whole = write_predictions(path, make({0: 50}), overwrite=True).read_bytes()
    for keep in (10, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:keep])
        with pytest.raises(FormatError, match="cut off"):
            read_predictions(path)


def test_damaged_pages_give_one_line(tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "p.parquet", make({0: 500}))
    data = bytearray(path.read_bytes())
    column = next(
        c for i in range(12) if "prediction" in (c := pq.read_metadata(path).row_group(0).column(i)).path_in_schema
    )
    data[column.data_page_offset : column.data_page_offset + 200] = b"\xff" * 200
    path.write_bytes(data)
    with pytest.raises(FormatError, match="damaged or cut off"):
        read_predictions(path)


def test_a_missing_column_and_a_wrong_type(tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "p.parquet", make({0: 2}))
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["length"]), path)
    with pytest.raises(FormatError, match="column 'length' is missing"):
        open_predictions(path)
    pq.write_table(table.set_column(1, "episode", table.column("episode").cast(pa.string())), path)
    with pytest.raises(FormatError, match="'episode' is string, expected int64"):
        open_predictions(path)


def test_npz_refusals(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    good: dict[str, Any] = {
        "prediction": np.zeros((2, 3, 4)), "episode": np.zeros(2, int), "frame": np.arange(2), "space": "robot",
    }  # fmt: skip
    cases: list[tuple[dict[str, Any], type[SurehandError], str]] = [
        ({"frame": None}, FormatError, "no array 'frame'"),
        ({"space": None}, FormatError, "no text 'space'"),
        ({"prediction": np.array([{}], dtype=object)}, FormatError, "pickled objects"),
        ({"prediction": np.full((2, 3, 4), 1e150)}, FormatError, "1e\\+150 at episode 0 frame 0"),
        ({"prediction": np.zeros((0, 3, 4))}, FormatError, "no frames"),
        ({"prediction": np.zeros((2, 12))}, ShapeError, r"\(2, 12\)"),
        ({"prediction": np.zeros((2, 3, 4), int)}, FormatError, "int64"),
        ({"frame": np.arange(3)}, ShapeError, "disagree in length"),
        ({"frame": np.arange(2.0)}, FormatError, "'frame' holds float64"),
        ({"prediction": np.full((2, 3, 4), np.nan)}, FormatError, "nan at episode 0 frame 0"),
        ({"surehand": GOOD.replace(": 1,", ": 9,")}, FormatError, "schema version 9"),
        ({"tasks": np.array(["a"]), "task": np.array([0, 1])}, ShapeError, "for 1 tasks"),
    ]
    path.write_bytes(np.random.default_rng(1).bytes(3000))
    with pytest.raises(FormatError, match="not an npz file"):
        read_predictions(path)
    for change, kind, words in cases:
        np.savez(path, **{name: value for name, value in {**good, **change}.items() if value is not None})
        with pytest.raises(kind, match=words):
            read_predictions(path)


def test_optional_columns_may_lack_statistics(tmp_path: Path) -> None:
    made = make({0: 3}, metadata={"generator": "noise", "knob": "T", "knob_value": 0.5, "seed": 3})
    path = write_predictions(tmp_path / "p.parquet", made)
    pq.write_table(pq.read_table(path), path, write_statistics=False)
    assert_same(read_predictions(path), made)
    with pytest.raises(FormatError, match="checkpoint"):
        _rewritten(path, _put("checkpoint", 0, "other"))
        pq.write_table(pq.read_table(path), path, write_statistics=False)
        open_predictions(path)


def test_the_schema_is_the_documented_one() -> None:
    assert predictions_schema.schema(16, 11).field("prediction").type.list_size == 176
