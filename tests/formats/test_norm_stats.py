"""openpi's norm_stats.json: what is written is read back, and what openpi could not load is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.exceptions import FormatError, ShapeError
from surehand.formats.norm_stats import read_norm_stats, write_norm_stats
from surehand.frames import Stats

NUMBER = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), min_size=1, max_size=8), st.booleans())
def test_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list, quantiles: bool) -> None:
    mean, std, q01, q99 = np.array(rows).T
    stats = Stats(mean, std, q01=q01, q99=q99) if quantiles else Stats(mean, std)
    path = tmp_path_factory.mktemp("openpi") / "norm_stats.json"
    write_norm_stats(path, {"actions": stats, "state": stats})
    found = read_norm_stats(path)
    assert list(found) == ["actions", "state"]
    for name in ("mean", "std", "q01", "q99"):
        np.testing.assert_array_equal(getattr(found["actions"], name), getattr(stats, name))


def test_an_openpi_file_is_read_from_the_checkpoint_s_assets(tmp_path: Path) -> None:
    file = tmp_path / "assets" / "me" / "task" / "norm_stats.json"
    file.parent.mkdir(parents=True)
    entry = {"mean": [0.5, 1], "std": [1, 2], "q01": None, "q99": None}
    file.write_text(json.dumps({"norm_stats": {"actions": entry}}))
    stats = read_norm_stats(tmp_path)["actions"]
    assert stats.q01 is None and str(file) in stats.source
    offset, scale = stats.affine("mean_std")
    np.testing.assert_array_equal(offset + scale * np.array([[1.0, -1.0]]), [[1.5, -1.0]])


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        ("{", FormatError, "not JSON"),
        ("[]", FormatError, "expected an object 'norm_stats'"),
        ('{"norm_stats": {}}', FormatError, "expected an object 'norm_stats'"),
        ('{"norm_stats": {"actions": [1]}}', FormatError, "expected mean, std"),
        ('{"norm_stats": {"actions": {"mean": [1]}}}', FormatError, "mean and std are both needed"),
        ('{"norm_stats": {"actions": {"mean": ["a"], "std": [1]}}}', FormatError, "mean is not a list of numbers"),
        ('{"norm_stats": {"actions": {"mean": [1, 2], "std": [1]}}}', ShapeError, r"mean \[2\], std \[1\]"),
        ('{"norm_stats": {"actions": {"mean": [1, NaN], "std": [1, 1]}}}', FormatError, "mean of dimension 1 is nan"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, text: str, error: type[Exception], line: str) -> None:
    path = tmp_path / "norm_stats.json"
    path.write_text(text)
    with pytest.raises(error, match=line) as caught:
        read_norm_stats(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_with_two_files_asks_which(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "assets" / name).mkdir(parents=True)
        (tmp_path / "assets" / name / "norm_stats.json").write_text("{}")
    with pytest.raises(FormatError, match=r"assets/a/norm_stats.json, assets/b/norm_stats.json"):
        read_norm_stats(tmp_path)
    with pytest.raises(FormatError, match="found none"):
        read_norm_stats(tmp_path / "assets" / "a" / "..")


def test_nothing_is_written_for_statistics_that_openpi_could_not_use(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="std of dimension 0 is inf"):
        write_norm_stats(tmp_path / "norm_stats.json", {"actions": Stats(np.zeros(1), np.array([np.inf]))})
    assert list(tmp_path.iterdir()) == []
