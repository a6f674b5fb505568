"""The openpi client: right against a server of our own, and one clear line for every way a server can fail."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.policies.function import FunctionPolicy
from surehand.policies.mapping import Mapping
from surehand.policies.openpi import link
from surehand.policies.openpi.client import OpenpiPolicy
from surehand.policies.openpi.server import OpenpiServer
from surehand.policies.protocol import Observation, Policy
from surehand.wire.msgpack_numpy import pack

from .served import HEAD, STATE, D, H, Small, chunk, frame, handshake, observation, read_frame, scripted

FINE = np.ones((H, D), np.float32)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch, need: Callable[[str], None]) -> None:
    need("websockets")
    need("msgpack")
    monkeypatch.setattr(link, "PAUSES", (0.01, 0.02, 0.03))


def test_a_policy_served_and_asked_is_the_policy() -> None:
    with OpenpiServer(Small(), port=0) as server, OpenpiPolicy(server.url) as policy:
        assert isinstance(policy, Policy)
        assert (policy.spec.horizon, policy.spec.dims, policy.spec.seeded) == (0, 0, True)
        assert policy.metadata["policy"] == "small" and policy.metadata["horizon"] == H
        asked = [observation(seed) for seed in range(4)]
        answers = [policy.infer(asked[0]), *policy.infer_batch(asked[1:])]
        for one, answer in zip(asked, answers, strict=True):
            np.testing.assert_array_equal(answer["actions"], chunk(one).astype(np.float32), strict=True)
            assert answer["actions"].flags.writeable
        assert set(answers[0]["server_timing"]) == {"infer_ms"}
        assert set(answers[1]["server_timing"]) == {"infer_ms", "prev_total_ms"}
        assert answers[0]["policy_timing"]["infer_ms"] >= 0
        assert (policy.spec.horizon, policy.spec.dims) == (H, D)
        assert (policy.spec.stochastic, policy.spec.generator, policy.spec.cameras) == (False, "deterministic", None)


def test_samples_are_as_many_answers() -> None:
    with OpenpiServer(Small(stochastic=True), port=0, seed=3) as server, OpenpiPolicy(server.url) as policy:
        found = policy.sample(observation(), 4, np.random.default_rng(0))
        assert found.actions.shape == (4, H, D) and found.generator == "noise"
        assert len({row.tobytes() for row in found.actions}) == 4  # the server draws on
    inner = Small(stochastic=True)
    with OpenpiServer(inner, port=0) as server, OpenpiPolicy(server.url) as policy:
        assert len({row.tobytes() for row in policy.sample(observation(), 3, np.random.default_rng(0)).actions}) == 1
    assert inner.asked == 3


def test_mapping_and_size_are_applied_before_sending() -> None:
    mapping = Mapping.parse(["observation/state=observation.state", f"images.top={HEAD}", "prompt=task"])
    back = Mapping.parse(["observation.state=observation/state", f"{HEAD}=images.top"], flat=True)
    seen = {}

    class Looks(Small):
        def infer(self, one: dict) -> dict:  # type: ignore[type-arg]
            seen.update(one)
            return super().infer(one)

    with OpenpiServer(Looks(), port=0, mapping=back) as server:
        policy = OpenpiPolicy(server.url, mapping, resize=16)
        policy.infer(observation(1))
        assert (policy.spec.cameras, policy.spec.inputs, policy.image_size) == ((HEAD,), (STATE,), 16)
        policy.close()
    assert seen["task"] == "scene 1" and seen[HEAD].shape == (16, 16, 3)
    np.testing.assert_array_equal(seen[STATE], observation(1)[STATE])


def talk(*replies: bytes, then: Callable[[socket.socket], None] = lambda peer: None) -> Callable[..., None]:
    """A script: metadata, then for each question one of these raw bytes, and in the end what `then` does."""

    def run(peer: socket.socket, count: int) -> None:
        handshake(peer)
        peer.sendall(frame(pack({"policy": "raw"})))
        for reply in replies:
            if not read_frame(peer):
                return
            peer.sendall(reply)
        if read_frame(peer):
            then(peer)

    return run


def answer(**content: object) -> bytes:
    return frame(pack(content))


WHOLE = answer(actions=FINE)
BAD_ANSWERS = {
    "nan": (answer(actions=np.full((2, 2), np.nan)), FormatError, "nan at (0, 0)"),
    "infinite": (answer(actions=np.full((2, 2), np.inf)), FormatError, "inf at (0, 0)"),
    "one row": (answer(actions=np.ones(3)), ShapeError, "shape (3,), expected (H, D)"),
    "batch": (answer(actions=np.ones((1, 2, 3))), ShapeError, "shape (1, 2, 3)"),
    "empty": (answer(actions=np.ones((0, 3))), ShapeError, "shape (0, 3)"),
    "text": (answer(actions="forward"), FormatError, "answered 'forward'"),
    "booked": (answer(action=FINE), FormatError, "expected 'actions'"),
    "list": (frame(pack([1, 2])), FormatError, "answered a list; expected a dict"),
    "no msgpack": (frame(b"\xc1\x00"), FormatError, "answered something unreadable"),
    "cut inside": (frame(pack({"actions": FINE})[:-3]), FormatError, "breaks off"),
    "pickle": (frame(pack({"actions": {b"__ndarray__": True, b"dtype": "O"}})), FormatError, "has the keys"),
    "traceback": (
        frame(b"Traceback (most recent call last):\n  File x\nKeyError: 'observation/state'\n", 1),
        SurehandError,
        "the server said: KeyError: 'observation/state'",
    ),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_a_bad_answer_is_one_line_and_the_next_is_fine(case: str) -> None:
    reply, kind, words = BAD_ANSWERS[case]
    with scripted(
        lambda peer, count: talk(reply, WHOLE)(peer, count) if count == 1 else talk(WHOLE)(peer, count)
    ) as url:
        policy = OpenpiPolicy(url, timeout=10)
        with pytest.raises(kind) as refused:
            policy.infer(observation())
        assert words in str(refused.value) and url in str(refused.value) and "\n" not in str(refused.value)
        np.testing.assert_array_equal(policy.infer(observation())["actions"], FINE)
        policy.close()


def test_a_chunk_of_another_shape_than_before_is_refused() -> None:
    with scripted(talk(WHOLE, answer(actions=np.ones((H, D + 1), np.float32)))) as url, OpenpiPolicy(url) as policy:
        policy.infer(observation())
        with pytest.raises(ShapeError, match=rf"\({H}, {D + 1}\), before that \({H}, {D}\)"):
            policy.infer(observation())


@pytest.mark.parametrize("cut", [b"", WHOLE[:1], WHOLE[:20], WHOLE[:-1], frame(b"\x03\xf3internal", 8)], ids=len)
def test_a_dropped_connection_is_opened_again(cut: bytes) -> None:
    """The server goes away after none, part or nearly all of an answer; the question is asked again."""

    def run(peer: socket.socket, count: int) -> None:
        talk(WHOLE)(peer, count) if count == 3 else broken(peer)

    def broken(peer: socket.socket) -> None:
        handshake(peer)
        peer.sendall(frame(pack({"policy": "raw"})))
        read_frame(peer)
        peer.sendall(cut)

    with scripted(run) as url, OpenpiPolicy(url, timeout=10) as policy:
        np.testing.assert_array_equal(policy.infer(observation())["actions"], FINE)


def test_an_answer_without_end_is_cut_off_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LARGEST", 1000)
    asked: list[int] = []

    def run(peer: socket.socket, count: int) -> None:
        asked.append(count)
        talk(frame(bytes(2000)))(peer, count)

    with scripted(run) as url, OpenpiPolicy(url, timeout=10) as policy:
        with pytest.raises(SurehandError, match=r"sent more than .* at once; is this a policy server"):
            policy.infer(observation())
    assert asked == [1]


def test_a_server_that_keeps_dropping_is_given_up() -> None:
    asked = []

    def run(peer: socket.socket, count: int) -> None:
        talk(then=lambda peer: asked.append(count))(peer, count)

    with scripted(run) as url, OpenpiPolicy(url, timeout=10) as policy:
        with pytest.raises(SurehandError, match=r"before its answer was whole .*asked 4 times over new connections"):
            policy.infer(observation())
    assert asked == [1, 2, 3, 4]


def test_another_server_at_the_same_address_is_not_taken_for_the_first() -> None:
    def run(peer: socket.socket, count: int) -> None:
        handshake(peer)
        peer.sendall(frame(pack({"policy": f"number {count}"})))
        if read_frame(peer) and count > 1:
            peer.sendall(WHOLE)

    with scripted(run) as url, OpenpiPolicy(url, timeout=10) as policy:
        with pytest.raises(SurehandError, match="came back as another server"):
            policy.infer(observation())


def test_a_served_policy_is_given_the_observations_before() -> None:
    def both(one: Observation) -> np.ndarray:
        return np.stack([one["history"][0][STATE], one[STATE]])

    both.history = 2  # type: ignore[attr-defined]
    before, now = observation(1), observation(2)
    with OpenpiServer(FunctionPolicy(both, "mine:both"), port=0) as server, OpenpiPolicy(server.url) as policy:
        assert policy.spec.history == 2
        found = policy.infer({**now, "history": [before]})["actions"]
        np.testing.assert_array_equal(found, np.stack([before[STATE], now[STATE]]))
    mapping = Mapping.parse("place=observation.state")
    back = Mapping.parse("observation.state=place", flat=True)
    with (
        OpenpiServer(FunctionPolicy(both, "mine:both"), port=0, mapping=back) as server,
        OpenpiPolicy(server.url, mapping) as policy,
    ):
        np.testing.assert_array_equal(policy.infer({**now, "history": [before]})["actions"], found)


@pytest.mark.parametrize("said", [0, 10**9, 2.0, "2"])
def test_a_history_that_nobody_can_give_is_not_believed(said: object) -> None:
    whole = {"surehand": "0", "first_step": 0, "generator": "noise", "stochastic": True}

    def run(peer: socket.socket, count: int) -> None:
        handshake(peer)
        peer.sendall(frame(pack({**whole, "history": said})))
        read_frame(peer)

    with scripted(run) as url, OpenpiPolicy(url) as policy:
        assert policy.spec.history == 1


def test_a_server_that_has_learned_its_shape_is_still_the_same() -> None:
    served = FunctionPolicy(lambda one: np.ones((H, D)), "mine:ones")
    with OpenpiServer(served, port=0) as server, OpenpiPolicy(server.url) as policy:
        policy.infer(observation())
        assert served.spec.horizon == H
        policy.close()  # as when the connection drops
        assert policy.infer(observation())["actions"].shape == (H, D)


def test_a_late_answer_is_not_taken_for_the_next_ones() -> None:
    def run(peer: socket.socket, count: int) -> None:
        def late(peer: socket.socket) -> None:
            time.sleep(0.6)
            peer.sendall(answer(actions=-FINE))

        (talk(then=late) if count == 1 else talk(WHOLE))(peer, count)

    with scripted(run) as url, OpenpiPolicy(url, timeout=0.3) as policy:
        with pytest.raises(SurehandError, match=r"no answer within 0.3 s.*--timeout"):
            policy.infer(observation())
        time.sleep(0.5)
        np.testing.assert_array_equal(policy.infer(observation())["actions"], FINE)


def test_a_server_that_reads_nothing_is_not_waited_for() -> None:
    """Sending itself blocks once the buffers between are full; the limit holds there too."""
    over, held = threading.Event(), list[bool]()
    big = {**observation(), "observation.images.big": np.zeros((3000, 3000, 3), np.uint8)}

    def run(peer: socket.socket, count: int) -> None:
        handshake(peer)
        peer.sendall(frame(pack({"policy": "raw"})))
        held.append(over.wait(60))

    with scripted(run) as url, OpenpiPolicy(url, timeout=0.5) as policy:
        with pytest.raises(SurehandError, match=r"no answer within 0.5 s"):
            policy.infer(big)
        assert held == []  # it was given up while the server went on reading nothing
        over.set()


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"", "closed the connection"),
        (frame(b"hello", 1), "the server said: hello"),
        (frame(pack([1])), "sent a list for metadata"),
        (frame(b"\xc1"), "sent no metadata first"),
    ],
)
def test_a_first_message_that_is_no_metadata(first: bytes, words: str) -> None:
    def run(peer: socket.socket, count: int) -> None:
        handshake(peer)
        peer.sendall(first)
        if first:
            read_frame(peer)

    with scripted(run) as url, pytest.raises(SurehandError) as refused:
        OpenpiPolicy(url, timeout=10)
    assert words in str(refused.value) and url in str(refused.value)


def test_silence_after_the_handshake() -> None:
    def run(peer: socket.socket, count: int) -> None:
        handshake(peer)
        read_frame(peer)

    with scripted(run) as url, pytest.raises(SurehandError, match=r"no metadata within 0.3 s"):
        OpenpiPolicy(url, timeout=0.3)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "refused the api key"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refused the api key"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered HTTP 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "answered HTTP 200"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not as a websocket"),
        (b"", "not as a websocket"),
    ],
)
def test_what_is_no_websocket(reply: bytes, words: str) -> None:
    def run(peer: socket.socket, count: int) -> None:
        peer.recv(4096)
        peer.sendall(reply)

    with scripted(run) as url, pytest.raises(SurehandError) as refused:
        OpenpiPolicy(url, timeout=5)
    assert words in str(refused.value) and url in str(refused.value) and "\n" not in str(refused.value)


def test_addresses_where_nobody_is() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        with pytest.raises(SurehandError, match=r"cannot be reached \(Connection refused\); start the server"):
            OpenpiPolicy(f"ws://127.0.0.1:{taken.getsockname()[1]}")
    for address in (
        "http://localhost:8000",
        "ws://",
        "localhost:8000",
        "ws://localhost:port",
        "ws://a..b:80",
        "ws://me@x:80",
    ):
        with pytest.raises(SurehandError, match=r"expected ws://HOST:PORT|cannot be asked \(.*isn't a valid URI"):
            OpenpiPolicy(address)
    with pytest.raises(SurehandError, match="timeout of 0"):
        OpenpiPolicy("ws://localhost:1", timeout=0)


def test_the_key_is_sent_as_openpi_sends_it() -> None:
    asked = []

    def run(peer: socket.socket, count: int) -> None:
        asked.append(handshake(peer))
        peer.sendall(frame(pack({})))
        read_frame(peer)

    with scripted(run) as url:
        OpenpiPolicy(url, api_key="s3cret").close()
        OpenpiPolicy(url).close()
    assert "Authorization: Api-Key s3cret\r\n" in asked[0] and "Authorization" not in asked[1]
    assert "permessage-deflate" not in asked[0]


def test_a_missing_package_is_one_line() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None\n"
        "from surehand.policies.openpi.client import OpenpiPolicy\n"
        "from surehand.exceptions import SurehandError\n"
        "try: OpenpiPolicy('ws://localhost:1')\n"
        "except SurehandError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'surehand[remote]'" in found.stdout


PEER = Path(__file__).parents[1] / "peers/openpi_peer.py"


@pytest.mark.slow
def test_a_server_that_blocks_its_loop_for_a_minute_is_survived() -> None:
    """No ping of ours may end the connection: openpi's server thinks in its event loop."""
    call = [sys.executable, str(PEER), "--mode", "slow", "--seconds", "55", "--times", "1"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env={**os.environ}) as peer:
        assert peer.stdout is not None
        try:
            policy = OpenpiPolicy(f"ws://127.0.0.1:{peer.stdout.readline().split()[1]}", timeout=120)
            assert policy.infer(observation())["actions"].shape == (8, 7)
            assert policy.infer(observation())["peer"]["count"] == 2  # asked once only
            policy.close()
        finally:
            peer.kill()
