"""Consoles for tests: a schedule with names worth hiding, the real server as a process, a tablet that taps."""

import base64
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from surehand.formats.rubrics import read_rubric
from surehand.formats.schedules import Key, Schedule
from surehand.trials.entries import Row
from surehand.trials.plan import Conditions, make_plan
from surehand.trials.standing import standing
from surehand.trials.store import open_store

from ..chromium import Browser

POLICIES = ("pi05_baseline_80k", "smolvla_B32_40k", "act_secret_run")
RULES = ("Power lost", "Camera was blocked")


def plan(trials: int = 4, lanes: tuple[str, ...] = ("",), **options: Any) -> tuple[Schedule, Key]:
    """A study of three policies whose every trial has a code of its own, in nobody's lane."""
    conditions = Conditions(("red mug", "sponge"), ("left", "right"), lanes, "pick up the {object}")
    given = {"second": 0.25, "codes": "trial", "void_rules": RULES, "seed": 5, "secret": random.Random(3)}
    return make_plan("kitchen", POLICIES, conditions, rubric=read_rubric("hsr"), trials=trials, **(given | options))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`surehand trials serve` as its own process, at one port through all its lives."""

    def __init__(self, schedule: Path, *options: str, host: str = "127.0.0.1") -> None:
        self.port, self.host = free_port(), host
        self.command = [sys.executable, "-m", "surehand", "trials", "serve", str(schedule), f"--port={self.port}"]
        self.command += [f"--host={host}", *options]
        self.log = schedule.with_name("server.log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}/"

    def start(self) -> "Server":
        """This server, once it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=os.environ | {"COLUMNS": "200"})
        end = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "the server did not answer within 30 s"
            try:
                if self.ask("GET", "/healthz")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.05)

    def stop(self, number: int = signal.SIGKILL) -> int:
        """Its exit code after this signal."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON (or bytes) of one answer; `content_type` stands for Content-Type."""
        connection = http.client.HTTPConnection("127.0.0.1" if self.host == "0.0.0.0" else self.host, self.port, 20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            data = answer.read()
            kind = answer.getheader("content-type", "")
            return answer.status, dict(answer.getheaders()), json.loads(data) if "json" in kind else data
        finally:
            connection.close()


@contextmanager
def serving(folder: Path, schedule: Schedule, *options: str, host: str = "127.0.0.1"):  # type: ignore[no-untyped-def]
    """A running server for this schedule, killed at the end."""
    server = Server(schedule.save(folder / "schedule.json"), *options, host=host).start()
    try:
        yield server
    finally:
        server.stop()


class Tablet:
    """A page of the console, touched as a finger would."""

    def __init__(self, page: Browser, address: str, name: str = "Anna", width: int = 768, height: int = 1024) -> None:
        self.page, self.tapped = page, 0.0
        page.ask("Network.enable", maxTotalBufferSize=50_000_000)
        page.screen(width, height)
        page.visit(address)
        if name:
            page.until("document.querySelector('#name')")
            page.evaluate(f"document.querySelector('#name').value = {json.dumps(name)}")
            self.tap(".row .main")

    def tap(self, query: str, times: int = 1) -> None:
        """A touch in the middle of the first element that fits, once it is there; taps too early are not taken."""
        find = f"document.querySelector({json.dumps(query)})"
        time.sleep(max(0.0, self.tapped + 0.41 - time.monotonic()))  # faster, it is the second half of a double tap
        self.page.until(find)
        middle = "e => e && (e.scrollIntoView({block: 'center'}), e = e.getBoundingClientRect(), \
            [e.x + e.width / 2, e.y + e.height / 2])"
        while not (place := self.page.evaluate(f"({middle})({find})")):
            pass  # it was drawn anew just now
        x, y = place
        for _ in range(times):
            for kind in ("mousePressed", "mouseReleased"):
                self.page.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.tapped = time.monotonic()
        self.page.evaluate(
            "new Promise(done => setTimeout(done, 5))", wait=True
        )  # it is drawn after the finger is lifted

    def start(self) -> int:
        """The position whose trial is running now."""
        self.tap("#start")
        self.page.until("document.querySelector('.running')")
        return int(self.page.evaluate("document.querySelector('.running').dataset.position"))

    def score(self, value: int, times: int = 1) -> None:
        self.tap(f"[data-level='{value}']", times)
        self.page.until("!document.querySelector('.running')")

    def trial(self, value: int) -> int:
        """The position of a trial that ran and got this score."""
        position = self.start()
        self.score(value)
        return position

    def photograph(self, folder: Path) -> None:
        """Nothing; the camera field of the running trial was given a picture of 2400 by 1200 pixels."""
        draw = """(() => { const c = document.createElement('canvas'); c.width = 2400; c.height = 1200;
            const g = c.getContext('2d'); g.fillStyle = '#888'; g.fillRect(0, 0, 2400, 1200); g.fillText('x', 50, 50);
            return c.toDataURL('image/png').split(',')[1]; })()"""
        picture = folder / "photo.png"
        picture.write_bytes(base64.b64decode(self.page.evaluate(draw)))
        self.page.ask("DOM.enable")
        root = self.page.ask("DOM.getDocument")["root"]["nodeId"]
        field = self.page.ask("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        self.page.ask("DOM.setFileInputFiles", nodeId=field, files=[str(picture)])

    def settled(self) -> None:
        """Nothing, once everything was sent and heard back."""
        self.page.until("!document.querySelector('#badge')")

    def hear(self) -> None:
        """Nothing; the tablet looks at what others did now, not at its next turn in four seconds."""
        self.page.evaluate("dispatchEvent(new Event('online'))")

    def offline(self, on: bool) -> None:
        """Nothing; the tablet's network is gone, or back."""
        conditions = {"offline": on, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.page.ask("Network.emulateNetworkConditions", **conditions)

    def wire(self) -> str:
        """Everything that this page sent and received so far: addresses, headers, bodies."""
        found = []
        for event in self.page.events:
            if not event.get("method", "").startswith("Network."):
                continue
            found.append(json.dumps(event, ensure_ascii=False))
            if event["method"] == "Network.loadingFinished":
                body = self.page.ask("Network.getResponseBody", requestId=event["params"]["requestId"])
                assert not body["base64Encoded"]
                found.append(body["body"])
        return "\n".join(found)

    def kept(self) -> str:
        """What the page shows and what it keeps."""
        dump = (
            "document.documentElement.outerHTML + JSON.stringify({...localStorage}) + document.cookie + document.title"
        )
        return str(self.page.evaluate(dump))


def rows(folder: Path) -> list[Row]:
    """What the store beside this schedule holds."""
    with open_store(folder / "trials.db") as store:
        return store.rows("kitchen")


def scores(folder: Path, schedule: Schedule) -> dict[int, float | None]:
    """Position -> the score that counts."""
    places = standing(schedule, rows(folder)).places
    return {place.position: place.counting.score for place in places if place.counting}
