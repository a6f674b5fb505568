"""`surehand trials power` as a user meets it."""

import json
import sys
from pathlib import Path

import pytest

from surehand.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["surehand", "trials", "power", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_a_plan_from_a_sheet(shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = shared / "hsr_trials/robot_trials.csv"
    assert run(monkeypatch, "--pilot", sheet, "--policy", "ours", "--policy", "baseline", "--n", 20) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "resolve pi05_baseline_80k over pi05_ours with probability 80 %" in said
    assert "31 if their shares were the truth" in said and "--rubric says all" in said


def test_successes_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--success", "18/20", "--success", "12/20", "--test", "barnard", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["kind"] == "planning" and plan["pilots"][0]["counts"] == [2, 18]
    assert plan["needed"] > plan["needed_plug_in"] and plan["sentence"].endswith(".")


def test_counts_that_differ_a_lot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--first", "0,1,2,17", "--second", "9,6,4,1", "--rubric", "hsr", "--n", 9) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "trials per policy resolve the first policy over the second policy" in said and "9 per policy do so" in said


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "which pilots? give one of --pilot FILE, --first with --second, or --success twice"),
        (["--success", "18/20"], "expected the successes of two policies, got 1"),
        (["--first", "1,2"], "counts of one policy only; give both --first and --second"),
        (["--first", "1,2", "--second", "1,2,3"], "give all of both"),
        (["--first", "1,2", "--second", "2,1", "--success", "1/2"], "which pilots? give one of"),
        (["--pilot", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--success", "1/2", "--success", "2/2", "--alpha", "2"], "α lies between 0 and 1, got 2"),
        (["--success", "1/2", "--success", "2/2", "--target", "80"], "the target is a probability between 0 and 1"),
        (["--first", "0,0,2", "--second", "1,1,0", "--test", "barnard"], "count failures and successes first"),
        (["--success", "1/2", "--success", "2/2", "--policy", "a"], "--policy names policies of a --pilot file"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    told = capsys.readouterr()
    assert line in told.err and len(told.err.strip().splitlines()) == 1 and not told.out
