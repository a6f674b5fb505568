"""Broken LeRobot datasets: each is refused in one line that says what was found where."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.formats.lerobot import open_lerobot, read_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions

DATA = "data/chunk-000/file-000.parquet"
META = "meta/episodes/chunk-000/file-000.parquet"
Make = Callable[..., Path]
Edit = Callable[[Path, Callable[[Any], Any]], None]


def refuses(root: Path, error: type[SurehandError], line: str, **options: Any) -> str:
    """The one line with which reading this dataset is refused."""
    with pytest.raises(error, match=line) as caught:
        open_lerobot(root, **options).read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def set_action(table: pa.Table, action: np.ndarray) -> pa.Table:
    """The table with these (N, D) actions."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(action.ravel()), action.shape[1])
    return table.set_column(table.column_names.index("action"), "action", column)


def one(length: int = 3, **changes: Any) -> Actions:
    """A small episode, changed."""
    zeros = np.zeros(length, dtype=np.int64)
    return replace(Actions(np.zeros((length, 2)), zeros, np.arange(length), zeros, tasks=("x",), fps=10.0), **changes)


@pytest.mark.parametrize("missing", ["meta/info.json", META, DATA])
def test_missing_files(dataset: Make, missing: str) -> None:
    root = dataset()
    (root / missing).unlink()
    refuses(root, FormatError, "missing|no Parquet file|no such file")


@pytest.mark.parametrize("missing", ["meta/episodes.jsonl", "data/chunk-000/episode_000001.parquet"])
def test_missing_files_of_v21(dataset: Make, missing: str) -> None:
    root = dataset("v2.1")
    (root / missing).unlink()
    assert missing in refuses(root, FormatError, "no such file")


def test_metadata_alone_opens_and_says_that_frames_are_absent(shared: Path) -> None:
    root = shared / "gr00t_meta/demo_data/gr1.PickNPlace"
    folder = open_lerobot(root)
    assert (folder.version, folder.size, len(folder.episodes)) == ("v2.0", 44, 5)
    assert folder.action_names is not None and folder.action_names[-1] == "motor_43"
    assert (folder.stats().std == 0).sum() == 25
    refuses(root, FormatError, "data is missing: this folder holds metadata only")


@settings(max_examples=25, deadline=None)
@given(cut=st.floats(0, 1, exclude_max=True), which=st.sampled_from([DATA, META, "meta/tasks.parquet"]))
def test_truncated_parquet(tmp_path_factory: pytest.TempPathFactory, cut: float, which: str) -> None:
    frames = np.arange(40)
    action = np.random.default_rng(0).normal(size=(40, 3))
    zeros = np.zeros(40, dtype=np.int64)
    root = tmp_path_factory.mktemp("cut") / "dataset"
    write_lerobot(root, [Actions(action, zeros, frames, zeros, tasks=("x",), fps=10.0)])
    whole = (root / which).read_bytes()
    (root / which).write_bytes(whole[: int(cut * len(whole))])
    assert which in refuses(root, FormatError, "not a readable Parquet file")


TEXTS = ["meta/info.json", "meta/episodes.jsonl", "meta/tasks.jsonl", "meta/episodes_stats.jsonl"]


@settings(max_examples=60, deadline=None)
@given(which=st.sampled_from(TEXTS), place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_harmless_but_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, which: str, place: float, byte: int
) -> None:
    zeros = np.zeros(4, dtype=np.int64)
    root = tmp_path_factory.mktemp("flip") / "dataset"
    action = np.random.default_rng(0).normal(size=(4, 3))
    write_lerobot(root, [Actions(action, zeros, np.arange(4), zeros, tasks=("x",), fps=10.0)], version="v2.1")
    path = root / which
    whole = bytearray(path.read_bytes())
    whole[int(place * len(whole))] = byte
    path.write_bytes(whole)
    try:
        open_lerobot(root).read()
        open_lerobot(root).stats()
    except SurehandError as error:
        assert "\n" not in str(error)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value, as the keys that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The JSON value with what stands at this place replaced."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=100, deadline=None)
