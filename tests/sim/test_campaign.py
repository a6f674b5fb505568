"""Rollouts as commands run them: whole or not there, resumable, the same however the work is shared."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.cli import main
from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.formats.rounds import read_rounds
from surehand.formats.trials import read_trials
from surehand.frames import Actions, Round
from surehand.policies.sampling import BatchMoments, Perturbed
from surehand.sim import campaign as plans
from surehand.sim import campaign_run as rolling
from surehand.sim.campaign import Campaign, open_checkpoint, policy_names
from surehand.sim.campaign_run import roll_out
from surehand.sim.follow import Variation
from surehand.sim.model import CHANNELS
from surehand.sim.observation import ENVIRONMENT
from surehand.sim.record import demonstrate
from surehand.sim.robot import body as find_body
from surehand.sim.rollout import rollout_scenes
from surehand.sim.summary import RolloutRecord, summarise

sys.path.insert(0, str(Path(__file__).parent))
from small_policies import Remembers

pytest.importorskip("torch")
BODY = find_body("desk")
SCENES = rollout_scenes(5, 5)


class Stop(BaseException):
    """Ctrl-C, at a chosen moment."""


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of barely trained checkpoints, by learner."""
    from surehand.sim.learners.settings import training
    from surehand.sim.learners.train import train

    parts = [demonstrate("press", "desk", scene, Variation()) for scene in range(3)]
    lengths = [len(part["action"]) for part in parts]
    actions = Actions(
        action=np.concatenate([part["action"] for part in parts]),
        state=np.concatenate([part["state"] for part in parts]),
        columns={ENVIRONMENT: np.concatenate([part[ENVIRONMENT] for part in parts])},
        episode=np.repeat(range(3), lengths),
        frame=np.concatenate([np.arange(n) for n in lengths]),
        task=np.zeros(sum(lengths), np.int64),
        tasks=("press the button gently",),
    )
    found = {}
    for learner in ("mlp", "flow"):
        out = tmp_path_factory.mktemp(learner) / "run"
        recipe = training(learner, steps=20, checkpoints=1)  # type: ignore[arg-type]
        found[learner] = str(train(recipe, actions, actions, out, layout=BODY.layout).checkpoint(20))
    return found


def rounds_equal(one: Round, other: Round) -> bool:
    """Whether two rounds agree to the last bit, NaN equal to NaN."""
    for key, value in vars(one).items():
        theirs = getattr(other, key)
        if isinstance(value, dict):
            if list(value) != list(theirs) or not all(np.array_equal(value[k], theirs[k], True) for k in value):
                return False
        elif isinstance(value, float | np.ndarray) and not np.array_equal(value, theirs, True):
            return False
        elif not isinstance(value, float | np.ndarray) and value != theirs:
            return False
    return True


def perturbed(mlp: str, **changes: Any) -> Campaign:
    plan: dict[str, Any] = {"policies": (mlp,), "tasks": ("press",), "episodes": 5, "body": "desk", "seed": 5}
    drawn = {"at_once": 3, "candidates": 2, "generator": "perturbation", "sigma": 0.5, "branch": True}
    return Campaign(**{**plan, **drawn, **changes})


