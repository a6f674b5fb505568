"""The operator's console over HTTP: its addresses behind the door, and a server that ends politely."""

import socket
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from surehand.exceptions import FormatError, SurehandError
from surehand.trials import access
from surehand.trials.access import Door, Pass, told
from surehand.trials.console import Console, status
from surehand.trials.live import Live
from surehand.trials.store import Store


def app(
    store: Store,
    study: str,
    *,
    token: str = "",
    host: str = "127.0.0.1",
    names: Sequence[str] = (),
    say: Callable[[str], None] = access.to_stderr,
) -> Door:
    """The ASGI application for one study; without a token it lets everybody in who reaches it.

    It answers under addresses, the names of this machine, `host` and `names`.
    """
    live = Live(store, study)
    entry = Pass(token, live.schedule.identity)
    console = Console(live, entry, say)
    routes = [
        Route("/", console.page),
        Route("/page/{name}", console.page),
        Route("/healthz", console.health),
        Route("/api/enter", console.enter, methods=["POST"]),
        Route("/api/state", console.state),
        Route("/api/entries", console.entries, methods=["POST"]),
        Route("/api/photos/{sha}", console.put_photo, methods=["PUT"]),
        Route("/api/photos/{sha}", console.photo),
    ]
    handlers: dict[Any, Any] = {
        SurehandError: _refused, HTTPException: _http, ClientDisconnect: _gone, Exception: _failed,
    }  # fmt: skip
    return Door(Starlette(routes=routes, exception_handlers=handlers), entry, access.own_names(host) | set(names), say)


async def _refused(request: Request, error: SurehandError) -> Response:
    return told(status(error), str(error))


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _http(request: Request, error: HTTPException) -> Response:
    lines = {
        "Not Found": "nothing is here; the console is at /",
        "Method Not Allowed": f"{request.method} is not answered here",
    }
    return told(error.status_code, lines.get(error.detail, error.detail))


async def _failed(request: Request, error: Exception) -> Response:
    return told(500, "the server failed; its terminal says why, and the entry waits on the tablet")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; SurehandError where the port is taken or the address is not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host.strip("[]"), port))
        found.listen(128)
    except OSError as error:
        found.close()
        why = error.strerror or str(error)
        raise SurehandError(f"cannot listen at {host} port {port} ({why}); choose another --host or --port") from None
    return found


def serve(
    store: Store,
    study: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: str = "",
    names: Sequence[str] = (),
    say: Callable[[str], None] = access.to_stderr,
) -> None:
    """Nothing, once it was interrupted; until then tablets are served and entries kept.

    Beyond this machine a token is needed; one is drawn where none is given. The link holds it behind a #, which
    browsers never send: it is in no log.
    """
    if token and len(token) < access.SHORTEST:
        raise FormatError(f"expected a token of at least {access.SHORTEST} characters, got {len(token)}")
    if names or not access.loopback(host):  # a proxy brings others to this machine's own address
        token = token or access.new_token()
    application = app(store, study, token=token, host=host, names=names, say=say)
    with listening(host, port) as ear:
        name = access.own_address() if host in ("0.0.0.0", "::", "") else host
        place = f"[{name}]" if ":" in name else name
        links = [f"http://{place}:{ear.getsockname()[1]}/", *(f"https://{name}/" for name in names)]
        if schedule := store.schedule(study):
            say(f"schedule sha256 {schedule.identity}")
        say(f"study {study}: " + " ".join(link + (f"#token={token}" if token else "") for link in links))
        say("Ctrl-C ends it; what tablets send afterwards waits on them." + (_TOKEN if token else ""))
        config = uvicorn.Config(
            application, log_level="error", access_log=False, server_header=False, lifespan="off", ws="none",
            timeout_graceful_shutdown=5, timeout_keep_alive=30,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[ear])


_TOKEN = " The link lets its tablet in; --token, or SUREHAND_TOKEN, keeps it valid when the server is started again."