@given(data=st.data(), which=st.sampled_from(TEXTS), version=st.sampled_from(["v2.1", "v3.0"]))
def test_a_value_of_another_kind_is_refused_or_harmless_but_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, which: str, version: str
) -> None:
    root = tmp_path_factory.mktemp("kind") / "dataset"
    write_lerobot(root, [one(state=np.zeros((3, 1)), names=("a", "b"))], version=version)
    path = root / which if (root / which).exists() else root / "meta" / "stats.json"
    value = json.loads(path.read_text())
    place = data.draw(st.sampled_from(places(value)))
    new = data.draw(st.sampled_from([None, 0, -1, 10**12, 0.5, True, "x", "", [], [[]], [None], {}, {"a": 1}]))
    path.write_text(json.dumps(replaced(value, place, new)))
    try:
        folder = open_lerobot(root)
        folder.stats(), folder.episode_stats(), folder.stats("observation.state")
        assert len(folder.episode_tasks) == len(folder.lengths)
        folder.read()
        folder.identity()
    except SurehandError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("version", ["v1.6", "v4.0", None, 3])
def test_other_versions(dataset: Make, edit_info: Edit, version: Any) -> None:
    root = dataset()
    edit_info(root, lambda info: info.update(codebase_version=version))
    assert repr(version) in refuses(root, FormatError, r"v2.0, v2.1, v3.0 are read")


@pytest.mark.parametrize(
    ("change", "error", "line"),
    [
        (
            lambda info: info["features"].pop("action"),
            FormatError,
            "no feature 'action' or 'actions'; it has observation",
        ),
        (
            lambda info: info["features"]["action"].update(shape=[7, 2]),
            ShapeError,
            r"shape \[7, 2\]; expected one axis",
        ),
        (
            lambda info: info["features"]["action"].update(shape=[4], names=None),
            ShapeError,
            r"\[4\] in info.json, \[3\] in",
        ),
        (lambda info: info["features"]["action"].update(names=["a", "b"]), ShapeError, "2 names for shape 3"),
        (lambda info: info["features"]["observation.state"].update(names=["a"] * 5), ShapeError, "5 names for shape 2"),
        (lambda info: info.update(fps=0), FormatError, "fps must be a positive number, found 0"),
        (lambda info: info.update(fps=float("inf")), FormatError, "fps must be a positive number, found inf"),
        (lambda info: info.update(fps="30"), FormatError, "fps must be a positive number"),
        (lambda info: info.update(data_path="data/{nothing}.parquet"), FormatError, "is no template of chunk_index"),
        (lambda info: info.update(data_path=None), FormatError, "data_path None is no template"),
        (lambda info: info.pop("features"), FormatError, "expected an object with 'features'"),
    ],
)
def test_info_that_contradicts_itself_or_the_data(
    dataset: Make, edit_info: Edit, change: Callable[[dict[str, Any]], Any], error: type[SurehandError], line: str
) -> None:
    root = dataset()
    edit_info(root, change)
    refuses(root, error, line)


