"""Whether a study may stop before its last trial, by the rule that was written down before its first."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from surehand.decide.comparison import PathStep, SequentialPath
from surehand.exceptions import NotEnoughData, ShapeError
from surehand.formats.schedules import StopRule
from surehand.measure.betting import e_holm, evidence
from surehand.measure.sequential import MOST_PAIRS, design

Outcomes = Mapping[str, Sequence[float | None]]


class Stopping(NamedTuple):
    """The judgement; whoever runs or scores trials sees `may_stop` and `sentence` alone, which name no arm."""

    may_stop: bool
    blocks: int  # complete, that count
    planned: int
    pairs: list[SequentialPath]  # one per pair of arms; for after the study is closed
    sentence: str


def judge_stop(rule: StopRule, outcomes: Outcomes, *, planned: bool = True) -> Stopping:
    """Whether `rule` allows to stop now, from each arm's outcomes in the block order of the schedule.

    An outcome is the trial's score, or 1.0/0.0 for success and failure, as the rule says, and None where the block's
    trial is not there yet. Only the longest run of blocks complete in every arm, from the first on, is looked at: the
    order was fixed before, so no result decides what is counted. A void trial is repeated, hence never an outcome.

    Stop when every pair of arms is decided, or at the planned end. A statement holds for the family of all pairs: false
    statements of any kind happen in at most alpha of all studies, however often one looks. Success: every pair at
    alpha over the number of pairs. Scores: Holm's steps over both directions of all pairs, on the largest e-values
    reached so far. `planned=False` marks paths as an illustration: the rule was not written down before.
    """
    if len(outcomes) < 2:
        raise NotEnoughData(f"stopping compares arms, got {len(outcomes)}; give the outcomes of two or more")
    if not planned and rule.outcome == "success" and rule.pairs > MOST_PAIRS:
        rule = rule.model_copy(update={"pairs": MOST_PAIRS})  # an illustration may be shorter than what was run
    values = complete_blocks(outcomes)[: rule.pairs]
    if rule.outcome == "success":
        _check_success(values)
    paths = (_success if rule.outcome == "success" else _score)(rule, list(outcomes), values, planned)
    return _judgement(rule, len(values), paths)


def complete_blocks(outcomes: Outcomes) -> np.ndarray:
    """Outcomes (blocks, arms) of the blocks complete in every arm, up to the first one that is not."""
    rows: list[tuple[float, ...]] = []
    for block in zip(*outcomes.values(), strict=False):
        known = tuple(float(value) for value in block if value is not None)
        if len(known) < len(outcomes) or not np.isfinite(known).all():
            break
        rows.append(known)
    return np.array(rows).reshape(len(rows), len(outcomes))


def _success(rule: StopRule, arms: list[str], values: np.ndarray, planned: bool) -> list[SequentialPath]:
    """One exact design per pair, alpha shared equally."""
    pairs = list(combinations(range(len(arms)), 2))
    share = rule.alpha / len(pairs)
    plan = design(rule.pairs, share)
    found = []
    for i, j in pairs:
        stop = plan.decide(list(values[:, i]), list(values[:, j]))
        steps = [PathStep(pairs=s.pairs, statistic=s.difference, upper=s.upper, lower=s.lower) for s in stop.path]
        found.append(_path(rule, (arms[i], arms[j]), share, stop.stopped, stop.winner, steps, planned))
    return found


def _score(rule: StopRule, arms: list[str], values: np.ndarray, planned: bool) -> list[SequentialPath]:
    """E-processes on the signs of all pairs, decided together by Holm's steps."""
    pairs = list(combinations(range(len(arms)), 2))
    both = [evidence(values[:, i] - values[:, j]) for i, j in pairs]
    crossed, limits = _holm_times(np.array([e for pair in both for e in pair]), rule.alpha)
    found = []
    for index, (i, j) in enumerate(pairs):
        times = {sign: crossed[2 * index + place] for place, sign in enumerate((1, -1)) if crossed[2 * index + place]}
        winner = min(times, key=lambda sign: times[sign], default=0)
        stopped = times[winner] if winner else None
        steps = [
            PathStep(
                pairs=t + 1, statistic=float(max(up, down)), upper=float(limits[2 * index : 2 * index + 2, t].max())
            )
            for t, (up, down) in enumerate(zip(*both[index], strict=True))
        ]
        found.append(_path(rule, (arms[i], arms[j]), rule.alpha, stopped, winner, steps[:stopped], planned))
    return found


def _holm_times(processes: np.ndarray, alpha: float) -> tuple[list[int], np.ndarray]:
    """After how many blocks each e-process (M, blocks) was decided, 0 = not, and what it had to reach (M, blocks)."""
    crossed = np.zeros(len(processes), int)
    limits = np.zeros(processes.shape)
    for t, reached in enumerate(np.maximum.accumulate(processes, axis=1).T):
        rejected = e_holm(reached, alpha)
        now = rejected & (crossed == 0)
        crossed[now] = t + 1
        limits[:, t] = (len(processes) - rejected.sum() + now) / alpha
    return crossed.tolist(), limits


def _path(
    rule: StopRule,
    arms: tuple[str, str],
    alpha: float,
    stopped: int | None,
    winner: int,
    steps: list[PathStep],
    planned: bool,
) -> SequentialPath:
    first, second = arms
    test = "exact group-sequential design" if rule.outcome == "success" else "e-process on paired scores"
    if stopped:
        better, worse = (first, second) if winner > 0 else (second, first)
        said = f"{better} is better than {worse}, decided after {stopped} of {rule.pairs} pairs"
    else:
        better, said = "", f"{first} against {second} is not decided after {len(steps)} of {rule.pairs} pairs"
    claim = "" if planned else "; shown for illustration, not planned before the first trial"
    return SequentialPath(
        first=first,
        second=second,
        outcome=rule.outcome,
        alpha=alpha,
        planned=planned,
        stopped=stopped,
        winner=better,
        steps=steps,
        sentence=f"{said} ({test}, two-sided {alpha:.3g}{claim})",
    )


def _judgement(rule: StopRule, blocks: int, paths: list[SequentialPath]) -> Stopping:
    counted = f"{blocks} of {rule.pairs} planned blocks are complete"
    if blocks >= rule.pairs:
        return Stopping(True, blocks, rule.pairs, paths, f"the planned end is reached: {counted}")
    if all(path.stopped for path in paths):
        return Stopping(True, blocks, rule.pairs, paths, f"you may stop: the rule written beforehand is met, {counted}")
    return Stopping(False, blocks, rule.pairs, paths, f"go on: the rule written beforehand is not met yet, {counted}")


def _check_success(values: np.ndarray) -> None:
    if not np.isin(values, (0.0, 1.0)).all():
        found = values[~np.isin(values, (0.0, 1.0))][0]
        raise ShapeError(f"a rule on success needs 1 and 0 as outcomes, got {found:g}; give successes, not scores")
