"""A policy server that speaks openpi's websocket protocol, written from its public interface.

Run as `python openpi_peer.py --port 0 --mode MODE [--api-key K]`; prints `ready PORT` once it listens on 127.0.0.1.

The protocol: one binary frame of packed metadata comes first, then one answer per observation. Packing is msgpack;
an array is {b"__ndarray__": True, b"data", b"dtype": dtype.str, b"shape"}, a numpy scalar {b"__npgeneric__": True,
b"data", b"dtype"}, both with bytes as keys. An error is a text frame with a traceback, then close 1011.
GET /healthz answers 200 "OK\\n".

The answer is {"actions": (H, D) --dtype, "policy_timing": {"infer_ms"}, "server_timing": {"infer_ms", and from a
connection's second answer "prev_total_ms"}, "peer": {"count": numpy int64 n}}. The actions are the function in
peer_answer.py of these leaves: every entry of the observation, sorted by path, where the path of a nested entry is its
keys joined by "|" ({"images": {"top": x}, "observation/state": y} has the leaves "images|top" and "observation/state").

Modes: ok; stochastic; error (text frame, close 1011); die-mid-frame (half an answer, then TCP closes); drop (TCP closes
instead of an answer); die-after (the process ends instead of answer --after + 1); slow (sleeps --seconds in the event
loop, so no ping is answered); nan; wrong-dims (D + 1, from the third answer unless --after); no-actions; garbage (bytes
that are no msgpack); not-a-map (packed, but a list); misfit (fewer bytes than the shape needs); object (dtype |O over a
pickle that creates --trap); never (no answer, pings answered); no-metadata (accepts, then silence); text-metadata
(a text frame first, then close 1011). A wrong --api-key is refused with 401 before the upgrade in every mode; an
undecodable observation, or one without a --need key, gets the text frame in every mode. --after and --times say which
observations of the process a mode spoils.
"""

import asyncio
import json
import os
import sys
import time
import traceback
from typing import Any

import numpy as np

MODES = (
    "ok stochastic error die-mid-frame drop die-after slow nan wrong-dims no-actions garbage not-a-map misfit object "
    "never no-metadata text-metadata"
).split()


def pack(value: Any) -> bytes:
    import msgpack

    def plain(item: Any) -> Any:
        if isinstance(item, np.ndarray):
            head = {b"__ndarray__": True, b"data": item.tobytes()}
            return head | {b"dtype": item.dtype.str, b"shape": list(item.shape)}
        if isinstance(item, np.generic):
            return {b"__npgeneric__": True, b"data": item.item(), b"dtype": item.dtype.str}
        raise TypeError(f"cannot pack {type(item).__name__}")

    return msgpack.packb(value, default=plain)


def unpack(raw: bytes) -> Any:
    import msgpack

    def numpy(found: dict[Any, Any]) -> Any:
        if b"__ndarray__" in found:
            return np.frombuffer(found[b"data"], np.dtype(found[b"dtype"])).reshape(found[b"shape"])
        if b"__npgeneric__" in found:
            return np.dtype(found[b"dtype"]).type(found[b"data"])
        return found

    return msgpack.unpackb(raw, object_hook=numpy)


