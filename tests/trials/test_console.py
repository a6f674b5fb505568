"""The console in a real browser: whole schedules tapped through, on one tablet and on two, blind to the last byte."""

from surehand.trials.store import open_store

from .consoles import POLICIES, RULES, Tablet, plan, rows, scores, serving


def test_two_tablets_run_a_whole_schedule_blind(browser, tmp_path):
    schedule, key = plan(second=0.25)
    given = {}
    with serving(tmp_path, schedule) as server, browser.fresh() as one, browser.fresh() as two:
        anna, ben = Tablet(one, server.address, "Anna"), Tablet(two, server.address, "Ben")
        for turn in range(3):
            first = anna.start()
            anna.settled(), ben.hear()
            two.until(f"document.querySelector('.next') && document.querySelector('.next').dataset.position != {first}")
            second = ben.start()  # while Anna's trial runs: never the same one
            assert first != second
            for tablet, position in ((anna, first), (ben, second)):
                given[position] = float(1 + (position + turn) % 4)
                tablet.score(int(given[position]))
                tablet.settled()
        while len(given) < 12:
            position = anna.start()
            given[position] = float(1 + position % 4)
            anna.score(int(given[position]))
        anna.settled(), ben.hear()
        two.until("document.querySelector('.finished')")
        one.until("document.querySelector('.finished')")
        for tablet in (anna, ben):  # each scores a second time what the other ran
            tablet.tap("#tab-second")
            while waiting := tablet.page.evaluate("document.querySelectorAll('.second').length"):
                assert waiting == 1
                position = tablet.page.evaluate("document.querySelector('.second').dataset.position")
                tablet.tap("[data-level='2']")
                tablet.page.until(f"!document.querySelector('.second[data-position=\"{position}\"]')")
        anna.settled(), ben.settled()
        told = "\n".join([anna.wire(), ben.wire(), anna.kept(), ben.kept(), server.log.read_text()])
    assert scores(tmp_path, schedule) == given
    written = rows(tmp_path)
    assert sum(row.kind == "trial" for row in written) == 12 == len({r.position for r in written if r.kind == "trial"})
    seconds = {row.position: row.operator for row in written if row.kind == "second"}
    assert set(seconds) == {item.position for item in schedule.items if item.second}
    runners = {row.position: row.operator for row in written if row.kind == "trial"}
    assert all(runners[position] != who for position, who in seconds.items())
    assert "/api/entries" in told and "red mug" in told and schedule.items[0].code in told  # it did look
    assert [name for name in [*POLICIES, *schedule.arms, key.nonce, key.commitment] if name in told] == []
    assert '"seed"' not in told and '\\"seed\\"' not in told and f'"{schedule.seed}"' not in told
    disk = b"".join(file.read_bytes() for file in tmp_path.glob("trials.db*"))
    assert [name for name in POLICIES if name.encode() in disk] == []


