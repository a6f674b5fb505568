"""What is written down while a study runs: rows that are only ever added, each with who and when."""

from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from pydantic import Field

from surehand.formats.records import Part

Kind = Literal["start", "trial", "void", "correction", "withdrawal", "second", "note", "photo"]


class Entry(Part):
    """One row as a tablet sends it. Sent twice it counts once: `id` is drawn on the tablet, before the network.

    A `start` says that a tablet is about to run a position, so that nobody else takes it. A `trial` is a result, a
    `void` a trial that does not count by a rule of the schedule; its position is to be run again. A `correction`
    replaces the score, success and notes of the trial it names, a `withdrawal` (undo) takes any row back; both leave
    the old row standing. A `second` is a blind second score.
    """

    id: str = Field(default_factory=lambda: uuid4().hex)
    kind: Kind
    position: int | None = None  # in the schedule; None for a note on the whole study
    corrects: str | None = None  # id of the row that a correction or withdrawal is about
    score: float | None = None  # a level of the rubric; success follows from it
    void_rule: str = ""
    operator: str = ""  # who
    device: str = ""  # which tablet: a random name that it keeps
    started: datetime | None = None  # by the tablet's clock, with its offset
    ended: datetime | None = None
    seconds: float | None = None  # between them by a clock that nobody sets
    notes: str = ""
    photo: str = ""  # SHA-256 of the picture, which travels on its own


class Row(Entry):
    """An entry as the store keeps it: numbered in the order of acknowledgement, with the store's own time."""

    number: int
    received: datetime = Field(default_factory=lambda: datetime.now(UTC))
