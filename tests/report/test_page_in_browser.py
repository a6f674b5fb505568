"""Pages in a real browser, offline, at the widths of a desk and of a phone."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.decide.findings import DoctorRecord, finding
from surehand.report import render_page, write_index, write_report

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-port=0"
).split()
MEASURE = """(() => {
  const box = e => e.getBoundingClientRect();
  const all = query => [...document.querySelectorAll(query)];
  const wide = all('body *').filter(e => !e.closest('.scroll') && box(e).right > innerWidth + 1);
  const small = all('svg, img').filter(
    e => !e.closest('details:not([open])') && (box(e).width < 100 || box(e).height < 40));
  return JSON.stringify({
    page: document.documentElement.scrollWidth, screen: innerWidth, wide: wide.map(e => e.outerHTML.slice(0, 120)),
    small: small.length, figures: all('figure svg').length, scripts: document.scripts.length,
    loads: performance.getEntriesByType('resource').map(e => e.name)});
})()"""


class Browser:
    """A headless Chromium's page, spoken to over its DevTools socket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.ids = itertools.count(1)
        self.session: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to one DevTools command."""
        number = next(self.ids)
        command = {"id": number, "method": method, "params": params}
        self.socket.send(json.dumps(command | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.socket.recv(timeout=60))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, page: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
        """What the page measures at this width; screens below 600 pixels are phones."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 600)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.ask("Page.navigate", url=page.as_uri())
        ready = "document.readyState === 'complete' && location.href !== 'about:blank'"
        end = time.monotonic() + 30
        while not self.evaluate(ready) or self.evaluate("location.pathname") != page.as_uri().removeprefix("file://"):
            assert time.monotonic() < end, "the page did not load within 30 s"
            time.sleep(0.02)
        return dict(json.loads(self.evaluate(MEASURE)))

    def evaluate(self, expression: str) -> Any:
        return self.ask("Runtime.evaluate", expression=expression)["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page as PNG, where somebody wants to look at it."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


def _listening(process: subprocess.Popen[bytes], profile: Path) -> str:
    """The address at which this Chromium listens, once it does."""
    file = profile / "DevToolsActivePort"
    end = time.monotonic() + 60
    while not (file.exists() and len(file.read_text().split()) == 2):
        assert process.poll() is None, "Chromium ended before it listened"
        assert time.monotonic() < end, "Chromium did not listen within 60 s"
        time.sleep(0.05)
    port, path = file.read_text().split()
    return f"ws://127.0.0.1:{port}{path}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    from websockets.sync.client import connect

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have Chromium: apt-get install -y chromium")
        pytest.skip("no Chromium here (apt-get install -y chromium)")
    profile = tmp_path_factory.mktemp("chromium")
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_listening(process, profile), max_size=None, proxy=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("case", ["steps", "many", "one", "hostile", "choice", "doctor"])
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
    assert measured["figures"] == {"steps": 6, "many": 6, "one": 5, "hostile": 6, "choice": 2, "doctor": 0}[case]
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
