"""The store on SQLite and PostgreSQL: numbered, idempotent, append-only by the database itself, closed by its key."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.schedules import Key, Schedule
from surehand.formats.trials import Trial, Trials, read_trials
from surehand.trials.database import VERSIONS, Database, parse
from surehand.trials.entries import Entry
from surehand.trials.store import Refused, Store, open_store
from surehand.trials.tables import METADATA

Plan = Callable[..., tuple[Schedule, Key]]
JPEG = b"\xff\xd8\xff\xe0 a picture"


def trial(position: int, score: float = 3, operator: str = "ann", **more: Any) -> Entry:
    return Entry(kind="trial", position=position, score=score, operator=operator, device="tab1", **more)


def finish(store: Store, schedule: Schedule, leave: int = 0) -> None:
    for item in schedule.items[: len(schedule.items) - leave]:
        store.add(schedule.study, trial(item.position))


def raw(target: str) -> Any:
    """The database without surehand in between."""
    return create_engine(parse(target))


def test_rows_are_numbered_in_order_and_come_back_as_they_were(store: Store, plan: Plan) -> None:
    schedule, _ = plan()
    store.add_study(schedule)
    summer = timezone(timedelta(hours=2))
    first = trial(
        2, 4, started=datetime(2026, 5, 1, 14, 30, 1, 5, summer), seconds=0.1 + 0.2, notes="ä\nß", void_rule=""
    )
    second = Entry(kind="note", operator="bo", notes="lamp moved")
    rows = [store.add("mugs", first), store.add("mugs", second)]
    assert [row.number for row in rows] == [1, 2]
    assert store.rows("mugs") == rows
    assert store.rows("mugs", after=1) == rows[1:]
    kept = store.rows("mugs")[0]
    assert Entry.model_validate(kept.model_dump(include=set(Entry.model_fields))) == first
    assert kept.started and kept.started.utcoffset() == timedelta(hours=2), "the tablet's own offset"
    assert kept.received.utcoffset() == timedelta(0)


def test_the_same_entry_again_is_the_same_row_and_another_content_is_refused(store: Store, plan: Plan) -> None:
    store.add_study(plan()[0])
    entry = trial(1, started=datetime(2026, 5, 1, 14, 30, tzinfo=UTC))
    row = store.add("mugs", entry)
    again = Entry.model_validate_json(entry.model_dump_json())  # as it comes over the network a second time
    assert store.add("mugs", again) == row
    with pytest.raises(Refused, match="row 1 has this id and another score"):
        store.add("mugs", entry.model_copy(update={"score": 1.0}))
    assert len(store.rows("mugs")) == 1


def test_received_never_goes_backwards(target: str, plan: Plan) -> None:
    times = [datetime(2026, 5, 1, 12, tzinfo=UTC) + timedelta(minutes=m) for m in (0, 5, -60, 3, 6)]
    clock = iter([times[0], *times])
    with open_store(target, create=True, clock=lambda: next(clock)) as store:
        store.add_study(plan()[0])
        got = [store.add("mugs", trial(position + 1)).received for position in range(5)]
    assert got == [times[0], times[1], times[1], times[1], times[4]]


@pytest.mark.parametrize("table", ["studies", "rows", "photos", "keys", "imported"])
def test_the_database_itself_refuses_to_change_or_delete(target: str, plan: Plan, table: str) -> None:
    schedule, key = plan()
    with open_store(target, create=True) as store:
        store.add_study(schedule)
        finish(store, schedule)
        store.add_photo("mugs", JPEG, "image/jpeg")
        store.close("mugs", key, "lead")
        store.import_trials("sheet", Trials((Trial(1, "a", score=4.0),)), "lead", "a.csv")
    engine = raw(target)
    column = {"studies": "who", "rows": "notes", "photos": "media_type", "keys": "who", "imported": "trial"}[table]
    statements = [f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"]
    if engine.dialect.name == "sqlite":
        statements.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    else:
        statements += [f"TRUNCATE {table} CASCADE", f"UPDATE {table} SET {column} = 'x' WHERE false"]
    with engine.connect() as connection:
        before = connection.execute(text(f"SELECT * FROM {table}")).all()
        connection.rollback()
        for statement in statements:
            with pytest.raises(DBAPIError, match=r"only ever added|are numbered"):
                connection.execute(text(statement))
            connection.rollback()
        assert connection.execute(text(f"SELECT * FROM {table}")).all() == before and before
    engine.dispose()


def test_the_database_itself_refuses_gaps(target: str, plan: Plan) -> None:
    with open_store(target, create=True) as store:
        store.add_study(plan()[0])
        store.add("mugs", trial(1))
    engine = raw(target)
    copy = (
        "INSERT INTO rows (study, number, id, kind, void_rule, operator, device, notes, photo, received) "
        "SELECT study, {}, 'other', kind, void_rule, operator, device, notes, photo, received FROM rows"
    )
    with engine.connect() as connection:
        for number in (1, 3, 0):
            with pytest.raises(DBAPIError, match=r"numbered 1, 2, 3|only ever added"):
                connection.execute(text(copy.format(number)))
            connection.rollback()
        connection.execute(text(copy.format(2)))
    engine.dispose()


def test_a_study_is_added_once_and_another_schedule_under_its_name_is_refused(store: Store, plan: Plan) -> None:
    schedule, _ = plan()
    assert store.add_study(schedule) == store.add_study(schedule) == "mugs"
    assert store.schedule("mugs") == schedule
    with pytest.raises(FormatError, match="with another schedule; give it another name"):
        store.add_study(plan(seed=2)[0])
    store.add_study(plan("cups")[0])
    assert [info.name for info in store.studies()] == ["mugs", "cups"]
    with pytest.raises(FormatError, match="2 studies in it; give --study with one of mugs, cups"):
        store.pick()
    with pytest.raises(FormatError, match="no study 'jars'; it has cups, mugs"):
        store.rows("jars")
    holes = schedule.model_copy(update={"items": schedule.items[1:], "study": "holes"})
    with pytest.raises(FormatError, match="positions are not 1, 2, 3"):
        store.add_study(holes)


def test_studies_number_their_own_rows(store: Store, plan: Plan) -> None:
    for study in ("mugs", "cups"):
        store.add_study(plan(study)[0])
    same = trial(1)
    assert [store.add(study, same).number for study in ("mugs", "cups", "mugs")] == [1, 1, 1]
    assert [info.rows for info in store.studies()] == [1, 1]


def test_a_tampered_schedule_is_noticed(target: str, plan: Plan) -> None:
    with open_store(target, create=True) as store:
        store.add_study(plan()[0])
    engine = raw(target)
    with engine.begin() as connection:
        drop = "studies_no_update" if engine.dialect.name == "sqlite" else "studies_only_added ON studies"
        connection.execute(text(f"DROP TRIGGER {drop}"))
        connection.execute(text("UPDATE studies SET schedule = replace(schedule, '\"mug\"', '\"cup\"')"))
    engine.dispose()
    with open_store(target) as store, pytest.raises(FormatError, match="was changed after it was added"):
        store.schedule("mugs")
    with open_store(target) as store, pytest.raises(FormatError, match="was changed after it was added"):
        store.add("mugs", trial(1))


GOOD = {"kind": "trial", "position": 1, "score": 3.0, "operator": "ann"}
BAD = [
    ({"position": 99}, "no position 99"),
    ({"position": None}, "no position"),
    ({"score": 2.5}, "score 2.5 is no level"),
    ({"score": float("nan")}, "score nan is no level"),
    ({"score": None}, "without a score"),
    ({"operator": "  "}, "no operator"),
    ({"operator": "a" * 201}, "operator has 201 characters"),
    ({"notes": "x" * 4001}, "notes has 4001 characters"),
    ({"notes": "a\x00b"}, "notes holds a control character"),
    ({"notes": "a\ud800b"}, "notes holds a control character"),
    ({"device": "a\nb"}, "device holds a control character"),
    ({"id": "a b"}, "expected 1 to 64 letters"),
    ({"id": ""}, "expected 1 to 64 letters"),
    ({"void_rule": "robot fault"}, "which a trial cannot have"),
    ({"corrects": "abc"}, "which a trial cannot have"),
    ({"kind": "void", "score": None}, "without a void rule"),
    ({"kind": "void", "score": None, "void_rule": "bad day"}, "was not written down before"),
    ({"kind": "correction"}, "without a row"),
    ({"kind": "correction", "corrects": "nothing"}, "no row of this study"),
    ({"kind": "withdrawal", "score": None}, "without a row"),
    ({"kind": "note", "score": None, "notes": " "}, "the note is empty"),
    ({"kind": "photo", "score": None, "photo": "abc"}, "expected its SHA-256"),
    ({"started": datetime(2026, 5, 1)}, "started without its offset"),
    ({"ended": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "ended before the year 1 in UTC"),
    ({"seconds": -1.0}, "seconds -1.0"),
    ({"seconds": float("inf")}, "seconds inf"),
]


@pytest.mark.parametrize(("change", "line"), BAD)
def test_what_the_schedule_does_not_allow_is_refused_in_one_line(
    tmp_path: Path, plan: Plan, change: Any, line: str
) -> None:
    with open_store(tmp_path / "a.db", create=True) as store:
        store.add_study(plan()[0])
        with pytest.raises(FormatError, match=line) as caught:
            store.add("mugs", Entry.model_validate({**GOOD, **change}))
        assert "\n" not in str(caught.value)
        assert store.rows("mugs") == []


def test_corrections_name_a_row_of_the_same_position(store: Store, plan: Plan) -> None:
    store.add_study(plan()[0])
    row = store.add("mugs", trial(1))
    with pytest.raises(FormatError, match="position 2, but the row it names is about 1"):
        store.add("mugs", Entry(kind="correction", position=2, corrects=row.id, score=4, operator="ann"))
    start = store.add("mugs", Entry(kind="start", position=2, operator="ann"))
    with pytest.raises(FormatError, match="a start has no result to correct"):
        store.add("mugs", Entry(kind="correction", position=2, corrects=start.id, score=4, operator="ann"))
    assert store.add("mugs", Entry(kind="correction", position=1, corrects=row.id, score=4, operator="bo")).number == 3


def test_a_second_score_is_not_by_whoever_gave_the_first(store: Store, plan: Plan) -> None:
    store.add_study(plan()[0])
    store.add("mugs", trial(1))
    with pytest.raises(Refused, match="gave the first score of position 1; ask another"):
        store.add("mugs", Entry(kind="second", position=1, score=2, operator=" Ann"))
    second = store.add("mugs", Entry(kind="second", position=1, score=2, operator="bo"))
    with pytest.raises(Refused, match="the second score is bo's; only they correct it"):
        store.add("mugs", Entry(kind="correction", position=1, corrects=second.id, score=3, operator="ann"))
    store.add("mugs", Entry(kind="correction", position=1, corrects=second.id, score=3, operator="bo"))


def test_closing_needs_every_position_or_says_unfinished(store: Store, plan: Plan) -> None:
    schedule, key = plan()
    store.add_study(schedule)
    finish(store, schedule, leave=2)
    with pytest.raises(Refused, match="positions 7, 8 of 8 without a result, and no stop rule was written down"):
        store.close("mugs", key, "lead")
    with pytest.raises(FormatError, match="this key does not open study 'mugs'"):
        store.close("mugs", plan()[1], "lead", unfinished=True)
    with pytest.raises(FormatError, match="say who you are"):
        store.close("mugs", key, " ", unfinished=True)
    assert store.key("mugs") is None
    assert set(store.trials("mugs").policies) == set(schedule.arms)
    closing = store.close("mugs", key, "lead", unfinished=True)
    assert closing.open == [7, 8] and closing.why == "unfinished: positions 7, 8 without a result"
    assert store.key("mugs") == key
    assert set(store.trials("mugs").policies) == {"alpha", "beta"}
    assert store.close("mugs", key, "lead").open == [7, 8], "the same key again changes nothing"
    assert store.studies()[0].closed is not None


def test_a_contradicted_position_keeps_a_study_open(store: Store, plan: Plan) -> None:
    schedule, key = plan()
    store.add_study(schedule)
    finish(store, schedule)
    other = store.add("mugs", trial(3, 1, "bo"))
    with pytest.raises(Refused, match="position 3 contradicted by another entry"):
        store.close("mugs", key, "lead")
    store.add("mugs", Entry(kind="withdrawal", position=3, corrects=other.id, operator="bo"))
    assert store.close("mugs", key, "lead").conflicts == []


def test_after_closing_nothing_but_notes(store: Store, plan: Plan) -> None:
    schedule, key = plan()
    store.add_study(schedule)
    finish(store, schedule)
    before = store.rows("mugs")
    store.close("mugs", key, "lead")
    late = [
        trial(1),
        Entry(kind="start", position=1, operator="ann"),
        Entry(kind="withdrawal", position=1, corrects=before[0].id, operator="ann"),
    ]
    for entry in late:
        with pytest.raises(Refused, match="is closed; only notes are accepted"):
            store.add("mugs", entry)
    assert store.add("mugs", Entry(**before[0].model_dump(include=set(Entry.model_fields)))) == before[0], (
        "a lost reply"
    )
    assert store.add("mugs", Entry(kind="note", operator="ann", notes="gripper was new")).number == 9
    with pytest.raises(Refused, match="no row of it names this photo"):
        store.add_photo("mugs", JPEG, "image/jpeg")


def test_photos_are_named_by_their_content(store: Store, plan: Plan) -> None:
    store.add_study(plan()[0])
    sha = store.add_photo("mugs", JPEG, "image/jpeg")
    assert sha == hashlib.sha256(JPEG).hexdigest() == store.add_photo("mugs", JPEG, "image/jpeg")
    assert store.photo(sha) == (JPEG, "image/jpeg")
    assert store.photo("0" * 64) is None
    for data, kind in ((b"<svg/>", "image/svg+xml"), (b"text", "image/png"), (b"", "image/jpeg")):
        with pytest.raises(FormatError, match="expected the bytes of one of image/jpeg"):
            store.add_photo("mugs", data, kind)


def test_imported_trials_come_back_whole(store: Store, plan: Plan, shared: Path) -> None:
    sheet = read_trials(shared / "hsr_trials" / "robot_trials.csv")
    assert store.import_trials("hsr", sheet, "lead", "robot_trials.csv") == 60
    assert store.import_trials("hsr", sheet, "lead", "robot_trials.csv") == 0, "the same sheet again"
    assert store.trials("hsr").rows == sheet.rows
    assert store.schedule("hsr") is None and store.key("hsr") is None
    assert store.studies()[0].closed is not None
    with pytest.raises(FormatError, match="with other trials; import under another --study"):
        store.import_trials("hsr", Trials(sheet.rows[1:]), "lead", "robot_trials.csv")
    with pytest.raises(FormatError, match="was imported; it has no schedule to run"):
        store.add("hsr", trial(1))
    store.add_study(plan()[0])
    with pytest.raises(FormatError, match="with other trials"):
        store.import_trials("mugs", sheet, "lead", "x.csv")


def test_imported_trials_keep_every_column(store: Store) -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    full = Trial(
        1, "a", 3, "b1", "mug", "left", "ann", "pick", 4.0, True, False, "", noon, noon, "ä\0", None, "bo", 3.0, "cy"
    )
    void = Trial(2, "a", void=True, void_rule="fault", corrects=1, recorded=noon)
    trials = Trials((full, void), {"layout": "", "seeds": [7], "data_identity": "ab"})
    store.import_trials("s", trials, "lead", "x.parquet")
    assert store.trials("s").rows == (full, void) and store.trials("s").metadata == trials.metadata


def test_migrations_make_exactly_the_tables_that_the_code_knows(target: str) -> None:
    database = Database(target, create=True)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSIONS, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_opening_again_keeps_everything(target: str, plan: Plan) -> None:
    with open_store(target, create=True) as store:
        store.add_study(plan()[0])
        row = store.add("mugs", trial(1))
    with open_store(target) as store:
        assert store.rows("mugs") == [row]
    with open_store(target, create=True) as store:
        assert store.rows("mugs") == [row]


def test_other_databases_are_refused() -> None:
    for address, line in (("mysql://a/b", "got mysql://"), ("sqlite://", "got sqlite://"), ("://", "not an address")):
        with pytest.raises(SurehandError, match=line):
            open_store(address)
