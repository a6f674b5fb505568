"""The openpi server: any policy behind it, one question at a time, and no visitor that can stop or mislead it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import ShapeError, SurehandError
from surehand.frames import Space
from surehand.policies.openpi import link
from surehand.policies.openpi.client import OpenpiPolicy
from surehand.policies.openpi.server import OpenpiServer
from surehand.policies.protocol import Answer, Observation, PolicySpec
from surehand.wire.msgpack_numpy import pack, unpack

from .served import STATE, D, H, Small, chunk, observation


@pytest.fixture(autouse=True)
def packages(need: Callable[[str], None]) -> None:
    need("websockets")
    need("msgpack")


def health(server: OpenpiServer) -> bytes:
    with urllib.request.urlopen(server.url.replace("ws://", "http://") + "/healthz", timeout=5) as found:
        return bytes(found.read())


def test_metadata_comes_first_and_answers_hold_no_other_arrays() -> None:
    extra = {"embedding": np.arange(7.0), "deep": {"row": np.ones(2), "n": np.int64(3)}, "why": ["x", np.zeros((1, 2))]}
    policy = Small(change=lambda asked: extra)
    with OpenpiServer(policy, port=0) as server, OpenpiPolicy(server.url) as client:
        assert client.metadata["policy"] == "small" and client.metadata["surehand"]
        assert (client.metadata["dims"], client.metadata["inputs"]) == (D, [STATE])
        answer = client.infer(observation())
        assert answer["actions"].dtype == np.float32
        assert answer["embedding"] == [0, 1, 2, 3, 4, 5, 6]
        assert answer["deep"] == {"row": [1.0, 1.0], "n": 3} and answer["why"] == ["x", [[0.0, 0.0]]]


def test_health_is_answered_while_the_policy_thinks() -> None:
    thinking, enough = threading.Event(), threading.Event()

    def think(asked: int) -> None:
        thinking.set()
        assert enough.wait(30)

    with OpenpiServer(Small(change=think), port=0) as server, OpenpiPolicy(server.url) as client:
        found: list[Any] = []
        asking = threading.Thread(target=lambda: found.append(client.infer(observation())))
        asking.start()
        assert thinking.wait(30)
        assert health(server) == b"OK\n" and not found
        with OpenpiPolicy(server.url) as second:  # metadata needs no turn
            assert second.metadata["policy"] == "small"
        enough.set()
        asking.join(30)
        assert found


def test_many_connections_share_the_policy_one_question_at_a_time() -> None:
    policy = Small(change=lambda asked: time.sleep(0.002))
    wrong: list[int] = []

    def ask(number: int) -> None:
        with OpenpiPolicy(server.url) as client:
            for seed in range(number, number + 10):
                found = client.infer(observation(seed))["actions"]
                if found.tobytes() != chunk(observation(seed)).astype(np.float32).tobytes():
                    wrong.append(seed)

    with OpenpiServer(policy, port=0) as server:
        askers = [threading.Thread(target=ask, args=[100 * i]) for i in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert wrong == [] and policy.asked == 40 and policy.resets == 4


def test_errors_are_said_in_one_line_and_the_server_goes_on() -> None:
    said: list[str] = []
    raised = [ShapeError("the policy needs a torque"), ValueError("first\nlast"), SystemExit(3), None]

    def fail(asked: int) -> None:
        if (error := raised[asked - 1]) is not None:
            raise error

    with OpenpiServer(Small(change=fail), port=0, say=said.append) as server, OpenpiPolicy(server.url) as client:
        for words in (
            "said: the policy needs a torque;",
            "said: ValueError: first last;",
            "RuntimeError: SystemExit: 3",
        ):
            with pytest.raises(SurehandError) as refused:
                client.infer(observation())
            assert words in str(refused.value)
        assert client.infer(observation())["actions"].shape == (H, D)
    assert said[0] == "the policy needs a torque"
    assert said[1].startswith("Traceback") and said[1].endswith("ValueError: first\nlast")


@pytest.mark.parametrize(
    ("actions", "words"),
    [(np.full((H, D), np.nan), "nan at"), (np.ones((1, H, D)), "shape (1, 5, 3)"), (np.full((H, D), 1e300), "1e+300")],
    ids=["nan", "batch", "beyond single precision"],
)
def test_a_policy_that_answers_nonsense_is_not_passed_on(actions: np.ndarray, words: str) -> None:
    policy = Small(change=lambda asked: {"actions": actions})
    with OpenpiServer(policy, port=0) as server, OpenpiPolicy(server.url) as client:
        with pytest.raises(SurehandError) as refused:
            client.infer(observation())
        assert "the server said: the policy answered" in str(refused.value) and words in str(refused.value)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("hello", "expected an observation as one binary message"),
        (b"\xc1", "msgpack"),
        (pack({"x": 1})[:-1], "breaks off"),
        (pack([1, 2]), "an observation must be a dict"),
        (pack({"task": "x"}), "KeyError"),
        (pack({"history": [3]}), "an observation must be a dict of features, got a int"),
    ],
)
def test_what_is_no_observation_is_answered_in_text(message: Any, words: str) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    with OpenpiServer(Small(), port=0) as server, connect(server.url) as client:
        assert unpack(client.recv())["policy"] == "small"
        client.send(message)
        said = client.recv()
        assert isinstance(said, str) and words in said and "\n" not in said
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011


def test_the_key_is_asked_for_and_web_pages_are_not_let_in() -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    with OpenpiServer(Small(), port=0, api_key="s3cret") as server:
        assert health(server) == b"OK\n"
        for key in ("", "wrong", "s3cr", "s3crets"):
            with pytest.raises(SurehandError, match="refused the api key"):
                OpenpiPolicy(server.url, api_key=key)
        OpenpiPolicy(server.url, api_key="s3cret").close()
    for key in ("s3crét", "two\nlines", " "):
        with pytest.raises(SurehandError, match="HTTP cannot send"):
            OpenpiServer(Small(), api_key=key)
        with pytest.raises(SurehandError, match="HTTP cannot send"):
            OpenpiPolicy("ws://localhost:1", api_key=key)
    with OpenpiServer(Small(), port=0) as server, pytest.raises(InvalidStatus, match="403"):
        connect(server.url, origin="https://example.org").__enter__()  # type: ignore[arg-type]


def test_a_visitor_that_goes_away_does_no_harm() -> None:
    policy = Small(change=lambda asked: time.sleep(0.2 if asked == 1 else 0))
    said: list[str] = []
    with OpenpiServer(policy, port=0, say=said.append) as server:
        with pytest.raises(SurehandError, match="no answer within"):
            OpenpiPolicy(server.url, timeout=0.05).infer(observation())
        with OpenpiPolicy(server.url) as client:
            assert client.infer(observation())["actions"].shape == (H, D)
    assert said == []


def test_a_taken_port_is_one_line_and_a_stopped_server_frees_it() -> None:
    with OpenpiServer(Small(), port=0) as server:
        with pytest.raises(SurehandError, match=r"cannot listen at ws://127.0.0.1:\d+ .*choose another --port"):
            OpenpiServer(Small(), port=server.port).start()
    with pytest.raises(SurehandError, match="cannot be reached"):
        OpenpiPolicy(server.url)
    with OpenpiServer(Small(), port=server.port) as again, OpenpiPolicy(again.url) as client:
        client.infer(observation())


def test_stopping_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PAUSES", ())
    thinking, stuck = threading.Event(), threading.Event()

    def think(asked: int) -> None:
        thinking.set()
        assert stuck.wait(60)

    server = OpenpiServer(Small(change=think), port=0).start()
    failed: list[str] = []

    def ask(client: OpenpiPolicy) -> None:
        try:
            client.infer(observation())
        except SurehandError as error:
            failed.append(str(error))

    with OpenpiPolicy(server.url, timeout=30) as client:
        asking = threading.Thread(target=ask, args=[client])
        asking.start()
        assert thinking.wait(30)
        server.stop(patience=0.2)  # returns, though the policy is still at it
        stuck.set()
        server.wait()
        asking.join(30)
    assert len(failed) == 1 and "1001" in failed[0]


POLICY = """
import numpy as np


