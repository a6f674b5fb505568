"""OpenVLA-OFT's server as a policy: one POST of JSON with arrays per observation, a chunk back.

The server's interface: vla-scripts/deploy.py of moojink/openvla-oft (213c5ff). It answers a list of (D,) arrays, one a
step, and the text "error" where it failed; its L1 head is deterministic. OpenVLA's own server answers one (D,) array.
"""

import http.client
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from surehand.exceptions import FormatError, SurehandError
from surehand.frames import Space
from surehand.policies.addresses import check_key, check_timeout, server_address
from surehand.policies.chunks import OneByOne, chunk_of, first_line
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Answer, Observation, PolicySpec
from surehand.wire import json_numpy

LARGEST = 64 * 2**20  # bytes of a reply; a chunk of 100 steps and 50 columns needs 60 kB
_PIECE = 2**16


class OpenVLAPolicy(OneByOne):
    """What a server at `url` (http://HOST:PORT, /act where no path is named) answers, in `space`.

    The mapping names what the server was trained on: full_image, pictures with "wrist" in their name, state,
    instruction. One connection is kept; a server that closed it between two requests is asked once more.
    """

    def __init__(
        self,
        url: str,
        mapping: Mapping,
        *,
        timeout: float = 60.0,
        api_key: str = "",
        resize: int = 0,
        space: Space | None = None,
    ) -> None:
        """SurehandError for what is no address, timeout or key; the server is first asked by the first observation."""
        parts = server_address(url, ("http", "https"), "http://HOST:PORT, or https")
        check_timeout(timeout)
        check_key(api_key)
        secure = parts.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = connect(str(parts.hostname), parts.port or (443 if secure else 80), timeout=timeout)
        self._path = (parts.path.rstrip("/") or "/act") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {api_key}"} if api_key else {}
        )
        self._timeout, self._resize, self._mapping = timeout, resize, mapping
        self.who = self.name = url
        self.spec = PolicySpec(0, 0, space or Space(), cameras=mapping.cameras, inputs=mapping.inputs)

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D)} for one observation; one line for a server that is absent, slow or answers nonsense."""
        body = json_numpy.encode(self._mapping.apply(observation, self._resize)).encode()
        try:
            found = json_numpy.decode(self._reply(body))
        except FormatError as error:
            raise FormatError(f"{self.who}: {error}") from None
        if isinstance(found, str) or (isinstance(found, dict) and "error" in found):
            said = found if isinstance(found, str) else found["error"]
            raise SurehandError(
                f"{self.who} answered {first_line(said)[:200]!r}; its log says why. "
                f"It was sent {', '.join(self._mapping.apply(observation)) or 'nothing'}"
            )
        return {"actions": self.checked(chunk_of(found, self.who))}

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _reply(self, body: bytes) -> bytes:
        """The body of the server's answer; a connection that went stale since the last one is opened again, once."""
        reused = self._connection.sock is not None
        try:
            return self._ask(body)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self._connection.close()
            if not reused:
                raise SurehandError(self._absent(error)) from None
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise SurehandError(self._absent(error)) from None
        try:
            return self._ask(body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise SurehandError(self._absent(error)) from None

    def _ask(self, body: bytes) -> bytes:
        """One request and its answer, within the timeout as a whole: a server may send its headers byte by byte."""
        until = time.monotonic() + self._timeout
        if self._connection.sock is None:
            self._connection.connect()
        cut = threading.Timer(max(until - time.monotonic(), 0), _cut, [self._connection.sock])
        cut.start()
        try:
            return self._exchange(body, until)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise (TimeoutError() if time.monotonic() >= until else error) from None
        finally:
            cut.cancel()

    def _exchange(self, body: bytes, until: float) -> bytes:
        self._connection.request("POST", self._path, body, self._headers)
        answer = self._connection.getresponse()
        pieces, size = [], 0
        while piece := self._piece(answer, until):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                self._connection.close()
                raise FormatError(f"answered more than {LARGEST >> 20} MB; is this a policy server?")
        content = b"".join(pieces)
        if answer.length:  # read1 does not mind a body that breaks off
            raise ConnectionError("stopped in the middle of its answer")
        answer.close()  # else the connection takes no further request
        if answer.status != 200:
            said = first_line(content.decode("utf-8", "replace"))[:200]
            raise SurehandError(f"{self.who} answered {answer.status} {answer.reason}: {said}; see its log")
        return content

    def _piece(self, answer: http.client.HTTPResponse, until: float) -> bytes:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._connection.sock is not None:
            self._connection.sock.settimeout(left)
        found = answer.read1(_PIECE)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self._timeout)
        return found

    def _absent(self, error: Any) -> str:
        """What the connection's failure means to a person."""
        if isinstance(error, TimeoutError):
            return f"{self.who} did not answer within {self._timeout:g} s; is it busy, or give it more (--timeout)"
        if isinstance(error, ConnectionRefusedError):
            return f"nothing listens at {self.who}; start the server, or is the address right?"
        return f"{self.who}: {type(error).__name__} ({first_line(error)}); is the server still running?"


def _cut(connection: socket.socket) -> None:
    """The connection's end, whoever is busy reading from it."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
