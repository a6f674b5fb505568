"""Whether an entry fits its study, before anything is written: by the schedule alone, then by the rows before it."""

import re
import unicodedata
from collections.abc import Sequence

from surehand.exceptions import FormatError
from surehand.formats.schedules import Schedule
from surehand.formats.trial_rows import fault_of
from surehand.trials.entries import Entry, Row
from surehand.trials.places import same_person
from surehand.trials.standing import stand, withdrawn

LONGEST = {"notes": 4000, "void_rule": 200, "operator": 200, "device": 200}  # characters
_NEEDS_POSITION = ("start", "trial", "void", "second", "photo")
_TAKES_RESULT = ("trial", "void", "second", "correction")
_WORDS = {"corrects": "a row", "score": "a score", "void_rule": "a void rule", "photo": "a photo"}


class Refused(FormatError):
    """An entry that fits its schedule and contradicts what the store holds: a reused id, a closed study."""


def check_entry(schedule: Schedule, entry: Entry) -> None:
    """Nothing; FormatError where the schedule alone shows that this entry cannot be."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", entry.id):
        raise FormatError(f"entry id {entry.id[:80]!r}: expected 1 to 64 letters, digits, - or _; draw it at random")
    what = f"{entry.kind} {entry.id[:8]}"
    _check_texts(what, entry)
    if entry.position is not None:
        if not 1 <= entry.position <= len(schedule.items):
            raise FormatError(
                f"{what}: no position {entry.position} in study {schedule.study!r}; it has 1 to {len(schedule.items)}"
            )
    elif entry.kind in _NEEDS_POSITION:
        raise FormatError(f"{what}: no position; name the one in the schedule")
    if not same_person(entry.operator):
        raise FormatError(f"{what}: no operator; every entry says who made it")
    _check_fields(what, entry)
    _check_result(what, entry, schedule)
    _check_times(what, entry)


def check_against(entry: Entry, schedule: Schedule, named: Row | None, there: Sequence[Row]) -> None:
    """Nothing; FormatError or Refused where the row it names, or those of its position (`there`), forbid it."""
    what = f"{entry.kind} {entry.id[:8]}"
    if entry.kind in ("correction", "withdrawal"):
        if named is None:
            raise FormatError(
                f"{what}: corrects {entry.corrects!r}, which is no row of this study; send that one first"
            )
        if named.position != entry.position:
            raise FormatError(
                f"{what}: position {entry.position}, but the row it names is about {named.position}; give the same"
            )
    if entry.kind == "correction" and named is not None:
        if named.kind not in _TAKES_RESULT:
            raise FormatError(f"{what}: a {named.kind} has no result to correct; take it back by a withdrawal instead")
        root = _root(named, there)
        if root.kind == "second":
            if entry.void_rule:
                raise FormatError(f"{what}: a second score is never void; take it back by a withdrawal instead")
            if same_person(root.operator) != same_person(entry.operator):
                raise Refused(f"{what}: the second score is {root.operator}'s; only they correct it")
    if entry.kind == "second" and entry.position is not None:
        counting = stand(schedule.item(entry.position), there, withdrawn(there)).counting
        if counting and same_person(entry.operator) in counting.scorers:
            raise Refused(f"{what}: {entry.operator} gave the first score of position {entry.position}; ask another")


def _root(row: Row, there: Sequence[Row]) -> Row:
    """The attempt that a chain of corrections began with."""
    by_id = {other.id: other for other in there}
    while row.kind == "correction":
        row = by_id[row.corrects or ""]
    return row


def _check_texts(what: str, entry: Entry) -> None:
    for name, longest in LONGEST.items():
        text = getattr(entry, name)
        if len(text) > longest:
            raise FormatError(f"{what}: {name} has {len(text)} characters, at most {longest}; shorten it")
        allowed = "\n\t" if name == "notes" else ""
        if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in allowed for letter in text):
            raise FormatError(f"{what}: {name} holds a control character; write plain text")


def _check_fields(what: str, entry: Entry) -> None:
    """Which fields a kind must have, and which it cannot have."""
    given = {
        "corrects": bool(entry.corrects),
        "score": entry.score is not None,
        "void_rule": bool(entry.void_rule),
        "photo": bool(entry.photo),
    }
    needs = {
        "trial": ["score"],
        "second": ["score"],
        "void": ["void_rule"],
        "correction": ["corrects"],
        "withdrawal": ["corrects"],
        "photo": ["photo"],
    }.get(entry.kind, [])
    may = {"void": ["score"], "correction": ["score", "void_rule"], "trial": ["photo"], "second": ["photo"]}
    may["void"] = ["score", "photo"]
    for name in needs:
        if not given[name]:
            raise FormatError(f"{what}: without {_WORDS[name]} ({name}); every {entry.kind} names one")
    for name, there in given.items():
        if there and name not in needs and name not in may.get(entry.kind, []):
            raise FormatError(f"{what}: with {_WORDS[name]} ({name}), which a {entry.kind} cannot have; leave it out")
    if entry.kind == "correction" and not (given["score"] or given["void_rule"]):
        raise FormatError(f"{what}: neither score nor void_rule; say what is right, or send a withdrawal")
    if entry.kind == "note" and not entry.notes.strip():
        raise FormatError(f"{what}: the note is empty; write something")


def _check_result(what: str, entry: Entry, schedule: Schedule) -> None:
    if entry.score is not None and entry.score not in schedule.rubric.values:
        raise FormatError(f"{what}: score {entry.score:g} is no level of the rubric; expected {schedule.rubric.values}")
    if entry.void_rule and entry.void_rule not in schedule.void_rules:
        known = "; ".join(schedule.void_rules) or "none: no trial may be void"
        raise FormatError(
            f"{what}: void rule {entry.void_rule!r} was not written down before; the schedule has {known}"
        )
    if entry.photo and not re.fullmatch(r"[0-9a-f]{64}", entry.photo):
        raise FormatError(f"{what}: photo {entry.photo[:80]!r}; expected its SHA-256 in hexadecimal")


def _check_times(what: str, entry: Entry) -> None:
    for name in ("started", "ended"):
        if wrong := fault_of(getattr(entry, name)):
            raise FormatError(f"{what}: {name} {wrong}")
    if entry.seconds is not None and not 0 <= entry.seconds < 1e9:
        raise FormatError(f"{what}: seconds {entry.seconds}; expected a duration of 0 or more")
