"""A request and its reply over ZeroMQ, as GR00T's server answers them: within a time, or one line."""

import socket
import time
from typing import Any

from surehand.exceptions import FormatError, SurehandError
from surehand.policies.addresses import check_timeout, server_address
from surehand.policies.chunks import first_line
from surehand.wire import gr00t

PORT = 5555
LARGEST = 256 * 2**20  # bytes of a reply: what is larger is dropped before it is in memory
_LOOK = 1.0  # seconds between two looks whether the server still listens


class Refused(SurehandError):
    """The server answered with an error of its own; `said` is its first line."""

    def __init__(self, url: str, endpoint: str, said: object) -> None:
        self.said = first_line(said)[:300]
        super().__init__(f"{url} answered {self.said!r} to {endpoint}; its log says why")


class Gr00tSocket:
    """A connection to tcp://HOST:PORT. A socket that got no reply would wait for ever: a new one takes its place."""

    def __init__(self, url: str, timeout: float, api_token: str = "") -> None:
        parts = server_address(url, ("tcp",), "tcp://HOST:PORT")
        if parts.path not in ("", "/"):
            raise FormatError(f"{url}: expected tcp://HOST:PORT")
        check_timeout(timeout)
        try:
            import zmq
        except ImportError:
            raise SurehandError("GR00T's server needs ZeroMQ; pip install 'surehand[gr00t]'") from None
        self._zmq: Any = zmq
        self._url, self._timeout, self._token = url, timeout, api_token
        self._where = (str(parts.hostname), parts.port or PORT)
        self._context = zmq.Context()
        self._socket: Any = None

    def call(self, endpoint: str, data: Any = None) -> Any:
        """What the endpoint answers; Refused where it answers an error, SurehandError where it does not in time."""
        request: dict[str, Any] = {"endpoint": endpoint}
        if data is not None:
            request["data"] = data
        if self._token:
            request["api_token"] = self._token
        message = gr00t.pack(request)
        if self._socket is None:
            self._open()
        try:
            self._socket.send(message)
            reply = self._reply()
        except self._zmq.ZMQError as error:
            self._drop()
            raise SurehandError(f"{self._url}: {error}; is this GR00T's policy server?") from None
        except BaseException:  # no reply, or Ctrl-C: the socket would refuse the next request
            self._drop()
            raise
        if reply == b"ERROR":  # of servers before N1.5
            raise Refused(self._url, endpoint, "ERROR")
        try:
            found = gr00t.unpack(reply)
        except FormatError as error:
            raise FormatError(f"{self._url} answered {error}; is this GR00T's policy server?") from None
        if isinstance(found, dict) and "error" in found:
            raise Refused(self._url, endpoint, found["error"])
        return found

    def close(self) -> None:
        """Give the socket and its thread back."""
        self._drop()
        self._context.term()

    def _open(self) -> None:
        """A socket, once somebody listens: ZeroMQ itself would wait in silence, and tries the first address of a name
        alone, which for "localhost" may be IPv6's where servers listen on IPv4.
        """
        found_at = self._listens()
        if found_at is None:
            raise SurehandError(f"nothing listens at {self._url}; start the server, or is the address right?")
        host, port = found_at
        found = self._context.socket(self._zmq.REQ)
        found.setsockopt(self._zmq.LINGER, 0)
        found.setsockopt(self._zmq.IPV6, 1)
        found.setsockopt(self._zmq.MAXMSGSIZE, LARGEST)
        found.setsockopt(self._zmq.SNDTIMEO, max(1, int(1000 * self._timeout)))
        found.connect(f"tcp://{f'[{host}]' if ':' in host else host}:{port}")
        self._socket = found

    def _reply(self) -> bytes:
        """The reply's bytes, as soon as they are there."""
        until = time.monotonic() + self._timeout
        while (left := until - time.monotonic()) > 0:
            if self._socket.poll(int(1000 * min(left, _LOOK)) + 1):
                return bytes(self._socket.recv())
            if self._listens() is None:
                raise SurehandError(f"{self._url} stopped listening before it answered; is the server still running?")
        raise SurehandError(f"{self._url} did not answer within {self._timeout:g} s; is it GR00T's server, is it busy?")

    def _listens(self) -> tuple[str, int] | None:
        """The number of the machine that takes a connection there, and the port; a server at work takes it too."""
        try:
            with socket.create_connection(self._where, timeout=min(self._timeout, 5.0)) as taken:
                host, port = taken.getpeername()[:2]
        except OSError:
            return None
        return str(host), int(port)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None
