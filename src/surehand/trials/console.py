"""What the console answers: its page, what a tablet may see, receipts for entries, pictures."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from surehand.exceptions import FormatError, StoreError, SurehandError
from surehand.trials.access import Pass, told
from surehand.trials.checks import Refused
from surehand.trials.entries import Entry
from surehand.trials.live import Live

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MOST_JSON, MOST_PHOTO, MOST_AT_ONCE = 256 * 1024, 4 * 1024 * 1024, 200  # bytes, bytes, entries
JPEG = b"\xff\xd8\xff"


@cache
def page() -> dict[str, tuple[bytes, str]]:
    """File name -> content and media type of what the page consists of."""
    found = {}
    for file in (files("surehand.trials") / "page").iterdir():
        kind = KINDS.get("." + file.name.rpartition(".")[2])
        if kind:
            found[file.name] = (file.read_bytes(), kind)
    return found


class Console:
    """The endpoints; the store is asked in threads, so that no tablet waits for another one's disk."""

    def __init__(self, live: Live, entry: Pass, say: Callable[[str], None]) -> None:
        self.live, self.entry = live, entry
        self._say, self._said = say, ""

    async def page(self, request: Request) -> Response:
        """The page or one of its files; nothing in them is of this study."""
        name = request.path_params.get("name", "console.html")
        if name not in page():
            raise HTTPException(404)
        content, kind = page()[name]
        return Response(content, media_type=kind)

    async def health(self, request: Request) -> Response:
        """That the server answers."""
        return JSONResponse({"status": "ok"})

    async def enter(self, request: Request) -> Response:
        """The cookie, for the token."""
        given = await _json(request)
        token = given.get("token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not self.entry.opens(token):
            raise HTTPException(401, "this is not the token; open the link that the server printed when it started")
        return JSONResponse({"status": "ok"}, headers={"set-cookie": self.entry.cookie()})

    async def state(self, request: Request) -> Response:
        """What the asking tablet may see."""
        given = [request.query_params.get(name, "")[:200] for name in ("operator", "device", "known")]
        return JSONResponse(await run_in_threadpool(self.live.state, *given))

    async def entries(self, request: Request) -> Response:
        """Receipts for one or many entries, in their order; the first that is refused ends it and is named."""
        given = await _json(request)
        many = given if isinstance(given, list) else [given]
        if not 1 <= len(many) <= MOST_AT_ONCE:
            raise HTTPException(422, f"expected 1 to {MOST_AT_ONCE} entries, got {len(many)}")
        receipts: list[dict[str, Any]] = []
        for one in many:
            try:
                receipts.append(await run_in_threadpool(self.live.add, _entry(one)))
            except SurehandError as error:
                self._tell(error)
                named = one.get("id") if isinstance(one, dict) else None
                return told(status(error), str(error), id=named, receipts=receipts)
        self._said = ""
        return JSONResponse({"receipts": receipts})

    def _tell(self, error: SurehandError) -> None:
        """Nothing; a store that takes nothing is told at the terminal too, once: tablets only say that they wait."""
        if isinstance(error, StoreError) and self._said != str(error):
            self._said = str(error)
            self._say(self._said)

    async def put_photo(self, request: Request) -> Response:
        """That the picture is kept under its hash."""
        if _media_type(request) != "image/jpeg":
            raise HTTPException(415, "expected Content-Type image/jpeg")
        data = await _body(request, MOST_PHOTO)
        sha = request.path_params["sha"]
        if not data.startswith(JPEG) or hashlib.sha256(data).hexdigest() != sha:
            raise HTTPException(422, "this is no JPEG with the hash in the address")
        await run_in_threadpool(self.live.store.add_photo, self.live.study, data, "image/jpeg")
        return JSONResponse({"sha": sha})

    async def photo(self, request: Request) -> Response:
        """A picture that a tablet sent."""
        found = await run_in_threadpool(self.live.store.photo, request.path_params["sha"])
        if found is None:
            raise HTTPException(404, "no such picture")
        content, kind = found
        return Response(content, media_type=kind)


def status(error: SurehandError) -> int:
    """What a tablet makes of it: 503 is tried again, most of 4xx is set aside and told."""
    return 503 if isinstance(error, StoreError) else 409 if isinstance(error, Refused) else 422


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(request: Request, most: int) -> bytes:
    """The body; refused as soon as it is longer than `most` bytes."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > most:
            raise HTTPException(413, f"too large; at most {most // 1024} KiB are taken")
    return bytes(found)


async def _json(request: Request) -> Any:
    if _media_type(request) != "application/json":
        raise HTTPException(415, "expected Content-Type application/json")
    try:
        return json.loads(await _body(request, MOST_JSON))
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None


def _entry(given: Any) -> Entry:
    try:
        return Entry.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "entry"
        raise FormatError(f"{where}: {first['msg']}") from None
