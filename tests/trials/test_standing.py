"""What rows amount to: nothing is lost, one result a position, undo restores, no tablet silently replaces another."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from surehand.exceptions import FormatError
from surehand.formats.rubrics import read_rubric
from surehand.formats.schedules import Schedule
from surehand.formats.trial_rows import check
from surehand.trials.checks import check_against, check_entry
from surehand.trials.entries import Entry, Row
from surehand.trials.outcome import outcomes_by_arm, to_trials
from surehand.trials.places import Attempt, Place, Standing
from surehand.trials.plan import Conditions, make_plan
from surehand.trials.standing import standing
from surehand.trials.views import state

SCHEDULE, KEY = make_plan(
    "mugs",
    ["alpha", "beta"],
    Conditions(objects=("mug", "cup"), operators=("ann", "bo")),
    rubric=read_rubric("hsr"),
    trials=2,
    seed=1,
    void_rules=["robot fault"],
    second=0.5,
)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PEOPLE = {"tab1": "ann", "tab2": "bo", "tab3": "cy"}


def add(rows: list[Row], **what: Any) -> Row:
    """The row after these, where the store would accept it; FormatError where not."""
    entry = Entry(**{"id": f"e{len(rows)}", "operator": PEOPLE.get(what.get("device", ""), "ann"), **what})
    check_entry(SCHEDULE, entry)
    named = next((row for row in rows if row.id == entry.corrects), None)
    check_against(entry, SCHEDULE, named, [row for row in rows if row.position == entry.position])
    row = Row(**entry.model_dump(), number=len(rows) + 1, received=NOON + timedelta(seconds=len(rows)))
    rows.append(row)
    return row


@st.composite
def entries(draw: st.DrawFn, before: Sequence[Row] = ()) -> dict[str, Any]:
    """An entry that may follow these rows."""
    kinds = ["start", "trial", "trial", "void", "second", "note", "photo"]
    kinds += ["correction", "correction", "withdrawal", "withdrawal", "withdrawal"] if before else []
    kind = draw(st.sampled_from(kinds))
    what: dict[str, Any] = {"kind": kind, "device": draw(st.sampled_from(sorted(PEOPLE)))}
    score = draw(st.sampled_from(SCHEDULE.rubric.values))
    if kind in ("correction", "withdrawal"):
        named = draw(st.sampled_from(list(before)))
        what |= {"corrects": named.id, "position": named.position}
        if kind == "correction":
            what |= draw(st.sampled_from([{"score": score}, {"score": score}, {"void_rule": "robot fault"}]))
        return what
    what["position"] = draw(st.integers(1, 3))  # few, so that entries meet
    what |= {"score": score} if kind in ("trial", "second") else {}
    what |= {"void_rule": "robot fault"} if kind == "void" else {}
    what |= {"notes": "lamp"} if kind == "note" else {}
    what |= {"photo": "0" * 64} if kind == "photo" else {}
    return what


@st.composite
def histories(draw: st.DrawFn, longest: int = 14) -> list[Row]:
    """Rows of a study in the order of their numbers, as the store would have accepted them."""
    rows: list[Row] = []
    for _ in range(draw(st.integers(0, longest))):
        try:
            add(rows, **draw(entries(rows)))
        except FormatError:
            continue
    return rows


def listed(place: Place) -> list[str]:
    """Ids of all rows that this place tells of; each should come once."""
    seconds = ([place.second] if place.second else []) + list(place.seconds_refused)
    attempts = ([place.counting] if place.counting else []) + [*place.conflicts, *place.voids, *seconds]
    rows = [row for attempt in attempts for row in (*attempt.chain, *attempt.disputed)]
    return [row.id for row in (*rows, *place.withdrawn, *place.moot, *place.notes, *place.photos)]


def results(at: Standing) -> list[Any]:
    """What counts, is void or contradicts, without the list of what was taken back."""
    return [
        (p.counting, p.conflicts, p.voids, p.second, p.seconds_refused, p.started, p.notes, p.photos) for p in at.places
    ]


def taken_back(rows: Sequence[Row]) -> set[str]:
    """Independent of the code: a row is taken back iff some withdrawal of it is not."""

    def gone(row: Row) -> bool:
        return any(w.kind == "withdrawal" and w.corrects == row.id and not gone(w) for w in rows)

    return {row.id for row in rows if gone(row)}


@settings(max_examples=400, deadline=None)
@given(histories())
def test_nothing_is_lost_and_nothing_comes_twice(rows: list[Row]) -> None:
    at = standing(SCHEDULE, reversed(rows))
    found = [name for place in at.places for name in listed(place)]
    assert len(found) == len(set(found))
    quiet = {row.id for row in rows if row.kind in ("start", "withdrawal")}  # signs about others, not results
    assert {row.id for row in rows} - quiet <= set(found) <= {row.id for row in rows}
    assert at.last == len(rows)


@settings(max_examples=400, deadline=None)
@given(histories())
def test_every_result_counts_or_is_listed_as_a_conflict(rows: list[Row]) -> None:
    gone = taken_back(rows)
    for place in standing(SCHEDULE, rows).places:
        roots = {row.id for row in rows if row.position == place.position and row.kind in ("trial", "void")} - gone
        counting = [place.counting] if place.counting else []
        assert {a.root.id for a in (*counting, *place.conflicts, *place.voids)} == roots
        assert len(roots) == len(counting) + len(place.conflicts) + len(place.voids)
        assert all(a.void for a in place.voids) and not any(a.void for a in (*counting, *place.conflicts))
        for attempt in (*counting, *place.conflicts):
            assert attempt.score in SCHEDULE.rubric.values
            assert not {row.id for row in attempt.chain} & gone
        assert (place.state == "done") == bool(counting)
        assert bool(counting) or not place.conflicts, "a conflict is never all there is"
        if place.second and place.counting:
            assert place.second.root.operator != place.counting.root.operator


@settings(max_examples=400, deadline=None)
@given(st.data(), histories())
def test_undo_restores(data: st.DataObject, rows: list[Row]) -> None:
    before = results(standing(SCHEDULE, rows))
    later = list(rows)
    try:
        row = add(later, **data.draw(entries(rows)))
    except FormatError:
        assume(False)
    add(later, kind="withdrawal", position=row.position, corrects=row.id)
    assert results(standing(SCHEDULE, later)) == before


@settings(max_examples=300, deadline=None)
@given(st.data(), histories())
def test_a_new_trial_never_replaces_a_result(data: st.DataObject, rows: list[Row]) -> None:
    before = standing(SCHEDULE, rows)
    later = list(rows)
    try:
        row = add(later, **data.draw(entries(rows)))
    except FormatError:
        assume(False)
    after = standing(SCHEDULE, later)
    for old, new in zip(before.places, after.places, strict=True):
        if old.counting and (new.position != row.position or row.kind not in ("correction", "withdrawal")):
            assert new.counting == old.counting
        changed = old.counting and (not new.counting or new.counting.chain != old.counting.chain)
        if old.counting and row.kind == "correction" and changed:
            assert row.corrects == old.counting.head.id, "a correction replaces what it names, and nothing else"


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(st.integers(0, 1), min_size=0, max_size=16))
def test_whatever_tablet_is_heard_first_the_same_results_are_there(data: st.DataObject, order: list[int]) -> None:
    """Two tablets that do not hear of each other: each sends its own rows in its own order."""
    own: list[list[Row]] = [[], []]
    for which in (0, 1):
        for _ in range(data.draw(st.integers(0, 6))):
            try:
                what = data.draw(entries(own[which])) | {"device": f"tab{which + 1}"}
                add(own[which], **what, id=f"t{which}n{len(own[which])}")
            except FormatError:
                continue

    def heard(turns: Sequence[int]) -> tuple[list[Any], Standing]:
        queues = [list(own[0]), list(own[1])]
        mixed = [queues[turn].pop(0) for turn in turns if queues[turn]]
        rest = [*mixed, *queues[0], *queues[1]]
        at = standing(SCHEDULE, [row.model_copy(update={"number": i}) for i, row in enumerate(rest, start=1)])
        found = []
        for place in at.places:
            attempts = [a for a in (place.counting, *place.conflicts, *place.voids) if a]
            found.append(sorted((a.root.id, a.head.id, a.score, a.void) for a in attempts))
        return found, at

    first, one = heard([])
    second, other = heard(order)
    assert first == second
    for here, there in zip(one.places, other.places, strict=True):
        assert here.state == there.state or not (here.counting or there.counting)
        if here.counting and there.counting and here.counting.root.id != there.counting.root.id:
            assert here.conflicts and there.conflicts, "another one counts, so both orders must list the conflict"


@settings(max_examples=300, deadline=None)
@given(histories(), st.booleans())
def test_the_export_counts_exactly_what_counts(rows: list[Row], opened: bool) -> None:
    at, trials = standing(SCHEDULE, rows), to_trials(SCHEDULE, rows, KEY if opened else None)
    if trials.rows:
        check([(f"row {i}", row) for i, row in enumerate(trials)])
    wanted = {(p.position, p.counting.head.number, p.counting.score) for p in at.places if p.counting}
    assert {(row.position, row.trial, row.score) for row in trials.counted} == wanted
    written = {row.number for row in rows if row.kind in ("trial", "void")}
    assert written <= {row.trial for row in trials}, "every trial that was run is there"
    named = {"alpha", "beta"} if opened else set(SCHEDULE.arms)
    assert set(trials.policies) <= named
    for row in trials:
        item = SCHEDULE.item(row.position or 0)
        assert row.policy == (KEY.policy(item.code) if opened else item.code)
    seconds = {row.second_score for row in trials if row.second_score is not None}
    assert seconds == {p.second.score for p in at.places if p.counting and p.second}


def history(*steps: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for step in steps:
        add(rows, **{"position": 1, "device": "tab1", **step})
    return rows


def at_one(*steps: dict[str, Any]) -> Place:
    return standing(SCHEDULE, history(*steps)).places[0]


TRIAL = {"kind": "trial", "score": 3}
VOID = {"kind": "void", "void_rule": "robot fault"}


def score(place: Place) -> float | None:
    return place.counting.score if place.counting else None


def test_the_life_of_a_position() -> None:
    assert at_one().state == "open"
    assert at_one({"kind": "start"}).state == "running"
    assert at_one({"kind": "start"}, {"kind": "withdrawal", "corrects": "e0"}).state == "open"
    assert at_one({"kind": "start"}, TRIAL).state == "done"
    assert at_one({"kind": "start"}, VOID).state == "open", "a void trial comes again"
    assert at_one({"kind": "start"}, {"kind": "start", "device": "tab2"}, VOID).state == "running", "the other tablet's"
    assert at_one(VOID, TRIAL).state == "done"


def test_corrections_chain_and_undo_goes_back_one() -> None:
    chain = [
        TRIAL,
        {"kind": "correction", "corrects": "e0", "score": 2},
        {"kind": "correction", "corrects": "e1", "score": 4},
    ]
    assert score(at_one(*chain)) == 4
    assert score(at_one(*chain, {"kind": "withdrawal", "corrects": "e2"})) == 2
    assert score(at_one(*chain, {"kind": "withdrawal", "corrects": "e1"})) == 4, "it stands on its own"
    gone = at_one(*chain, {"kind": "withdrawal", "corrects": "e0"})
    assert gone.state == "open" and [row.id for row in gone.moot] == ["e1", "e2"]


def test_two_corrections_of_one_row_are_a_conflict_until_one_is_taken_back() -> None:
    two = [
        TRIAL,
        {"kind": "correction", "corrects": "e0", "score": 2},
        {"kind": "correction", "corrects": "e0", "score": 4},
    ]
    place = at_one(*two)
    assert score(place) == 2 and place.conflict and [row.id for row in place.disputed] == ["e2"]
    settled = at_one(*two, {"kind": "withdrawal", "corrects": "e1"})
    assert score(settled) == 4 and not settled.conflict
    settled = at_one(*two, {"kind": "withdrawal", "corrects": "e2"})
    assert score(settled) == 2 and not settled.conflict


def test_two_trials_of_one_position_are_a_conflict_until_one_is_taken_back() -> None:
    two = [TRIAL, {**TRIAL, "score": 1, "device": "tab2"}]
    place = at_one(*two)
    assert score(place) == 3 and place.conflict
    # A correction of the later one may come from a tablet that never heard of the first: it settles nothing.
    corrected = at_one(*two, {"kind": "correction", "corrects": "e1", "score": 2, "device": "tab2"})
    assert score(corrected) == 3 and corrected.conflicts[0].score == 2
    settled = at_one(*two, {"kind": "withdrawal", "corrects": "e0"})
    assert score(settled) == 1 and not settled.conflict
    three = at_one(*two, {**TRIAL, "score": 2, "device": "tab3"}, {"kind": "withdrawal", "corrects": "e0"})
    assert score(three) == 1 and len(three.conflicts) == 1, "of those that are left, the first"
    voided = at_one(
        *two,
        {**TRIAL, "score": 2, "device": "tab3"},
        {"kind": "correction", "corrects": "e0", "void_rule": "robot fault"},
    )
    assert score(voided) == 1 and len(voided.conflicts) == 1, "the same where the first became void"


def test_a_correction_makes_a_trial_void_or_a_void_one_count() -> None:
    place = at_one(TRIAL, {"kind": "correction", "corrects": "e0", "void_rule": "robot fault"})
    assert place.state == "open" and len(place.voids) == 1
    place = at_one(VOID, {"kind": "correction", "corrects": "e0", "score": 2})
    assert score(place) == 2 and not place.voids


def test_second_scores_are_of_others_and_one_each() -> None:
    early = {"kind": "second", "score": 2, "device": "tab2"}
    assert at_one(early, TRIAL).second == Attempt((history(early)[0],)), "it may arrive before the first"
    own = at_one({**early, "device": "tab1"}, TRIAL)
    assert own.second is None and len(own.seconds_refused) == 1, "ann gave both"
    third = at_one(TRIAL, early, {**early, "device": "tab3"})
    assert third.second and third.second.root.operator == "bo" and len(third.seconds_refused) == 1
    (row,) = to_trials(SCHEDULE, history(TRIAL, early)).rows
    assert (row.score, row.second_score, row.second_scorer) == (3, 2, "bo")
    planned = sum(item.second for item in SCHEDULE.items)
    everything = standing(SCHEDULE, history(*({**TRIAL, "position": item.position} for item in SCHEDULE.items)))
    assert everything.progress.seconds_missing == planned > 0


def test_progress_by_lane_sums_to_the_whole() -> None:
    at = standing(SCHEDULE, history(TRIAL, {**VOID, "position": 2}, {"kind": "start", "position": 3}))
    assert (at.progress.planned, at.progress.done, at.progress.running, at.progress.void) == (4, 1, 1, 1)
    assert at.progress.open == 3 and at.open_positions == [2, 3, 4]
    for what in ("operator", "block", "object", "start_pose"):
        parts = at.by(what).values()  # type: ignore[arg-type]
        assert sum(part.planned for part in parts) == 4 and sum(part.done for part in parts) == 1


def test_a_position_that_another_tablet_started_is_left_to_it_for_half_an_hour() -> None:
    at = standing(SCHEDULE, history({"kind": "start", "device": "tab2"}))

    def left_alone(device: str, minutes: int) -> bool:
        seen = state(SCHEDULE, at, "ann", device, NOON + timedelta(minutes=minutes))
        return bool(seen["positions"][0]["fresh"])

    assert not left_alone("tab2", 0), "its own, after the page was loaded again"
    assert left_alone("tab1", 0) and left_alone("tab1", 29) and not left_alone("tab1", 30)
    at = standing(SCHEDULE, history({"kind": "start", "device": "tab2"}, {**VOID, "device": "tab2"}))
    assert not left_alone("tab1", 0), "void: it comes again, for whoever is free"


def test_outcomes_stand_in_the_order_of_blocks() -> None:
    at = standing(SCHEDULE, history(TRIAL, {**TRIAL, "position": 4, "score": 4}))
    first, last = SCHEDULE.items[0], SCHEDULE.items[3]
    found = outcomes_by_arm(SCHEDULE, at)
    assert set(found) == set(SCHEDULE.arms)
    assert found[first.arm][0] == 3 and found[last.arm][1] == 4
    assert sum(value is None for values in found.values() for value in values) == 2


@pytest.mark.parametrize(("score", "success"), [(3, 0.0), (4, 1.0)])
def test_a_rule_on_success_sees_success(score: float, success: float) -> None:
    schedule, _ = make_plan("s", ["a", "b"], rubric=SCHEDULE.rubric, trials=2, seed=1, stop="success")
    row = Row(kind="trial", position=1, score=score, operator="ann", number=1)
    found = outcomes_by_arm(schedule, standing(schedule, [row]))
    assert found[schedule.items[0].arm] == [success, None]


def test_export_of_what_was_void_taken_back_or_contradicted() -> None:
    rows = history(
        VOID,
        {**TRIAL, "score": 1},
        {"kind": "withdrawal", "corrects": "e1"},
        TRIAL,
        {"kind": "correction", "corrects": "e3", "score": 4, "device": "tab2", "notes": "seen again"},
        {**TRIAL, "score": 2, "device": "tab3"},
        {**TRIAL, "position": 2, "score": 2},
        {"kind": "withdrawal", "position": 2, "corrects": "e6"},
    )
    trials = to_trials(SCHEDULE, rows, KEY)
    shown = [(row.trial, row.score, row.void_rule, row.corrects, row.scorer) for row in trials]
    assert shown == [
        (1, None, "robot fault", None, ""),
        (2, 1, "", None, ""),
        (4, 3, "", 2, ""),
        (5, 4, "", 4, "bo"),
        (6, 2, "conflict", None, ""),
        (7, 2, "withdrawn", None, ""),
    ]
    assert [row.trial for row in trials.counted] == [5]
    assert trials.counted[0].operator == "ann" and trials.counted[0].notes == "seen again"
    assert trials.metadata["data_identity"] == SCHEDULE.identity and trials.metadata["planned"] == 2


def test_a_study_of_the_wrong_schedule_is_not_opened() -> None:
    other: Schedule = make_plan("s", ["a", "b"], rubric=SCHEDULE.rubric, trials=1, seed=3)[0]
    with pytest.raises(FormatError):
        to_trials(other, [Row(kind="trial", position=1, score=3, operator="ann", number=1)], KEY)
