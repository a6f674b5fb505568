"""What is known about each position of a study, as values: attempts, conflicts, voids, progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from surehand.formats.schedules import Item
from surehand.trials.entries import Row

State = Literal["open", "running", "done"]


@dataclass(frozen=True)
class Attempt:
    """A trial, void trial or second score, with the corrections in force: the last of `chain` is what it says now."""

    chain: tuple[Row, ...]
    disputed: tuple[Row, ...] = ()  # corrections of a row that another one had corrected already

    @property
    def root(self) -> Row:
        """The row that was written first: who ran it, and when."""
        return self.chain[0]

    @property
    def head(self) -> Row:
        """The row that gives score, void rule and notes."""
        return self.chain[-1]

    @property
    def void(self) -> bool:
        """Whether it does not count, by a rule of the schedule."""
        return bool(self.head.void_rule)

    @property
    def score(self) -> float | None:
        """Its score; None for a void one that has none."""
        return self.head.score

    @property
    def scorers(self) -> set[str]:
        """Who has given it a score, as `same_person` compares names."""
        return {same_person(row.operator) for row in (*self.chain, *self.disputed)}


@dataclass(frozen=True)
class Place:
    """One position of the schedule and all that was written about it."""

    item: Item
    counting: Attempt | None = None
    conflicts: tuple[Attempt, ...] = ()  # further trials with a result
    voids: tuple[Attempt, ...] = ()
    second: Attempt | None = None  # the second score that counts
    seconds_refused: tuple[Attempt, ...] = ()  # a third score, or one by somebody who gave the first
    started: tuple[Row, ...] = ()  # tablets that are at it now
    withdrawn: tuple[Row, ...] = ()  # taken back
    moot: tuple[Row, ...] = ()  # corrections of a row that was taken back
    notes: tuple[Row, ...] = ()
    photos: tuple[Row, ...] = ()

    @property
    def position(self) -> int:
        """Its number in the schedule."""
        return self.item.position

    @property
    def state(self) -> State:
        """done: a result counts; running: a tablet has said that it is at it; open: neither."""
        return "done" if self.counting else "running" if self.started else "open"

    @property
    def disputed(self) -> tuple[Row, ...]:
        """Corrections in conflict with another correction."""
        attempts = (self.counting, *self.conflicts, *self.voids, self.second)
        return tuple(row for attempt in attempts if attempt for row in attempt.disputed)

    @property
    def conflict(self) -> bool:
        """Whether two rows contradict each other here and a person has to take one back."""
        return bool(self.conflicts or self.disputed or self.seconds_refused)


@dataclass(frozen=True)
class Progress:
    """How far some positions are: counts of them, of voids and of conflicts."""

    planned: int
    done: int
    running: int
    void: int
    conflicts: int
    seconds_missing: int  # positions that are done and still lack their second score

    @property
    def open(self) -> int:
        """Positions without a result."""
        return self.planned - self.done


@dataclass(frozen=True)
class Standing:
    """Every position in order, and what was written about the study as a whole."""

    places: tuple[Place, ...]
    notes: tuple[Row, ...] = ()
    withdrawn: tuple[Row, ...] = ()  # notes on the whole study that were taken back
    last: int = 0  # number of the newest row

    @property
    def open_positions(self) -> list[int]:
        """Positions without a result, in order."""
        return [place.position for place in self.places if not place.counting]

    @property
    def conflicts(self) -> list[Place]:
        """Positions where a person has to decide."""
        return [place for place in self.places if place.conflict]

    @cached_property
    def progress(self) -> Progress:
        """How far the whole study is."""
        return progress(self.places)

    def by(self, what: Literal["operator", "block", "object", "start_pose"]) -> dict[str, Progress]:
        """How far each lane, block, ... is; codes and arms are not among what can be asked for."""
        groups: dict[str, list[Place]] = {}
        for place in self.places:
            groups.setdefault(getattr(place.item, what), []).append(place)
        return {name: progress(places) for name, places in groups.items()}


def progress(places: Sequence[Place]) -> Progress:
    """How far these positions are."""
    return Progress(
        planned=len(places),
        done=sum(place.state == "done" for place in places),
        running=sum(place.state == "running" for place in places),
        void=sum(len(place.voids) for place in places),
        conflicts=sum(place.conflict for place in places),
        seconds_missing=sum(place.item.second and place.counting is not None and not place.second for place in places),
    )


def same_person(name: str) -> str:
    """A name as it is compared: neither case nor spaces make another person."""
    return " ".join(name.split()).casefold()