def test_a_second_tap_neither_doubles_a_trial_nor_starts_the_next(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        tablet.tap("#start", times=3)
        page.until("document.querySelector('.running')")
        tablet.score(4, times=4)
        page.until("document.querySelector('.next')")
        tablet.settled()
    assert [(row.kind, row.position) for row in rows(tmp_path)] == [("start", 1), ("trial", 1)]


def test_undo_puts_the_trial_back_with_its_time(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        tablet.start()
        page.evaluate("document.querySelector('#note').value = 'slipped'; "
                      "document.querySelector('#note').dispatchEvent(new Event('input'))")  # fmt: skip
        tablet.score(1)
        assert "No motion" in page.evaluate("document.querySelector('#undo').innerText")
        tablet.tap("#undo button")
        page.until("document.querySelector('.running')")
        assert page.evaluate("document.querySelector('#note').value") == "slipped"
        tablet.score(4)
        page.until("!document.querySelector('#undo')", 8)  # it goes away by itself
        tablet.settled()
    assert scores(tmp_path, schedule) == {1: 4.0}
    first, last = (row for row in rows(tmp_path) if row.kind == "trial")
    assert first.seconds == last.seconds and last.notes == "slipped"
    assert [row.kind for row in rows(tmp_path)] == ["start", "trial", "withdrawal", "trial"]


def test_undo_after_the_next_was_started_puts_that_one_back(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        tablet.trial(1)
        assert tablet.start() == 2
        tablet.tap("#undo button")
        page.until("document.querySelector('.running').dataset.position == 1")
        tablet.score(4)
        assert tablet.trial(3) == 2
        tablet.settled()
    assert scores(tmp_path, schedule) == {1: 4.0, 2: 3.0}
    kinds = [(row.kind, row.position) for row in rows(tmp_path)]
    assert kinds[2:5] == [("start", 2), ("withdrawal", 2), ("withdrawal", 1)]


def test_void_takes_a_rule_of_the_schedule_and_the_trial_comes_again(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        tablet.start()
        tablet.tap("#void")
        offered = page.evaluate("[...document.querySelectorAll('[data-rule]')].map(e => e.dataset.rule)")
        assert offered == list(RULES)
        tablet.tap("[data-rule='Camera was blocked']")
        assert tablet.trial(3) == 1
        tablet.tap("#tab-mine")
        assert "Camera was blocked" in tablet.page.text()
        tablet.settled()
    assert scores(tmp_path, schedule) == {1: 3.0}
    assert [row.void_rule for row in rows(tmp_path) if row.kind == "void"] == ["Camera was blocked"]


def test_an_earlier_trial_is_corrected_twice_voided_and_taken_back(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        for value in (4, 1, 2):
            tablet.trial(value)
        tablet.tap("#tab-mine")

        def correct(position: int, tap: str) -> None:
            tablet.tap(f"[data-position='{position}'].entry")
            tablet.tap(f"dialog {tap}")
            page.until("!document.querySelector('dialog').open")

        correct(1, "[data-level='3']")
        correct(1, "[data-level='2']")  # before the server need have heard of the first correction
        correct(3, "#withdraw")
        tablet.settled()
        assert "corrected" in tablet.page.text() and "taken back" in tablet.page.text()
        assert scores(tmp_path, schedule) == {1: 2.0, 2: 1.0}
        tablet.tap("#tab-trials")
        assert tablet.trial(4) == 3
        tablet.settled()
    assert scores(tmp_path, schedule) == {1: 2.0, 2: 1.0, 3: 4.0}


def test_a_picture_travels_small_and_is_seen_by_the_second_scorer(browser, tmp_path):
    schedule, _ = plan(second=1.0)
    with serving(tmp_path, schedule) as server, browser.fresh() as one, browser.fresh() as two:
        anna, ben = Tablet(one, server.address, "Anna"), Tablet(two, server.address, "Ben")
        anna.start()
        anna.offline(True)
        anna.photograph(tmp_path)
        one.until("document.querySelector('label.photo').innerText.includes('✓')")
        anna.score(3)
        anna.offline(False)
        anna.settled()
        ben.tap("#tab-second")
        two.until("document.querySelector('img.seen') && document.querySelector('img.seen').naturalWidth")
        assert two.evaluate("document.querySelector('img.seen').naturalWidth") == 1600
    sha = next(row.photo for row in rows(tmp_path) if row.kind == "trial")
    with open_store(tmp_path / "trials.db") as store:
        found = store.photo(sha)
    assert found is not None and found[1] == "image/jpeg" and len(found[0]) < 100_000


def test_a_picture_that_takes_long_stays_with_its_trial(browser, tmp_path):
    schedule, _ = plan()
    slow = """(() => { const real = createImageBitmap; window.createImageBitmap = async (...given) => {
        await new Promise(done => setTimeout(done, 1500)); return real(...given); }; })()"""
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        page.evaluate(slow)
        tablet.start()
        tablet.photograph(tmp_path)
        tablet.score(3)
        assert tablet.start() == 2
        page.evaluate("new Promise(done => setTimeout(done, 1500))", wait=True)
        tablet.score(2)
        tablet.settled()
    assert [(row.kind, row.position) for row in rows(tmp_path) if row.photo] == [("photo", 1)]


def test_own_lane_first_and_others_only_on_request(browser, tmp_path):
    schedule, _ = plan(trials=4, lanes=("Anna", "Ben"))
    own = [item.position for item in schedule.items if item.operator == "Anna"]
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address, "")
        tablet.tap("[data-name=Anna]")  # the schedule's operators are offered
        assert [tablet.trial(2) for _ in own] == own
        page.until("document.querySelector('.finished')")
        assert f"{12 - len(own)} trials are open in Ben’s list" in page.text()
        tablet.tap(".finished .main")
        assert tablet.trial(2) not in own
        tablet.settled()
    assert {row.operator for row in rows(tmp_path)} == {"Anna"}


def test_pause_and_a_start_by_mistake_leave_no_trial(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as one, browser.fresh() as two:
        anna, ben = Tablet(one, server.address, "Anna"), Tablet(two, server.address, "Ben")
        anna.start()
        one.evaluate("[...document.querySelectorAll('.foot button')].at(-1).id = 'back'")
        anna.tap("#back")
        anna.settled()
        anna.tap(".next .end button")
        one.until("document.body.innerText.includes('Paused')")
        two.until("document.querySelector('.next') && document.querySelector('.next').dataset.position == 1")
        assert ben.trial(3) == 1  # nobody has it
        anna.tap(".paused .main")
        one.until("document.querySelector('.next') && document.querySelector('.next').dataset.position == 2")
        assert anna.start() == 2
        ben.settled(), anna.settled()
    assert [row.kind for row in rows(tmp_path)] == ["start", "withdrawal", "start", "trial", "start"]


def test_once_the_study_is_closed_the_console_says_so(browser, tmp_path):
    schedule, key = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        tablet.trial(3)
        tablet.settled()
        with open_store(tmp_path / "trials.db") as store:
            store.close("kitchen", key, "Eve", unfinished=True)
        page.until("document.body.innerText.includes('This study is closed')")
        told = tablet.wire() + tablet.kept() + server.log.read_text()
    assert [name for name in [*POLICIES, *schedule.arms] if name in told] == []
