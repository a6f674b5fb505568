"""OpenVLA-OFT's HTTP server: the peer's own numbers, and one line for each way in which a server fails."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.frames import Space
from surehand.policies import openvla
from surehand.policies.mapping import Mapping
from surehand.policies.openvla import OpenVLAPolicy
from surehand.policies.protocol import Policy
from surehand.wire import json_numpy

from .peer_process import expected, observation, peer

MAPPING = Mapping.parse(
    "full_image=observation.images.top,left_wrist_image=observation.images.wrist,state=observation.state,instruction=task"
)


@contextmanager
def asked(*options: str, timeout: float = 20.0, **more: Any) -> Iterator[OpenVLAPolicy]:
    with peer("openvla", *options) as port:
        policy = OpenVLAPolicy(f"http://127.0.0.1:{port}", MAPPING, timeout=timeout, **more)
        try:
            yield policy
        finally:
            policy.close()


@pytest.fixture(autouse=True)
def oracle(need: Callable[[str], None]) -> None:
    need("json_numpy")


def leaves(seen: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("full_image", seen["observation.images.top"]),
        ("left_wrist_image", seen["observation.images.wrist"]),
        ("state", seen["observation.state"]),
        ("instruction", seen["task"]),
    ]


def test_answers_are_the_servers_own() -> None:
    with asked(space=Space("normalised", "quantiles")) as policy:
        assert isinstance(policy, Policy)
        assert (policy.spec.horizon, policy.spec.dims, policy.spec.stochastic) == (0, 0, False)
        assert policy.spec.cameras == ("observation.images.top", "observation.images.wrist")
        assert str(policy.spec.space) == "normalised:quantiles"
        rows = [observation(seed) for seed in range(3)]
        for row, answer in zip(rows, policy.infer_batch(rows), strict=True):
            np.testing.assert_array_equal(answer["actions"], expected(leaves(row)), strict=True)
            assert answer["actions"].flags.writeable
        assert (policy.spec.horizon, policy.spec.dims) == (8, 7)
        drawn = policy.sample(rows[0], 3, np.random.default_rng(0))
        assert drawn.actions.shape == (3, 8, 7) and drawn.generator == "deterministic"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (
            "error",
            r"answered 'error'; its log says why\. It was sent full_image, left_wrist_image, state, instruction$",
        ),
        ("http500", r"answered 500 Internal Server Error: Internal Server Error; see its log"),
        ("nan", r"answered nan at \(4, 6\); expected finite numbers"),
        ("ragged", r"answered a list, expected actions \(H, D\)"),
        ("text", r"not JSON"),
        ("object", r"an array of dtype '\|O'; only plain numbers"),
        ("misfit", r"an array of shape \(7,\) and dtype <f8 in 52 bytes; it needs 56"),
        ("truncated", r"stopped in the middle of its answer"),
        ("drop", r"is the server still running\?"),
        ("die-after", r"is the server still running\?"),
    ],
)
def test_what_goes_wrong_is_one_line_and_the_next_answer_is_right(mode: str, said: str, tmp_path: Path) -> None:
    trap = tmp_path / "unpickled"
    with asked(f"--mode={mode}", "--times=1", f"--trap={trap}") as policy:
        with pytest.raises(SurehandError, match=said) as caught:
            policy.infer(observation(0))
        assert "\n" not in str(caught.value) and policy.who in str(caught.value)
        assert not trap.exists()
        if mode == "die-after":
            with pytest.raises(SurehandError, match=r"nothing listens at|is the server still running"):
                policy.infer(observation(0))
            return
        np.testing.assert_array_equal(policy.infer(observation(1))["actions"], expected(leaves(observation(1))))


def test_another_width_than_before_is_refused() -> None:
    with asked("--mode=wrong-dims") as policy:
        policy.infer_batch([observation(0), observation(1)])
        with pytest.raises(ShapeError, match=r"answered actions of shape \(8, 8\), before that \(8, 7\)"):
            policy.infer(observation(2))


def test_a_slow_server_is_not_waited_for_and_asked_again_later() -> None:
    with asked("--mode=slow", "--seconds=1.5", "--times=1", timeout=0.5) as policy:
        with pytest.raises(SurehandError, match=r"did not answer within 0\.5 s"):
            policy.infer(observation(0))
        time.sleep(1.3)
        np.testing.assert_array_equal(policy.infer(observation(1))["actions"], expected(leaves(observation(1))))


def test_nobody_there() -> None:
    with socket.socket() as taken:  # bound, never listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SurehandError, match=f"nothing listens at {url}; start the server"):
            OpenVLAPolicy(url, MAPPING).infer(observation(0))


@pytest.mark.parametrize(
    "url", ["http://", "ftp://x", "http://x:99999", "http://x:y", "http://a..b", "http://x y", "http://x/ä"]
)
def test_no_address(url: str) -> None:
    with pytest.raises(FormatError, match="expected http://HOST:PORT"):
        OpenVLAPolicy(url, MAPPING)


def test_what_no_request_can_be_made_with() -> None:
    for timeout in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SurehandError, match=f"timeout of {timeout} s"):
            OpenVLAPolicy("http://127.0.0.1:1", MAPPING, timeout=timeout)
    for key in ("line\n", "clé"):
        with pytest.raises(SurehandError, match="letters that HTTP cannot send"):
            OpenVLAPolicy("http://127.0.0.1:1", MAPPING, api_key=key)


class Scripted:
    """A server that answers each request as the script says, byte by byte; `connections` counts who came."""

    def __init__(self, *replies: tuple[bytes, bool]) -> None:
        self.replies, self.connections, self.requests = list(replies), 0, [b""]
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while self.replies:
            connection, _ = self.listening.accept()
            self.connections += 1
            with connection, connection.makefile("rb") as lines:
                keep = True
                while self.replies and keep:
                    head = b"".join(iter(lines.readline, b"\r\n"))
                    if not head:
                        break
                    size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                    self.requests.append(head + lines.read(size))
                    body, keep = self.replies.pop(0)
                    try:
                        connection.sendall(body)
                    except OSError:
                        break
        self.listening.close()


def reply(value: Any) -> bytes:
    body = json_numpy.encode(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_one_connection_is_kept_and_opened_again_once_where_the_server_closed_it() -> None:
    row = np.arange(3.0)
    server = Scripted((reply(row), True), (reply([row, row]), False), (reply([list(row)] * 2), True))
    policy = OpenVLAPolicy(server.url, MAPPING, api_key="secret")
    np.testing.assert_array_equal(policy.infer(observation(0))["actions"], row[None])  # OpenVLA's own (D,)
    policy.spec = type(policy.spec)(0, 0, Space())
    assert policy.infer(observation(0))["actions"].shape == (2, 3)
    assert server.connections == 1
    assert policy.infer(observation(0))["actions"].shape == (2, 3)
    server.thread.join(10)
    policy.close()
    assert server.connections == 2 and not server.thread.is_alive()
    assert b"POST /act HTTP/1.1" in server.requests[1] and b"Authorization: Bearer secret" in server.requests[1]


def test_a_reply_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvla, "LARGEST", 10_000)
    server = Scripted((b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n" + b"[" * 200_000, True))
    policy = OpenVLAPolicy(server.url, MAPPING, timeout=10)
    with pytest.raises(FormatError, match="answered more than"):
        policy.infer(observation(0))
    server.thread.join(10)


def test_the_timeout_is_for_the_whole_answer() -> None:
    """A server that sends a byte now and then never lets a read time out."""

    class Dripping(Scripted):
        def run(self) -> None:
            connection, _ = self.listening.accept()
            with connection:
                connection.recv(10)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(100):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        break
                    time.sleep(0.05)
            self.listening.close()

    server = Dripping()
    policy = OpenVLAPolicy(server.url, MAPPING, timeout=0.4)
    with pytest.raises(SurehandError, match=r"did not answer within 0\.4 s"):
        policy.infer(observation(0))
    server.thread.join(10)


def test_headers_that_never_end_are_cut_off_in_time() -> None:
    """Each byte comes within the timeout, all of them together do not: 100 bytes of a header, one every 20 ms."""
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ")
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.02)
            connection.sendall(b"\r\n\r\n[]")

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    policy = OpenVLAPolicy(f"http://127.0.0.1:{listening.getsockname()[1]}", MAPPING, timeout=0.3)
    with pytest.raises(SurehandError, match=r"did not answer within 0\.3 s"):
        policy.infer(observation(0))
    policy.close()
    thread.join(10)
    listening.close()