def test_28_names_for_shape_30(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_bytes((shared / "robocoin_info/info.json").read_bytes())
    refuses(tmp_path, ShapeError, "28 names for shape 30 of feature 'action'")


def test_names_that_contradict_shapes_pass_for_the_doctor(dataset: Make, edit_info: Edit) -> None:
    root = dataset()
    edit_info(root, lambda info: info["features"]["action"].update(names=["a", "b"]))
    folder = open_lerobot(root, check=False)
    assert (folder.action_names, folder.size) == (("a", "b"), 3)


def test_a_choice_among_action_features_is_asked_for(dataset: Make, edit_info: Edit) -> None:
    root = dataset()

    def split(info: dict[str, Any]) -> None:
        for name in ("action.joint_velocity", "action.original"):
            info["features"][name] = info["features"]["action"]
        del info["features"]["action"]

    edit_info(root, split)
    refuses(root, FormatError, "choose one with action_key=: action.joint_velocity, action.original")
    refuses(root, FormatError, "no feature 'action.speed'; action-like", action_key="action.speed")
    refuses(root, FormatError, "the data files have no such column", action_key="action.original")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(dataset: Make, edit_table: Edit, bad: float) -> None:
    root = dataset()

    def spoil(table: pa.Table) -> pa.Table:
        action = np.stack(table["action"].to_numpy()).copy()
        action[6, 2] = action[7, 0] = bad
        return set_action(table, action)

    edit_table(root / DATA, spoil)
    line = refuses(root, FormatError, f"episode 1, frame 1, dimension 2: {bad}")
    assert "2 such values" in line
    assert np.isfinite(read_lerobot(root, [0, 2]).action).all()  # the other episodes are not blocked
    assert (~np.isfinite(open_lerobot(root).read(check=False).action)).sum() == 2
    assert open_lerobot(root).identity()


def test_rows_of_different_lengths_are_named(dataset: Make, edit_table: Edit) -> None:
    root = dataset()

    def shorten(table: pa.Table) -> pa.Table:
        action = table["action"].to_pylist()
        action[9] = action[9][:2]
        return table.set_column(0, "action", pa.array(action, pa.list_(pa.float32())))

    edit_table(root / DATA, shorten)
    refuses(root, ShapeError, "column 'action': episode 2 frame 1 holds 2 values, those before it 3")


def test_files_of_different_widths_are_named(dataset: Make, edit_table: Edit) -> None:
    root = dataset("v2.1")
    edit_table(root / "data/chunk-000/episode_000001.parquet", lambda table: set_action(table, np.zeros((3, 5))))
    refuses(root, ShapeError, r"column 'action': episode 1 frame 0 has shape \(5,\), those before it \(3,\)")


def test_absent_values_are_named(dataset: Make, edit_table: Edit) -> None:
    root = dataset()

    def hollow(table: pa.Table) -> pa.Table:
        action = table["action"].to_pylist()
        action[5] = None
        return table.set_column(0, "action", pa.array(action, pa.list_(pa.float32())))

    edit_table(root / DATA, hollow)
    refuses(root, ShapeError, "episode 1 frame 0 holds no value")


def test_lengths_that_disagree(dataset: Make, edit_table: Edit) -> None:
    root = dataset()
    edit_table(root / DATA, lambda table: table.filter(pa.array([True] * 11 + [False])))
    refuses(root, ShapeError, "episode 2: 4 frames by the metadata, 3 in")
    assert len(read_lerobot(root, [0, 1])) == 8


def test_lengths_that_disagree_in_v21(dataset: Make, edit_table: Edit) -> None:
    root = dataset("v2.1")
    edit_table(root / "data/chunk-000/episode_000001.parquet", lambda table: table.slice(1))
    refuses(root, ShapeError, "episode 1: 3 frames by the metadata, 2 in")


def test_an_episode_that_its_file_does_not_hold(dataset: Make, edit_table: Edit) -> None:
    root = dataset()
    edit_table(root / DATA, lambda table: table.slice(0, 8))
    refuses(root, FormatError, "holds no row of episode 2, which meta/episodes says is here")


def test_rows_of_an_episode_that_lie_apart(dataset: Make, edit_table: Edit) -> None:
    root = dataset()
    edit_table(root / DATA, lambda table: table.take([0, 5, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]))
    refuses(root, FormatError, "rows of episode 0 lie apart")


def test_frames_that_do_not_count_up(dataset: Make, edit_table: Edit) -> None:
    root = dataset()
    edit_table(root / DATA, lambda table: table.take([1, 0, *range(2, 12)]))
    refuses(root, FormatError, "episode 0, frame 0 carries frame_index 1")
    assert open_lerobot(root).read(check=False).frame[:2].tolist() == [1, 0]


def test_a_file_that_holds_another_episode(dataset: Make) -> None:
    root = dataset("v2.1", lengths=(4, 4))
    (root / "data/chunk-000/episode_000001.parquet").replace(root / "data/chunk-000/episode_000000.parquet")
    with pytest.raises(FormatError, match="episode 0, frame 0 carries episode_index 1"):
        read_lerobot(root, [0])


def test_a_task_index_without_a_task(dataset: Make, edit_table: Edit) -> None:
    root = dataset()
    edit_table(root / "meta/tasks.parquet", lambda table: table.slice(0, 1))
    refuses(root, FormatError, "episode 1, frame 0 has, of 1 tasks, task_index 1")


def test_episodes_outside_the_dataset(dataset: Make) -> None:
    root = dataset()
    with pytest.raises(SurehandError, match="2 of 3 episodes are not in the dataset, the first is 7; it has 3, 0 to 2"):
        read_lerobot(root, [0, 7, 9])
    with pytest.raises(SurehandError, match="episode 1 is listed twice"):
        read_lerobot(root, [1, 1])


def test_an_episode_listed_twice_in_the_metadata(dataset: Make, edit_table: Edit) -> None:
    root = dataset()
    edit_table(root / META, lambda table: pa.concat_tables([table, table.slice(1, 1)]))
    refuses(root, FormatError, "lists episode 1 twice")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "episodes.jsonl line 4: not JSON"),
        ("3", "line 4: expected an object"),
        ('{"length": 3}', "expected episode_index"),
    ],
)
def test_bad_lines_are_numbered(dataset: Make, line: str, error: str) -> None:
    root = dataset("v2.1")
    with (root / "meta/episodes.jsonl").open("a") as file:
        file.write(line + "\n")
    refuses(root, FormatError, error)


