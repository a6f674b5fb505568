"""Trials as a comparison takes them: one arm per policy, its outcomes checked against the rubric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surehand.decide.comparison import Outcome
from surehand.exceptions import FormatError, NotEnoughData, SurehandError
from surehand.formats.rubrics import Rubric
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials

MOST_LEVELS = 12  # of a rubric; more different scores than this are a continuous scale


@dataclass(frozen=True, eq=False)
class Arm:
    """One policy's counted trials (N,), in the order in which they were run, and its void ones."""

    policy: str
    rows: tuple[Trial, ...]
    void: tuple[Trial, ...]
    values: np.ndarray  # (N,) what is compared
    success: np.ndarray | None  # (N,) bool; None where a trial does not say

    def __len__(self) -> int:
        return len(self.rows)

    def counts(self, levels: np.ndarray) -> np.ndarray:
        """Trials at each level (L,)."""
        return np.asarray((self.values[:, None] == levels).sum(axis=0))


@dataclass(frozen=True, eq=False)
class Material:
    """What is compared: every arm of the family, those that are shown, and the scale."""

    arms: list[Arm]  # by name
    shown: set[str]
    outcome: Outcome
    levels: np.ndarray  # (L,) of the rubric, else those seen
    words: list[str]
    given: bool  # the levels come from a rubric
    warnings: list[str]

    @property
    def discrete(self) -> bool:
        """Whether the scale has levels over which an unconditional test can range."""
        return self.given or len(self.levels) <= MOST_LEVELS


def gather(trials: Sequence[Trials], rubric: Rubric | Sequence[int] | None, outcome: Outcome | Literal[""]) -> Material:
    """The trials pooled by policy; every refusal names the first trial that does not fit."""
    shown = _policies(trials)
    rows: dict[str, tuple[list[Trial], list[Trial]]] = {}
    for one in trials:
        rows |= {policy: _rows(one, policy) for policy in one.policies}
    for sheet in {id(t.sheet): t.sheet for t in trials if t.sheet is not None}.values():
        here = {policy for t in trials if t.sheet is sheet for policy in t.policies}
        for policy in sheet.policies:
            if policy not in here:  # what stands beside the chosen ones belongs to the family of pairs
                name = policy if policy not in rows else f"{policy} in {sheet.source or 'another sheet'}"
                rows[name] = _rows(sheet, policy)
    for policy in shown:
        if not rows[policy][0]:
            void = len(rows[policy][1])
            raise NotEnoughData(f"no trial of {policy!r} counts ({void} void); leave the policy out, or run trials")
    warnings: list[str] = []
    counted = {policy: found for policy, (found, _) in rows.items() if found}
    if not outcome:
        outcome = _outcome([row for policy in shown for row in counted[policy]], rubric, warnings)
    for policy in [p for p in counted if p not in shown]:
        if any(_value(row, outcome, rubric) is None for row in counted[policy]):
            del counted[policy]
            warnings.append(f"{policy} is left out of the correction for several pairs: trials of it have no {outcome}")
    levels, words, given = _levels(counted, rubric, outcome)
    arms = [
        Arm(
            policy,
            tuple(found),
            tuple(rows[policy][1]),
            np.array([_known(row, outcome, rubric) for row in found], float),
            _successes(found, rubric),
        )
        for policy, found in sorted(counted.items())
    ]
    if outcome == "score" and not given:
        warnings.append(_no_rubric(levels))
    return Material(arms, shown, outcome, levels, words, given, warnings)


def _rows(trials: Trials, policy: str) -> tuple[list[Trial], list[Trial]]:
    """The trials of a policy that count, in the order they were run, and the void ones nobody corrected."""
    own = trials[policy]
    replaced = {row.corrects for row in own.rows}
    return sorted(own.counted, key=_order), [row for row in own.rows if row.void and row.trial not in replaced]


def _policies(trials: Sequence[Trials]) -> set[str]:
    """The policies to compare; refuses one that came twice, and fewer than two."""
    named = [policy for t in trials for policy in t.policies]
    twice = next((name for i, name in enumerate(named) if name in named[:i]), None)
    if twice is not None:
        raise SurehandError(f"policy {twice!r} was given twice; trials of one policy belong into one sheet")
    if len(named) < 2:
        found = f"only {named[0]!r}" if named else "none"
        raise NotEnoughData(f"a comparison needs trials of two or more policies, got {found}")
    return set(named)


