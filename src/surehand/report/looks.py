"""Who is drawn how: the pick in front, what it must be compared with in colour, the rest in grey, rivals dashed."""

from dataclasses import dataclass
from typing import Literal

from surehand.errors.record import ErrorsRecord
from surehand.report.drawing import COLOURS, DASHES, INK, MUTED, PALE
from surehand.report.errors_tables import labels, pick_of

OTHERS = "other checkpoints"
ROLES = ("pick", "checkpoint", "rival")
MANY = 5  # up to so many checkpoints, each has its own colour


@dataclass(frozen=True)
class Look:
    """One policy's label and line; checkpoints that are not singled out share one entry of the legend."""

    name: str
    label: str
    legend: str
    role: Literal["pick", "checkpoint", "rival"]
    colour: str
    dash: tuple[int, ...]
    width: float


def looks(record: ErrorsRecord) -> dict[str, Look]:
    """A look per policy, in the record's order."""
    short = labels(record)
    pick = pick_of(record)
    own = [p.name for p in record.policies if not p.rival]
    front = _singled_out(record, own, pick)
    rivals = [p.name for p in record.policies if p.rival]
    found = {}
    for p in record.policies:
        label = short[p.name]
        if p.rival:
            n = rivals.index(p.name)
            look = Look(p.name, label, label, "rival", (INK, MUTED)[n % 2], tuple(DASHES[n % len(DASHES)]), 1.3)
        elif p.name in front:
            colour = COLOURS[front.index(p.name)]
            role: Literal["pick", "checkpoint"] = "pick" if p.name == pick else "checkpoint"
            look = Look(p.name, label, label, role, colour, (1, 0), 2.6 if role == "pick" else 1.8)
        else:
            look = Look(p.name, label, OTHERS, "checkpoint", PALE, (1, 0), 1.0)
        found[p.name] = look
    return found


def _singled_out(record: ErrorsRecord, own: list[str], pick: str) -> list[str]:
    """The pick, then what the alarms and rules name; every checkpoint where there are few."""
    named = [pick] if pick in own else []
    if record.choice:
        named += [a.alternative for a in record.choice.masking] + [p.best for p in record.choice.picks]
    named += own if len(own) <= MANY else own[-1:]
    return [name for name in dict.fromkeys(named) if name in own][:MANY]