def test_features_that_are_absent_or_pictures(dataset: Make, edit_info: Edit) -> None:
    root = dataset()
    edit_info(
        root, lambda info: info["features"].update({"observation.images.head": {"dtype": "video", "shape": [4, 4, 3]}})
    )
    with pytest.raises(FormatError, match=r"no feature 'reward'; it has action, observation.state"):
        open_lerobot(root).read(columns=["reward"])
    with pytest.raises(FormatError, match="holds pictures"):
        open_lerobot(root).read(columns=["observation.images.head"])


@pytest.mark.parametrize(
    ("episodes", "options", "line"),
    [
        ([], {}, "no episode to write"),
        ([one(0)], {}, "episode 0 has no frames"),
        ([one(), one(action=np.zeros((3, 5)))], {}, "episode 1 differs from the first in 'action'"),
        ([one(), one(fps=20.0)], {}, "episode 1 differs from the first in 'fps'"),
        ([one(), one(action=np.full((3, 2), np.nan))], {}, "episode 0, frame 0, dimension 0: nan"),
        ([one(), one(action=np.full((3, 2), 1e150))], {}, "episode 0, frame 0, dimension 0: 1e\\+150"),
        ([one(frame=np.arange(1, 4))], {}, "frames do not count 0 to 2"),
        ([one(fps=0.0)], {}, "state it with fps="),
        ([one()], {"names": ["a"]}, "1 names for 2 dimensions"),
        ([one()], {"version": "v1.0"}, "choose v2.1 or v3.0"),
        ([one(columns={"timestamp": np.zeros(3)})], {}, "cannot be called 'timestamp'"),
        ([one(columns={"note": np.array(["a", "b", "c"])})], {}, "one number or one vector"),
    ],
)
def test_nothing_is_written_where_writing_is_refused(
    tmp_path: Path, episodes: list[Actions], options: dict[str, Any], line: str
) -> None:
    with pytest.raises(SurehandError, match=line):
        write_lerobot(tmp_path / "new" / "dataset", episodes, **options)
    assert not list((tmp_path / "new").glob("*")) if (tmp_path / "new").exists() else True


def test_a_folder_that_holds_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FormatError, match="exists and is not empty"):
        write_lerobot(tmp_path, [one()])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FormatError, match=r"cannot write .*; choose a folder"):
        write_lerobot(tmp_path / "file" / "dataset", [one()])


def test_stats_that_are_no_numbers(dataset: Make) -> None:
    root = dataset()
    path = root / "meta/stats.json"
    path.write_text(json.dumps({"action": {"mean": ["a"], "std": [1.0]}}))
    with pytest.raises(FormatError, match=r"stats.json: mean is not a list of numbers"):
        open_lerobot(root).stats()
    path.write_text("[")
    with pytest.raises(FormatError, match="not JSON"):
        open_lerobot(root).stats()
    path.unlink()
    assert open_lerobot(root).stats() is None
