"""Trials: sheets and Parquet read back as written, policies by name, contradictions named."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError
from surehand.formats.trials import Trial, Trials, read_trials, write_trials

texts = st.text(max_size=8)
numbers = st.none() | st.integers(-(2**63), 2**63 - 1)
times = st.none() | st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))


@st.composite
def sheets(draw: st.DrawFn) -> tuple[Trial, ...]:
    names = st.text(min_size=1, max_size=8).filter(str.strip)
    keys = draw(st.lists(st.tuples(names, st.integers(0, 99)), min_size=1, max_size=6, unique=True))
    rows: list[Trial] = []
    for policy, trial in keys:
        earlier = [row.trial for row in rows if row.policy == policy]
        void = draw(st.booleans())
        rows.append(
            Trial(
                trial,
                policy,
                draw(numbers),
                *(draw(texts) for _ in range(5)),
                score=draw(st.floats(allow_nan=False, allow_infinity=False)),
                success=draw(st.none() | st.booleans()),
                void=void,
                void_rule="fell over" if void else draw(texts),
                started=draw(times),
                ended=draw(times),
                notes=draw(texts),
                corrects=draw(st.none() | st.sampled_from(earlier)) if earlier else None,
                scorer=draw(texts),
                second_score=draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
                second_scorer=draw(texts),
                recorded=draw(times),
            )
        )
    return tuple(rows)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=sheets())
def test_what_is_written_is_read(tmp_path: Path, suffix: str, rows: tuple[Trial, ...]) -> None:
    assert read_trials(write_trials(tmp_path / f"t.{suffix}", rows, overwrite=True)).rows == rows


def test_parquet_keeps_the_metadata(tmp_path: Path) -> None:
    first = write_trials(tmp_path / "a.parquet", [Trial(1, "a", score=4.0)], data_identity="ab12", seeds=[7])
    again = read_trials(write_trials(tmp_path / "b.parquet", read_trials(first)))
    assert again.metadata == {"layout": "", "data_identity": "ab12", "seeds": [7]}


def test_files_without_the_later_columns_are_read(tmp_path: Path) -> None:
    path = write_trials(tmp_path / "a.parquet", [Trial(1, "a", score=4.0)])
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["scorer", "second_score", "second_scorer", "recorded"]), path)
    assert read_trials(path).rows == (Trial(1, "a", score=4.0),)
    pq.write_table(table.drop_columns(["operator"]), path)
    with pytest.raises(FormatError, match="column 'operator' is missing"):
        read_trials(path)
    sheet = write_trials(tmp_path / "a.csv", [Trial(1, "a", score=4.0)])
    assert sheet.read_text().splitlines()[0].endswith(",notes,corrects"), "columns that nobody filled in"


def test_parquet_keeps_what_a_study_says_of_itself(tmp_path: Path) -> None:
    rule = {"outcome": "score", "alpha": 0.05, "pairs": 20}
    trials = Trials((Trial(1, "a", score=4.0),), {"study": "mugs", "planned": 20, "stop": rule})
    again = read_trials(write_trials(tmp_path / "a.parquet", trials))
    assert {key: again.metadata[key] for key in trials.metadata} == dict(trials.metadata)


def test_the_published_sheet(shared: Path) -> None:
    trials = read_trials(shared / "hsr_trials" / "robot_trials.csv")
    assert trials.policies == ("pi05_baseline_80k", "pi05_ours", "hsr_smolvla_40k")
    assert trials["baseline"].scores.tolist() == [4] * 20
    assert np.bincount(trials["ours"].scores.astype(int)).tolist() == [0, 0, 0, 5, 15]
    assert np.bincount(trials["smolvla"].scores.astype(int)).tolist() == [0, 0, 2, 6, 12]
    with pytest.raises(FormatError, match="could be pi05_baseline_80k or pi05_ours"):
        trials["pi05"]
    with pytest.raises(FormatError, match="did you mean 'pi05_ours'"):
        trials["pi05_oars"]


def test_times_that_no_calendar_has_are_damage(tmp_path: Path) -> None:
    path = write_trials(tmp_path / "a.parquet", [Trial(1, "a", score=4.0)])
    table = pq.read_table(path)
    place = table.schema.get_field_index("started")
    far = pa.array([-(2**60)], pa.timestamp("us", "UTC"))
    pq.write_table(table.set_column(place, table.schema.field("started"), far), path)
    with pytest.raises(FormatError, match="damaged or cut off"):
        read_trials(path)


def test_void_and_corrected_trials_do_not_count() -> None:
    rows = (
        Trial(1, "a", score=1.0),
        Trial(2, "a", score=2.0, void=True, void_rule="operator touched the robot"),
        Trial(3, "a", score=3.0, success=True),
        Trial(4, "a", score=4.0, success=False, corrects=1),
        Trial(1, "b", score=0.0, success=False),
    )
    trials = Trials(rows)
    assert trials["a"].scores.tolist() == [3, 4] and trials["a"].successes.tolist() == [True, False]
    assert trials["b"].scores.tolist() == [0] and len(trials) == 5 and list(trials["a"]) == list(rows[:4])
    with pytest.raises(FormatError, match="trial 1 of 'b' has no score"):
        _ = Trials((replace(rows[4], score=None),)).scores


BAD = {
    "score": ("model,trial,score\na,1,4\na,2,good\n", "t.csv line 3: score is 'good'; expected a number"),
    "nan": ("model,trial,score\na,1,nan\n", "line 2: score nan"),
    "no number": ("model,trial,score\na,,4\n", "line 2: no trial number"),
    "half a trial": ("model,trial,score\na,1.5,4\n", "line 2: trial is '1.5'; expected a whole number"),
    "twice": ("model,trial,score\na,1,4\na,1,3\n", "line 3: trial 1 of 'a' appears twice"),
    "a number for no machine": (f"model,trial,score\na,{2**63},4\n", "line 2: trial 9223372036854775808; expected"),
    "blank policy": ("model,trial,score\n ,1,4\n", "line 2: no policy"),
    "no policy": ("model,trial,score\n,1,4\n", "line 2: no policy"),
    "no score": ("model,trial,score\na,1,\n", "line 2: neither score nor success"),
    "void": ("policy,trial,score,void\na,1,,true\n", "line 2: void without a void_rule"),
    "bool": ("policy,trial,success\na,1,perhaps\n", "line 2: success is 'perhaps'; expected true or false"),
    "time": ("policy,trial,score,started\na,1,4,2026-05-01T10:00:00\n", "line 2: a time without its offset"),
    "no such day": (
        "policy,trial,score,started\na,1,4,0001-01-01T00:00:00+14:00\n",
        "line 2: a time before the year 1 in UTC",
    ),
    "time word": ("policy,trial,score,started\na,1,4,noon\n", "started is 'noon'"),
    "correction": ("policy,trial,score,corrects\na,1,4,7\n", "line 2: corrects trial 7 of 'a', which does not stand"),
    "typo": ("policy,trial,scores\na,1,4\n", "unknown column 'scores'; did you mean 'score'"),
    "model and policy": ("policy,model,trial,score\na,a,1,4\n", "column 'policy' appears twice"),
    "no trial": ("policy,score\na,4\n", "no column 'trial'"),
    "no result": ("policy,trial\na,1\n", "no column 'score' or 'success'"),
    "no rows": ("policy,trial,score\n", "no trials below the headings"),
    "empty": ("", "the file is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_sheet_gives_one_line(tmp_path: Path, case: str) -> None:
    text, words = BAD[case]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(FormatError, match=words) as error:
        read_trials(tmp_path / "t.csv")
    assert "\n" not in str(error.value)


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(FormatError, match="no such file"):
        read_trials(path)
    with pytest.raises(FormatError, match=r"\.csv or \.parquet"):
        read_trials(tmp_path / "t.xlsx")
    with pytest.raises(FormatError, match="no trials; expected"):
        write_trials(path, [])
    write_trials(path, [Trial(1, "a", score=4.0)])
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"surehand": '{"kind": "trials", "schema_version": 2}'}), path)
    with pytest.raises(FormatError, match="schema version 2"):
        read_trials(path)
    pq.write_table(table.slice(0, 0), path)
    with pytest.raises(FormatError, match="no trials in the file"):
        read_trials(path)