def small(observation):
    return {"actions": np.tile(observation["observation.state"], (4, 1))}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_asked_to_stop(number: int, tmp_path: Path) -> None:
    (tmp_path / "held.py").write_text(POLICY)
    call = [sys.executable, "-m", "surehand", "serve", f"{tmp_path / 'held.py'}:small", "--port", "0"]
    call += ["--map", "observation.state=observation/state"]
    plain = {**os.environ, "SUREHAND_API_KEY": "key"}
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"at (ws://127\.0\.0\.1:\d+); it only serves, nothing guards the robot", line)
            assert found, line + process.stderr.read()
            with OpenpiPolicy(found[1], api_key="key") as client:
                state = np.arange(3, dtype=np.float32)
                sent = {"observation/state": state}
                client.mapping = type(client.mapping).parse("observation/state=observation/state")
                np.testing.assert_array_equal(client.infer(sent)["actions"], np.tile(state, (4, 1)))
                process.send_signal(number)
                assert process.wait(timeout=30) == 0
            assert process.stderr.read() == "surehand serve: stopped\n"
        finally:
            process.kill()


def test_what_surehands_server_says_of_its_policy_is_known_to_the_client() -> None:
    """A policy that looks back and begins in the past is asked, through a server, as it is here."""
    seen: list[Any] = []

    class Backward(Small):
        @property
        def spec(self) -> PolicySpec:
            return PolicySpec(H, D, Space(), first_step=-1, inputs=(STATE,), history=2)

        def infer(self, one: Observation) -> Answer:
            seen.append(one["history"])
            return {"actions": chunk(one) + 7 * chunk(one["history"][0])}

    asked = {**observation(1), "history": [observation(0)]}
    with OpenpiServer(Backward(), port=0) as server, OpenpiPolicy(server.url) as client:
        spec = client.spec
        assert (spec.first_step, spec.history, spec.stochastic, spec.seeded) == (-1, 2, False, True)
        found = client.infer(asked)["actions"]
    np.testing.assert_array_equal(found, Backward().infer(asked)["actions"].astype(np.float32))
    assert seen[0][0]["task"] == "scene 0" and seen[0][0][STATE].flags.writeable
    with OpenpiServer(Small(stochastic=True), port=0) as server, OpenpiPolicy(server.url) as client:
        spec = client.spec
        assert (spec.first_step, spec.history, spec.stochastic, spec.generator, spec.seeded) == (
            0,
            1,
            True,
            "noise",
            False,
        )
