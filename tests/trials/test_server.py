"""The console's HTTP, asked by a plain client: what it takes, what it refuses and how, and what it never says."""

import hashlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from surehand.exceptions import SurehandError
from surehand.formats.schedules import Schedule
from surehand.trials.access import loopback, own_address
from surehand.trials.entries import Entry
from surehand.trials.live import Live
from surehand.trials.standing import standing
from surehand.trials.store import open_store

from .consoles import POLICIES, RULES, Server, plan, serving

TOKEN = "a-token-for-tests"
JSON = "application/json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("here"), plan(trials=8)[0]) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the whole network, which needs a token."""
    with serving(tmp_path_factory.mktemp("all"), plan()[0], f"--token={TOKEN}", host="0.0.0.0") as running:
        yield running


def entry(number: int, kind: str = "trial", **fields: Any) -> dict[str, Any]:
    known = {"id": f"{kind}-{number}", "kind": kind, "operator": "Anna", "device": "one", "position": number}
    return known | ({"score": 3.0} if kind in ("trial", "second") else {}) | fields


def post(server: Server, content: Any, **headers: str) -> tuple[int, Any]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    status, _, answer = server.ask("POST", "/api/entries", body, **({"content_type": JSON} | headers))
    return status, answer


def test_an_entry_is_counted_and_the_same_again_repeated(server):
    status, answer = post(server, entry(1))
    assert status == 200
    (receipt,) = answer["receipts"]
    assert receipt["id"] == "trial-1" and receipt["outcome"] == "counted"
    status, again = post(server, entry(1))
    assert (status, again["receipts"]) == (200, [receipt | {"outcome": "repeated"}])
    status, answer = post(server, entry(1, score=1.0))
    assert status == 409 and answer["id"] == "trial-1" and "\n" not in answer["error"]


def test_many_entries_keep_their_order_and_end_at_the_first_refused(server):
    status, answer = post(server, [entry(2, "start"), entry(2), entry(99), entry(3)])
    assert status == 422 and answer["id"] == "trial-99" and "no position 99" in answer["error"]
    assert [r["id"] for r in answer["receipts"]] == ["start-2", "trial-2"]
    numbers = [r["number"] for r in answer["receipts"]]
    assert numbers == sorted(numbers)


def test_a_second_tablet_at_the_same_trial_is_told_whose_it_is(server):
    post(server, entry(5, "start"))
    status, answer = post(server, entry(5, "start", id="b", device="two", operator="Ben"))
    assert status == 200
    assert answer["receipts"][0].items() >= {"outcome": "conflict", "by": "Anna", "state": "running"}.items()
    post(server, entry(5))
    _, answer = post(server, entry(5, id="b-5", device="two", operator="Ben", score=1.0))
    assert answer["receipts"][0].items() >= {"outcome": "conflict", "by": "Anna"}.items()


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/api/entries", b"{not json", {"content_type": JSON}, 400),
        ("POST", "/api/entries", b"[" * 100_000, {"content_type": JSON}, 400),
        ("POST", "/api/entries", b"\xff\xfe", {"content_type": JSON}, 400),
        ("POST", "/api/entries", b"[]", {"content_type": JSON}, 422),
        ("POST", "/api/entries", b"7", {"content_type": JSON}, 422),
        ("POST", "/api/entries", b'{"kind": "trial", "colour": 1}', {"content_type": JSON}, 422),
        ("POST", "/api/entries", b'{"kind": "trial", "score": NaN, "position": 1}', {"content_type": JSON}, 422),
        ("POST", "/api/entries", b"{}", {}, 415),
        ("POST", "/api/entries", b"{}", {"content_type": "text/plain"}, 415),
        ("POST", "/api/entries", b" " * 400_000, {"content_type": JSON}, 413),
        ("GET", "/api/entries", None, {}, 405),
        ("DELETE", "/api/state", None, {}, 405),
        ("GET", "/nowhere", None, {}, 404),
        ("GET", "/page/../server.py", None, {}, 404),
        ("GET", "/page/%2e%2e%2fserver.py", None, {}, 404),
        ("GET", "/api/photos/" + "0" * 64, None, {}, 404),
        ("PUT", "/api/photos/" + "0" * 64, b"\xff\xd8\xffx", {"content_type": "image/jpeg"}, 422),
        ("PUT", "/api/photos/" + "0" * 64, b"\xff\xd8\xffx", {"content_type": "image/png"}, 415),
        ("PUT", "/api/photos/" + "0" * 64, b"\xff\xd8\xff" + bytes(5_000_000), {"content_type": "image/jpeg"}, 413),
        ("GET", "/", None, {"host": "evil.example"}, 421),
        ("GET", "/api/state", None, {"host": "evil.example:8765"}, 421),
        ("POST", "/api/entries", b"{}", {"content_type": JSON, "origin": "http://evil.example"}, 403),
        ("POST", "/api/entries", b"{}", {"content_type": JSON, "origin": "null"}, 403),
        ("GET", "/api/state", None, {"sec_fetch_site": "cross-site"}, 403),
    ],
)
def test_what_is_refused_is_one_line_of_json(server, method, path, body, headers, status):
    found, given, answer = server.ask(method, path, body, **headers)
    assert found == status
    assert given["content-type"] == JSON and set(answer) <= {"error", "id", "receipts"}
    assert answer["error"] and "\n" not in answer["error"] and "Traceback" not in answer["error"]


