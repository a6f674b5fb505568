"""Any policy behind openpi's websocket protocol, so that whatever talks to an openpi server talks to it.

The event loop only carries messages; the policy thinks in one thread beside it, one question at a time, so that pings
and /healthz are answered meanwhile. Connections share the policy; each gets its answers in the order it asked.
"""

import asyncio
import hmac
import logging
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Self

import numpy as np

from surehand.exceptions import FormatError, SurehandError
from surehand.policies.mapping import Mapping
from surehand.policies.openpi import answers
from surehand.policies.openpi.link import authorization
from surehand.policies.protocol import Policy
from surehand.wire.msgpack_numpy import pack, unpack
from surehand.workers.one_worker import OneWorker

LARGEST = 256 << 20  # bytes of one observation
_ALL = Mapping(flat=True)


class OpenpiServer:
    """A policy at ws://host:port from `start` to `stop`, in threads of its own; a context manager of both.

    Port 0 takes a free one. `mapping` renames what arrives (NAME=FEATURE, NAME being the policy's); with `seed` a
    stochastic policy draws anew for every question, without it answers are those of `infer`. `say` hears, line by
    line, what went wrong. Nothing here checks whether an answer is safe to execute.
    """

    def __init__(
        self,
        policy: Policy,
        host: str = "127.0.0.1",
        port: int = 8000,
        api_key: str = "",
        *,
        mapping: Mapping = _ALL,
        name: str = "",
        seed: int | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.policy, self.host, self.port, self.mapping = policy, host, port, mapping
        self.name = name or str(getattr(policy, "name", type(policy).__name__))
        self._metadata = answers.metadata_of(policy, self.name)  # once: whoever comes back must find the same server
        self._expected = authorization(api_key).encode() if api_key else b""
        self._rng = None if seed is None else np.random.default_rng(seed)
        self._say = say or (lambda _: None)
        self._ended = threading.Event()
        self._halt: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"ws://[{self.host}]:{self.port}" if ":" in self.host else f"ws://{self.host}:{self.port}"

    def start(self) -> Self:
        """The server, listening; SurehandError where the address is taken or the packages are missing."""
        listening: Future[int] = Future()
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, args=[listening], daemon=True, name="surehand serve")
        self._thread.start()
        try:
            self.port = listening.result()
        except ImportError:
            raise SurehandError("serving a policy needs websockets; pip install 'surehand[remote]'") from None
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise SurehandError(f"cannot listen at {self.url} ({why}); choose another --port or --host") from None
        return self

    def wait(self) -> None:
        """Nothing, once another thread has stopped the server."""
        self._ended.wait()

    def stop(self, patience: float = 5.0) -> None:
        """Connections are closed at once; the policy has `patience` seconds to end what it is thinking about."""
        self._halt()
        if self._thread is not None:
            self._thread.join(patience)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, listening: Future[int]) -> None:
        try:
            asyncio.run(self._serve(listening))
        except Exception as error:
            if listening.done():
                raise
            listening.set_exception(error)
        finally:
            self._ended.set()

    async def _serve(self, listening: Future[int]) -> None:
        from websockets.asyncio.server import serve

        halt, loop = asyncio.Event(), asyncio.get_running_loop()
        quiet = logging.getLogger("surehand.serve")
        quiet.setLevel(logging.CRITICAL)  # a visitor that is no client of ours is no news
        self._worker = OneWorker()
        kind: dict[str, Any] = {"compression": None, "max_size": LARGEST, "process_request": self._greet}
        # No origin: programs name none, browsers always do, and no web page shall move a robot.
        kind |= {"origins": [None], "ping_timeout": 120, "close_timeout": 2, "logger": quiet}
        try:
            async with serve(self._talk, self.host, self.port, **kind) as server:
                self._halt = lambda: _set(loop, halt)
                listening.set_result(next(iter(server.sockets)).getsockname()[1])
                await halt.wait()
        finally:
            self._worker.stop()

    async def _greet(self, connection: Any, request: Any) -> Any:
        """What is answered before a connection becomes a websocket: its health, or that the key is wrong."""
        if request.path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        given = "".join(request.headers.get_all("Authorization")).encode(errors="replace")
        if self._expected and not hmac.compare_digest(given, self._expected):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "the api key is missing or wrong\n")
        return None

    async def _talk(self, connection: Any) -> None:
        """One connection from its metadata to its end; what goes wrong is said in a text frame, which ends it."""
        from websockets.exceptions import ConnectionClosed

        try:
            await connection.send(pack(self._metadata))
            total: dict[str, float] = {}
            async for message in connection:
                started = time.perf_counter()
                if not total:  # openpi sends no resets: a new connection is a new episode
                    await self._in_turn(self.policy.reset)
                answer = await self._answer(message)
                answer["server_timing"] = {"infer_ms": _milliseconds(started), **total}
                await connection.send(pack(answer))
                total = {"prev_total_ms": _milliseconds(started)}
        except ConnectionClosed:
            return
        except Exception as error:
            known = isinstance(error, SurehandError)
            self._say(str(error) if known else "".join(traceback.format_exception(error)).rstrip())
            with suppress(ConnectionClosed):
                await connection.send(answers.error_text(error))
                await connection.close(1011, "the error is in the frame before this one")

    async def _answer(self, message: str | bytes) -> dict[str, Any]:
        if isinstance(message, str):
            raise FormatError("expected an observation as one binary message of msgpack, got text")
        observation = answers.observation_of(unpack(message), self.mapping)
        return dict(await self._in_turn(answers.ask, self.policy, observation, self._rng))

    async def _in_turn(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns, called by the one thread that may ask the policy."""
        return await asyncio.wrap_future(self._worker.submit(function, *arguments))


def _set(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(event.set)


def _milliseconds(started: float) -> float:
    return 1000 * (time.perf_counter() - started)
