"""Records of errors as offline metrics: the total, groups, phases, steps, the executed prefix, other spaces."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from surehand.decide.agree import judge_agreement
from surehand.decide.agree_offline import TOTAL, Metric, Offline, offline_columns, offline_table
from surehand.decide.agree_robot import Robot, robot_means, robot_trials
from surehand.decide.agreement import AgreementRecord
from surehand.decide.compare_stopping import planned_rubric
from surehand.decide.comparison import Outcome
from surehand.errors.record import EpisodeErrors, ErrorsRecord, PolicyErrors
from surehand.exceptions import FormatError, NotEnoughData, ShapeError, SpaceError, SurehandError
from surehand.formats.contract import package_version
from surehand.formats.rubrics import Rubric
from surehand.formats.trials import Trials
from surehand.frames import ErrorTable
from surehand.measure.clusters import by_cluster

EXECUTED = "executed"


def agree(
    errors: ErrorsRecord | Sequence[ErrorsRecord] | ErrorTable | Offline | Mapping[str, Mapping[str, float]],
    robot: Trials | Robot | Mapping[str, float],
    *,
    rng: np.random.Generator,
    metrics: Sequence[str] = (),
    higher: Sequence[str] = (),
    outcome: Outcome | Literal[""] = "",
    rubric: Rubric | None = None,
    join: Mapping[str, str] | None = None,
    matched: bool = False,
    exchangeable: bool = False,
    draws: int = 10_000,
    level: float = 0.95,
) -> AgreementRecord:
    """Which offline number orders the policies as the robot did; `str()` is one sentence.

    `errors`: records of `measure_errors`, a table, or policy -> metric -> number. `robot`: trials, or policy -> mean.
    `metrics` are named as `arm`, `arm@near`, `arm@1`, `arm@executed`, `std/arm`; those in `higher` are better when
    higher. `join` maps offline names to the robot's; `matched` leaves out names without a partner; `exchangeable`
    treats checkpoints of one training run as if they shared no clock. `rubric`: else the one that the trials carry.
    """
    if outcome not in ("", *get_args(Outcome)):
        raise SurehandError(f"unknown outcome {outcome!r}; known: {', '.join(get_args(Outcome))}")
    if isinstance(robot, Robot):
        theirs = robot
    elif isinstance(robot, Trials):
        theirs = robot_trials(robot, outcome, rubric or planned_rubric([robot]))
    else:
        theirs = robot_means(robot, outcome or "score")
    record = judge_agreement(
        _offline(errors, metrics, higher),
        theirs,
        rng=rng,
        join=join,
        matched=matched,
        exchangeable=exchangeable,
        draws=draws,
        level=level,
    )
    return record.model_copy(update={"surehand": package_version()})


def _offline(
    errors: ErrorsRecord | Sequence[ErrorsRecord] | ErrorTable | Offline | Mapping[str, Mapping[str, float]],
    metrics: Sequence[str],
    higher: Sequence[str],
) -> Offline:
    if isinstance(errors, Offline):
        return errors
    if isinstance(errors, ErrorTable):
        return offline_table(errors, metrics)
    if isinstance(errors, Mapping):
        names = list(dict.fromkeys(name for row in errors.values() for name in row))
        columns = {n: np.array([row.get(n, float("nan")) for row in errors.values()], float) for n in names}
        return offline_columns(list(errors), columns, higher=higher, wanted=metrics)
    return offline_records([errors] if isinstance(errors, ErrorsRecord) else errors, metrics)


def offline_records(records: Sequence[ErrorsRecord], wanted: Sequence[str] = ()) -> Offline:
    """The checkpoints of one or more records and the metrics wanted of them.

    Without a word: the total and every live group, in the record's space and in the others it holds. SurehandError
    where records were not measured on the same frames in the same space, or a metric is not recorded.
    """
    if not records:
        raise NotEnoughData("no record of errors; give one that `surehand errors` wrote")
    first = records[0]
    for other in records[1:]:
        _check_alike(first, other)
    policies = [policy for record in records for policy in record.policies if not policy.rival]
    if not policies:
        raise NotEnoughData(f"the record of {first.dataset} holds rivals alone; measure policies first")
    clusters = np.array(first.clusters) if first.clusters else None
    units = len(first.episodes) if clusters is None else len(np.unique(clusters))
    unit = "episode" if clusters is None else "cluster"
    made = tuple(_metric(name, policies, first, clusters) for name in wanted or _usual(first, policies[0]))
    names = tuple(policy.name for policy in policies)
    return Offline(names, made, units, unit, ", ".join(dict.fromkeys(record.dataset for record in records)))


def _check_alike(first: ErrorsRecord, other: ErrorsRecord) -> None:
    if other.space != first.space:
        raise SpaceError(f"records in {first.space} and in {other.space}; measure all policies in one space")
    pairs = [next((p.by_episode.pairs for p in r.policies if not p.rival), None) for r in (first, other)]
    if (other.data_hash, other.episodes, other.clusters) != (first.data_hash, first.episodes, first.clusters) or (
        pairs[0] != pairs[1]
    ):
        raise ShapeError(
            f"records of {first.dataset} and {other.dataset} were not measured on the same frames; measure all "
            "policies on the same held-out episodes"
        )


def _usual(record: ErrorsRecord, policy: PolicyErrors) -> list[str]:
    groups = [group.name for group in record.groups if np.isfinite(policy.errors[group.name].value)]
    return [f"{space}{name}" for space in ("", *(f"{s}/" for s in policy.other_spaces)) for name in (TOTAL, *groups)]


def _metric(name: str, policies: Sequence[PolicyErrors], record: ErrorsRecord, clusters: np.ndarray | None) -> Metric:
    """`[SPACE/]GROUP[@PHASE | @STEP | @executed]` of every policy, with its sums where the record kept them."""
    space, slash, rest = name.rpartition("/")
    group, _, part = rest.partition("@")
    space = space if slash and space != record.space else ""
    known = list(policies[0].errors)
    if group not in known:
        raise SurehandError(f"no metric {name!r}: no group {group!r} among {', '.join(known)}")
    if space:
        if part or space not in policies[0].other_spaces:
            here = ", ".join(f"{s}/{group}" for s in policies[0].other_spaces) or "none"
            raise SurehandError(
                f"no metric {name!r}: beside {record.space} the record holds whole chunks alone ({here}); measure with "
                f"--space {space} for more"
            )
        values = np.array([policy.other_spaces[space].get(group, np.nan) for policy in policies])
        return Metric(rest, values, space)
    if part in policies[0].phases_by_episode:
        return _resampled(rest, group, [p.phases_by_episode[part] for p in policies], record.space, clusters)
    if not part and group in policies[0].by_episode.errors:
        return _resampled(rest, group, [p.by_episode for p in policies], record.space, clusters)
    return Metric(rest, np.array([_value(policy, group, part, name, record) for policy in policies]), record.space)


def _value(policy: PolicyErrors, group: str, part: str, name: str, record: ErrorsRecord) -> float:
    if not part:
        return policy.errors[group].value
    if part == EXECUTED and group in policy.executed:
        return policy.executed[group].value
    steps = policy.horizon.get(group, [])
    if part.isdecimal() and 1 <= int(part) <= len(steps):
        return steps[int(part) - 1]
    phases = ", ".join(record.phases) or "none"
    raise SurehandError(
        f"no metric {name!r}: after @ stands a phase (recorded: {phases}), a step from 1 to {len(steps)}, or {EXECUTED}"
    )


def _resampled(
    name: str, group: str, found: Sequence[EpisodeErrors], space: str, clusters: np.ndarray | None
) -> Metric:
    """A metric with its sums per unit, which every policy measured on the same pairs."""
    pairs = np.array(found[0].pairs, float)
    if any(one.pairs != found[0].pairs for one in found):
        raise FormatError(f"policies were not measured on the same frames, so their {name} cannot be compared")
    nothing = [float("nan")] * len(pairs)
    means = np.array([one.errors.get(group, nothing) for one in found]).T  # (E, P)
    sums = np.where(pairs[:, None] > 0, means, 0.0) * pairs[:, None]
    if clusters is not None:
        sums, pairs = by_cluster(sums, clusters), by_cluster(pairs, clusters)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = sums.sum(axis=0) / pairs.sum()
    return Metric(name, values, space, False, sums, pairs)
