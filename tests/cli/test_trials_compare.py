"""`surehand trials compare` as a shell runs it: every kind of source, what is asked, what is refused."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from surehand.cli.trials.sources import read_all, read_source, split_name
from surehand.decide.comparison import Comparison
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.schedules import Schedule, StopRule
from surehand.formats.trials import read_trials, write_trials

HSR = {"baseline": "4" * 20, "ours": "3" * 5 + "4" * 15, "smolvla": "22" + "3" * 6 + "4" * 12}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "surehand", "trials", "compare", *map(str, arguments)]


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, timeout=120)


def refused(folder: Path, *arguments: object) -> str:
    done = run(folder, *arguments)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout, done.stderr
    return done.stderr


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """The paper's trials as people keep them: model, trial, score."""
    lines = [f"{model},{i},{score}" for model, scores in HSR.items() for i, score in enumerate(scores, start=1)]
    path = tmp_path / "robot_trials.csv"
    path.write_text("\n".join(["model,trial,score", *lines]) + "\n")
    return path


def droid(path: Path, stored: list[str]) -> Path:
    lines = [f"{i},{value},200,v{i}.mp4" for i, value in enumerate(stored)]
    path.write_text("\n".join([",success,duration,video_filename", *lines]) + "\n")
    return path


def evaluated(folder: Path, successes: list[bool], seed: int = 1000) -> Path:
    folder.mkdir()
    episodes = [{"episode_ix": i, "success": won, "seed": seed + i} for i, won in enumerate(successes)]
    (folder / "eval_info.json").write_text(json.dumps({"per_episode": episodes}))
    return folder


def test_the_papers_sheet(sheet: Path) -> None:
    done = run(sheet.parent, sheet.name, "--rubric", "hsr", "--json", "--seed", 3)
    assert done.returncode == 0, done.stderr
    record = Comparison.model_validate_json(done.stdout)
    assert [(p.first, p.second, p.label) for p in record.pairs] == [
        ("baseline", "ours", "fragile"),
        ("baseline", "smolvla", "robust"),
        ("ours", "smolvla", "not resolved"),
    ]
    assert record.seed == 3 and record.family == 3
    (sheet.parent / "saved.json").write_text(done.stdout)
    assert Comparison.load(sheet.parent / "saved.json").sentence == record.sentence


def test_two_of_three_policies_are_still_two_of_three(sheet: Path) -> None:
    done = run(sheet.parent, sheet.name, "--policy", "baseline", "--policy", "ours", "--rubric", "hsr")
    assert done.returncode == 0, done.stderr
    assert "fragile" in done.stdout and "smolvla" not in done.stdout


def test_what_is_refused_takes_one_line(sheet: Path) -> None:
    folder = sheet.parent
    assert "no such file" in refused(folder, "nothing.csv")
    assert "expected trials as .csv or .parquet" in refused(folder, "sheet.xlsx")
    assert "no trials of policy 'theirs'" in refused(folder, sheet.name, "--policy", "theirs")
    assert "got only 'baseline'" in refused(folder, sheet.name, "--policy", "baseline")
    sheet.write_text(sheet.read_text().replace("ours,7,4", "ours,7,5"))
    assert "trial 7 of 'ours': score 5 is no level of rubric hsr (1 to 4)" in refused(
        folder, sheet.name, "--rubric", "hsr"
    )
    assert "expected score or success" in refused(folder, sheet.name, "--outcome", "luck")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("baseline,3,", "line 4: neither score nor success"),
        ("baseline,3,nan", "line 4: score nan"),
        ("baseline,3,good", "line 4: score is 'good'; expected a number"),
        ("baseline,,4", "line 4: no trial number"),
        (",3,4", "line 4: no policy"),
        ("baseline,3", "line 4: 2 cells"),
    ],
)
def test_a_half_filled_sheet_is_refused_with_line_and_column(sheet: Path, line: str, message: str) -> None:
    sheet.write_text(sheet.read_text().replace("baseline,3,4", line))
    with pytest.raises(FormatError, match=message):
        read_source(str(sheet))


