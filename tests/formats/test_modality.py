"""GR00T's modality.json."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.formats.modality import read_modality, write_modality
from surehand.layout import Layout


def _write(folder: Path, action: object) -> Path:
    path = folder / "modality.json"
    path.write_text(json.dumps({"state": {}, "action": action}))
    return path


def test_gr1_groups(shared: Path) -> None:
    layout = read_modality(shared / "gr00t_meta/demo_data/gr1.PickNPlace/meta/modality.json", size=44)
    assert layout.groups == (
        "left_arm", "left_hand", "left_leg", "neck", "right_arm", "right_hand", "right_leg", "waist",
    )  # fmt: skip
    assert layout.columns("right_hand").tolist() == list(range(29, 35))


@pytest.mark.parametrize(
    ("example", "groups", "size"),
    [
        ("SO100/modality.json", ("single_arm", "gripper"), 6),
        ("LIBERO/modality.json", ("x", "y", "z", "roll", "pitch", "yaw", "gripper"), 7),
        ("SimplerEnv/bridge_modality.json", ("x", "y", "z", "roll", "pitch", "yaw", "gripper"), 7),
        ("PointNav/modality.json", ("vel_cmd",), 3),
    ],
)
def test_groot_examples(shared: Path, example: str, groups: tuple[str, ...], size: int) -> None:
    layout = read_modality(shared / "gr00t_meta/examples" / example)
    assert (layout.groups, layout.size) == (groups, size)
    if "gripper" in groups:
        assert layout.joints[-1].kind == "gripper"


def test_names_and_padding(tmp_path: Path) -> None:
    path = _write(tmp_path, {"arm": {"start": 1, "end": 3}, "pad": {"start": 3, "end": 4}})
    assert (
        str(read_modality(path, size=6, names=["-", "pan", "the lift", "-", "-", "-"]))
        == "pad(1) arm(pan the_lift) pad(3)"
    )


def test_groups_of_other_columns_are_left_alone(tmp_path: Path) -> None:
    action = {
        "arm": {"start": 0, "end": 2, "original_key": "action"},
        "wrist_pose": {"start": 0, "end": 7, "original_key": "action.eef_pose"},
    }
    assert read_modality(_write(tmp_path, action), size=2).groups == ("arm",)
    del action["arm"]
    with pytest.raises(FormatError, match="another column"):
        read_modality(_write(tmp_path, action))


@pytest.mark.parametrize(
    ("action", "error", "says"),
    [
        (
            {"a": {"start": 0, "end": 3}, "b": {"start": 2, "end": 4}},
            ShapeError,
            r"'a' \(0:3\) and 'b' \(2:4\) overlap",
        ),
        ({"a": {"start": 0, "end": 5}}, ShapeError, "ends at 5, but the action has 4"),
        ({"a": {"start": 3, "end": 3}}, FormatError, "from 3 to 3"),
        ({"a": {"start": -1, "end": 3}}, FormatError, "from -1 to 3"),
        ({"a": {"start": True, "end": 3}}, FormatError, "from True to 3"),
        ({"a": {"end": 3}}, FormatError, "from None to 3"),
        ({"a": [0, 3]}, FormatError, "expected start and end"),
        ({}, FormatError, "no action section"),
        (None, FormatError, "no action section"),
        ([], FormatError, "no action section"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, action: object, error: type[SurehandError], says: str) -> None:
    with pytest.raises(error, match=says):
        read_modality(_write(tmp_path, action), size=4)


def test_wrong_count_of_names_names_both(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="3 joint names for 4"):
        read_modality(_write(tmp_path, {"a": {"start": 0, "end": 4}}), names=["a", "b", "c"])


@pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff"])
def test_files_that_are_not_modality_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "modality.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError):
        read_modality(path)
    with pytest.raises(FormatError, match="cannot read"):
        read_modality(tmp_path / "absent.json")


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=6))
def test_groups_and_gaps_come_back(tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[bool, int]]) -> None:
    parts = [f"pad({n})" if pad else f"g{i}(j0..j{n - 1})" for i, (pad, n) in enumerate([*runs, (False, 2)])]
    layout = Layout.parse(" ".join(parts))
    path = write_modality(tmp_path_factory.mktemp("m") / "modality.json", layout)
    again = read_modality(path, size=layout.size)
    assert [(j.group, j.kind) for j in again.joints] == [(j.group, j.kind) for j in layout.joints]


def test_writing_keeps_the_other_sections_and_never_overwrites_unasked(tmp_path: Path) -> None:
    path = _write(tmp_path, {"old": {"start": 0, "end": 1}})
    layout = Layout.parse("arm(a b) gripper")
    with pytest.raises(FormatError, match="exists"):
        write_modality(path, layout)
    write_modality(path, layout, overwrite=True)
    assert json.loads(path.read_text()) == {
        "state": {},
        "action": {"arm": {"start": 0, "end": 2}, "gripper": {"start": 2, "end": 3}},
    }
    assert [file.name for file in tmp_path.iterdir()] == ["modality.json"]


def test_a_group_in_several_runs_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="one run per group"):
        write_modality(tmp_path / "modality.json", Layout.parse("arm(a) gripper arm(b)"))
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot write"):
        write_modality(tmp_path / "absent" / "modality.json", Layout.parse("arm(a)"))
