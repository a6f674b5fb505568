"""`surehand limits` as a user meets it, on the embedded demonstrations and on mistakes."""

import json
import sys
from pathlib import Path

import pytest

from surehand.cli import main
from surehand.decide.limits_record import LimitsRecord
from surehand.demo import demo_folder

EXPERTS = demo_folder() / "dataset"
NEAR = "distance:tool_object_distance:0.08"
TASKS = ("--task", "pick=pick *", "--task", "place=put *", "--task", "press=press *")
EASY = ("-s", "force_object", *TASKS, "--content", "0.9", "--each")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["surehand", "limits", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_limits_of_the_demonstrations(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, EXPERTS, *EASY, "--phase", NEAR, "--propose", "force_object=15") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "6 of 6 limits cover 90 % of expert episodes each with 95 % confidence" in said
    assert "the proposed force_object 15 calls" in said and "of 'place'" in said
    assert "the gentlest task's for all" in said and "contact where the tool is nearer than 0.08" in said


def test_a_page_and_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, EXPERTS, *EASY, "--propose", "force_object=15", "--out", tmp_path / "page") == 0
    record = LimitsRecord.load(tmp_path / "page/limits.json")
    assert len(record.limits) == 3 and record.episodes == list(range(120)) and record.data_identity
    page = (tmp_path / "page/limits.html").read_text()
    assert "Expert peaks and their limits" in page and "What experts would be blamed for" in page
    assert (tmp_path / "page/figures/peaks.svg").is_file() and (tmp_path / "page/tables/sweep.csv").is_file()
    monkeypatch.setattr(sys, "argv", ["surehand", "report", str(tmp_path / "page")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code and "dataset: violation limits" in (tmp_path / "page/index.html").read_text()


def test_too_few_is_a_finding_or_a_refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, EXPERTS, "-s", "force_object", *TASKS, "--propose", "force_object=20", "--json") == 1
    record = json.loads(capsys.readouterr().out)
    assert {x["method"] for x in record["limits"]} == {"none"} and record["limits"][0]["needed"] == 408
    assert run(monkeypatch, EXPERTS, "-s", "force_object", *TASKS) == 2
    assert "needs 408 episodes per task and phase (--each: 299)" in capsys.readouterr().err
    assert run(monkeypatch, EXPERTS, "-s", "force_object", *TASKS, "--few", "lognormal") == 0


def test_rounds_and_csv(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rounds = demo_folder() / "rounds.parquet"
    asked = ("-s", "force_object", "--lower", "distance", "--task", "all=*", "--content", "0.5", "--csv")
    assert run(monkeypatch, rounds, *asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("task,phase,signal,limit,episodes") and len(lines) == 3 and "min distance" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([EXPERTS], "which signals? name at least one with --signal, --absolute or --lower of action"),
        ([EXPERTS, "-s", "forse"], "no signal 'forse'; the source has action"),
        ([EXPERTS, *EASY, "--phase", "gripper"], "--phase gripper looks ahead, and a guard cannot"),
        ([EXPERTS, *EASY, "--few", "gamma"], "cannot read --few 'gamma'"),
        ([EXPERTS, *EASY, "--propose", "force_object"], "cannot read --propose 'force_object'; expected SIGNAL=VALUE"),
        ([EXPERTS, *EASY, "--propose", "force_object=hard"], "--propose force_object=hard: expected a number"),
        ([EXPERTS, *EASY, "--propose", "force_object=nan"], "a limit is a finite number"),
        ([EXPERTS, *EASY, "--propose", "torque=3"], "--propose torque: no such signal here; known: force_object"),
        ([EXPERTS, *EASY, "--task", "wipe=wipe *"], "no expert did 'wipe *' (wipe)"),
        ([EXPERTS, *EASY, "--content", "99"], "content lies between 0 and 1, got 99"),
        ([EXPERTS, *EASY, "--confidence", "1"], "confidence lies between 0 and 1, got 1"),
        ([EXPERTS, *EASY, "--episodes", "500"], "500"),
        ([EXPERTS, *EASY, "--check", "nowhere"], "nowhere is no LeRobot dataset"),
        (["nowhere.parquet", *EASY], "nowhere.parquet: no such file"),
        ([demo_folder() / "trials.csv", *EASY], "trials.csv"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[object], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    told = capsys.readouterr()
    assert line in told.err and len(told.err.strip().splitlines()) == 1 and not told.out
