"""A comparison under a rule for stopping: the rule's verdict where it was planned, its path where it is only shown."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError

from surehand.decide.compare_data import Arm, Material
from surehand.decide.compare_words import stopped_sentence
from surehand.decide.comparison import Pair, SequentialPath
from surehand.decide.stopping import judge_stop
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.rubrics import Rubric
from surehand.formats.schedules import Schedule, StopRule
from surehand.formats.trials import Trials

_Part = TypeVar("_Part", Rubric, StopRule)


def planned_rule(trials: Sequence[Trials], stop: StopRule | None, schedule: Schedule | None) -> StopRule | None:
    """The rule that was written down before the first trial: as given, in the schedule, or in what the store gave."""
    if stop is not None or schedule is not None:
        return stop or (schedule.stop if schedule else None)
    return next((_carried(t, "stop", StopRule) for t in trials if t.metadata.get("stop")), None)


def planned_rubric(trials: Sequence[Trials]) -> Rubric | None:
    """The rubric by which all of them were scored, where their file or store says so and it is one and the same."""
    if not trials or not all(t.metadata.get("rubric") for t in trials):
        return None
    first, *others = [_carried(t, "rubric", Rubric) for t in trials]
    return first if all(other == first for other in others) else None


def _carried(trials: Trials, key: str, kind: type[_Part]) -> _Part:
    """What the trials' own header says, as the plan had it."""
    try:
        return kind.model_validate(trials.metadata[key])
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise FormatError(
            f"{trials.source}: its header has a {key} that cannot be read ({why}); export again"
        ) from None


def ended_early(scale: Material, trials: Sequence[Trials], schedule: Schedule | None) -> str:
    """A warning where fewer trials count than were planned, and nothing was written down about stopping."""
    per_arm = max((int(t.metadata.get("planned") or 0) for t in trials), default=0)
    planned = len(schedule.items) if schedule else per_arm * len(scale.arms)
    done = sum(len(arm) for arm in scale.arms)
    if done >= planned:
        return ""
    return (
        f"ended early: {done} of {planned} planned trials count, and no rule to stop was written down; had the results "
        "been looked at on the way, these p-values would be too small"
    )


def paths_of(
    scale: Material, stop: StopRule | None, schedule: Schedule | None, alpha: float, ranked: list[str], illustrate: bool
) -> list[SequentialPath]:
    """The path of every shown pair under the planned rule; under a rule made up for show where that was asked for."""
    if stop is None and not illustrate:
        return []
    place = {policy: i for i, policy in enumerate(ranked)}
    arms = sorted(scale.arms, key=lambda arm: (place.get(arm.policy, len(place)), arm.policy))
    rule = stop or StopRule(outcome=scale.outcome, alpha=alpha, pairs=max(len(arm) for arm in arms))
    outcomes = _in_order(arms, rule, schedule)
    paths = judge_stop(rule, outcomes, planned=stop is not None).pairs
    return [path for path in paths if {path.first, path.second} <= scale.shown]


def _in_order(arms: Sequence[Arm], rule: StopRule, schedule: Schedule | None) -> dict[str, list[float | None]]:
    """Every arm's outcomes in the order of the blocks; trial by trial where blocks do not hold one of each."""
    values = {arm.policy: _values(arm, rule) for arm in arms}
    names = {arm.policy: [row.block for row in arm.rows] for arm in arms}
    single = all(all(own) and len({*own}) == len(own) for own in names.values())
    if not single:
        most = max(map(len, values.values()))
        return {policy: [*own, *[None] * (most - len(own))] for policy, own in values.items()}
    order = [item.block for item in schedule.items] if schedule else _as_run(arms)
    return {
        policy: [dict(zip(names[policy], own, strict=True)).get(block) for block in dict.fromkeys(order)]
        for policy, own in values.items()
    }


def _values(arm: Arm, rule: StopRule) -> list[float | None]:
    if rule.outcome == "score":
        return [row.score for row in arm.rows]
    if arm.success is None:
        raise SurehandError(
            f"the rule for stopping is about success, and a trial of {arm.policy!r} has none; give the rubric"
        )
    return [float(won) for won in arm.success]


def _as_run(arms: Sequence[Arm]) -> list[str]:
    rows = [row for arm in arms for row in arm.rows]
    return [row.block for row in sorted(rows, key=lambda row: (row.position is None, row.position or 0, row.trial))]


def under_rule(pairs: Sequence[Pair], paths: Sequence[SequentialPath], warnings: list[str]) -> list[Pair]:
    """The pairs with the planned rule's verdict; their fixed-size p-values are flagged and decide nothing.

    One test was fixed beforehand, so there is no second opinion: decided is robust, undecided is not resolved.
    """
    warnings.append(
        "a rule for stopping was written down before the first trial: its verdict holds, and the p-values of a fixed "
        "number of trials do not"
    )
    found = []
    for pair in pairs:
        path = next(path for path in paths if {path.first, path.second} == {pair.first, pair.second})
        if path.winner and path.winner != pair.first:
            warnings.append(f"{path.winner} won by the rule; over all trials {pair.first} has the higher win rate")
        decided = path.winner == pair.first
        found.append(
            pair.model_copy(
                update={
                    "fixed": False,
                    "label": "robust" if decided else "not resolved",
                    "sentence": stopped_sentence(path, pair),
                }
            )
        )
    return found
