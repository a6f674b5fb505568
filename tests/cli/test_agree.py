"""`surehand agree` as a shell runs it: on the embedded data through `surehand errors`, on tables, and refused."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.cli import main
from surehand.demo import demo_folder
from surehand.formats.trials import read_trials
from surehand.measure.ranking import kendall

Run = Callable[..., tuple[int, str, str]]

ERRORS = """checkpoint,arm[5],gripper[1],head[2],base[3]
baseline 80k,0.00030,0.00431,0.00005,0.00185
expert-only 3k,0.00059,0.00221,0.00006,0.00172
B32 40k,0.000883,0.003773,0.000007,0.003175
"""
SIMULATED = "checkpoint,success,mse\n" + "".join(f"p{i},{0.9 - 0.1 * i:.1f},{i % 3}\n" for i in range(6))
MEANS = "policy,success\n" + "".join(f"p{i},{0.8 - 0.13 * i:.2f}\n" for i in range(6))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, stdout and stderr of `surehand words`, in this process."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["surehand", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder of the tables above, and the HSR trials as a sheet."""
    scores = {"baseline": [4] * 20, "ours": [3] * 5 + [4] * 15, "smolvla": [2] * 2 + [3] * 6 + [4] * 12}
    rows = [f"{name},{i},{score}" for name, row in scores.items() for i, score in enumerate(row)]
    texts = {
        "errors": ERRORS,
        "simulated": SIMULATED,
        "means": MEANS,
        "trials": "policy,trial,score\n" + "\n".join(rows),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


JOIN = ("--join", "baseline 80k=baseline", "--join", "expert-only 3k=ours", "--join", "B32 40k=smolvla")


def test_hsr_from_tables(run: Run, tables: Path) -> None:
    words = ("agree", tables / "errors.csv", "--trials", tables / "trials.csv", "--rubric", "hsr", *JOIN)
    code, out, _ = run(*words)
    assert code == 0 and "only arm is consistent" in " ".join(out.split())
    record = json.loads(run(*words, "--json")[1])
    assert record["kind"] == "agreement" and record["source"] == "errors.csv" and record["trials"] == "trials.csv"
    assert {m["metric"]: m["standing"] for m in record["metrics"]}["arm"] == "consistent"
    assert record["selected_from"] == 5  # total was made from the joints that the headings state
    total = next(m for m in record["metrics"] if m["metric"] == "total")
    expected = (5 * 0.00030 + 0.00431 + 2 * 0.00005 + 3 * 0.00185) / 11
    assert total["values"]["baseline"] == pytest.approx(expected)


def test_simulated_against_real_means(run: Run, tables: Path) -> None:
    words = ("agree", tables / "simulated.csv", "-t", tables / "means.csv", "--higher", "success", "--json")
    code, out, _ = run(*words)
    record = json.loads(out)
    assert code == 0 and record["outcome"] == "success"
    assert [m["standing"] for m in record["metrics"]] == ["agrees", "cannot tell"]
    assert record["metrics"][0]["coefficients"][0]["low"] is None  # nothing to resample
    assert "no trials behind" in record["warnings"][0]
    one = json.loads(run(*words, "--metric", "success")[1])
    assert one["selected_from"] == 1


def test_embedded_data_through_errors(run: Run, tmp_path: Path) -> None:
    """Eight checkpoints of one run: a description, its numbers those of the record and the sheet."""
    data = demo_folder()
    predictions = [word for path in sorted((data / "predictions").glob("mlp-*")) for word in ("-p", path)]
    how = ("--split", "0.25", "--phase", "distance:tool_object_distance:0.08", "--resamples", "200")
    assert run("errors", data / "dataset", *predictions, *how, "--out", tmp_path)[0] in (0, 1)
    words = ("agree", tmp_path / "errors.json", "--trials", data / "trials.csv", "--resamples", "500")
    refused = run(*words)
    assert refused[0] == 2 and "on the robot alone flow 002000" in refused[2] and refused[2].count("\n") == 1
    metrics = ("total", "arm", "arm@contact", "arm@1", "arm@executed", "std/arm")
    chosen = [word for name in metrics for word in ("-m", name)]
    code, out, _ = run(*words, "--matched", *chosen, "--json")
    record = json.loads(out)
    assert code == 0 and len(record["policies"]) == 8 and len(record["within_run"]["runs"]) == 1
    assert all(c["p"] is None for m in record["metrics"] for c in m["coefficients"])
    assert "share a clock" in record["sentence"]
    resampled = {m["metric"] + "/" + m["space"]: m["resampled"] for m in record["metrics"]}
    assert resampled["arm@contact/robot"] == "trials and episodes" and resampled["arm/std"] == "trials"
    trials, errors = read_trials(data / "trials.csv"), json.loads((tmp_path / "errors.json").read_text())
    of = {p["name"]: p for p in errors["policies"] if not p["rival"]}
    success = np.array([trials[name].successes.mean() for name in of])
    expected = {
        "total": [p["errors"]["total"]["value"] for p in of.values()],
        "arm": [p["errors"]["arm"]["value"] for p in of.values()],
        "arm@contact": [p["phases"]["contact"]["arm"]["value"] for p in of.values()],
        "arm@1": [p["horizon"]["arm"][0] for p in of.values()],
        "arm@executed": [p["executed"]["arm"]["value"] for p in of.values()],
    }
    for metric in record["metrics"][:5]:
        values = [metric["values"][name] for name in of]
        assert values == pytest.approx(expected[metric["metric"]])
        assert metric["coefficients"][0]["value"] == pytest.approx(kendall(-np.array(values), success))
    declared = json.loads(run(*words, "--matched", *chosen, "--exchangeable", "--json")[1])
    assert declared["within_run"] is None and all(m["coefficients"][0]["p"] for m in declared["metrics"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("errors.csv", "-t", "trials.csv"), "not the same policies: offline alone baseline 80k"),
        (("errors.csv", "-t", "trials.csv", "--join", "x"), "cannot read --join 'x'; expected OFFLINE=ROBOT"),
        (("errors.csv", "-t", "trials.csv", *JOIN, "-m", "wrist"), "no column 'wrist'"),
        (("errors.csv", "-t", "trials.csv", *JOIN, "--outcome", "speed"), "unknown outcome 'speed'"),
        (("errors.csv", "simulated.csv", "-t", "trials.csv"), "give one table of offline numbers"),
        (("nothing.json", "-t", "trials.csv"), "no such file"),
        (("simulated.csv", "-t", "nothing.csv"), "no such file"),
        (("negative.csv", "-t", "means.csv"), "line 2 column 'reward': no error is negative; is it --higher reward?"),
        (("words.csv", "-t", "means.csv"), "line 2 column 'mse': 'low' is no finite number"),
        (("simulated.csv", "-t", "twice.csv"), "policy 'p0' has several lines"),
        (("errors.csv", "-t", "trials.csv", "-t", "trials.csv"), "name one of them: NAME="),
    ],
)
def test_mistakes_are_one_line(run: Run, tables: Path, words: tuple[str, ...], said: str) -> None:
    (tables / "negative.csv").write_text("checkpoint,reward\np0,-1\np1,2\n")
    (tables / "words.csv").write_text("checkpoint,mse\np0,low\n")
    (tables / "twice.csv").write_text("policy,success\np0,1\np0,0\n")
    placed = [tables / word if word.endswith((".csv", ".json")) else word for word in words]
    code, _, err = run("agree", *placed)
    assert code == 2 and said in err and err.count("\n") == 1


def test_unknown_metrics_of_a_record(run: Run, tmp_path: Path) -> None:
    data = demo_folder()
    files = [word for path in sorted((data / "predictions").glob("mlp-*"))[-2:] for word in ("-p", path)]
    run("errors", data / "dataset", *files, "--split", "0.25", "--resamples", "200", "--rivals", "hold", "-o", tmp_path)
    for name, said in (
        ("leg", "no group 'leg' among"),
        ("arm@lunch", "after @ stands a phase"),
        ("arm@99", "a step from 1 to 8"),
        ("std/arm@1", "beside robot the record holds whole chunks alone (range/arm, std/arm)"),
    ):
        code, _, err = run("agree", tmp_path / "errors.json", "-t", data / "trials.csv", "--matched", "-m", name)
        assert code == 2 and said in err and err.count("\n") == 1, err