def _order(row: Trial) -> tuple[bool, int, int]:
    return row.position is None, row.position or 0, row.trial


def _outcome(rows: Sequence[Trial], rubric: Rubric | Sequence[int] | None, warnings: list[str]) -> Outcome:
    """Scores where every trial has one, unless they merely say success and failure in other words."""
    unscored = [row for row in rows if row.score is None]
    if not unscored:
        pairs = {(row.score, row.success) for row in rows}
        told = {success for _, success in pairs} <= {True, False}
        same = told and rubric is None and len({score for score, _ in pairs}) <= 2 and len(pairs) <= 2
        return "success" if same and _higher_is_success(pairs) else "score"
    if len(unscored) < len(rows):
        row = unscored[0]
        warnings.append(
            f"{len(unscored)} of {len(rows)} trials have no score (first: trial {row.trial} of {row.policy}), so "
            f"success is compared"
        )
    return "success"


def _higher_is_success(pairs: set[tuple[float | None, bool | None]]) -> bool:
    won, lost = ([score or 0.0 for score, success in pairs if success is kind] for kind in (True, False))
    return len(won) <= 1 and len(lost) <= 1 and (not won or not lost or won[0] > lost[0])


def _value(row: Trial, outcome: Outcome, rubric: Rubric | Sequence[int] | None) -> float | None:
    """The trial's outcome; a success that is not written follows from the score, by the rubric."""
    if outcome == "score":
        return row.score
    if row.success is None and row.score is not None and isinstance(rubric, Rubric):
        return float(rubric.succeeded(row.score))
    return None if row.success is None else float(row.success)


def _known(row: Trial, outcome: Outcome, rubric: Rubric | Sequence[int] | None) -> float:
    value = _value(row, outcome, rubric)
    if value is None:
        hint = "" if outcome == "score" or row.score is None else ", or give the rubric that says which scores succeed"
        raise FormatError(
            f"trial {row.trial} of {row.policy!r} has no {outcome}; fill it in, or mark the trial void{hint}"
        )
    return value


def _successes(rows: Sequence[Trial], rubric: Rubric | Sequence[int] | None) -> np.ndarray | None:
    found = [_value(row, "success", rubric) for row in rows]
    return None if any(value is None for value in found) else np.array(found, bool)


def _levels(
    counted: dict[str, list[Trial]], rubric: Rubric | Sequence[int] | None, outcome: Outcome
) -> tuple[np.ndarray, list[str], bool]:
    """The scale (L,), its words, and whether it was given; FormatError names the first score that is no level."""
    if outcome == "success":
        return np.array([0.0, 1.0]), ["failure", "success"], True
    seen = sorted({row.score for rows in counted.values() for row in rows if row.score is not None})
    if rubric is None:
        return np.array(seen if len(seen) > 1 else [seen[0] - 1, seen[0]], float), [], False
    values = rubric.values if isinstance(rubric, Rubric) else sorted({int(value) for value in rubric})
    if len(values) < 2:
        raise SurehandError(f"a rubric needs two or more levels, got {values}")
    name = f"rubric {rubric.name}" if isinstance(rubric, Rubric) else "the rubric"
    for rows in counted.values():
        for row in rows:
            if row.score not in values:
                raise FormatError(
                    f"trial {row.trial} of {row.policy!r}: score {row.score:g} is no level of {name} "
                    f"({values[0]} to {values[-1]})"
                )
    return np.array(values, float), [level.words for level in rubric.levels] if isinstance(rubric, Rubric) else [], True


def _no_rubric(levels: np.ndarray) -> str:
    if len(levels) > MOST_LEVELS:
        return (
            f"no rubric was given and {len(levels)} different scores were: they count as a continuous scale, and the "
            "studentised permutation test stands in for the unconditional one"
        )
    seen = ", ".join(f"{level:g}" for level in levels)
    return f"no rubric was given: the unconditional test ranges over the scores seen ({seen}), and none is a success"