def test_text_in_success(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("policy,trial,success\na,1,maybe\n")
    with pytest.raises(FormatError, match="line 2: success is 'maybe'; expected true or false"):
        read_source(str(tmp_path / "t.csv"))
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(FormatError, match="empty"):
        read_source(str(tmp_path / "t.csv"))


def test_evaluations_on_the_same_seeds_pair_up(tmp_path: Path) -> None:
    evaluated(tmp_path / "act", [True] * 14 + [False] * 2)
    evaluated(tmp_path / "pi05", [True] * 6 + [False] * 10)
    done = run(tmp_path, "act", "pi05/eval_info.json", "--json")
    assert done.returncode == 0, done.stderr
    (pair,) = Comparison.model_validate_json(done.stdout).pairs
    assert (pair.first, pair.second, pair.design) == ("act", "pi05", "paired")
    evaluated(tmp_path / "other", [True] * 16, seed=9)
    trials, _, warnings = read_all([str(tmp_path / "act"), str(tmp_path / "other")])
    assert not warnings and trials.policies == ("act", "other")


def test_sources_do_not_collide(sheet: Path) -> None:
    with pytest.raises(SurehandError, match=r"policy 'baseline' is in .* and in .*; name one of them: NAME="):
        read_all([str(sheet), str(sheet)])
    with pytest.raises(SurehandError, match="would name one policy, and there are 3"):
        read_source(f"new={sheet}")
    evaluated(sheet.parent / "act", [True])
    found, _, warnings = read_all([f"old={sheet.parent / 'act'}", f"new={sheet.parent / 'act'}"])
    assert found.policies == ("old", "new") and not warnings
    for name in "ab":
        (sheet.parent / f"{name}.csv").write_text(f"policy,trial,block,score\n{name},1,morning,3\n{name},2,noon,4\n")
    _, _, warnings = read_all([str(sheet.parent / "a.csv"), str(sheet.parent / "b.csv")])
    assert "bear the same names (2, first: 'morning') and are taken as the same" in warnings[0]


def test_names_of_sources(tmp_path: Path) -> None:
    assert split_name("new=trials.csv") == ("new", "trials.csv")
    assert split_name("postgresql://u@h/db?x=y") == ("", "postgresql://u@h/db?x=y")
    (tmp_path / "a=b.csv").write_text("x")
    assert split_name(str(tmp_path / "a=b.csv"))[0] == ""
    for wrong in ("=trials.csv", "new="):
        with pytest.raises(SurehandError, match="expected NAME=SOURCE"):
            split_name(wrong)


def test_a_droid_yes_is_asked_about_or_told(tmp_path: Path) -> None:
    droid(tmp_path / "a.csv", ["0.01"] * 9 + ["0.0"])
    droid(tmp_path / "b.csv", ["0.01"] * 2 + ["0.0"] * 8)
    assert "--yes-is success, or --yes-is 1%" in refused(tmp_path, "a.csv", "b.csv")
    assert "expected success or 1%" in refused(tmp_path, "a.csv", "b.csv", "--yes-is", "yes")
    done = run(tmp_path, "old=b.csv", "new=a.csv", "--yes-is", "success", "--json")
    record = Comparison.model_validate_json(done.stdout)
    assert [(p.policy, p.successes) for p in record.policies] == [("new", 9), ("old", 2)]


def test_whoever_sits_there_is_asked(tmp_path: Path) -> None:
    droid(tmp_path / "a.csv", ["0.01"] * 9 + ["0.0"])
    droid(tmp_path / "b.csv", ["0.0"] * 10)
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, b"success\n")
        done = subprocess.run(
            command("a.csv", "b.csv", "--json"),
            cwd=tmp_path, stdin=terminal, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert "9 of 10 results are 0.01" in done.stderr
    assert Comparison.model_validate_json(done.stdout).policies[0].successes == 9


def test_partial_credit_is_a_score(tmp_path: Path) -> None:
    droid(tmp_path / "a.csv", ["1.0", "0.5", "0.75", "1.0"])
    droid(tmp_path / "b.csv", ["0.0", "0.5", "0.25", "0.0"])
    done = run(tmp_path, "a.csv", "b.csv", "--json")
    record = Comparison.model_validate_json(done.stdout)
    assert record.outcome == "score" and record.policies[0].scores == {"50": 1, "75": 1, "100": 2}
    assert record.policies[0].successes == 2


def test_parquet_and_scores_given_twice(sheet: Path) -> None:
    from dataclasses import replace

    trials = read_trials(sheet)
    rows = [replace(row, second_score=4.0) if row.trial < 3 else row for row in trials]
    path = write_trials(sheet.parent / "t.parquet", rows)
    found = read_source(str(path))
    assert found.trials.policies == tuple(HSR) and found.schedule is None
    assert [row.second_score for row in found.trials].count(4.0) == 6


def planned(folder: Path, stop: StopRule | None) -> Path:
    """A schedule file beside a sheet of twelve clean pairs."""
    from surehand.formats.rubrics import read_rubric
    from surehand.formats.schedules import Item

    items = [
        Item(position=2 * i + j + 1, block=str(i), arm=arm, code=arm) for i in range(30) for j, arm in enumerate("KQ")
    ]
    Schedule(
        study="mugs", rubric=read_rubric("hsr"), arms=["K", "Q"], items=items, seed=0, commitment="", stop=stop
    ).save(folder / "schedule.json")
    lines = [f"{p},{i + 1},{i},{score}" for p, score in (("new", 4), ("old", 2)) for i in range(12)]
    (folder / "t.csv").write_text("\n".join(["policy,trial,block,score", *lines]) + "\n")
    return folder


def test_a_schedule_brings_rubric_and_rule(tmp_path: Path) -> None:
    folder = planned(tmp_path, StopRule(outcome="success", pairs=30))
    record = Comparison.model_validate_json(run(folder, "t.csv", "--schedule", "schedule.json", "--json").stdout)
    assert record.study == "mugs" and record.rubric == [1, 2, 3, 4] and not record.pairs[0].fixed
    assert record.paths[0].planned and record.paths[0].winner == "new"
    without = planned(tmp_path, None)
    record = Comparison.model_validate_json(run(without, "t.csv", "--schedule", "schedule.json", "--json").stdout)
    assert any("ended early: 24 of 60" in warning for warning in record.warnings)


def test_a_page_and_tables(sheet: Path) -> None:
    folder = sheet.parent
    done = run(folder, sheet.name, "--rubric", "hsr", "--illustrate", "--out", "report")
    assert done.returncode == 0, done.stderr
    assert (folder / "report").is_dir() and list((folder / "report").glob("*.html"))
    assert run(folder, sheet.name, "--csv").stdout.splitlines()[0].startswith("first,second")
    assert "not several" in refused(folder, sheet.name, "--csv", "--json")
