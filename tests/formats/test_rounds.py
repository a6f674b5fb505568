"""Rounds: every field back as logged, ragged or missing; order, shapes and interrupted writes."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError, ShapeError
from surehand.formats import rounds as rounds_module
from surehand.formats.rounds import RoundWriter, open_rounds, read_rounds, write_rounds
from surehand.frames import Round


def make(episode: int = 0, step: int = 0, k: int = 3, **more: Any) -> Round:
    made = Round(
        episode=episode, initial_state="s0", step=step, task="pick", candidates=np.zeros((k, 2, 4), np.float32),
        score=np.arange(k, dtype=float), selected=k - 1, verifier="spread", generator="noise", knob="T", value=0.5,
        seed=1, executed=True,
    )  # fmt: skip
    return replace(made, **more)


def assert_same(a: Round, b: Round) -> None:
    for f in fields(Round):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if f.name == "traces":
            assert list(x) == list(y)
            for name in x:
                np.testing.assert_array_equal(x[name], y[name])
        elif isinstance(x, np.ndarray) or (isinstance(x, float) and np.isnan(x)):
            np.testing.assert_array_equal(x, y, err_msg=f.name)
        else:
            assert x == y, f.name


def floats(*shape: int, width: Any = 64) -> st.SearchStrategy[np.ndarray]:
    dtype = np.float32 if width == 32 else np.float64
    size = int(np.prod(shape))
    return st.lists(st.floats(width=width), min_size=size, max_size=size).map(
        lambda values: np.array(values, dtype).reshape(shape)
    )


@st.composite
def rounds(draw: st.DrawFn) -> list[Round]:
    keys = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6, unique=True))
    made = []
    for episode, step in sorted(keys):
        k = draw(st.integers(0, 3))
        made.append(
            Round(
                episode, draw(st.text()), step, draw(st.text()), draw(floats(k, 2, 4, width=32)), draw(floats(k)),
                draw(st.integers(-1, k - 1)), draw(st.text()), draw(st.text()), draw(st.text()),
                draw(st.floats(allow_infinity=False)), draw(st.integers(0, 2**62)), draw(st.booleans()),
                draw(st.text()), draw(st.text()),
                *(draw(st.none() | floats(k)) for _ in range(3)),
                features=draw(st.none() | floats(draw(st.integers(0, 3)))),
                embedding=draw(st.none() | floats(draw(st.integers(0, 3)), width=32)),
                traces={name: draw(floats(draw(st.integers(0, 4)))) for name in draw(st.sets(st.text(), max_size=2))},
                faults=tuple(draw(st.lists(st.text(), max_size=2))),
                latency=draw(st.floats(0, 10) | st.just(float("nan"))),
            )
        )  # fmt: skip
    return made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=rounds())
def test_what_is_written_is_read(tmp_path: Path, made: list[Round]) -> None:
    read = read_rounds(write_rounds(tmp_path / "r.parquet", made, overwrite=True))
    assert len(read) == len(made)
    for a, b in zip(read, made, strict=True):
        assert_same(a, b)


def test_many_rounds_stream_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "ROWS_PER_GROUP", 4)
    made = [make(i // 5, i % 5, k=i % 3 + 1, seed=i, traces={"force": np.arange(i % 4)}) for i in range(10)]
    with RoundWriter(tmp_path / "r.parquet", layout="arm(j1..j4)", data_identity="ab") as writer:
        for item in made:
            writer.append(item)
            assert not (tmp_path / "r.parquet").exists()
    assert pq.read_metadata(tmp_path / "r.parquet").num_row_groups == 3
    file = open_rounds(tmp_path / "r.parquet")
    assert (file.rows, file.horizon, file.dims, file.metadata["seeds"]) == (10, 2, 4, list(range(10)))
    assert (file.metadata["layout"], file.metadata["data_identity"]) == ("arm(j1..j4)", "ab")
    for a, b in zip(file, made, strict=True):
        assert_same(a, b)


BAD: dict[str, tuple[list[Round], type[Exception], str]] = {
    "order": ([make(1), make(0)], FormatError, "episode 0 step 0 comes after episode 1 step 0"),
    "twice": ([make(), make()], FormatError, "episode 0 step 0 appears twice"),
    "horizon": (
        [make(), make(1, candidates=np.zeros((3, 5, 4)))],
        ShapeError,
        "5 steps × 4 dims, the file's are 2 × 4",
    ),
    "flat": ([make(candidates=np.zeros((3, 8)))], ShapeError, r"\(3, 8\), expected \(K, H, D\)"),
    "score": ([make(score=np.zeros(2))], ShapeError, "score has shape .2,., expected one number for each of K = 3"),
    "log p": ([make(log_p=np.zeros((3, 1)))], ShapeError, "log_p"),
    "selected": ([make(selected=3)], ShapeError, "selected 3 of K = 3"),
    "none": ([], FormatError, "no rounds to write"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_refused_write_leaves_nothing(tmp_path: Path, case: str) -> None:
    made, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        write_rounds(tmp_path / "new" / "r.parquet", made)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_recording_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "ROWS_PER_GROUP", 1)
    with pytest.raises(KeyboardInterrupt), RoundWriter(tmp_path / "r.parquet") as writer:
        writer.append(make())
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    with pytest.raises(FormatError, match="no such file"):
        read_rounds(path)
    data = write_rounds(path, [make(0), make(1)]).read_bytes()
    path.write_bytes(data[:-20])
    with pytest.raises(FormatError, match="cut off"):
        read_rounds(path)
    path.write_bytes(data)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["score"]), path)
    with pytest.raises(FormatError, match="column 'score' is missing"):
        read_rounds(path)
    pq.write_table(table.set_column(4, table.schema.field(4), pa.array([3, 2], pa.int32())), path)
    with pytest.raises(ShapeError, match="episode 1 step 0: 24 candidate numbers, expected K·H·D = 2·2·4"):
        read_rounds(path)
    pq.write_table(pa.concat_tables([table.slice(1), table.slice(0, 1)]), path)
    with pytest.raises(FormatError, match="episode 0 step 0 comes after episode 1 step 0"):
        read_rounds(path)
    for text, words in (
        ('{"kind": "rounds", "schema_version": 7}', "schema version 7"),
        ('{"kind": "predictions", "schema_version": 1}', "found 'predictions'"),
        ('{"kind": "rounds", "schema_version": 1, "dims": 4}', "'horizon' should be int"),
    ):
        pq.write_table(table.replace_schema_metadata({"surehand": text}), path)
        with pytest.raises(FormatError, match=words):
            read_rounds(path)
