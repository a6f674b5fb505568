"""Tables of group errors: written and read the same, and every bad cell named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError
from surehand.formats.tables import read_error_table, write_error_table
from surehand.frames import ErrorTable

# A heading loses blanks at its ends, and square brackets hold the number of joints.
names = st.text(min_size=1, max_size=8).map(str.strip).filter(lambda s: s and s != "total" and not {"[", "]"} & set(s))
errors = st.floats(0, 1e30)


@st.composite
def tables(draw: st.DrawFn) -> ErrorTable:
    checkpoints = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    groups = draw(st.lists(names.filter(lambda s: s != "checkpoint"), min_size=1, max_size=4, unique=True))
    cells = [[draw(errors) for _ in groups] for _ in checkpoints]
    dims = draw(st.none() | st.lists(st.integers(1, 50), min_size=len(groups), max_size=len(groups)))
    total = draw(st.none() | st.lists(errors, min_size=len(checkpoints), max_size=len(checkpoints)))
    return ErrorTable(
        tuple(checkpoints),
        tuple(groups),
        np.array(cells),
        None if dims is None else np.array(dims),
        None if total is None else np.array(total),
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_what_is_written_is_read(tmp_path: Path, table: ErrorTable) -> None:
    read = read_error_table(write_error_table(tmp_path / "t.csv", table, overwrite=True))
    assert (read.checkpoints, read.groups) == (table.checkpoints, table.groups)
    for name in ("errors", "dims", "total"):
        a, b = getattr(read, name), getattr(table, name)
        assert (a is None) == (b is None)
        if b is not None:
            np.testing.assert_array_equal(a, b)


def test_the_papers_sweep(shared: Path) -> None:
    table = read_error_table(shared / "hsr_trials" / "mse_curves_table.csv")
    assert table.groups == ("arm", "gripper", "head", "base") and len(table.checkpoints) == 14
    assert table.total is not None and table.checkpoints[int(np.argmin(table.total))] == "B32 40k"
    np.testing.assert_allclose(table.errors @ np.array([5, 1, 2, 3]) / 11, table.total, atol=1e-6)


BAD = {
    "word": ("checkpoint,arm\n1k,x\n", r"t.csv line 2 column 'arm': 'x' is no error"),
    "comma": ('checkpoint,arm\n1k,"0,3"\n', "line 2 column 'arm'"),
    "nan": ("checkpoint,arm\n1k,1\n\n2k,nan\n", "line 4 column 'arm': 'nan'"),
    "beyond all sums": ("checkpoint,arm,total\n1k,1,1e200\n", "line 2 column 'total': '1e200'"),
    "negative": ("checkpoint,arm,total\n1k,1,-2\n", "line 2 column 'total': '-2'"),
    "missing cell": ("checkpoint,arm\n1k\n", "line 2: 1 cells, the headings have 2"),
    "first column": ("model,arm\n1k,1\n", "the first column is 'model', expected 'checkpoint'"),
    "no groups": ("checkpoint,total\n1k,1\n", "a named column for each group"),
    "same group": ("checkpoint,arm,arm\n1k,1,1\n", "column 'arm' appears twice"),
    "same group, other dims": ("checkpoint,arm[1],arm[2]\n1k,1,1\n", "group 'arm' appears twice"),
    "same checkpoint": ("checkpoint,arm\n1k,1\n1k,1\n", "checkpoint '1k' appears twice"),
    "some dims": ("checkpoint,arm[5],base\n1k,1,1\n", "state all or none"),
    "no rows": ("checkpoint,arm\n", "no checkpoints"),
    "empty": ("\n \n", "the file is empty"),
    "quote": ('checkpoint,arm\n"1k,1\n', "not CSV"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_gives_one_line(tmp_path: Path, case: str) -> None:
    text, words = BAD[case]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(FormatError, match=words) as error:
        read_error_table(tmp_path / "t.csv")
    assert "\n" not in str(error.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read_error_table(tmp_path / "t.csv")
    with pytest.raises(FormatError, match="cannot be read"):
        read_error_table(tmp_path)
    (tmp_path / "t.csv").write_bytes("checkpoint,größe\n1k,1".encode("latin-1"))
    with pytest.raises(FormatError, match="not UTF-8 text"):
        read_error_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes("\ufeffcheckpoint,größe\r\n1k,1\r\n".encode())  # as spreadsheets save it
    assert read_error_table(tmp_path / "t.csv").groups == ("größe",)


def test_a_table_that_would_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    for table, words in (
        (ErrorTable(("a",), ("arm",), np.array([[np.nan]])), "'nan' is no error"),
        (ErrorTable(("a", "a"), ("arm",), np.ones((2, 1))), "appears twice"),
        (ErrorTable(("a",), ("total",), np.ones((1, 1))), "a named column for each group"),
    ):
        with pytest.raises(FormatError, match=words):
            write_error_table(tmp_path / "t.csv", table)
    assert not list(tmp_path.iterdir())
