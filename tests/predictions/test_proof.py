"""The proof through the real commands: a replayed oracle is never wrong, the mean is wrong by the data's variance."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.cli import main
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.predictions import write_predictions
from surehand.frames import Predictions

HELD_OUT, H = [8, 9, 10, 11], 4
LAYOUT = "arm(lift:prismatic[m] flex):revolute[rad] gripper:gripper[0..1] base(x y):velocity[m/s]"
SPACES = ("robot", "normalised", "std", "range")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache is a folder of the test."""
    monkeypatch.setenv("SUREHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["surehand", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.fixture
def oracle(dataset: LeRobotFolder, tmp_path: Path) -> Path:
    """The recording itself as a file of predictions: a policy by its address."""
    recorded = dataset.read(HELD_OUT)
    ends = np.flatnonzero(np.diff(recorded.episode, append=-1))
    last = ends[np.searchsorted(ends, np.arange(len(recorded)))]
    rows = np.minimum(np.arange(len(recorded))[:, None] + np.arange(H), last[:, None])
    made = Predictions(
        recorded.action[rows][:, None], recorded.episode, recorded.frame, np.full(len(rows), H), "oracle"
    )
    return write_predictions(tmp_path / "oracle.parquet", made)


@pytest.fixture
def mean(dataset: LeRobotFolder, tmp_path: Path) -> str:
    """A function that always answers the held-out mean."""
    file = tmp_path / "constant.py"
    answer = dataset.read(HELD_OUT).action.astype(np.float64).mean(axis=0)
    file.write_text(f"def mean(observation):\n    return [{answer.tolist()!r}] * {H}\n")
    return f"{file}:mean"


@pytest.mark.parametrize("space", SPACES)
def test_the_oracle_scores_nothing_and_the_mean_the_variance(
    dataset: LeRobotFolder, oracle: Path, mean: str, tmp_path: Path, space: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """In robot units the oracle's error is exactly 0; elsewhere at most 1e-6 of what the mean's is."""
    out = tmp_path / "out"
    code = run(
        monkeypatch, "predict", dataset.root, f"oracle={oracle}", f"mean={mean}", "--episodes", "8..11", "--out", out,
        "--horizon", 1,
    )  # fmt: skip
    assert code == 0
    capsys.readouterr()
    code = run(
        monkeypatch, "errors", dataset.root, "-p", out, "--layout", LAYOUT, "--space", space, "--resamples", 200,
        "--rivals", "none", "--json",
    )  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    errors = {p["name"]: p["errors"] for p in json.loads(said.out)["policies"]}
    train, held_out = (dataset.read(e).action.astype(np.float64) for e in (list(range(8)), HELD_OUT))
    scale = {
        "robot": np.ones(5),
        "std": train.std(axis=0),
        "normalised": train.std(axis=0),
        "range": np.ptp(train, axis=0),
    }[space]
    variance = held_out.var(axis=0) / scale**2
    groups = {"arm": variance[:2], "gripper": variance[2:3], "base": variance[3:], "total": variance}
    for group, wanted in groups.items():
        np.testing.assert_allclose(errors["mean"][group]["value"], wanted.mean(), rtol=1e-6)
        assert errors["oracle"][group]["value"] <= (0.0 if space == "robot" else 1e-6 * wanted.mean())


def test_a_policy_that_answers_normalised_is_undone_by_its_statistics(
    dataset: LeRobotFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording divided by the dataset's own deviations: no error once undone, and refused without statistics."""
    recorded, stats = dataset.read(HELD_OUT), dataset.stats()
    assert stats is not None
    offset, scale = stats.affine("mean_std")
    np.savez(
        tmp_path / "known.npz",
        answers=(recorded.action - offset) / scale,
        episode=recorded.episode,
        frame=recorded.frame,
    )
    (tmp_path / "scaled.py").write_text(
        "import numpy as np\n"
        f"known = np.load({str(tmp_path / 'known.npz')!r})\n"
        "def act(seen):\n"
        "    row = (known['episode'] == seen['episode_index']) & (known['frame'] == seen['frame_index'])\n"
        "    return known['answers'][row]\n"
    )
    asked = ["errors", dataset.root, f"{tmp_path}/scaled.py:act", "--episodes", "8..11", "--layout", LAYOUT]
    asked += ["--resamples", 200, "--rivals", "none", "--json", "--policy-space", "normalised:mean_std"]
    assert run(monkeypatch, *asked) == 2
    assert "statistics" in capsys.readouterr().err
    assert run(monkeypatch, *asked, "--stats", dataset.root / "meta" / "stats.json") == 0
    (policy,) = json.loads(capsys.readouterr().out)["policies"]
    assert policy["errors"]["total"]["value"] <= 1e-6 * float(recorded.action.var(axis=0).mean())


def test_errors_predicts_what_is_missing_and_mixes_it_with_files(
    dataset: LeRobotFolder, oracle: Path, mean: str, tmp_path: Path, cache: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    common = ("errors", dataset.root, "--layout", LAYOUT, "--resamples", 200, "--json")
    assert run(monkeypatch, *common, f"mean={mean}", "-p", oracle, "--horizon", H) == 0
    record = json.loads(capsys.readouterr().out)
    assert [p["name"] for p in record["policies"] if not p["rival"]] == ["oracle", "mean"]
    assert record["episodes"] == HELD_OUT  # those of the file
    kept = list(cache.glob("predictions/*/mean.parquet"))
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    assert run(monkeypatch, *common, f"mean={mean}", "-p", oracle, "--horizon", H) == 0
    assert json.loads(capsys.readouterr().out)["policies"] == record["policies"]
    assert kept[0].stat().st_mtime_ns == before
    out = tmp_path / "out"
    assert run(monkeypatch, *common, f"--policy.path=mean={mean}", "-p", oracle, "--horizon", H, "--out", out) == 0
    assert (out / "predictions" / "mean.parquet").is_file() and (out / "errors.html").is_file()


def test_a_failing_policy_is_a_warning_and_an_exit_code(
    dataset: LeRobotFolder, mean: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    common = ("errors", dataset.root, "--layout", LAYOUT, "--resamples", 200, "--out", tmp_path / "out")
    assert run(monkeypatch, *common, f"mean={mean}", f"lost={tmp_path / 'nowhere'}") == 1
    said = capsys.readouterr()
    assert "lost could not be predicted" in " ".join(said.out.split())
    assert "lost could not be predicted" in (tmp_path / "out" / "errors.html").read_text()
    assert run(monkeypatch, *common, f"lost={tmp_path / 'nowhere'}") == 2
    said = capsys.readouterr()
    assert said.err.startswith("surehand: lost could not be predicted") and len(said.err.splitlines()) == 1


def test_predict_prints_a_table_or_a_record_and_counts_failures(
    dataset: LeRobotFolder, mean: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    common = ("predict", dataset.root, "--split", "0.3", "--out", out)
    assert run(monkeypatch, *common, f"mean={mean}", f"lost={tmp_path / 'nowhere'}") == 1
    said = capsys.readouterr()
    assert "mean.parquet" in said.out and "failed" in said.out and "frames/s" in said.out
    assert len(said.err.splitlines()) == 1 and said.err.startswith("surehand: lost failed: ")
    assert run(monkeypatch, *common, f"lost={tmp_path / 'nowhere'}") == 2
    capsys.readouterr()
    assert run(monkeypatch, *common, "--policy", f"mean={mean}", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["kind"] == "predict" and record["asked"] == ["mean"] and record["threads"] >= 1
    monkeypatch.setenv("HF_LEROBOT_HOME", str(dataset.root.parent))
    assert run(monkeypatch, "predict", "--repo-id", "toy", f"mean={mean}", "--split", "0.3", "--out", out) == 0


BAD = {
    "no folder": (["predict", "{data}", "{mean}"], "--out"),
    "no policy": (["predict", "{data}", "--out", "{tmp}/o"], "no policy"),
    "no dataset": (["predict", "--out", "{tmp}/o"], "which dataset"),
    "dataset that is none": (["predict", "{tmp}", "{mean}", "--out", "{tmp}/o"], "no LeRobot dataset"),
    "empty split": (["predict", "{data}", "{mean}", "--split", "0", "--out", "{tmp}/o"], "no episodes are held out"),
    "two splits": (["predict", "{data}", "{mean}", "--split", "0.1", "--ratio", "0.1", "--out", "{tmp}/o"], "several"),
    "two knobs": (["predict", "{data}", "{mean}", "--sigma", "1", "--temperature", "1", "-o", "{tmp}/o"], "not both"),
    "unknown space": (["predict", "{data}", "{mean}", "--space", "metric", "--out", "{tmp}/o"], "metric"),
    "unreadable map": (["predict", "{data}", "{mean}", "--map", "x", "--out", "{tmp}/o"], "x"),
    "GPUs without Ray": (["predict", "{data}", "{mean}", "--gpus", "1", "--out", "{tmp}/o"], "--ray"),
    "unwritable": (["predict", "{data}", "{mean}", "--out", "/proc/x"], "/proc/x"),
    "one name twice": (["predict", "{data}", "a={mean}", "a={mean}", "--out", "{tmp}/o"], "both be called 'a'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(
    case: str, dataset: LeRobotFolder, mean: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments, expected = BAD[case]
    before = sorted(tmp_path.rglob("*"))
    filled = [a.format(data=dataset.root, mean=mean, tmp=tmp_path) for a in arguments]
    assert run(monkeypatch, *filled) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.strip().splitlines()) == 1 and said.err.startswith("surehand: ")
    assert expected in said.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "how",
    [("--processes", "1"), ("--processes", "2"), pytest.param(("--ray", "--processes", "2"), marks=pytest.mark.slow)],
)
def test_an_interrupt_ends_it_and_the_same_command_goes_on(
    dataset: LeRobotFolder, tmp_path: Path, cache: Path, how: tuple[str, ...], need: Callable[[str], None]
) -> None:
    if "--ray" in how:
        need("ray")
    slow, out, told = tmp_path / "slow.py", tmp_path / "out", tmp_path / "told"
    slow.write_text(
        "import os, time\n"
        "def answer(observation):\n"
        f"    open({str(told)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "    time.sleep(0.02)\n"
        "    return [[0.0] * 5] * 4\n"
    )
    command = [
        sys.executable, "-m", "surehand", "predict", str(dataset.root), f"slow={slow}:answer", "--split", "0.3",
        "--out", str(out), *how,
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while process.poll() is None and not (told.exists() and len(told.read_text().splitlines()) > 3):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=30)
    assert process.returncode == 130 and printed == ""
    assert said.splitlines() == ["surehand: interrupted; nothing was left half-written"]
    for pid in set(told.read_text().split()):
        assert not Path(f"/proc/{pid}").exists()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "slow.parquet" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["predict.json", "slow.parquet"]


def test_policies_of_others_do_not_load_the_simulator(dataset: LeRobotFolder, mean: str, tmp_path: Path) -> None:
    """Who installed surehand without `[sim]` has neither MuJoCo nor gymnasium."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('mujoco', 'gymnasium', 'torch')))\n"  # as if they were not there
        "import surehand as sh\n"
        f"data = sh.open_lerobot({str(dataset.root)!r})\n"
        f"record = sh.predict(data, ['mean={mean}'], sh.PredictPlan(episodes=(8,)), {str(tmp_path / 'out')!r})\n"
        "assert not record.failed, record.failed\n"
        "assert 'surehand.sim' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
