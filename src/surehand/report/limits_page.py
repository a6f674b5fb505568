"""What stands where on the page of violation limits, and the lines below its answer."""

import glob

from surehand.decide.limits_record import LimitsRecord
from surehand.report.limits_tables import labels
from surehand.report.text import count, names_note, shorten

PLAN = (
    ("limits", "Limits", ("figure peaks", "limits")),
    ("shares", "What experts would be blamed for", ("shares", "sweep")),
)
FOLDED = ("tasks",)


def title(record: LimitsRecord) -> str:
    """The page's title."""
    return f"{record.source}: violation limits"


def lead(record: LimitsRecord) -> str:
    """The sentence, with tasks by their labels."""
    return shorten(str(record), labels(record))


def below(record: LimitsRecord) -> list[str]:
    """One line each: the experts, and how phases are told apart."""
    experts = f"{count(len(record.episodes), 'expert episode')}, {count(record.steps, 'step')}, {record.source}"
    patterns = [f"{g.name}: {g.pattern}" for g in record.tasks if g.pattern not in (g.name, glob.escape(g.name))]
    return [
        f"{experts}; {count(len(record.tasks), 'task')}" + (f" ({'; '.join(patterns)})" if patterns else "") + ".",
        f"Phases: {record.phase_words}.",
    ]


def methods(record: LimitsRecord) -> dict[str, str]:
    """The methods block, as the record says it, and the names behind labels."""
    names = names_note(labels(record))
    return {**record.methods, **({"Names": names} if names else {})}
