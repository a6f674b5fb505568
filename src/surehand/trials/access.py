"""Who may talk to the console: a token beyond this machine, no other site's pages, no names that somebody rebinds."""

import hashlib
import hmac
import ipaddress
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
SHORTEST = 12  # characters of a token that somebody chose


def loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server that listens at `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def new_token() -> str:
    """128 random bits as text for an address."""
    return secrets.token_urlsafe(16)


class Pass:
    """The token, and the cookie that a tablet gets for it; without a token everybody is let in."""

    def __init__(self, token: str, study: str) -> None:
        self._token = token
        # Cookies do not know ports: two consoles on one machine need two names.
        self.name = "surehand-" + hashlib.sha256(study.encode()).hexdigest()[:12]
        self._cookie = hmac.new(token.encode(), b"surehand console", "sha256").hexdigest()

    def opens(self, token: str) -> bool:
        """Whether this is the token, in constant time."""
        return not self._token or hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def cookie(self) -> str:
        """The header that keeps a tablet let in for 90 days."""
        return f"{self.name}={self._cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age=7776000"

    def carried(self, header: str) -> bool:
        """Whether this Cookie header holds the pass."""
        if not self._token:
            return True
        # Read by hand: what other programs at this address call a cookie must not hide ours.
        found = (part.strip().partition("=") for part in header.split(";"))
        return any(
            name == self.name and hmac.compare_digest(value.encode(), self._cookie.encode()) for name, _, value in found
        )


class Door:
    """An ASGI application behind checks of Host, Origin and pass; its faults are told in one line, on the terminal."""

    def __init__(self, inner: Application, entry: Pass, names: set[str], say: Callable[[str], None]) -> None:
        self.inner, self.entry, self.say = inner, entry, say
        self.names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.inner(scope, receive, send)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        try:
            self._check(scope)
            await self.inner(scope, receive, answer)
        except HTTPException as refusal:
            await told(refusal.status_code, refusal.detail)(scope, receive, answer)
        except Exception as error:  # a fault of ours, answered already; the tablet keeps its entries and tries again
            self.say(
                f"{scope['method']} {scope['path']} failed: {type(error).__name__}: {' '.join(str(error).split())}"
            )

    def _check(self, scope: Scope) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not self._known(host):
            raise HTTPException(
                421, f"no console under the name {host[:80]!r}; use the address that the server printed"
            )
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(403, "a page of another site asked; open the console itself")
        origin = headers.get("origin")
        if origin is not None and origin.split("://")[-1].lower() != host.lower():
            raise HTTPException(403, "a page of another site asked; open the console itself")
        private = scope["path"].startswith("/api/") and scope["path"] != "/api/enter"
        if private and not self.entry.carried(headers.get("cookie", "")):
            raise HTTPException(401, "not let in; open the link that the server printed when it started")

    def _known(self, host: str) -> bool:
        """An address, or a name of this machine: a page that rebinds its own name to this machine has neither."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower().rstrip(".") in self.names
        return True


def told(status: int, line: str, **more: Any) -> JSONResponse:
    """The answer to whatever is refused: one line of JSON."""
    return JSONResponse({"error": " ".join(line.split()), **more}, status)


def own_names(host: str) -> set[str]:
    """Names under which this machine may be asked for, beside its addresses."""
    machine = socket.gethostname()
    whole = {socket.getfqdn()} if not loopback(host) else set()  # may ask the network
    return {"localhost", host, machine, f"{machine.split('.')[0]}.local", *whole}


def own_address() -> str:
    """The address under which the network most likely knows this machine; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def to_stderr(text: str) -> None:
    """Nothing; the line is on stderr."""
    print(f"surehand trials serve: {text}", file=sys.stderr, flush=True)
