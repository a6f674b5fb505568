"""The console when things go wrong: no network, a killed server, set clocks, reloads, two tablets at one trial."""

import time

import pytest

from surehand.trials.access import own_address

from .consoles import Tablet, plan, rows, scores, serving

WAITING = "document.querySelector('#badge') && document.querySelector('#badge').innerText"


def test_work_goes_on_without_a_network_and_arrives_once_in_order(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        tablet.trial(4)
        tablet.settled()
        tablet.offline(True)
        for value in (1, 2, 3):
            tablet.trial(value)
        page.until(f"({WAITING}) === '6 waiting to be sent'")
        assert len(rows(tmp_path)) == 2
        tablet.offline(False)
        tablet.settled()
    assert scores(tmp_path, schedule) == {1: 4.0, 2: 1.0, 3: 2.0, 4: 3.0}
    assert [(row.kind, row.position) for row in rows(tmp_path)] == [
        (kind, position) for position in (1, 2, 3, 4) for kind in ("start", "trial")
    ]


def test_a_server_killed_and_started_again_loses_and_doubles_nothing(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        given = {}
        for turn in range(12):
            if turn in (3, 7):
                server.stop()
            given[tablet.trial(1 + turn % 4)] = float(1 + turn % 4)
            if turn in (5, 8):
                assert page.evaluate(f"({WAITING})").endswith("waiting to be sent")
                server.start()
        tablet.settled()
        page.until("document.querySelector('.finished')")
    assert scores(tmp_path, schedule) == given and len(given) == 12
    assert sum(row.kind == "trial" for row in rows(tmp_path)) == 12


def test_an_answer_that_got_lost_does_not_double_the_trial(browser, tmp_path):
    """The server has written the row and the tablet never hears of it: the same id comes again."""
    schedule, _ = plan()
    lose = """(() => { const real = window.fetch; let lost = 0; window.fetch = async (path, options) => {
        const answer = await real(path, options);
        if (path === '/api/entries' && lost++ < 3) throw new TypeError('lost');
        return answer; }; })()"""
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        page.until("document.querySelector('#start')")
        page.evaluate(lose)
        tablet.trial(2)
        tablet.settled()
    assert [row.kind for row in rows(tmp_path)] == ["start", "trial"]


def test_a_reload_keeps_the_running_trial_its_note_and_what_waits(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        server.stop()  # so that something waits; the page itself needs the server again
        tablet.trial(4)
        position = tablet.start()
        page.evaluate("document.querySelector('#note').value = 'half way'; "
                      "document.querySelector('#note').dispatchEvent(new Event('input'))")  # fmt: skip
        time.sleep(1.2)
        server.start()
        page.visit(server.address)
        page.until("document.querySelector('.running')")
        assert page.evaluate("document.querySelector('.running').dataset.position") == str(position)
        assert page.evaluate("document.querySelector('#note').value") == "half way"
        tablet.score(3)
        tablet.settled()
    last = rows(tmp_path)[-1]
    assert scores(tmp_path, schedule) == {1: 4.0, 2: 3.0}
    assert last.notes == "half way" and last.seconds is not None and last.seconds > 1.2


@pytest.mark.parametrize("hours", [-1, 5])
def test_a_clock_that_is_set_does_not_change_the_duration(browser, tmp_path, hours):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        began = time.monotonic()
        tablet.start()
        set_clock = f"(() => {{ const real = Date.now; Date.now = () => real() + {hours} * 3600e3; }})()"
        page.evaluate(set_clock)
        time.sleep(0.8)
        page.visit(server.address)  # and once more over a reload, which sets it back
        page.until("document.querySelector('.running')")
        tablet.score(3)
        took = time.monotonic() - began
        tablet.settled()
    (row,) = (row for row in rows(tmp_path) if row.kind == "trial")
    assert row.seconds is not None and 0.8 <= row.seconds <= took
    assert row.started and row.ended and abs((row.ended - row.started).total_seconds() - row.seconds) < 0.01


def test_two_tablets_at_one_trial_are_told_and_both_scores_are_kept(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as one, browser.fresh() as two:
        anna, ben = Tablet(one, server.address, "Anna"), Tablet(two, server.address, "Ben")
        two.until("document.querySelector('#start')")
        ben.offline(True)
        assert anna.trial(4) == ben.trial(1) == 1
        ben.offline(False)
        two.until("document.querySelector('.message')")
        assert "Trial 1 was already scored by Anna on another tablet" in two.text()
        ben.settled()
        assert scores(tmp_path, schedule) == {1: 4.0}
        for _ in range(two.evaluate("document.querySelectorAll('.message').length")):
            ben.tap(".message button")
        ben.tap("#tab-mine")
        assert "beside another score" in two.text()
        ben.tap(".entry")
        ben.tap("#count")  # they talked: Ben's was the right one
        ben.settled()
        assert scores(tmp_path, schedule) == {1: 1.0}
        anna.tap("#tab-mine")
        one.until("document.body.innerText.includes('taken back')")
    assert sorted(row.score for row in rows(tmp_path) if row.kind == "trial") == [1.0, 4.0]


def test_a_trial_started_elsewhere_a_moment_ago_can_be_left_to_the_other(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as one, browser.fresh() as two:
        anna, ben = Tablet(one, server.address, "Anna"), Tablet(two, server.address, "Ben")
        two.until("document.querySelector('#start')")
        ben.offline(True)
        assert anna.start() == ben.start() == 1
        ben.offline(False)
        two.until("document.body.innerText.includes('Trial 1 was started by Anna')")
        ben.tap(".message button")
        assert ben.trial(2) == 2
        anna.score(3)
        anna.settled(), ben.settled()
    assert scores(tmp_path, schedule) == {1: 3.0, 2: 2.0}


def test_what_the_server_refuses_is_shown_and_kept_and_the_rest_goes_on(browser, tmp_path):
    schedule, _ = plan()
    break_one = """(() => { const key = Object.keys(localStorage).find(k => k.includes(':out:'));
        const item = JSON.parse(localStorage[key]); item.entry.position = 99; localStorage[key] = JSON.stringify(item);
        })()"""
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        page.until("document.querySelector('#start')")
        tablet.offline(True)
        tablet.start()
        page.evaluate(break_one)
        tablet.score(3)
        tablet.offline(False)
        page.until("document.querySelector('.message')")
        assert "no position 99" in page.text()
        tablet.settled()
        tablet.tap("#tab-mine")
        assert "Not taken by the server, kept here" in page.text()
    assert scores(tmp_path, schedule) == {1: 3.0}


def test_the_last_tab_has_the_console(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address)
        tablet.start()
        page.evaluate("new BroadcastChannel('surehand').postMessage('here now')")
        page.until("document.body.innerText.includes('Open in another tab')")
        tablet.tap(".card .main")
        page.until("document.querySelector('.running')")


def test_beyond_this_machine_the_link_lets_a_tablet_in(browser, tmp_path):
    address = own_address()
    if address.startswith("127."):
        pytest.skip("this machine has no address but its own")
    schedule, _ = plan()
    with serving(tmp_path, schedule, host="0.0.0.0") as server, browser.fresh() as page, browser.fresh() as other:
        link = next(word for word in server.log.read_text().split() if "#token=" in word)
        assert link.startswith(f"http://{address}:{server.port}/#token=")
        tablet = Tablet(page, link)
        assert page.evaluate("location.href") == f"http://{address}:{server.port}/"
        assert page.evaluate("isSecureContext") is False  # so nothing here may need one
        tablet.trial(4)
        tablet.settled()
        token = link.partition("token=")[2]
        addresses = [e["params"]["request"]["url"] for e in page.events if e["method"] == "Network.requestWillBeSent"]
        assert addresses and not any(token in address for address in addresses)
        assert token not in tablet.kept()
        Tablet(other, f"http://{address}:{server.port}/", "")
        other.until("document.body.innerText.includes('not been let in')")
        assert "kitchen" not in other.text()
        server.stop()
        server.start()  # with another token: work goes on, and the new link sends what waits
        tablet.trial(3)
        page.until("document.body.innerText.includes('open the link again')")
        page.visit([word for word in server.log.read_text().split() if "#token=" in word][-1])
        tablet.settled()
    assert scores(tmp_path, schedule) == {1: 4.0, 2: 3.0}


def test_what_others_do_does_not_disturb_who_is_typing_or_tapping(browser, tmp_path):
    schedule, _ = plan()
    press = {"button": "left", "clickCount": 1}
    with serving(tmp_path, schedule) as server, browser.fresh() as one, browser.fresh() as two:
        anna, ben = Tablet(one, server.address, "Anna"), Tablet(two, server.address, "Ben")
        ben.start()
        two.evaluate("document.querySelector('#note').focus()")
        two.ask("Input.insertText", text="half")
        one.until("document.querySelector('.next') && document.querySelector('.next').dataset.position == 2")
        anna.trial(3)
        two.until("document.querySelector('#progress').innerText.startsWith('1 of')")
        two.ask("Input.insertText", text=" way")
        assert two.evaluate("document.activeElement.value") == "half way"
        ben.score(4)
        ben.tap("#tab-mine")
        ben.tap("#tab-trials")
        two.until("document.querySelector('#start')")
        time.sleep(0.5)
        box = two.evaluate("(b => [b.x + 9, b.y + 9])(document.querySelector('#start').getBoundingClientRect())")
        two.ask("Input.dispatchMouseEvent", type="mousePressed", x=box[0], y=box[1], **press)
        two.evaluate("dispatchEvent(new Event('online'))")  # it looks at the study while the finger is down
        time.sleep(0.5)
        two.ask("Input.dispatchMouseEvent", type="mouseReleased", x=box[0], y=box[1], **press)
        two.until("document.querySelector('.running')")