def test_results_are_trials_rounds_and_a_record(checkpoints: dict[str, str], tmp_path: Path) -> None:
    plan = perturbed(checkpoints["mlp"], policies=("expert", checkpoints["mlp"]))
    record = roll_out(plan, tmp_path / "out", processes=1)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["rollout.json", "rounds", "trials.csv"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    trials = read_trials(tmp_path / "out" / "trials.csv")
    assert trials.policies == ("expert", "mlp 000020") and len(trials["mlp"]) == 5
    assert trials["expert"].successes.all() and trials["expert"].rows[3].start_pose == f"press {SCENES[3]}"
    rounds = read_rounds(tmp_path / "out" / "rounds" / "mlp-000020.parquet")
    assert {r.episode for r in rounds} == set(range(5))
    one = rounds[-1]
    assert one.candidates.shape == (2, 8, 6) and one.selected == 0 and one.executed
    assert (one.generator, one.knob, one.value, one.seed) == ("perturbation", "sigma per chunk", 0.5, 5)
    assert one.initial_state == trials["mlp"].rows[one.episode].start_pose
    assert one.embedding is not None and one.features is not None and np.isfinite(one.features).all()
    assert all(len(one.traces[f"branch_force_{name}"]) == 2 for name in CHANNELS)
    for r in rounds:
        assert r.violation is not None and np.isin(r.violation, (0.0, 1.0)).all()
        assert r.traces["force_object"].max() == r.traces["branch_force_object"][0]
    assert RolloutRecord.load(tmp_path / "out" / "rollout.json").results == record.results
    by_hand = {r.episode for r in rounds if r.violation is not None and r.violation[0]}
    assert record.results[1].violating == len(by_hand)


@pytest.mark.slow
def test_sharing_work_changes_no_bit(checkpoints: dict[str, str], tmp_path: Path) -> None:
    plan = perturbed(checkpoints["mlp"], sigma=0.2)
    for processes in (1, 2):
        roll_out(plan, tmp_path / str(processes), processes=processes)
    files = [tmp_path / name / "trials.csv" for name in "12"]
    assert files[0].read_text() == files[1].read_text()
    one, two = (read_rounds(tmp_path / name / "rounds" / "mlp-000020.parquet") for name in "12")
    assert len(one) == len(two) and all(map(rounds_equal, one, two))


def test_an_interruption_loses_no_finished_group(
    checkpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out = perturbed(checkpoints["mlp"]), tmp_path / "out"
    whole = roll_out(plan, tmp_path / "whole", processes=1)
    play = rolling.play
    played: list[int] = []

    def stops(*arguments: Any, **options: Any) -> Any:
        if len(played) == 1:
            raise Stop
        played.append(1)
        return play(*arguments, **options)

    monkeypatch.setattr(rolling, "play", stops)
    with pytest.raises(Stop):
        roll_out(plan, out, processes=1)
    assert not out.exists()
    with pytest.raises(FormatError, match="parts of other rollouts"):
        roll_out(replace(plan, sigma=0.1), out, processes=1)
    monkeypatch.setattr(rolling, "play", play)
    assert roll_out(plan, out, processes=1).results == whole.results
    assert (out / "trials.csv").read_text() == (tmp_path / "whole" / "trials.csv").read_text()
    with pytest.raises(FormatError, match="not empty"):
        roll_out(plan, out)


def test_parts_of_a_checkpoint_that_changed_are_not_used(
    checkpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, done = perturbed(checkpoints["mlp"]), []

    def stops(group: rolling.Job) -> object:
        if done:
            raise Stop
        done.append(group)
        return play(group)

    play = rolling._play_group
    monkeypatch.setattr(rolling, "_play_group", stops)
    with pytest.raises(Stop):
        roll_out(plan, tmp_path / "out", processes=1)
    monkeypatch.setattr(plans, "_digest", lambda folder: "other weights")
    with pytest.raises(FormatError, match="other rollouts"):
        roll_out(plan, tmp_path / "out")


def test_generators_are_what_they_say(checkpoints: dict[str, str]) -> None:
    opened = open_checkpoint(perturbed(checkpoints["mlp"]), checkpoints["mlp"])
    assert isinstance(opened, Perturbed) and opened.sigma == 0.5 and (opened.scale < 1.0).all()
    flow = Campaign((checkpoints["flow"],), ("press",), 1, "desk", candidates=4, generator="native", temperature=0.5)
    native = open_checkpoint(flow, checkpoints["flow"])
    assert native.spec.generator == "noise" and getattr(native, "temperature") == 0.5  # noqa: B009
    moments = open_checkpoint(replace(flow, generator="batch-moments", n0=4), checkpoints["flow"])
    assert isinstance(moments, BatchMoments) and moments.grippers == (5,)
    for change, says in (
        ({"generator": "native", "sigma": 0.0}, "deterministic"),
        ({"generator": "batch-moments", "n0": 4}, "no variance"),
        ({"generator": "native", "temperature": 1.0}, "temperature"),
    ):
        with pytest.raises(SurehandError, match=says):
            open_checkpoint(perturbed(checkpoints["mlp"], **change), checkpoints["mlp"])


def test_bad_input_is_refused_before_anything_runs(checkpoints: dict[str, str], tmp_path: Path) -> None:
    mlp = checkpoints["mlp"]
    for change, says in (
        ({"tasks": ("fold",)}, "no task 'fold'"),
        ({"body": "whale"}, "whale"),
        ({"candidates": 0}, "give both"),
        ({"generator": ""}, "give both"),
        ({"policies": (mlp, mlp)}, "once"),
        ({"tasks": ()}, "and a task"),
    ):
        with pytest.raises(SurehandError, match=says):
            perturbed(mlp, **change)
    with pytest.raises(ShapeError, match="commands 6 columns, the mobile robot has 11"):
        roll_out(perturbed(mlp, body="mobile"), tmp_path / "out")
    with pytest.raises(FormatError, match="checkpoint"):
        roll_out(perturbed(str(tmp_path)), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_names_of_several_runs_can_be_told(checkpoints: dict[str, str], tmp_path: Path) -> None:
    os.symlink(Path(checkpoints["mlp"]).parents[1], tmp_path / "again")
    other = str(tmp_path / "again" / "checkpoints" / "000020")
    names = policy_names(perturbed(checkpoints["mlp"], policies=(checkpoints["mlp"], other)))
    assert list(names.values()) == ["run mlp 000020", "again mlp 000020"]
    assert plans._name("/data/act-run/checkpoints/000200/pretrained_model") == "act-run 000200"


def test_a_summary_counts(checkpoints: dict[str, str], tmp_path: Path) -> None:
    roll_out(Campaign(("expert",), ("press", "pick"), 3, "desk"), tmp_path / "out", processes=1)
    head = json.loads((tmp_path / "out" / "rollout.json").read_text())
    assert [(r["task"], r["successes"], r["episodes"]) for r in head["results"]] == [("press", 3, 3), ("pick", 3, 3)]
    assert head["results"][0]["low"] == pytest.approx(0.4385, abs=1e-4)  # Wilson, 3 of 3
    nobody = summarise("p", "pick", [])
    assert (nobody.low, nobody.high) == (0.0, 1.0) and np.isnan(nobody.rate)


def test_episodes_are_numbered_on_from_task_to_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, other = (Remembers(task, "desk", SCENES[:3]) for task in ("press", "pick"))
    policy.seen, policy.chunks = np.append(policy.seen, other.seen, 0), np.append(policy.chunks, other.chunks, 0)
    for module in (plans, rolling):
        monkeypatch.setattr(module, "open_checkpoint", lambda campaign, folder: policy)
    plan = Campaign(("remembers",), ("press", "pick"), 3, "desk", 5, at_once=2)
    record = roll_out(plan, tmp_path / "out", processes=1)
    assert [r.successes for r in record.results] == [3, 3]
    trials = read_trials(tmp_path / "out" / "trials.csv").rows
    rounds = read_rounds(tmp_path / "out" / "rounds" / "remembers.parquet")
    assert [t.trial for t in trials] == list(dict.fromkeys(r.episode for r in rounds)) == list(range(6))
    for r in rounds:
        assert (r.initial_state, r.task) == (trials[r.episode].start_pose, trials[r.episode].instruction)
        assert r.violation is not None and len(r.violation) == 1 and r.generator == "deterministic"


def test_the_command_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    say = ["surehand", "sim", "rollout", "expert", "--task", "press", "--body", "desk", "--episodes", "2", "--out", out]
    two_ways = (["--sigma", "0.1", "--native"], ["--sigma", "0.1", "--temperature", "1", "--batch-moments", "4"])
    refused = *two_ways, ["--candidates", "3"], ["--native", "--candidates", "3", "--per-step"]
    for extra, code in (["--processes", "1"], 0), *((options, 2) for options in refused):
        monkeypatch.setattr(sys, "argv", [*say, *extra])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == code
    printed = capsys.readouterr()
    assert "1.00 (2/2)" in printed.out and "0.34–1.00" in printed.out
    assert printed.err.count("candidates are drawn in one way") == 2 and "give --sigma too" in printed.err
    assert "give both --candidates and one of" in printed.err