def leaves(tree: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in tree.items():
        below = leaves(value, f"{above}{key}|") if isinstance(value, dict) else [(f"{above}{key}", value)]
        found += below
    return sorted(found, key=lambda leaf: leaf[0])


class Server:
    def __init__(self, args: Any) -> None:
        from peer_answer import Plan

        self.args, self.plan = args, Plan(args)

    def answer(self, observation: Any) -> dict[str, Any]:
        """The honest answer, or one spoiled in what it says; raises what the modes of the transport need."""
        from peer_answer import hostile_pickle

        if not isinstance(observation, dict):
            raise TypeError(f"an observation must be a map, got {type(observation).__name__}")
        for key in self.args.need:
            node: Any = observation
            for part in key.split("|"):
                node = node[part]  # KeyError is the point
        self.how = self.plan.next()
        if self.how == "error":
            raise RuntimeError("this peer was asked to fail")
        start = time.monotonic()
        if self.how == "slow":
            time.sleep(self.args.seconds)
        actions: Any = self.plan.answer(leaves(observation), self.how)
        if self.how == "object":
            data = hostile_pickle(self.args.trap).ljust(8 * actions.size, b".")  # fills the shape; loads stops earlier
            actions = {b"__ndarray__": True, b"data": data, b"dtype": "|O", b"shape": list(actions.shape)}
        if self.how == "misfit":
            head = {b"__ndarray__": True, b"data": actions.tobytes()[:-4]}
            actions = head | {b"dtype": actions.dtype.str, b"shape": list(actions.shape)}
        taken = 1000 * (time.monotonic() - start)
        out = {"policy_timing": {"infer_ms": taken}, "server_timing": {"infer_ms": taken}}
        out |= {"peer": {"count": np.int64(self.plan.count)}}
        return out if self.how == "no-actions" else {"actions": actions} | out

    async def talk(self, websocket: Any) -> None:
        import websockets

        if self.args.mode == "no-metadata":
            await websocket.wait_closed()
        if self.args.mode == "text-metadata":
            await websocket.send("this is no openpi server")
            await websocket.close(1011)
            return
        await websocket.send(pack(json.loads(self.args.metadata)))
        total = None
        while True:
            try:
                raw = await websocket.recv()
                start = time.monotonic()
                out = self.answer(unpack(raw))
                if total is not None:
                    out["server_timing"]["prev_total_ms"] = total
                if not await self.send(websocket, out):
                    return
                total = 1000 * (time.monotonic() - start)
            except websockets.ConnectionClosed:
                return
            except Exception:
                await websocket.send(traceback.format_exc())
                await websocket.close(1011, "Internal server error.")
                return

    async def send(self, websocket: Any, out: dict[str, Any]) -> bool:
        """Sends one answer as the mode says; False where the connection is over."""
        raw = pack(out)
        if self.how == "die-after":
            os._exit(0)
        if self.how == "never":
            await websocket.wait_closed()
            return False
        if self.how in ("die-mid-frame", "drop"):
            frame = b"\x82\x7f" + len(raw).to_bytes(8, "big") + raw  # FIN and binary, a 64-bit length, no mask
            websocket.transport.write(frame[: len(frame) // 2] if self.how == "die-mid-frame" else b"")
            websocket.transport.close()
            return False
        if self.how == "not-a-map":
            raw = pack([1, 2, 3])
        await websocket.send(b"\xc1\xff\x00 no msgpack" if self.how == "garbage" else raw)  # 0xc1 is never used
        return True

    def greet(self, connection: Any, request: Any) -> Any:
        """The answers before the upgrade: health, and the key."""
        if request.path == "/healthz":
            return connection.respond(200, "OK\n")
        if self.args.api_key and request.headers.get("Authorization") != f"Api-Key {self.args.api_key}":
            return connection.respond(401, "Unauthorized\n")
        return None

    async def run(self) -> None:
        from websockets.asyncio.server import serve

        kind = {"compression": None, "max_size": None, "process_request": self.greet}
        async with serve(self.talk, "127.0.0.1", self.args.port, **kind) as server:
            print("ready", server.sockets[0].getsockname()[1], flush=True)
            await server.serve_forever()


def main() -> None:
    from peer_answer import arguments

    parser = arguments(str(__doc__), MODES, "<f4")
    parser.add_argument("--api-key", default="")
    parser.add_argument("--need", action="append", default=[], help="a key an observation must have (nested: a|b)")
    parser.add_argument("--metadata", default="{}", help="JSON of the first frame")
    asyncio.run(Server(parser.parse_args()).run())


if __name__ == "__main__":
    sys.exit(main())
