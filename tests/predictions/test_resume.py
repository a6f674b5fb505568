"""Killed, refused, changed, locked: what was done is kept, and never mixed with something else."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from toy_policies import open_toy

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.predictions import read_predictions
from surehand.predictions.fingerprint import fingerprint
from surehand.predictions.plan import PredictPlan
from surehand.predictions.policies import find_policies
from surehand.predictions.record import PredictRecord
from surehand.predictions.run import predict
from surehand.workers import only_one

Toy = Callable[[str], str]


def program(root: Path, plan: PredictPlan, policies: list[str], out: Path, processes: int = 1) -> list[str]:
    """The command line of a program that predicts; it may be killed at any moment."""
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from toy_policies import open_toy
        from surehand.formats.lerobot import open_lerobot
        from surehand.predictions.opening import Access
        from surehand.predictions.plan import PredictPlan
        from surehand.predictions.run import predict
        if __name__ == "__main__":
            print("begun", flush=True)
            predict(open_lerobot({str(root)!r}), {policies!r}, {plan!r}, {str(out)!r}, open_policy=open_toy,
                processes={processes}, threads=1)
    """
    file = out.parent / "program.py"
    file.write_text(textwrap.dedent(code))
    return [sys.executable, str(file)]


def same_files(one: Path, other: Path) -> bool:
    """Whether both folders hold the same predictions, to the byte."""
    names = sorted(p.name for p in one.glob("*.parquet"))
    assert names == sorted(p.name for p in other.glob("*.parquet"))
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def nothing_left(out: Path) -> bool:
    """Whether nothing of a run lies there besides its results."""
    return not [p for p in out.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(
    root: Path, dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path, processes: int
) -> None:
    plan = replace(plan, shard=1, samples=2, sigma=0.2, batch=5)  # four pieces, 0.3 s of a slow policy
    policies = [toy("slow"), toy("oracle")]
    predict(dataset, policies, plan, tmp_path / "whole", open_policy=open_toy, threads=1)
    out, rng = tmp_path / "killed", np.random.default_rng(processes)
    kept: list[int] = []
    command = program(root, plan, policies, out, processes)
    for attempt in range(40):
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.stdout is not None and run.stdout.readline() == b"begun\n"
        if attempt < 6:
            time.sleep(float(rng.uniform(0.0, 0.35 if processes == 1 else 2.0)))
            run.send_signal(signal.SIGKILL)
        _, said = run.communicate(timeout=60)
        kept.append(len(list(out.glob(".parts/*/*.parquet"))) + 4 * len(list(out.glob("*.parquet"))))
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL, said.decode()[-2000:]
    assert kept == sorted(kept) and kept[-1] == 8  # what is done stays done
    assert same_files(tmp_path / "whole", out) and nothing_left(out)


def test_finished_pieces_and_policies_are_not_predicted_again(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    asked: list[str] = []

    def counting(where: str, access: object) -> object:
        asked.append(where.split(":")[0])
        return open_toy(where, access)

    predict(dataset, [toy("oracle"), toy("nan")], plan, tmp_path, open_policy=counting)  # type: ignore[arg-type]
    assert asked == ["oracle", "nan"]
    before = (tmp_path / "oracle.parquet").stat().st_mtime_ns
    record = predict(dataset, [toy("oracle"), toy("mean")], plan, tmp_path, open_policy=counting)  # type: ignore[arg-type]
    assert asked == ["oracle", "nan", "mean"] and (tmp_path / "oracle.parquet").stat().st_mtime_ns == before
    assert [p.name for p in record.policies] == ["nan", "oracle", "mean"] and not record.failed
    predict(dataset, [toy("nan=oracle")], plan, tmp_path, open_policy=counting, renew=True)  # type: ignore[arg-type]
    found = PredictRecord.load(tmp_path / "predict.json")
    assert found.of("nan").state == "done" and found.current == [found.of("nan")]  # type: ignore[union-attr]
    assert nothing_left(tmp_path)


def test_a_damaged_piece_is_predicted_again(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    """As a machine leaves it that loses power: whole by name, cut off or scrambled inside."""
    plan, out = replace(plan, shard=1), tmp_path / "cut"
    predict(dataset, [toy("mine=oracle")], plan, tmp_path / "whole", open_policy=open_toy)
    turn = iter(("grows", "oracle", "oracle"))

    def run() -> PredictRecord:
        return predict(
            dataset, ["mine=checkpoint"], plan, out,
            open_policy=lambda where, access: open_toy(toy(next(turn)).partition("=")[2], access),
        )  # fmt: skip

    assert "some pieces and (8, 5) in another" in run().failed[0].reason
    left = sorted((out / ".parts" / "mine").iterdir())
    assert [p.name for p in left] == ["000000.parquet", "000002.parquet"]
    data = left[0].read_bytes()
    left[0].write_bytes(data[:500])
    left[1].write_bytes(data[:4] + bytes(400) + data[404:])  # its footer is as it should be
    (left[0].parent / "000003.parquet").write_bytes(b"")
    with pytest.raises(FormatError, match=r"damaged or cut off .* the same command goes on"):
        run()
    assert run().current[0].state == "done" and next(turn, None) is None
    mine, whole = (read_predictions(tmp_path / name / "mine.parquet") for name in ("cut", "whole"))
    np.testing.assert_array_equal(mine.prediction, whole.prediction)


def test_other_data_plans_and_checkpoints_are_refused_and_named(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    out, code = tmp_path / "out", tmp_path / "mine.py"
    code.write_text("1")
    policies = [toy("oracle"), f"mine={code}:answer"]

    def anything(where: str, access: object) -> object:
        return open_toy(toy("mean").partition("=")[2] if "mine.py" in where else where, access)

    def again(plan: PredictPlan, **how: bool) -> PredictRecord:
        return predict(dataset, policies, plan, out, open_policy=anything, **how)  # type: ignore[arg-type]

    again(plan)
    mine = (out / "mine.parquet").read_bytes()
    with pytest.raises(FormatError, match=r"\(stride 1, now 2; samples 1, now 2\); choose another folder, or --again"):
        again(replace(plan, stride=2, samples=2, sigma=None))
    with pytest.raises(FormatError, match=r"episodes 4 from 8 to 11, now \[8, 9\]"):
        again(replace(plan, episodes=(9, 8)))
    code.write_text("2")
    with pytest.raises(FormatError, match="mine: its files have changed"):
        again(plan)
    before = PredictRecord.load(out / "predict.json").current[1].fingerprint
    renewed = again(plan, renew=True).current[1]
    assert renewed.state == "done" and renewed.fingerprint != before
    policies[1] = toy("mine=mean")
    with pytest.raises(FormatError, match=r"mine: was .*mine\.py:answer"):
        again(plan)
    record = again(replace(plan, stride=2), again=True)
    assert [p.frames for p in record.policies] == [50, 50] and (out / "mine.parquet").read_bytes() != mine
    (out / "predict.json").unlink()
    with pytest.raises(FormatError, match=r"oracle\.parquet exists, and no predict\.json says what it is"):
        again(plan)
    (out / "predict.json").write_text('{"kind": "errors"}')
    with pytest.raises(FormatError, match="--again"):
        again(plan)
    assert again(plan, again=True).current[0].frames == 98


def test_pieces_that_no_record_speaks_of_are_not_used(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    predict(dataset, [toy("grows")], replace(plan, shard=1), tmp_path, open_policy=open_toy)
    assert len(list((tmp_path / ".parts" / "grows").iterdir())) == 2
    (tmp_path / "predict.json").unlink()
    predict(dataset, [toy("grows=oracle")], replace(plan, shard=1, stride=2), tmp_path, open_policy=open_toy)
    assert len(read_predictions(tmp_path / "grows.parquet")) == 50


def test_a_finished_file_that_is_gone_or_damaged_is_made_again(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    def run() -> PredictRecord:
        return predict(dataset, [toy("oracle"), toy("mean")], plan, tmp_path, open_policy=open_toy)

    run()
    whole = (tmp_path / "oracle.parquet").read_bytes()
    (tmp_path / "oracle.parquet").unlink()
    (tmp_path / "mean.parquet").write_bytes(whole[:500])
    assert [policy.state for policy in run().current] == ["done", "done"] and nothing_left(tmp_path)
    assert len(read_predictions(tmp_path / "oracle.parquet")) == len(read_predictions(tmp_path / "mean.parquet")) == 98


def test_data_of_the_same_actions_with_other_pictures_is_other_data(
    root: Path, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    """The dataset's identity covers actions and states alone."""
    film = Path(copytree(root, tmp_path / "toy")) / "videos" / "observation.images.top" / "file-000.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"bright")
    predict(open_lerobot(tmp_path / "toy"), [toy("mean")], plan, tmp_path / "out", open_policy=open_toy)
    film.write_bytes(b"dark")
    with pytest.raises(FormatError, match="of toy with other data or video files"):
        predict(open_lerobot(tmp_path / "toy"), [toy("mean")], plan, tmp_path / "out", open_policy=open_toy)


def test_what_a_policy_is_told_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module's own file counts, imported or not; a password in an address is not written down."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "told_by_its_file.py").write_text("1")
    before = fingerprint("told_by_its_file:act")
    assert (
        before == fingerprint("told_by_its_file.py:act") != fingerprint("other:act")
        and "told_by_its_file" not in sys.modules
    )
    (tmp_path / "told_by_its_file.py").write_text("2")
    assert fingerprint("told_by_its_file:act") != before
    secret = "ws://me:secret@gpu:8000/?key=secret"
    assert "secret" not in fingerprint(secret) and fingerprint(secret) != fingerprint("ws://gpu:8000")


def test_a_link_that_training_moves_on_is_followed_once(tmp_path: Path) -> None:
    for step in ("100", "200"):
        (tmp_path / "run" / "checkpoints" / step / "params").mkdir(parents=True)
        (tmp_path / "run" / "checkpoints" / step / "params" / "_METADATA").touch()
    last = tmp_path / "run" / "checkpoints" / "last"
    last.symlink_to("100")
    (found,) = find_policies([str(last)]).addresses
    last.unlink()
    last.symlink_to("200")
    assert Path(found.where).resolve().name == "100" and found.name == "run 100"


def test_two_commands_do_not_work_in_one_folder(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    with only_one(tmp_path), pytest.raises(SurehandError, match="another command is at work"):
        predict(dataset, [toy("oracle")], plan, tmp_path, open_policy=open_toy)
    assert not list(tmp_path.iterdir())


def test_a_killed_workers_piece_is_done_by_another(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    plan = replace(plan, shard=1)
    record = predict(
        dataset, [toy(f"dies=dies-once#{tmp_path / 'died'}")], plan, tmp_path / "out", open_policy=open_toy,
        processes=2, threads=1,
    )  # fmt: skip
    assert (tmp_path / "died").exists() and record.current[0].state == "done"
    predict(dataset, [toy("dies=oracle")], plan, tmp_path / "calm", open_policy=open_toy, threads=1)
    ours, calm = (read_predictions(tmp_path / name / "dies.parquet") for name in ("out", "calm"))
    np.testing.assert_array_equal(ours.prediction, calm.prediction)


def test_a_full_disk_is_one_line_and_what_was_done_is_kept(
    root: Path, dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    plan = replace(plan, shard=1, samples=50, sigma=0.5)  # 100 KB a piece, 400 KB the whole
    out = tmp_path / "out"
    command = program(root, plan, [toy("oracle")], out)

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000))

    run = subprocess.run(command, preexec_fn=small_disk, capture_output=True, text=True, timeout=60, check=False)
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1 and last.startswith("surehand.exceptions.FormatError: cannot write ")
    assert "what was done is kept, the same command goes on from there" in last
    assert not [p for p in out.rglob(".*.parquet.*")]
    done = len(list(out.glob(".parts/oracle/*.parquet")))
    subprocess.run(command, check=True, timeout=60)
    predict(dataset, [toy("oracle")], plan, tmp_path / "whole", open_policy=open_toy, threads=1)
    assert same_files(tmp_path / "whole", out) and done == 4


def test_a_folder_that_may_not_be_written_is_one_line(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with pytest.raises(FormatError, match=r"cannot write .* choose a folder you may write to"):
            predict(dataset, [toy("oracle")], plan, out, open_policy=open_toy)


@pytest.mark.slow
def test_on_ray_the_numbers_are_the_same_to_the_byte(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path, need: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    need("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    plan = replace(plan, shard=1, samples=2, sigma=0.2)
    policies = [toy("oracle"), toy("nan"), toy("mean")]
    for name, how in {"here": {}, "two": {"processes": 2}, "ray": {"processes": 2, "ray": "local"}}.items():
        record = predict(dataset, policies, plan, tmp_path / name, open_policy=open_toy, threads=1, **how)  # type: ignore[arg-type]
        assert [p.state for p in record.policies] == ["done", "failed", "done"]
    assert same_files(tmp_path / "here", tmp_path / "two") and same_files(tmp_path / "here", tmp_path / "ray")
