"""What hostile and clumsy users do: names that meet, the same policy twice, policies that end the program."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from toy_policies import open_toy

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.predictions.plan import Address, PredictPlan
from surehand.predictions.policies import find_policies
from surehand.predictions.run import predict
from surehand.predictions.work import one_line

Toy = Callable[[str], str]


def test_one_checkpoint_named_twice_is_one_policy(tmp_path: Path) -> None:
    steps = tmp_path / "run" / "checkpoints"
    for step in (20, 40):
        folder = steps / f"{step:06d}"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"kind": "learner", "learner": "mlp", "step": step}))
        save_file({"a": np.zeros(1, np.float32)}, folder / "model.safetensors")
    (steps / "last").symlink_to("000040")
    run = str(tmp_path / "run")
    for given in ([run, run], [run, f"{steps}/last"], [f"{steps}/000020", f"{steps}/000040", f"{steps}/last"]):
        assert [policy.name for policy in find_policies(given).addresses] == ["mlp 000020", "mlp 000040"]
    named = find_policies([f"a={steps}/last", f"b={steps}/000040"]).addresses
    assert [policy.name for policy in named] == ["a", "b"]
    with pytest.raises(SurehandError, match="two policies would both be called 'mine f'"):
        find_policies(["mine.py:f", "mine.py:f"])


@pytest.mark.parametrize("name", ["a/b", "it's", "../x", "", "n" * 300])
def test_a_name_that_can_be_none_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    for where in (f"{tmp_path}/mine.py:f", "ws://gpu:8000", str(tmp_path)):
        with pytest.raises(SurehandError, match="cannot name a policy; expected letters, digits, spaces") as refused:
            Address.parse(f"{name}={where}")
        assert len(str(refused.value)) < 250
    assert Address.parse("runs/lr=0.1/act") == Address("runs/lr=0.1/act")


def test_a_file_of_another_policy_is_not_taken(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    predict(dataset, [toy("my name=oracle")], plan, tmp_path, open_policy=open_toy)
    before = (tmp_path / "my-name.parquet").read_bytes()
    for again in (False, True):
        with pytest.raises(FormatError, match=r"holds 'my name', whose file 'My-name' would take; name it otherwise"):
            predict(dataset, [toy("My-name=mean")], plan, tmp_path, open_policy=open_toy, again=again)
    with pytest.raises(FormatError, match="would be replaced by predictions of itself"):
        predict(dataset, [f"my name={tmp_path}/my-name.parquet"], plan, tmp_path, again=True)
    assert (tmp_path / "my-name.parquet").read_bytes() == before


def test_where_nothing_was_predicted_yet_another_plan_goes_on(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    predict(dataset, [toy("broken"), toy("ragged")], plan, tmp_path, open_policy=open_toy)
    (tmp_path / ".parts" / "ragged").mkdir(parents=True)  # as a full disk leaves it
    record = predict(dataset, [toy("oracle")], replace(plan, samples=2, sigma=0.1), tmp_path, open_policy=open_toy)
    assert [policy.name for policy in record.policies] == ["oracle"] and not record.failed


def test_a_policy_that_ends_the_program_is_asked_once(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    opened: list[str] = []

    def ends(where: str, access: object) -> object:
        opened.append(where.split(":")[0])
        if "mean" in where:
            raise SystemExit(3)
        return open_toy(where, access)

    policies = [toy("mean"), toy("oracle")]
    record = predict(dataset, policies, replace(plan, shard=1), tmp_path, open_policy=ends)  # type: ignore[arg-type]
    assert opened == ["mean", "oracle"]
    assert [p.reason for p in record.failed] == ["it asked the program to end (exit 3)"]


def test_a_reason_says_where_and_can_be_read(dataset: LeRobotFolder, plan: PredictPlan, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(o):\n    return [] if o['frame_index'] == 7 else [[0.0] * 5]\n")
    how = replace(plan, batch=10)
    for batch, where in ((10, "between episode 8 frame 0 and episode 8 frame 9"), (1, "at episode 8 frame 7")):
        record = predict(dataset, [f"{tmp_path}/mine.py:f"], replace(how, batch=batch), tmp_path / "out")
        assert record.failed[0].reason.endswith(f"; asked {where}")
    for error in (SurehandError("x" * 5000), RuntimeError("x" * 5000)):
        assert 1000 < len(one_line(error)) < 1050 and one_line(error).endswith("…")


def test_a_policy_whose_files_change_meanwhile_fails(dataset: LeRobotFolder, plan: PredictPlan, tmp_path: Path) -> None:
    """Pieces of two checkpoints are never one file; the next run starts anew."""
    file = tmp_path / "restless.py"
    file.write_text(
        "from pathlib import Path\n"
        "def act(seen):\n"
        "    if not Path(__file__).read_text().endswith('again'):\n"
        "        Path(__file__).write_text(Path(__file__).read_text() + '# again')\n"
        f"    return [[0.0] * {dataset.size}]\n"
    )
    out = tmp_path / "out"
    first = predict(dataset, [f"{file}:act"], plan, out)
    assert [p.reason for p in first.failed] == [
        "its files changed while it was predicted; the same command starts it anew"
    ]
    assert not list(out.rglob("*.parquet"))
    assert not predict(dataset, [f"{file}:act"], plan, out).failed
