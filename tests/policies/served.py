"""A small policy to serve, and a server that says byte for byte what a test tells it to."""

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surehand.frames import Samples, Space
from surehand.policies.protocol import Answer, Observation, PolicySpec

H, D = 5, 3
STATE, HEAD = "observation.state", "observation.images.head"


def observation(seed: int = 0, edge: int = 8) -> Observation:
    """A state, a picture and an instruction."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (edge, edge + 2, 3), dtype=np.uint8)
    return {STATE: rng.normal(size=D).astype(np.float32), HEAD: picture, "task": f"scene {seed}"}


def chunk(one: Observation) -> np.ndarray:
    """What `Small` answers: numbers that hang on the whole observation (H, D)."""
    weight = len(one["task"]) + one[HEAD].astype(float).mean() if HEAD in one else 1.0
    return np.asarray(np.arange(H)[:, None] * weight + np.asarray(one[STATE], float))


@dataclass
class Small:
    """Holds the state, with a slope made of picture and task; its samples are noise around that."""

    stochastic: bool = False
    change: Callable[[int], Any] = lambda asked: None  # called before each answer; may raise, wait or add to the answer
    name: str = "small"
    asked: int = 0
    resets: int = 0
    busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def spec(self) -> PolicySpec:
        return PolicySpec(H, D, Space(), stochastic=self.stochastic, cameras=(HEAD,), inputs=(STATE,))

    def infer(self, one: Observation) -> Answer:
        assert self.busy.acquire(blocking=False), "asked twice at once"
        try:
            self.asked += 1
            return {"actions": chunk(one), **(self.change(self.asked) or {})}
        finally:
            self.busy.release()

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        return [self.infer(one) for one in observations]

    def sample(self, one: Observation, k: int, rng: np.random.Generator) -> Samples:
        return Samples(chunk(one) + rng.standard_normal((k, H, D)), "noise")

    def reset(self) -> None:
        self.resets += 1


def handshake(peer: socket.socket) -> str:
    """The request of a client, once it has been told that this is a websocket."""
    asked = b""
    while b"\r\n\r\n" not in asked:
        more = peer.recv(4096)
        if not more:
            return ""
        asked += more
    text = asked.decode()
    key = next(line.split(": ")[1] for line in text.splitlines() if line.lower().startswith("sec-websocket-key"))
    proof = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    peer.sendall(f"{answer}Sec-WebSocket-Accept: {proof}\r\n\r\n".encode())
    return text


def frame(data: bytes, kind: int = 2) -> bytes:
    """One websocket frame: 1 text, 2 binary, 8 the end."""
    head = bytes([0x80 | kind])
    size = bytes([len(data)]) if len(data) < 126 else b"\x7f" + len(data).to_bytes(8, "big")
    return head + size + data


def read_frame(peer: socket.socket) -> bytes:
    """The content of a client's next frame, b"" where it has gone."""

    def exactly(count: int) -> bytes:
        found = b""
        while len(found) < count and (more := peer.recv(count - len(found))):
            found += more
        return found

    head = exactly(2)
    if len(head) < 2:
        return b""
    size = head[1] & 0x7F
    size = int.from_bytes(exactly({126: 2, 127: 8}[size]), "big") if size > 125 else size
    mask = exactly(4)
    data = np.frombuffer(exactly(size), np.uint8)
    return bytes((data ^ np.resize(np.frombuffer(mask, np.uint8), len(data))).tobytes())


@contextmanager
def scripted(talk: Callable[[socket.socket, int], None]) -> Iterator[str]:
    """The address of a server that calls `talk(socket, n)` for its n-th connection, then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        count = 0
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            count += 1
            threading.Thread(target=one, args=[peer, count], daemon=True).start()

    def one(peer: socket.socket, count: int) -> None:
        with peer:
            try:
                talk(peer, count)
            except OSError:  # the client has gone
                pass

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