def test_every_answer_says_what_a_browser_may_do_with_it(server):
    for path in ("/", "/page/console.js", "/api/state", "/nowhere"):
        _, headers, _ = server.ask("GET", path)
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_a_picture_is_kept_under_its_hash(server):
    data = b"\xff\xd8\xff" + bytes(range(256))
    path = f"/api/photos/{hashlib.sha256(data).hexdigest()}"
    assert server.ask("PUT", path, data, content_type="image/jpeg")[0] == 200
    status, headers, answer = server.ask("GET", path)
    assert (status, headers["content-type"], answer) == (200, "image/jpeg", data)


def test_state_holds_no_arm_no_seed_and_nobody_elses_score(server):
    schedule, key = plan(trials=8)
    post(server, entry(7, notes="fell over"))
    _, _, state = server.ask("GET", "/api/state?operator=Eve&device=two")
    told = json.dumps(state)
    hidden = [*schedule.arms, *POLICIES, key.nonce, key.commitment, "fell over", '"seed"', '"block"', '"arm"', '"one"']
    assert [text for text in hidden if text in told] == []
    assert state["mine"] == [] and '"score"' not in told
    _, _, own = server.ask("GET", "/api/state?operator=%20ANNA&device=one")
    assert [row["score"] for row in own["mine"] if row["position"] == 7] == [3.0]


def test_second_scores_are_for_others_and_show_no_first_score(server):
    wanted = next(item.position for item in plan(trials=8)[0].items if item.second and item.position > 8)
    post(server, entry(wanted, notes="nearly"))
    _, _, own = server.ask("GET", "/api/state?operator=anna&device=one")
    _, _, other = server.ask("GET", "/api/state?operator=Ben&device=two")
    assert wanted not in [row["position"] for row in own["second"]]
    assert {"position": wanted, "operator": "Anna", "photo": ""} in other["second"]
    assert post(server, entry(wanted, "second"))[0] == 409  # Anna again
    assert post(server, entry(wanted, "second", id="s", operator="Ben", score=4.0))[0] == 200
    _, _, other = server.ask("GET", "/api/state?operator=Ben&device=two")
    assert wanted not in [row["position"] for row in other["second"]]


def test_beyond_this_machine_nobody_is_let_in_without_the_token(guarded):
    assert guarded.ask("GET", "/")[0] == 200 and guarded.ask("GET", "/healthz")[0] == 200
    for path in ("/api/state", "/api/photos/" + "0" * 64):
        status, _, answer = guarded.ask("GET", path)
        assert status == 401 and "\n" not in answer["error"]
    assert post(guarded, entry(1))[0] == 401

    def enter(token: Any) -> tuple[int, dict[str, str], Any]:
        return guarded.ask("POST", "/api/enter", json.dumps({"token": token}).encode(), content_type=JSON)

    for wrong in ("", "a-token-for-test", TOKEN + "x", None, 5, "ä", "\ud800"):
        assert enter(wrong)[0] == 401
    status, headers, _ = enter(TOKEN)
    cookie = headers["set-cookie"]
    assert status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    beside = 'json={"a": [1, 2]}; odd name=\xe9; '  # what other programs at this address left
    for others in ("", beside):
        assert guarded.ask("GET", "/api/state", cookie=others + cookie.split(";")[0])[0] == 200
    assert guarded.ask("GET", "/api/state", cookie=cookie.split(";")[0][:-1] + "~")[0] == 401


def test_token_and_link_are_told_once_and_are_in_no_log(guarded):
    log = guarded.log.read_text()
    assert log.count(TOKEN) == 1 and f"http://{own_address()}:{guarded.port}/#token={TOKEN}" in log
    assert "GET" not in log and "POST" not in log


def test_what_is_read_anew_row_by_row_is_what_all_rows_amount_to(tmp_path, rng):
    schedule, _ = plan()
    with open_store(tmp_path / "trials.db", create=True) as store:
        live = Live(store, store.add_study(schedule))
        for number in range(200):
            kind = str(rng.choice(["start", "trial", "void", "correction", "withdrawal", "second", "note"]))
            there = store.rows("kitchen")
            named = there[rng.integers(len(there))] if there and kind in ("correction", "withdrawal") else None
            fields: dict[str, Any] = {"operator": str(rng.choice(["Anna", "Ben", "Eve"]))}
            fields |= {"corrects": named.id, "position": named.position} if named else {}
            fields |= {"score": 2.0} if kind == "correction" else {"void_rule": RULES[0]} if kind == "void" else {}
            fields |= {"notes": "seen", "position": None} if kind == "note" else {}
            given = entry(number, kind, **({"position": int(rng.integers(1, 13))} | fields))
            with suppress(SurehandError):
                live.add(Entry.model_validate(given))
        assert live.now().places == standing(schedule, store.rows("kitchen")).places
        assert live.now().last == len(store.rows("kitchen")) > 100


