"""A policy server that speaks OpenVLA-OFT's HTTP interface, written from its public interface.

Run as `python openvla_peer.py --port 0 --mode MODE [--wrists N]`; prints `ready PORT` once it listens on 127.0.0.1.

The interface: POST /act with a JSON object in which arrays are json-numpy ({"__numpy__": base64, "dtype", "shape"}):
"full_image" and any key with "wrist" in it (h, w, 3) uint8, "state" (n,), "instruction" str. The answer is a JSON
list of H arrays (D,) in json-numpy. A request {"encoded": "..."} holds the same object as a JSON string, and is
answered by a JSON string that holds the list. Whatever goes wrong inside answers 200 with the JSON string "error".

The actions are the function in peer_answer.py of these leaves, in this order: "full_image", the wrist pictures in the
order of the request (that is how the model takes them), "state", "instruction". Other keys are ignored, as there.
Bodies that are no JSON object answer 422, arrays that do not decode 400, GET /act 405, other paths 404, as the web
framework of the original does.

Modes: ok; stochastic; error (the string "error"); http500; nan; wrong-dims (D + 1, from the third answer unless
--after); ragged (the last step has D - 1 joints); slow (sleeps --seconds); never (no answer at all); text (200, HTML);
object (dtype |O over a pickle that creates --trap); misfit (fewer bytes than the shape needs); truncated (half the body
under the full Content-Length, then TCP closes); drop (TCP closes before a status line); die-after (the process ends
instead of answer --after + 1). --after and --times say which observations of the process a mode spoils.
"""

import base64
import json
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

MODES = (
    "ok stochastic error http500 nan wrong-dims ragged slow never text object misfit truncated drop die-after"
).split()


def leaves(request: dict[str, Any], wrists: int) -> list[tuple[str, Any]]:
    """What the model looks at, in its order; raises on what the original's checks refuse."""
    names = ["full_image", *(key for key in request if "wrist" in key)]
    for name in names:
        image = request[name]
        if not (isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[-1] == 3 and image.dtype == np.uint8):
            raise ValueError(f"{name} must be an array (h, w, 3) of uint8")
    if wrists >= 0 and len(names) != 1 + wrists:
        raise ValueError(f"the model takes {wrists} wrist pictures, got {len(names) - 1}")
    state = request["state"]
    if not isinstance(state, np.ndarray) or state.ndim != 1 or not isinstance(request["instruction"], str):
        raise ValueError("state must be an array (n,) and instruction a string")
    return [(name, request[name]) for name in (*names, "state", "instruction")]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    args: Any
    plan: Any
    lock = threading.Lock()

    def log_message(self, *_: Any) -> None:
        """Nothing: stdout says `ready PORT` and no more."""

    def reply(self, status: int, body: bytes, kind: str = "application/json", cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.hang_up()

    def hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        found = self.path == "/act"
        self.reply(405 if found else 404, b'{"detail":"Method Not Allowed"}' if found else b'{"detail":"Not Found"}')

    def do_POST(self) -> None:
        import json_numpy

        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/act":
            return self.reply(404, b'{"detail":"Not Found"}')
        try:
            request = json_numpy.loads(raw)
        except json.JSONDecodeError:
            request = None
        except Exception:
            return self.reply(400, b'{"detail":"There was an error parsing the body"}')
        if not isinstance(request, dict):
            return self.reply(422, b'{"detail":[{"msg":"Input should be a valid dictionary"}]}')
        try:
            if double := "encoded" in request:
                request = json_numpy.loads(request["encoded"])
            seen = leaves(request, self.args.wrists)
        except Exception as error:
            print(f"bad request: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return self.reply(200, b'"error"')
        with self.lock:  # the original's model answers one request at a time
            how = self.plan.next()
            actions = self.plan.answer(seen, how)
        self.answer(how, actions, double)

    def answer(self, how: str, actions: np.ndarray, double: bool) -> None:
        """Sends the actions as the mode says."""
        import json_numpy
        from peer_answer import hostile_pickle

        if how == "die-after":
            os._exit(0)
        if how in ("slow", "never"):
            time.sleep(self.args.seconds if how == "slow" else 1e6)
        if how == "drop":
            return self.hang_up()
        if how == "http500":
            return self.reply(500, b"Internal Server Error", "text/plain; charset=utf-8")
        if how == "text":
            return self.reply(200, b"<html><body>Welcome</body></html>", "text/html")
        steps: list[Any] = list(actions)
        if how == "ragged":
            steps[-1] = steps[-1][:-1]
        if how == "object":
            pickled = base64.b64encode(hostile_pickle(self.args.trap)).decode()
            steps = [{"__numpy__": pickled, "dtype": "|O", "shape": [len(step)]} for step in steps]
        if how == "misfit":
            short = base64.b64encode(steps[-1].tobytes()[:-4]).decode()
            steps[-1] = {"__numpy__": short, "dtype": steps[-1].dtype.str, "shape": [len(steps[-1])]}
        body = json_numpy.dumps("error" if how == "error" else steps, separators=(",", ":"))
        self.reply(200, (json.dumps(body) if double else body).encode(), cut=how == "truncated")


def main() -> None:
    from peer_answer import Plan, arguments

    parser = arguments(str(__doc__), MODES, "<f8")
    parser.add_argument("--wrists", type=int, default=-1, help="how many wrist pictures the model takes; -1: any")
    Handler.args = parser.parse_args()
    Handler.plan = Plan(Handler.args)
    server = ThreadingHTTPServer(("127.0.0.1", Handler.args.port), Handler)
    server.daemon_threads = True
    print("ready", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
