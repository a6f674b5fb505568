"""A choice in one sentence of at most 200 characters: the pick, what ties with it, what the total masks."""

from collections.abc import Sequence

from surehand.decide.choice import Alarm, Pick

LONGEST = 200
NAME = 32  # characters of a name shown; the full names are in the record


def sentence(pick: Pick, units: int, checkpoints: Sequence[str], alarms: Sequence[Alarm], watch: str | None) -> str:
    """The sentence; names and lists are shortened until it fits."""
    head = f"{_short(pick.best)} by {_short(pick.rule)}, selected from {len(checkpoints)}"
    masked = _masking(alarms, pick, watch)
    for listed in (4, 2, 0):
        text = "; ".join(part for part in (head + _tied(pick, units, listed), masked) if part)
        if len(text) < LONGEST:
            return f"{text}."
    return f"{text[: LONGEST - 2].rstrip()}…"


def _tied(pick: Pick, units: int, listed: int) -> str:
    if units == 0:
        return " (no uncertainty available: a table without episodes)"
    if units == 1:
        return " (one episode: nothing can be told apart)"
    others = [_short(name) for name in pick.tied if name != pick.best]
    if not others:
        return ", told apart from all others"
    more = f", {len(others) - listed} more" if len(others) > listed else ""
    names = f" ({', '.join(others[:listed])}{more})" if listed else ""
    return f", not told apart from {len(others)} other{'s' * (len(others) > 1)}{names}"


def _masking(alarms: Sequence[Alarm], pick: Pick, watch: str | None) -> str:
    if not alarms:
        return f"the total is not shown to mask {_short(watch)}" if watch else ""
    first = alarms[0]
    whose = "it" if first.pick == pick.best else f"the total's pick {_short(first.pick)}"
    point = "point masking: " if first.kind == "point masking" else "masking: "
    sure = f" (at least {first.low:.2f}×)" if first.kind == "masking" else ""
    others = f", also {', '.join(_short(alarm.group) for alarm in alarms[1:3])}" if len(alarms) > 1 else ""
    other = _short(first.alternative)
    return f"{point}{whose} has {first.ratio:.2f}×{sure} the {_short(first.group)} error of {other}{others}"


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"
