"""One websocket to an openpi server: metadata first, then one answer for each question, and every way it can fail.

As openpi-client 0.1.2 speaks it. Three things differ, because a run may take hours: no pings are sent (a server that
thinks in its event loop for a minute answers none, and is not dead), an answer has a hard time limit, and a connection
that drops is opened again and the question asked again, which an evaluation may do.
"""

import threading
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from surehand.exceptions import FormatError, SurehandError
from surehand.policies.addresses import check_key, check_timeout, server_address
from surehand.wire.msgpack_numpy import pack, unpack

PAUSES = (0.5, 2.0, 8.0)  # seconds before a dropped question is asked again
LARGEST = 256 << 20  # bytes of an answer; a chunk of 100 steps and 50 columns needs 20 kB
LONGEST = 300  # characters of what a server said


class Dropped(SurehandError):
    """The connection could not be opened, or ended before the answer; it may be tried again."""


class OpenpiLink:
    """A connection to the openpi server at `url`, open from the start; `metadata` is what the server says of itself.

    `timeout` in seconds holds for each answer, and for the connection to open.
    """

    def __init__(self, url: str, api_key: str = "", timeout: float = 60.0) -> None:
        """Raises SurehandError, in one line, where no openpi server answers there."""
        server_address(url, ("ws", "wss"), "ws://HOST:PORT, or wss:// with TLS")
        check_timeout(timeout)
        self.url, self.timeout = url, timeout
        self._headers = {"Authorization": authorization(api_key)} if api_key else {}
        self._socket: Any = None
        self.metadata = self._connect()

    def ask(self, question: bytes) -> bytes:
        """The server's answer; asked again over a new connection where the old one dropped, then SurehandError."""
        for pause in PAUSES:
            try:
                return self._exchange(question)
            except Dropped:
                time.sleep(pause)
        try:
            return self._exchange(question)
        except Dropped as error:
            raise SurehandError(f"{error}; asked {len(PAUSES) + 1} times over new connections") from None

    def close(self) -> None:
        """The connection is closed; a further question opens it again."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    def _abandon(self) -> None:
        """The connection is cut without its closing words: a server that is stuck would let them wait."""
        if self._socket is not None:
            _cut(self._socket)
        self.close()

    def _exchange(self, question: bytes) -> bytes:
        """The answer to one question, or Dropped; whatever goes wrong, no later question gets this one's answer."""
        whole = False
        try:
            if self._socket is None:
                metadata = self._connect()
                if pack(metadata) != pack(self.metadata):
                    raise SurehandError(f"{self.url} came back as another server, with other metadata; start again")
            self._send(question)
            answer = self._receive("answer")
            whole = True
        finally:
            if not whole:
                self._abandon()
        return answer

    def _connect(self) -> dict[str, Any]:
        """The metadata that the server sends first over the connection now open."""
        self._socket = _open(self.url, self._headers, self.timeout)
        whole = False
        try:
            metadata = unpack(self._receive("metadata"))
            whole = isinstance(metadata, dict)
        except FormatError as error:
            raise FormatError(f"{self.url} sent no metadata first ({error}); is it an openpi server?") from None
        finally:
            if not whole:
                self._abandon()
        if not isinstance(metadata, dict):
            raise FormatError(f"{self.url} sent a {type(metadata).__name__} for metadata; is it an openpi server?")
        return metadata

    def _send(self, question: bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        started = time.monotonic()
        cut = threading.Timer(self.timeout, _cut, [self._socket])  # sending has no time limit of its own
        cut.start()
        try:
            self._socket.send(question)
        except ConnectionClosed as error:
            if time.monotonic() - started >= self.timeout:
                raise self._late("answer") from None
            raise self._dropped(error) from None
        finally:
            cut.cancel()

    def _receive(self, what: str) -> bytes:
        from websockets.exceptions import ConnectionClosed

        try:
            found = self._socket.recv(timeout=self.timeout)
        except TimeoutError:
            raise self._late(what) from None
        except ConnectionClosed as error:
            raise self._dropped(error) from None
        if isinstance(found, str):  # openpi sends its traceback as text, then closes
            lines = found.strip().splitlines() or ["nothing"]
            said = " ".join(lines[-1].split())[:LONGEST]
            raise SurehandError(f"{self.url}: the server said: {said}; its log tells more, --map names what it is sent")
        return bytes(found)

    def _late(self, what: str) -> SurehandError:
        return SurehandError(
            f"{self.url} sent no {what} within {self.timeout:g} s; is it stuck, or does it need a longer --timeout?"
        )

    def _dropped(self, error: Any) -> SurehandError:
        if error.sent is not None and error.sent.code == 1009:  # ours: what came is too big
            return SurehandError(f"{self.url} sent more than {LARGEST >> 20} MB at once; is this a policy server?")
        closed = error.rcvd  # the peer's closing words, None where it just went away
        why = f"{closed.code} {closed.reason}".strip() if closed else "without a word"
        return Dropped(f"{self.url} closed the connection before its answer was whole ({why}); is the server alive?")


def authorization(api_key: str) -> str:
    """The header that carries the key; SurehandError for a key that no header can carry."""
    check_key(api_key)
    return f"Api-Key {api_key}"


def _open(url: str, headers: dict[str, str], timeout: float) -> Any:
    """A connection to the server; Dropped where it may work later, SurehandError where it will not."""
    try:
        from websockets import exceptions
        from websockets.sync.client import connect
    except ImportError:
        raise SurehandError(f"{url}: a remote policy needs websockets; pip install 'surehand[remote]'") from None
    kind: dict[str, Any] = {"compression": None, "max_size": LARGEST, "ping_interval": None, "close_timeout": 1.0}
    if _on_this_machine(url):
        kind["proxy"] = None
    try:
        return connect(url, additional_headers=headers, open_timeout=timeout, **kind).__enter__()
    except exceptions.InvalidStatus as error:
        status = error.response.status_code
        if status in (401, 403):
            raise SurehandError(
                f"{url} refused the api key (HTTP {status}); give the server's own as --api-key"
            ) from None
        kind_of = Dropped if status >= 500 else SurehandError
        raise kind_of(f"{url} answered HTTP {status}; expected an openpi server, is the address right?") from None
    except exceptions.InvalidHandshake as error:
        raise Dropped(f"{url} answers, but not as a websocket ({_line(error)}); is an openpi server there?") from None
    except (exceptions.WebSocketException, ImportError) as error:  # half a login in the address; a proxy
        raise SurehandError(f"{url} cannot be asked ({_line(error)})") from None
    except TimeoutError:
        raise Dropped(f"{url} accepted no connection within {timeout:g} s; is an openpi server there?") from None
    except OSError as error:
        raise Dropped(
            f"{url} cannot be reached ({error.strerror or _line(error)}); start the server, or check the address"
        ) from None


def _on_this_machine(url: str) -> bool:
    """Whether the address is this machine's own, which no proxy leads to."""
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _cut(socket: Any) -> None:
    """The connection's end, whoever is busy sending through it."""
    import socket as sockets

    with suppress(OSError):
        socket.socket.shutdown(sockets.SHUT_RDWR)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
