"""Episodes in the `eval_info.json` that lerobot-eval writes: one policy, successes in simulation.

Two shapes: `per_episode` with seeds (one environment, up to lerobot 0.4.3), and `per_task` without them (0.4.4 on).
"""

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError
from surehand.formats.records import read_json
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials

NAME = "eval_info.json"
TOLERANCE = 0.05  # percentage points, between the file's own success rate and its episodes


def read_eval_info(path: str | os.PathLike[str], *, policy: str = "") -> Trials:
    """The trials of one policy, called as its folder by default; blocks are seeds, or tasks where there are several.

    Policies evaluated on the same seeds thereby pair up, and those evaluated on the same tasks are compared within
    tasks. FormatError names the episode and field that do not fit, and a file whose own average disagrees with them.
    """
    target = Path(path)
    data = read_json(target)
    name = policy or target.resolve().parent.name
    if not isinstance(data, dict) or not {"per_episode", "per_task"} & set(data):
        raise FormatError(
            f"{target}: expected per_episode or per_task, as lerobot-eval writes them; found {_kind(data)}"
        )
    if "per_task" in data:
        rows, average = _by_task(target, data["per_task"], name), data.get("overall")
    else:
        rows, average = _by_episode(target, data["per_episode"], name), data.get("aggregated")
    if not rows:
        raise FormatError(f"{target}: no episodes; evaluate with eval.n_episodes above 0")
    _check_average(target, rows, average)
    return Trials(tuple(rows), source=str(target))


def _by_episode(path: Path, episodes: Any, policy: str) -> list[Trial]:
    rows = []
    for i, episode in enumerate(_list(path, "per_episode", episodes)):
        place = f"{path}: per_episode[{i}]"
        if not isinstance(episode, dict) or "success" not in episode:
            raise FormatError(f"{place}: expected an episode with success; found {_kind(episode)}")
        seed = episode.get("seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise FormatError(f"{place}.seed is {seed!r}; expected a whole number or null")
        block = "" if seed is None else f"seed {seed}"
        notes = _rewards(f"{place}.", episode.get("sum_reward"), episode.get("max_reward"))
        won = _success(f"{place}.success", episode["success"])
        rows.append(Trial(i + 1, policy, block=block, start_pose=block, success=won, notes=notes))
    if any(not row.block for row in rows):
        return [replace(row, block="") for row in rows]  # half of the seeds is no way to pair the other half
    return rows


def _by_task(path: Path, tasks: Any, policy: str) -> list[Trial]:
    rows: list[Trial] = []
    found = _list(path, "per_task", tasks)
    for i, task in enumerate(found):
        place = f"{path}: per_task[{i}]"
        if not isinstance(task, dict) or not isinstance(task.get("metrics"), dict):
            raise FormatError(f"{place}: expected task_group, task_id and metrics; found {_kind(task)}")
        name = f"{task.get('task_group', '')} {task.get('task_id', '')}".strip()
        metrics = task["metrics"]
        successes = _list(path, f"per_task[{i}].metrics.successes", metrics.get("successes"))
        rewards = []
        for key in ("sum_rewards", "max_rewards"):
            values = _list(path, f"per_task[{i}].metrics.{key}", metrics.get(key, []))
            if values and len(values) != len(successes):
                raise FormatError(f"{place}.metrics.{key}: {len(values)} values for {len(successes)} successes")
            rewards.append(values or [None] * len(successes))
        for j, (success, total, best) in enumerate(zip(successes, *rewards, strict=True)):
            cell = f"{place}.metrics.successes[{j}]"
            rows.append(
                Trial(
                    len(rows) + 1,
                    policy,
                    block=name if len(found) > 1 else "",
                    object=name,
                    success=_success(cell, success),
                    notes=_rewards(f"{place}.metrics, episode {j}, ", total, best),
                )
            )
    return rows


def _list(path: Path, name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError(f"{path}: {name}: expected a list; found {_kind(value)}")
    return value


def _success(place: str, value: Any) -> bool:
    """Whether it is a success; 1.0 and 0.0 are what some environments write."""
    if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise FormatError(f"{place} is {value!r}; expected true or false")


def _rewards(place: str, total: Any, best: Any) -> str:
    told = []
    for name, value in (("sum_reward", total), ("max_reward", best)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FormatError(f"{place}{name} is {value!r}; expected a number")
        told.append(f"{name} {value:g}")
    return "; ".join(told)


def _check_average(path: Path, rows: list[Trial], average: Any) -> None:
    """Nothing, or FormatError where the file's own success rate is not that of its episodes: a part is missing."""
    said = average.get("pc_success") if isinstance(average, dict) else None
    if isinstance(said, bool) or not isinstance(said, int | float) or math.isnan(said):
        return
    seen = 100 * sum(bool(row.success) for row in rows) / len(rows)
    if not abs(seen - said) <= TOLERANCE:
        raise FormatError(
            f"{path}: its {len(rows)} episodes succeed in {seen:.1f} %, its own pc_success says {said:.1f} %; a part "
            "of the file is missing or was changed, evaluate again"
        )


def _kind(value: Any) -> str:
    """What was found, in a few words."""
    if isinstance(value, dict):
        return ", ".join(list(map(str, value))[:6]) or "an empty object"
    return "nothing" if value is None else f"a {type(value).__name__}"
