"""The command line as a user meets it: exit codes, one line per mistake, every output form."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from surehand.cli import Interrupted, main
from surehand.cli.inputs import open_files
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.predictions import write_predictions
from surehand.frames import Actions, Predictions

LAYOUT = "arm(a b):revolute[rad] gripper:gripper[0..1]"
N, H = 30, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dataset/ of ten episodes and predictions/ of two checkpoints over the last two."""
    root = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    write_lerobot(root / "dataset", [_episode(i, rng) for i in range(10)], fps=10.0)
    recorded = open_lerobot(root / "dataset").read([8, 9])
    for step, size in ((100, 0.2), (200, 0.1)):
        noise = rng.normal(size=(len(recorded), 1, H, 3)) * size
        rows = np.minimum(np.arange(len(recorded))[:, None] + np.arange(H), len(recorded) - 1)
        made = Predictions(
            prediction=(recorded.action[rows][:, None] + noise).astype(np.float32),
            episode=recorded.episode,
            frame=recorded.frame,
            length=np.full(len(recorded), H),
            checkpoint=f"step_{step}",
        )
        write_predictions(root / "predictions" / f"{step}.parquet", made)
    return root


def _episode(index: int, rng: np.random.Generator) -> Actions:
    t = np.linspace(0, 3, N)
    action = np.column_stack([np.sin(t + rng.normal()), np.cos(t), t > 1.5]).astype(np.float32)
    return Actions(
        action=action,
        episode=np.full(N, index),
        frame=np.arange(N),
        task=np.zeros(N, np.int64),
        state=action,
        timestamp=np.arange(N) / 10,
        tasks=("wave",),
        names=("a", "b", "gripper"),
        state_names=("a", "b", "gripper"),
        fps=10.0,
    )


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Exit code of `surehand arguments`, in this process."""
    monkeypatch.setattr(sys, "argv", ["surehand", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_errors_prints_a_verdict_and_writes_a_page(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code = run(
        monkeypatch, "errors", folder / "dataset", "-p", folder / "predictions", "--layout", LAYOUT,
        "--resamples", 500, "--out", out,
    )  # fmt: skip
    said = capsys.readouterr()
    assert code == 0
    assert "step_200" in said.out and "errors.html" in said.err
    assert {"errors.json", "errors.html", "figures", "tables"} <= {path.name for path in out.iterdir()}
    assert all(len(line) <= 80 for line in said.out.splitlines())


def test_json_csv_and_markdown_hold_the_same_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("errors", folder / "dataset", "-p", folder / "predictions", "--layout", LAYOUT, "--resamples", 500)
    run(monkeypatch, *common, "--json")
    record = json.loads(capsys.readouterr().out)
    run(monkeypatch, *common, "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    run(monkeypatch, *common, "--markdown")
    markdown = capsys.readouterr().out
    total = record["policies"][0]["errors"]["total"]["value"]
    assert rows[0]["policy"] == "step_100"
    assert any(np.isclose(float(value), total) for name, value in rows[0].items() if name.startswith("total") and value)
    assert r"| step\_100" in markdown


def test_lerobot_spellings_are_the_same_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "errors", folder / "dataset", "--split", 0.2, "--layout", LAYOUT, "--resamples", 500, "--json")
    ours = json.loads(capsys.readouterr().out)
    run(
        monkeypatch, "errors", f"--dataset.root={folder / 'dataset'}", "--dataset.eval_split=0.2",
        "--layout", LAYOUT, "--resamples", 500, "--json",
    )  # fmt: skip
    theirs = json.loads(capsys.readouterr().out)
    assert ours["policies"] == theirs["policies"]
    monkeypatch.setenv("HF_LEROBOT_HOME", str(folder))
    run(monkeypatch, "errors", "--dataset.repo_id", "dataset", "--layout", LAYOUT, "--resamples", 500, "--json")
    assert json.loads(capsys.readouterr().out)["data_hash"] == ours["data_hash"]


def test_select_reads_a_table_and_a_record(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("checkpoint,arm,gripper,total\n10k,0.30,4.31,1.04\n20k,0.59,2.21,0.95\n")
    assert run(monkeypatch, "select", table, "--watch", "arm") == 0
    said = capsys.readouterr().out
    assert "20k" in said and "no uncertainty available" in said
    run(
        monkeypatch, "errors", folder / "dataset", "-p", folder / "predictions", "--layout", LAYOUT,
        "--resamples", 500, "--out", tmp_path / "out",
    )  # fmt: skip
    capsys.readouterr()
    assert run(monkeypatch, "select", tmp_path / "out" / "errors.json", "--rule", "group:arm", "--json") == 0
    choice = json.loads(capsys.readouterr().out)
    assert choice["best"] == "step_200" and choice["units"] == 2


def test_report_redraws_without_computing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        monkeypatch, "errors", folder / "dataset", "-p", folder / "predictions", "--layout", LAYOUT,
        "--resamples", 500, "--out", tmp_path / "out",
    )  # fmt: skip
    page = tmp_path / "out" / "errors.html"
    before = page.read_text()
    page.unlink()
    assert run(monkeypatch, "report", tmp_path / "out" / "errors.json", "--formats", "html") == 0
    assert page.read_text() == before
    assert run(monkeypatch, "report", tmp_path / "out") == 0
    assert (tmp_path / "out" / "index.html").is_file()


def test_doctor_exits_with_one_on_findings(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "dataset", tmp_path / "sick")
    stats = tmp_path / "sick" / "meta" / "stats.json"
    values = json.loads(stats.read_text())
    values["action"]["mean"] = [v + 1 for v in values["action"]["mean"]]
    stats.write_text(json.dumps(values))
    assert run(monkeypatch, "doctor", tmp_path / "sick", "--layout", LAYOUT) == 1
    assert "mean" in capsys.readouterr().out


def test_whatever_a_policys_own_code_raises_is_a_finding(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(
        "from surehand.frames import Space\nfrom surehand.policies.protocol import PolicySpec\n"
        "class Mine:\n"
        "    spec = PolicySpec(4, 3, Space())\n"
        "    def infer(self, *_): raise RuntimeError('shapes cannot be multiplied')\n"
        "    infer_batch = sample = infer\n"
        "    def reset(self): ...\n"
    )
    asked = ("doctor", folder / "dataset", "--layout", LAYOUT, "--policy", f"{tmp_path}/mine.py:Mine", "--json")
    assert run(monkeypatch, *asked) == 1
    found = {one["code"]: one["evidence"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["policy.unreadable"] == "RuntimeError: shapes cannot be multiplied"


def test_robots_are_listed_and_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "robots") == 0
    assert "hsr" in capsys.readouterr().out
    assert run(monkeypatch, "robots", "--name", "hsr") == 0
    assert "arm(" in capsys.readouterr().out
    assert run(monkeypatch, "robots", folder / "dataset", "--json") == 0
    assert json.loads(capsys.readouterr().out)["evidence"]


BAD = {
    "no dataset": (["errors", "{tmp}/nowhere"], "nowhere"),
    "no word on the dataset": (["errors"], "which dataset"),
    "unknown robot": (["errors", "{data}", "--robot", "hsrr"], "hsr"),
    "layout that does not fit": (["errors", "{data}", "--layout", "arm(j1..j7)"], "7"),
    "episodes outside": (["errors", "{data}", "--layout", LAYOUT, "--episodes", "8,77"], "77"),
    "two splits": (["errors", "{data}", "--layout", LAYOUT, "--episodes", "8", "--split", "0.1"], "not several"),
    "unknown space": (["errors", "{data}", "--layout", LAYOUT, "--space", "metric"], "metric"),
    "unknown rival": (["errors", "{data}", "--layout", LAYOUT, "--rivals", "oracle"], "oracle"),
    "unknown phase": (["errors", "{data}", "--layout", LAYOUT, "--phase", "moon"], "moon"),
    "unknown watch": (["errors", "{data}", "--layout", LAYOUT, "--watch", "leg"], "leg"),
    "unreadable weights": (["errors", "{data}", "--layout", LAYOUT, "--weights", "arm:2"], "arm:2"),
    "missing predictions": (["errors", "{data}", "-p", "{tmp}/no.parquet"], "no.parquet"),
    "no record": (["report", "{tmp}/no.json"], "no.json"),
    "no table": (["select", "{tmp}/no.csv"], "no.csv"),
    "unwritable folder": (["errors", "{data}", "--layout", LAYOUT, "--resamples", "200", "-o", "/proc/x"], "/proc"),
    "folder name too long": (["errors", "{data}", "--layout", LAYOUT, "-o", "x" * 300], "too long"),
    "folder that is a file": (["errors", "{data}", "--layout", LAYOUT, "-o", __file__], "Not a directory"),
    "unknown option": (["errors", "{data}", "--splitt", "0.1"], "--split"),
    "unknown command": (["error"], "'errors'"),
    "text for a number": (["errors", "{data}", "--split", "x"], "--split"),
    "two datasets": (["errors", "{data}", "{data}", "--layout", LAYOUT], "no LeRobot checkpoint"),
    "negative seed": (["select", "{tmp}/no.csv", "--seed", "-1"], "--seed"),
    "level in percent": (["errors", "{data}", "--layout", LAYOUT, "--level", "95"], "0.95"),
    "nothing to measure": (["errors", "{data}", "--layout", LAYOUT, "--rivals", "none"], "recorded predictions"),
    "nothing to learn from": (
        ["errors", "{data}", "--layout", LAYOUT, "--episodes", "0..9", "--rivals", "mean"],
        "need training episodes",
    ),
    "phase with a tail": (["errors", "{data}", "--layout", LAYOUT, "--phase", "gripper:0.3"], "stands alone"),
    "phase limit that is no number": (
        ["errors", "{data}", "--layout", LAYOUT, "--phase", "speed:observation.state:nan"],
        "above 0",
    ),
    "distance of several values": (
        ["errors", "{data}", "--layout", LAYOUT, "--phase", "distance:observation.state:1"],
        "3 distances per frame",
    ),
    "doctor without a dataset": (["doctor", "{tmp}"], "no LeRobot dataset"),
    "statistics of a dataset folder": (["errors", "{data}", "--stats", "{data}"], "no LeRobot checkpoint"),
    "model without site": (["errors", "{data}", "--layout", LAYOUT, "--model", "{tmp}/no.urdf"], "--site"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_two(
    case: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, expected = BAD[case]
    filled = [a.format(tmp=tmp_path, data=folder / "dataset") for a in arguments]
    assert run(monkeypatch, *filled) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1 and said.err.startswith("surehand: ")
    assert expected in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_exits_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "out"
    os.mkfifo(table)  # whoever reads it waits, so the interrupt comes while the command is at work
    command = [sys.executable, "-m", "surehand", "select", str(table), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while (written := _open_for_reader(table)) is None and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)  # a signal between opening and reading would only be heard once the read returns
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines() == ["surehand: interrupted; nothing was left half-written"]
    assert not out.exists()
    assert written is not None
    os.close(written)


def _open_for_reader(fifo: Path) -> int | None:
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # nobody reads yet
        return None


@pytest.mark.parametrize(
    ("failure", "code"),
    [(OSError(28, "No space left on device"), 2), (MemoryError("8 TiB"), 2), (Interrupted(), 130)],
)
def test_a_report_is_written_whole_or_not_at_all(
    failure: BaseException,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "out"
    table.write_text("checkpoint,arm,gripper,total\n10k,0.30,4.31,1.04\n20k,0.59,2.21,0.95\n")
    write, calls = Path.write_bytes, []

    def fail_on_third(path: Path, data: bytes) -> int:
        calls.append(path)
        if len(calls) == 3:
            raise failure
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_on_third)
    assert run(monkeypatch, "select", table, "--out", out) == code
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert len(calls) == 3 and not out.exists()


@pytest.mark.parametrize("swallowed", [False, True])
def test_an_interrupt_is_heard_even_where_a_library_swallows_it(folder: Path, swallowed: bool) -> None:
    # pyarrow ignores whatever is raised while it looks for pandas; here a stand-in that does the same.
    script = (
        "import signal, sys, time\n"
        "from surehand.cli import Interrupted, main\n"
        "import surehand.cli.inputs as inputs\n"
        "def sleep(*_, **__):\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except Interrupted:\n"
        f"        if not {swallowed}: raise\n"
        "    for _ in range(300):\n"
        "        time.sleep(0.1)\n"
        "inputs.open_dataset = sleep\n"
        f"sys.argv = ['surehand', 'errors', {str(folder / 'dataset')!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode == 130
    assert done.stderr.splitlines() == ["surehand: interrupted; nothing was left half-written"]


def test_a_full_disk_behind_the_output_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "surehand", "robots", "--json"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and b"cannot write the output" in done.stderr


def test_a_terminal_without_our_letters_shows_the_rest(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("checkpoint,arm,gripper,total\n10k,0.30,4.31,1.04\n20k,0.59,2.21,0.95\n")
    done = subprocess.run(
        [sys.executable, "-m", "surehand", "select", str(table)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode == 0 and b"20k by total" in done.stdout and done.stderr == b""


def test_a_folder_of_predictions_is_read_by_training_step(folder: Path, tmp_path: Path) -> None:
    recorded = open_lerobot(folder / "dataset").read([8])
    for step in ("9k", "10k", "run 2k"):
        made = Predictions(
            prediction=np.zeros((len(recorded), 1, H, 3), np.float32),
            episode=recorded.episode,
            frame=recorded.frame,
            length=np.full(len(recorded), H),
            checkpoint="" if step == "10k" else step,
        )
        write_predictions(tmp_path / f"{step}.parquet", made)
    assert [file.checkpoint for file in open_files([tmp_path])] == ["9k", "10k", "run 2k"]


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": ["errors"]}',
        '{"kind": "errors", "schema_version": "2"}',
        '{"kind": "errors", "schema_version": null}',
        '{"kind": "errors", "schema_version": 99}',
        '{"kind": "errors", "unheard_of": 1}',
        '{"kind": "errors", "schema_version": ' + "9" * 5000 + "}",
        "[" * 100_000,
        "",
        "3",
    ],
)
def test_a_foreign_record_is_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.json").write_text(text)
    for command in ("report", "select"):
        assert run(monkeypatch, command, tmp_path / "r.json") == 2
        said = capsys.readouterr()
        assert said.out == "" and len(said.err.splitlines()) == 1 and "r.json" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_closed_pipe_is_no_traceback(folder: Path) -> None:
    command = f"{sys.executable} -m surehand robots | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={**os.environ}, check=False)
    assert "Traceback" not in done.stderr
