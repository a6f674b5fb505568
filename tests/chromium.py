"""A headless Chromium for tests, spoken to over its DevTools socket: `Browser`, and the fixture `browser`."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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
    """A headless Chromium's page. `fresh()` gives another one that shares neither cookies nor storage with it."""

    def __init__(self, socket: Any, beside: "Browser | None" = None, **where: Any) -> None:
        self.socket = socket
        self.ids = beside.ids if beside else itertools.count(1)
        self.pages: dict[str, Browser] = beside.pages if beside else {}  # by session
        self.events: list[dict[str, Any]] = []  # what this page's DevTools told without being asked
        self.session: str | None = None
        self.target = self.ask("Target.createTarget", url="about:blank", **where)["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        self.pages[self.session] = self
        self.ask("Page.enable")

    @contextmanager
    def fresh(self) -> Iterator["Browser"]:
        """A page in a context of its own: another tablet."""
        context = self._whole("Target.createBrowserContext")["browserContextId"]
        try:
            yield Browser(self.socket, self, browserContextId=context)
        finally:
            self._whole("Target.disposeBrowserContext", browserContextId=context)

    def _whole(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command for the whole browser."""
        session, self.session = self.session, None
        try:
            return self.ask(method, **params)
        finally:
            self.session = session

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
            if answer.get("method") == "Page.javascriptDialogOpening":  # a page that asks whether to leave is left
                accept = {"id": next(self.ids), "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
                self.socket.send(json.dumps(accept | {"sessionId": answer["sessionId"]}))
            self.pages.get(answer.get("sessionId", ""), self).events.append(answer)

    def open(self, page: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
        """What the page measures at this width; screens below 600 pixels are phones."""
        self.screen(width, dark=dark)
        self.visit(page.as_uri())
        return dict(json.loads(self.evaluate(MEASURE)))

    def screen(self, width: int, height: int = 844, *, dark: bool = False) -> None:
        """Nothing; the page is shown on a screen like this."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)

    def visit(self, address: str) -> None:
        """Nothing; the page at this address is loaded."""
        self.ask("Page.navigate", url=address)
        plain = address.partition("#")[0]
        ready = f"document.readyState === 'complete' && location.href.split('#')[0] === {json.dumps(plain)}"
        self.until(ready)

    def until(self, expression: str, seconds: float = 30) -> None:
        """Nothing, as soon as the expression is true in the page."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}\n{self.text()}"
            time.sleep(0.02)

    def text(self) -> str:
        """What somebody would read on the page."""
        return str(self.evaluate("document.body && document.body.innerText"))

    def evaluate(self, expression: str, *, wait: bool = False) -> Any:
        """The value of an expression in the page; `wait` for the promise that it is."""
        found = self.ask("Runtime.evaluate", expression=expression, awaitPromise=wait, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """The whole page as PNG, where somebody wants to look at it."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
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
    """One Chromium for a file of tests; skipped where there is none, except on CI."""
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
