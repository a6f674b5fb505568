"""Pages in a real browser, offline, at the widths of a desk and of a phone."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from surehand.decide.findings import DoctorRecord, finding
from surehand.report import render_page, write_index, write_report

from .trial_records import HOSTILE, HSR, agreement, comparison, many, planning

TRIALS = {
    "trials": lambda: comparison(HSR),
    "trials many": lambda: comparison(many()),
    "trials hostile": lambda: comparison({name: (1, 2, 3, 4 + i) for i, name in enumerate(HOSTILE)}),
    "agree": lambda: agreement(list(HSR), ("arm", "total", "gripper", "base")),
    "agree many": lambda: agreement(list(many(20)), [f"arm@{k}" for k in range(30)]),
    "planning": planning,
}
# Names that begin left of their figure's box, where no scrolling reaches them: browsers may lack the figure's font.
CUT = """JSON.stringify([...document.querySelectorAll('figure svg text')].filter(
  e => e.getBoundingClientRect().left < e.closest('.scroll').getBoundingClientRect().left - 1
).map(e => e.textContent))"""
FIGURES = {"steps": 6, "many": 6, "one": 5, "hostile": 6, "choice": 2, "doctor": 0}
FIGURES |= {"trials": 3, "trials many": 3, "trials hostile": 3, "agree": 2, "agree many": 2, "planning": 1}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("case", list(FIGURES))
def test_page_fits_the_screen_and_loads_nothing(case, width, browser, pages, make_errors, make_choice, names, robots):
    path = pages / f"{case}.html"
    if not path.exists():
        path.write_text(render_page(_record(case, make_errors, make_choice, names, robots)), encoding="utf-8")
    measured = browser.open(path, width)
    if folder := os.environ.get("SUREHAND_SCREENSHOTS"):
        browser.picture(Path(folder) / f"{case}_{width}.png")
        browser.open(path, width, dark=True)
        browser.picture(Path(folder) / f"{case}_{width}_dark.png")
    assert measured["screen"] == width
    assert measured["page"] <= width, measured["wide"]
    assert measured["wide"] == []
    assert measured["small"] == 0
    assert measured["figures"] == FIGURES[case]
    assert json.loads(browser.evaluate(CUT)) == []
    assert measured["loads"] == [] and measured["scripts"] == 0


def test_index_fits_a_phone_and_its_links_lead_to_the_pages(browser, tmp_path, make_errors, names, rng):
    record = make_errors(rng, names["one"], extras=False)
    write_report(record, tmp_path / "first run", formats=("html", "json"))
    index = write_index(tmp_path)
    assert browser.open(index, 390)["page"] <= 390
    target = browser.evaluate("document.querySelector('a').href")
    assert target == (tmp_path / "first run" / "errors.html").as_uri()


def _record(case, make_errors, make_choice, names, robots):
    rng = np.random.default_rng(7)
    if case in TRIALS:
        return TRIALS[case]()
    if case == "choice":
        return make_choice(rng, names["steps"], ["arm", "gripper", "head", "base"], episodes=None)
    if case == "doctor":
        codes = ("stats.quantiles_per_episode", "predictions.space", "data.idle_side", "names.ok")
        found = [
            finding(c, f"arm.lift: 0.412 in the file, 0.533 in the data, {'x' * 90}", "meta/stats.json") for c in codes
        ]
        return DoctorRecord.of("demo/mobile_pick", found, layout="arm(lift)", evidence=["11 columns"])
    robot = robots["gr1" if case == "many" else "hsr"]
    return make_errors(rng, names[case], robot=robot, rivals=("hold last action", "state as action"))