def test_a_short_token_or_a_taken_port_is_one_line(tmp_path):
    path = plan()[0].save(tmp_path / "schedule.json")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for options in ([f"--port={port}"], ["--port=0", "--token=short"], ["--port=0", "--host=203.0.113.7"]):
            command = [sys.executable, "-m", "surehand", "trials", "serve", str(path), *options]
            found = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert found.returncode == 2 and len(found.stderr.splitlines()) == 1, found.stderr
            assert found.stderr.startswith("surehand: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_politely_and_keeps_everything(tmp_path, number):
    with serving(tmp_path, plan()[0]) as server:
        post(server, [entry(n) for n in range(1, 8)])
        assert server.stop(number) == 130
        assert "Traceback" not in server.log.read_text()
    with open_store(tmp_path / "trials.db") as store:
        assert [row.id for row in store.rows("kitchen")] == [f"trial-{n}" for n in range(1, 8)]


def test_a_store_that_is_taken_away_is_told_at_the_terminal_and_acknowledges_nothing(tmp_path):
    with serving(tmp_path, plan()[0]) as server:
        post(server, entry(1))
        away = {path: path.with_name(f"away-{path.name}") for path in tmp_path.glob("trials.db*")}
        for path, elsewhere in away.items():
            path.rename(elsewhere)
        assert [post(server, entry(n))[0] for n in (2, 2, 3)] == [503] * 3, "the tablet sends them again"
        assert server.log.read_text().count("was moved, replaced or deleted") == 1
        for path, elsewhere in away.items():
            elsewhere.rename(path)
        assert post(server, entry(2))[0] == 200
    with open_store(tmp_path / "trials.db") as store:
        assert [row.id for row in store.rows("kitchen")] == ["trial-1", "trial-2"]


def test_the_terminal_says_which_schedule_is_served(server):
    schedule = Schedule.load(server.log.with_name("schedule.json"))
    assert f"sha256 {schedule.identity}" in server.log.read_text(), "the one that surehand trials plan printed"


def test_a_store_is_served_by_its_study(tmp_path):
    schedule, _ = plan()
    with serving(tmp_path, schedule) as server:
        post(server, entry(1))
    server.command[server.command.index(str(tmp_path / "schedule.json"))] = str(tmp_path / "trials.db")
    try:
        assert server.start().ask("GET", "/api/state?operator=Anna")[2]["mine"][0]["score"] == 3.0
    finally:
        server.stop()


def test_the_stop_is_told_when_the_rule_allows_it_and_names_nobody(tmp_path):
    schedule, key = plan(trials=60, stop="score", codes="policy")
    scores = dict(zip(schedule.arms, (1.0, 3.0, 4.0), strict=True))
    told = []
    with serving(tmp_path, schedule) as server:
        for start, end in ((0, 9), (9, 90)):
            items = schedule.items[start:end]
            assert post(server, [entry(i.position, score=scores[i.arm]) for i in items])[0] == 200
            told.append(server.ask("GET", "/api/state?operator=Anna")[2]["stopping"])
    assert [found["may_stop"] for found in told] == [False, True]
    assert told[0]["sentence"] == "" and set(told[-1]) == {"may_stop", "sentence"}
    assert not any(name in told[-1]["sentence"] for name in [*schedule.arms, *key.policies.values()])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.0.1"])
def test_only_this_machine_needs_no_token(host):
    assert loopback(host) and not loopback("0.0.0.0") and not loopback("192.0.2.2") and not loopback("lab.local")


def test_the_page_is_in_the_package():
    found = Path(__file__).parents[2] / "src/surehand/trials/page"
    text = "".join(file.read_text() for file in found.iterdir())
    assert '<script type="module" src="/page/console.js">' in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text
    assert "innerHTML" not in text and "eval(" not in text


def test_behind_a_proxy_it_answers_to_the_name_given_and_wants_a_token(tmp_path):
    with serving(tmp_path, plan()[0], "--name=trials.lab.example") as server:
        assert "https://trials.lab.example/#token=" in server.log.read_text()
        asked = {"host": "trials.lab.example", "origin": "https://trials.lab.example"}
        assert server.ask("GET", "/", **asked)[0] == 200
        assert server.ask("GET", "/api/state", **asked)[0] == 401
        assert server.ask("GET", "/", host="trials.lab.example.evil.example")[0] == 421


def test_nothing_new_is_a_short_answer(server):
    _, _, whole = server.ask("GET", "/api/state?operator=Anna")
    _, _, short = server.ask("GET", f"/api/state?operator=Anna&known={whole['last']}")
    assert short == {"identity": whole["identity"], "last": whole["last"], "unchanged": True}
    assert "items" in server.ask("GET", f"/api/state?operator=Anna&known={whole['last'] - 1}")[2]
