"""Pilots for a plan: counts per level from trials, from counts that someone wrote down, or from successes."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surehand.decide.compare_stopping import planned_rubric
from surehand.exceptions import FormatError
from surehand.formats.rubrics import Rubric
from surehand.formats.trials import Trials


class Pilots(NamedTuple):
    """Two policies' trials on common levels, lowest first."""

    names: tuple[str, str]
    counts: tuple[np.ndarray, np.ndarray]  # each (L,)
    levels: list[float]
    notes: tuple[str, ...] = ()


def from_trials(trials: Trials, policies: Sequence[str], rubric: Rubric | None = None) -> Pilots:
    """The counted trials of two policies; levels are the rubric's, else those of the rubric that the
    trials carry, else those seen in any policy's trials.

    FormatError where the two policies are not named, or a score is none of the rubric's levels.
    """
    asked = list(policies) or (list(trials.policies) if len(trials.policies) == 2 else [])
    if len(asked) != 2:
        raise FormatError(
            f"expected two policies of {', '.join(trials.policies)}, got {len(asked)}; name them: --policy A --policy B"
        )
    rubric = rubric or planned_rubric([trials])
    chosen = [trials[name] for name in asked]
    names = (chosen[0].policies[0], chosen[1].policies[0])
    if names[0] == names[1]:
        raise FormatError(f"{asked[0]!r} and {asked[1]!r} are both {names[0]}; name two policies")
    scored = all(row.score is not None for part in chosen for row in part.counted)
    samples = [part.scores if scored else part.successes.astype(float) for part in chosen]
    if any(not len(sample) for sample in samples):
        raise FormatError(f"no trial of {names[0] if not len(samples[0]) else names[1]} counts; give pilots that do")
    notes: tuple[str, ...] = ()
    if not scored:
        levels = [0.0, 1.0]
    elif rubric is not None:
        levels = [float(v) for v in rubric.values]
    else:
        levels = sorted({row.score for row in trials.counted if row.score is not None})
        shown = ", ".join(f"{v:g}" for v in levels)
        notes = (f"levels are the {len(levels)} that were seen ({shown}); --rubric says all, and unseen ones count",)
        if len(levels) < 2:
            raise FormatError(
                f"every trial scored {shown}; name the rubric (--rubric hsr), so that its levels are known"
            )
    counts = [_count(sample, levels, name) for sample, name in zip(samples, names, strict=True)]
    return Pilots(names, (counts[0], counts[1]), levels, notes)


def from_counts(first: str, second: str, rubric: Rubric | None = None) -> Pilots:
    """Counts per level, lowest first, as `0,0,5,15`; FormatError where they are no counts on one rubric."""
    counts = [_parse(text) for text in (first, second)]
    if len(counts[0]) != len(counts[1]):
        raise FormatError(f"{first!r} has {len(counts[0])} levels, {second!r} {len(counts[1])}; give all of both")
    if rubric is not None and len(rubric.values) != len(counts[0]):
        raise FormatError(f"the rubric {rubric.name} has {len(rubric.values)} levels, the counts {len(counts[0])}")
    levels = rubric.values if rubric is not None else range(1, len(counts[0]) + 1)
    return Pilots(("the first policy", "the second policy"), (counts[0], counts[1]), [float(v) for v in levels])


def from_successes(successes: Sequence[str]) -> Pilots:
    """Two policies' successes, each as `18/20`; FormatError where one is no share of its trials."""
    if len(successes) != 2:
        raise FormatError(
            f"expected the successes of two policies, got {len(successes)}: --success 18/20 --success 12/20"
        )
    counts = []
    for text in successes:
        found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII)
        if found is None or int(found[1]) > int(found[2]) or int(found[2]) == 0:
            raise FormatError(f"{text!r} is no number of successes; expected successes/trials, such as 18/20")
        counts.append(np.array([int(found[2]) - int(found[1]), int(found[1])], float))
    return Pilots(("the first policy", "the second policy"), (counts[0], counts[1]), [0.0, 1.0])


def _parse(text: str) -> np.ndarray:
    parts = text.split(",")
    if len(parts) < 2 or not all(re.fullmatch(r"\s*\d{1,9}\s*", part, re.ASCII) for part in parts):
        raise FormatError(f"{text!r}: expected counts per level, lowest first, such as 0,0,5,15")
    counts = np.array([int(part) for part in parts], float)
    if not counts.sum():
        raise FormatError(f"{text!r}: no trials; a pilot needs at least one")
    return counts


def _count(scores: np.ndarray, levels: Sequence[float], name: str) -> np.ndarray:
    strange = scores[~np.isin(scores, levels)]
    if len(strange):
        shown = ", ".join(f"{v:g}" for v in levels)
        raise FormatError(f"{name}: score {strange[0]:g} is none of the levels {shown}; check --rubric")
    return np.array([(scores == level).sum() for level in levels], float)
