"""How the console looks and reads in a real browser: sizes, names for those who cannot see it, faults that are said."""

import os
from pathlib import Path

import pytest

from .consoles import Tablet, plan, serving

TARGETS = """[...document.querySelectorAll('button, textarea, input, label.photo')].filter(e => e.offsetParent)
    .map(e => [e.innerText || e.id, e.getBoundingClientRect()]).filter(([, b]) => b.height < 48 || b.width < 48)
    .map(([name]) => name)"""
SPILT = """[...document.querySelectorAll('button, label.photo')].filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => e.innerText)"""
WIDE = "document.documentElement.scrollWidth - innerWidth"
UNNAMED = """[...document.querySelectorAll('button, input, textarea, dialog[open], progress, nav')]
    .filter(e => !(e.innerText || '').trim() && !e.ariaLabel).map(e => e.outerHTML)"""


@pytest.mark.parametrize(("width", "height"), [(768, 1024), (390, 844), (1280, 900)])
def test_everything_can_be_touched_and_nothing_sticks_out(browser, tmp_path, width, height):
    schedule, _ = plan(second=1.0, notes="Put the object back on its mark.")
    folder = os.environ.get("SUREHAND_SCREENSHOTS")

    def look(name: str) -> None:
        assert page.evaluate(TARGETS) == [], name
        assert page.evaluate(SPILT) == [], name
        assert page.evaluate(WIDE) <= 0, name
        assert page.evaluate(UNNAMED) == [], name
        for dark in (False, True) if folder else ():
            page.screen(width, height, dark=dark)
            page.picture(Path(str(folder)) / f"console_{name}_{width}{'_dark' * dark}.png", whole=False)
        page.screen(width, height)

    with serving(tmp_path, schedule) as server, browser.fresh() as page, browser.fresh() as other:
        Tablet(other, server.address, "Ben").trial(2)
        tablet = Tablet(page, server.address, "", width, height)
        page.until("document.querySelector('#name')")
        look("who")
        tablet = Tablet(page, server.address, "Anna", width, height)
        page.until("document.querySelector('#start')")
        look("next")
        tablet.start()
        look("running")
        tablet.tap("#void")
        look("void")
        tablet.tap("#cancel")
        tablet.offline(True)
        tablet.score(3)
        look("scored")
        tablet.trial(1)
        tablet.tap("#tab-mine")
        look("mine")
        tablet.tap(".entry")
        look("edit")
        tablet.tap("#cancel")
        tablet.tap("#tab-second")
        look("second")


def test_the_focus_that_a_page_gives_to_its_own_text_is_not_framed(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule, host="0.0.0.0") as server, browser.fresh() as page:
        Tablet(page, server.address, "")
        page.until("document.body.innerText.includes('not been let in')")
        focused = "[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"
        assert page.evaluate(focused) == ["main", "none"]


def test_another_screen_is_read_from_its_top_and_has_the_focus(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        tablet = Tablet(page, server.address, "Anna", 390, 500)
        for act in (tablet.start, lambda: tablet.score(1), lambda: tablet.tap("#tab-mine")):
            act()
            assert page.evaluate("[scrollY, document.activeElement.id]") == [0, "main"]


def test_a_fault_of_the_page_is_said_once(browser, tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        Tablet(page, server.address)
        page.evaluate("Promise.reject(new Error('made up')), setTimeout(() => { throw new Error('again') }, 20), 0")
        page.until("document.querySelector('#fault')")
        page.evaluate("new Promise(done => setTimeout(done, 100))", wait=True)
        assert "This page has a fault (made up)" in page.text() and "again)" not in page.text()


def test_a_tablet_that_may_keep_nothing_says_so(browser, tmp_path):
    schedule, _ = plan()
    forbid = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('storage is forbidden') }})"
    with serving(tmp_path, schedule) as server, browser.fresh() as page:
        page.ask("Page.addScriptToEvaluateOnNewDocument", source=forbid)
        page.visit(server.address)
        page.until("document.querySelector('#fault')")
        assert "storage is forbidden" in page.text()
