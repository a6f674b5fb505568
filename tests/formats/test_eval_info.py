"""lerobot-eval's eval_info.json: both shapes, seeds and tasks as blocks, and files of which a part is missing."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError
from surehand.formats.eval_info import read_eval_info


def single(successes: list[bool], seed: int | None = 1000, **more: Any) -> dict[str, Any]:
    """One environment, as lerobot wrote it up to 0.4.3."""
    episodes = [
        {"episode_ix": i, "sum_reward": 3.5, "max_reward": 1.0, "success": won,
         "seed": None if seed is None else seed + i} for i, won in enumerate(successes)
    ]  # fmt: skip
    pc = 100 * sum(successes) / len(successes) if successes else float("nan")
    return {"per_episode": episodes, "aggregated": {"avg_sum_reward": 3.5, "pc_success": pc, "eval_s": 2.0}, **more}


def several(tasks: dict[tuple[str, int], list[bool]]) -> dict[str, Any]:
    """Several tasks, as lerobot writes it from 0.4.4 on."""
    per_task = [
        {"task_group": group, "task_id": task, "metrics": {
            "sum_rewards": [1.0 * won for won in successes], "max_rewards": [1.0 * won for won in successes],
            "successes": successes, "video_paths": []}} for (group, task), successes in tasks.items()
    ]  # fmt: skip
    everything = [won for successes in tasks.values() for won in successes]
    overall = {"pc_success": 100 * sum(everything) / len(everything), "n_episodes": len(everything)}
    return {"per_task": per_task, "per_group": {}, "overall": overall}


def save(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def test_one_environment_with_seeds(tmp_path: Path) -> None:
    trials = read_eval_info(save(tmp_path / "act_40k/eval_info.json", single([True, False, True])))
    assert trials.policies == ("act_40k",) and trials.successes.tolist() == [True, False, True]
    assert [row.block for row in trials] == ["seed 1000", "seed 1001", "seed 1002"]
    assert trials.rows[1].start_pose == "seed 1001" and trials.rows[0].notes == "sum_reward 3.5; max_reward 1"
    assert read_eval_info(tmp_path / "act_40k/eval_info.json", policy="act").policies == ("act",)


def test_without_seeds_nothing_pairs_up(tmp_path: Path) -> None:
    trials = read_eval_info(save(tmp_path / "p/eval_info.json", single([True, False], seed=None)))
    assert {row.block for row in trials} == {""}
    data = single([True, False])
    data["per_episode"][1]["seed"] = None
    assert {row.block for row in read_eval_info(save(tmp_path / "q/eval_info.json", data))} == {""}


def test_several_tasks_are_blocks(tmp_path: Path) -> None:
    data = several({("spatial", 0): [True, True], ("spatial", 3): [False, True, True]})
    trials = read_eval_info(save(tmp_path / "p/eval_info.json", data))
    assert [row.block for row in trials] == ["spatial 0"] * 2 + ["spatial 3"] * 3
    assert [row.trial for row in trials] == [1, 2, 3, 4, 5] and trials.rows[2].object == "spatial 3"
    one = read_eval_info(save(tmp_path / "q/eval_info.json", several({("pusht", 0): [True, False]})))
    assert {row.block for row in one} == {""} and one.successes.tolist() == [True, False]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "expected per_episode or per_task.*found a list"),
        ({"episodes": []}, "found episodes"),
        ({"per_episode": {}}, "per_episode: expected a list; found an empty object"),
        ({"per_episode": []}, "no episodes"),
        ({"per_episode": [{"seed": 1}]}, r"per_episode\[0\]: expected an episode with success; found seed"),
        ({"per_episode": [{"success": None}]}, r"per_episode\[0\]\.success is None; expected true or false"),
        ({"per_episode": [{"success": 0.5}]}, "is 0.5"),
        ({"per_episode": [{"success": "yes"}]}, "is 'yes'"),
        ({"per_episode": [{"success": True, "seed": "x"}]}, r"seed is 'x'"),
        ({"per_episode": [{"success": True, "max_reward": "x"}]}, r"max_reward is 'x'; expected a number"),
        ({"per_task": [3]}, r"per_task\[0\]: expected task_group"),
        ({"per_task": [{"metrics": {}}]}, r"metrics\.successes: expected a list; found nothing"),
        (
            {"per_task": [{"metrics": {"successes": [True, False], "sum_rewards": [1.0]}}]},
            "sum_rewards: 1 values for 2 successes",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, data: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_eval_info(save(tmp_path / "p/eval_info.json", data))


def test_a_file_of_which_episodes_are_missing(tmp_path: Path) -> None:
    data = single([True, False, False, False])
    del data["per_episode"][2:]
    with pytest.raises(FormatError, match=r"2 episodes succeed in 50\.0 %, its own pc_success says 25\.0 %"):
        read_eval_info(save(tmp_path / "p/eval_info.json", data))


def test_missing_cut_off_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read_eval_info(tmp_path / "eval_info.json")
    (tmp_path / "eval_info.json").write_text('{"per_episode": [{"succ')
    with pytest.raises(FormatError, match="cut off"):
        read_eval_info(tmp_path / "eval_info.json")


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
episode = st.fixed_dictionaries({}, optional={k: junk for k in ("success", "seed", "sum_reward", "max_reward")})
metrics = st.fixed_dictionaries(
    {}, optional={k: st.lists(junk, max_size=3) | junk for k in ("successes", "max_rewards")}
)
files = st.fixed_dictionaries(
    {},
    optional={
        "per_episode": st.lists(episode | junk, max_size=3) | junk,
        "per_task": st.lists(st.fixed_dictionaries({"metrics": metrics | junk}) | junk, max_size=3) | junk,
        "overall": junk,
        "aggregated": junk,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, data: Any) -> None:
    try:
        trials = read_eval_info(save(tmp_path / "p/eval_info.json", data))
    except FormatError as error:
        assert "\n" not in str(error)
    else:
        assert all(row.success in (True, False) for row in trials)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 10**6))
def test_every_episode_comes_back(tmp_path: Path, successes: list[bool], seed: int) -> None:
    trials = read_eval_info(save(tmp_path / "p/eval_info.json", single(successes, seed)))
    assert trials.successes.tolist() == successes and len({row.block for row in trials}) == len(successes)
