"""Offline names meet the robot's: which policies are on both sides, and which checkpoints share a training run."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np

from surehand.decide.agree_offline import Offline
from surehand.decide.agree_robot import Robot
from surehand.exceptions import NotEnoughData, SurehandError
from surehand.formats.checkpoint_names import split_step


def join_policies(
    offline: Offline, robot: Robot, join: Mapping[str, str], matched: bool = False
) -> tuple[Offline, Robot, tuple[str, ...]]:
    """Both sides with the same policies, best on the robot first, and who was left out, in words.

    Names must be equal; `join` maps an offline name to the robot's. SurehandError lists both sides' names without a
    partner, unless `matched` leaves them out.
    """
    for side, names, known in (
        ("offline", join, offline.policies),
        ("robot", join.values(), robot.policies),
    ):
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise SurehandError(f"--join names {name!r}, no {side} policy among {', '.join(known)}{hint}")
    partner = {name: join.get(name, name) for name in offline.policies}
    found = list(partner.values())
    if twice := next((name for name in found if name in robot.policies and found.count(name) > 1), None):
        given = " and ".join(name for name in partner if partner[name] == twice)
        raise SurehandError(f"{given} are all {twice!r} on the robot; join each to its own")
    only_offline = [name for name in partner if partner[name] not in robot.policies]
    only_robot = [name for name in robot.policies if name not in found]
    left = _listed(only_offline, only_robot)
    if left and not matched:
        raise SurehandError(
            f"not the same policies: {left}; --join OFFLINE=ROBOT says who is who, --matched leaves the rest out"
        )
    both = [name for name in partner if partner[name] in robot.policies]
    if len(both) < 2:
        raise NotEnoughData(
            f"{len(both)} of the policies are on both sides: {left or both}; an order needs two, a verdict five"
        )
    offline = offline.take([offline.policies.index(name) for name in both])
    robot = robot.take([robot.policies.index(partner[name]) for name in both])
    best = np.argsort(-robot.values, kind="stable").tolist()
    return offline.take(best), robot.take(best), (f"left out, without a partner: {left}",) if left else ()


def _listed(only_offline: Sequence[str], only_robot: Sequence[str]) -> str:
    sides = [("offline alone", only_offline), ("on the robot alone", only_robot)]
    return "; ".join(f"{side} {', '.join(names)}" for side, names in sides if names)


def runs_and_steps(offline: Offline, robot: Robot) -> tuple[list[str], list[int | None]]:
    """Training run and step of every policy, from its offline name or else the robot's; a policy without a step is a
    run of its own."""
    runs, steps = [], []
    for theirs, ours in zip(offline.policies, robot.policies, strict=True):
        run, step = split_step(theirs)
        if step is None:
            run, step = split_step(ours)
        runs.append(run)
        steps.append(step)
    return runs, steps


def shared_runs(runs: Sequence[str], steps: Sequence[int | None]) -> dict[str, list[int]]:
    """Policies (their places) of every training run that two or more of them come from, in the order of their steps."""
    found: dict[str, list[int]] = {}
    for i, (run, step) in enumerate(zip(runs, steps, strict=True)):
        if step is not None:
            found.setdefault(run, []).append(i)
    several = {run: at for run, at in found.items() if len({steps[i] for i in at}) > 1}
    return {run: sorted(at, key=lambda i: steps[i] or 0) for run, at in several.items()}
