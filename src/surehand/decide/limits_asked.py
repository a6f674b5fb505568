"""What was asked of limits: instructions that share them, proposed values, and what to do with too few episodes."""

import glob
import math
from collections.abc import Mapping

from surehand.decide.limits_data import Experts
from surehand.decide.limits_record import TaskGroup, group_of
from surehand.exceptions import SurehandError

FEW = ("lognormal", "normal", "margin:FACTOR")


def task_groups(experts: Experts, tasks: Mapping[str, str]) -> list[TaskGroup]:
    """The patterns that the user named, then every other instruction by itself, in the order of the source."""
    seen = [experts.instructions[t] for t in sorted(set(experts.task.tolist()))]
    named = [TaskGroup(name=name, pattern=pattern) for name, pattern in tasks.items()]
    rest = []
    used = set()
    for text in seen:
        try:
            used.add(group_of(named, text))
        except SurehandError:
            if text in tasks:
                raise SurehandError(
                    f"--task {text!r} is also an instruction that {tasks[text]!r} does not fit; choose another name"
                ) from None
            rest.append(TaskGroup(name=text, pattern=glob.escape(text)))
    if unused := next((g for g in named if g.name not in used), None):
        raise SurehandError(
            f"no expert did {unused.pattern!r} ({unused.name}); instructions are {', '.join(seen[:12])}"
        )
    return named + rest


def proposed_limits(experts: Experts, propose: Mapping[str, float]) -> list[tuple[int, float]]:
    """(signal, limit) of what was proposed, by a signal's name or its column."""
    found = []
    for name, value in propose.items():
        at = [i for i, s in enumerate(experts.signals) if name in (s.name, s.column)]
        if not at:
            raise SurehandError(
                f"--propose {name}: no such signal here; known: {', '.join(s.name for s in experts.signals)}"
            )
        if len(at) > 1:
            several = ", ".join(experts.signals[i].name for i in at[:4])
            raise SurehandError(f"--propose {name} could be {several}; name one of them")
        if not math.isfinite(value):
            raise SurehandError(f"--propose {name}: a limit is a finite number, got {value}")
        found.append((at[0], value))
    return found


def margin_factor(few: str) -> float:
    """The factor of margin:FACTOR, NaN for the other ways; SurehandError for words that are none of them."""
    if few in ("", "lognormal", "normal"):
        return math.nan
    kind, _, text = few.partition(":")
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if kind != "margin" or not 1 <= factor < math.inf:
        raise SurehandError(
            f"cannot read --few {few!r}; expected {', '.join(FEW)} with a factor of at least 1, e.g. margin:1.5"
        )
    return factor
