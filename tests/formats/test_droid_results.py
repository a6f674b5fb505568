"""Results of openpi's DROID client: as pandas writes them, a y that looks like 1 %, and what is no result."""

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError
from surehand.formats.droid_results import AmbiguousYes, is_droid, read_droid

HEAD = ["", "success", "duration", "video_filename"]


def written(path: Path, stored: list[str], duration: str = "412", head: list[str] = HEAD) -> Path:
    """The file that pandas' to_csv leaves: a row number without a name, then the columns."""
    cells = {"success": "", "duration": duration, "video_filename": "videos/a.mp4"}
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(head)
        for i, value in enumerate(stored):
            rows.writerow([{**cells, "": str(i), "success": value}[name] for name in head])
    return path


def test_yes_no_and_numbers(tmp_path: Path) -> None:
    path = written(tmp_path / "eval_03:15PM.csv", ["0.01", "0.0", "0.55", "1.0", "0.01"])
    trials = read_droid(path, yes_is=1.0)
    assert trials.policies == ("eval_03:15PM",)
    assert [row.score for row in trials] == [100, 0, 55, 100, 100]
    assert [row.success for row in trials] == [True, False, False, True, True]
    assert trials.rows[0].notes == "video videos/a.mp4; last step 412 (27.5 s at 15 Hz)"
    percent = read_droid(path, policy="pi05", yes_is=0.01)
    assert [row.score for row in percent] == [1, 0, 55, 100, 1]
    assert percent.policies == ("pi05",) and [row.success for row in percent] == [False, False, False, True, False]


def test_a_yes_that_may_be_one_percent_is_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", ["0.0", "0.01", "0.01"])
    with pytest.raises(
        AmbiguousYes, match=r"2 of 3 results are 0\.01 \(first: line 3\).*--yes-is success, or --yes-is 1%"
    ):
        read_droid(path)
    assert len(read_droid(written(tmp_path / "s.csv", ["0.0", "1.0", "0.5"]))) == 3  # nothing to ask


def test_another_answer_than_the_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"not 0\.5"):
        read_droid(written(tmp_path / "r.csv", ["0.01"]), yes_is=0.5)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (["0.0", "2.5"], "line 3, column success: '2.5', typed as 250; expected 0 to 1"),
        (["-0.01"], "line 2, column success: '-0.01', typed as -1"),
        (["yes"], "line 2, column success: 'yes'; expected a number"),
        (["0.0", ""], "line 3, column success: empty"),
        (["nan"], "line 2, column success: 'nan'; expected 0 to 1"),
        ([], "no results below the headings"),
    ],
)
def test_what_is_no_result_is_named_by_line_and_column(tmp_path: Path, stored: list[str], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_droid(written(tmp_path / "r.csv", stored), yes_is=1.0)


@pytest.mark.parametrize("duration", ["long", "-3", "inf"])
def test_a_duration_that_is_none(tmp_path: Path, duration: str) -> None:
    with pytest.raises(FormatError, match="line 2, column duration"):
        read_droid(written(tmp_path / "r.csv", ["1.0"], duration))
    assert read_droid(written(tmp_path / "e.csv", ["1.0"], "")).rows[0].notes == "video videos/a.mp4"


def test_which_files_these_are(tmp_path: Path) -> None:
    assert is_droid(HEAD) and is_droid(HEAD[1:])
    assert not is_droid(["model", "trial", "score"]) and not is_droid(["policy", "trial", "success"])
    with pytest.raises(FormatError, match="expected the columns success, duration, video_filename"):
        read_droid(written(tmp_path / "r.csv", ["1.0"], head=["success", "duration"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.just("y"), st.just("n"), st.integers(0, 100).map(str)), min_size=1, max_size=8))
def test_whatever_the_operator_typed_comes_back(tmp_path: Path, typed: list[str]) -> None:
    """Stored as the client does it, then read: y is 100 or 1 by the answer, all else is what was typed."""
    first = [{"y": 1.0, "n": 0.0}.get(word, word) for word in typed]
    path = written(tmp_path / "r.csv", [str(float(word) / 100) for word in first])
    for yes_is in (1.0, 0.01):
        read = [row.score for row in read_droid(path, yes_is=yes_is)]
        assert read == [{"y": 100 * yes_is, "n": 0, "1": 100 * yes_is}.get(word) if word in ("y", "n", "1")
                        else float(word) for word in typed]  # fmt: skip
    if not {"y", "1"} & set(typed):
        assert len(read_droid(path)) == len(typed)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(b",success,duration,video_filename\r\n" + tail)
    try:
        read_droid(path, yes_is=1.0)
    except FormatError as error:
        assert "\n" not in str(error)
