"""A policy server that speaks GR00T's ZeroMQ interface (N1.5 and N1.6), written from its public interface.

Run as `python gr00t_peer.py --port 0 --form n15|n16|n16sim --mode MODE [--api-token T]`; prints `ready PORT` once it
listens on 127.0.0.1.

The interface: a REP socket; a request is msgpack {"endpoint": name, "data": ..., "api_token": ...}; an array is
{"__ndarray_class__": True, "as_npy": the bytes of a .npy file}. Endpoints: ping, kill, get_action, get_modality_config,
and from N1.6 reset. Whatever goes wrong answers {"error": message}; so does a wrong token.

Data and answer of get_action by --form:

- n15, data: flat, "video.K" (T, h, w, 3) uint8, "state.K" (T, n), the language key [str]; or all with a batch axis B in
  front (it is a batch when every state has three axes). Answer: {"action.K": (B, H, n)}; without a batch every axis of
  length 1 is gone, so a group of one joint is (H,).
- n16, data: {"observation": {"video": {K: (B, T, h, w, 3) uint8}, "state": {K: (B, T, n) float32}, "language":
  {K: [[str]]}}, "options": None or a map}. Answer: [{K: (B, H, n)}, {}].
- n16sim, data: the same with flat keys inside "observation": "video.K", "state.K", and the language key [str] (B).
  Answer: [{"action.K": (B, H, n)}, {}].

K, n and T are --video, --state, --action, --language, --video-indices and --state-indices; --dims is the sum of
--action's. Wrong keys, shapes, times and (n16) dtypes answer {"error"}; entries beyond these are ignored, as there.

The actions are the function in peer_answer.py for each element of the batch alone, of these leaves in the order of the
options: "video.K" (T, h, w, 3), "state.K" (T, n), and the language key with its text; the paths are the flat ones in
every form. The columns are the groups of --action in order.

get_modality_config answers {"video", "state", "action", "language"} with {"__ModalityConfig_class__": True, "as_json":
a JSON string (n15) or a map (n16) of "delta_indices", "modality_keys", ...}.

Modes (of get_action): ok; stochastic; error; plain-error (the bytes ERROR); nan; wrong-dims (the last group has one
more joint, from the third answer unless --after); missing-group (the last is left out); slow (sleeps --seconds); never
(X (the process ends instead of answer --after + 1). --after and --times say which
observations of the process a mode spoils.
"""

import io
import json
import os
import sys
import time
from typing import Any

import numpy as np

MODES = (
    "ok stochastic error plain-error nan wrong-dims missing-group slow never garbage object misfit die-after"
).split()


def npy(value: np.ndarray, **allow: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, value, **allow)
    return file.getvalue()


def pack(value: Any) -> bytes:
    import msgpack

    def plain(item: Any) -> Any:
        if isinstance(item, np.ndarray):
            return {"__ndarray_class__": True, "as_npy": npy(item, allow_pickle=False)}
        raise TypeError(f"cannot pack {type(item).__name__}")

    return msgpack.packb(value, default=plain)


def unpack(raw: bytes) -> Any:
    import msgpack

    def numpy(found: dict[Any, Any]) -> Any:
        return np.load(io.BytesIO(found["as_npy"]), allow_pickle=False) if "__ndarray_class__" in found else found

    return msgpack.unpackb(raw, object_hook=numpy)


def groups(option: str) -> dict[str, int]:
    """The joints of each group of "arm:6,gripper:1"."""
    return {name: int(n) for name, n in (part.split(":") for part in option.split(","))}


def indices(option: str) -> list[int]:
    return [int(n) for n in option.split(",")]


class Server:
    def __init__(self, args: Any) -> None:
        from peer_answer import Plan

        self.args = args
        self.video, self.state, self.action = args.video.split(","), groups(args.state), groups(args.action)
        self.times = len(indices(args.video_indices)), len(indices(args.state_indices))
        args.dims = sum(self.action.values())
        self.plan = Plan(args)
        self.running = True

    def flat(self, data: Any) -> dict[str, Any]:
        """The observation of any form under its flat keys."""
        if self.args.form == "n15":
            return data
        if set(data) - {"observation", "options"}:
            raise TypeError(f"get_action got an unexpected argument among {sorted(data)}")
        seen = data["observation"]
        if self.args.form == "n16sim":
            return {**seen, self.args.language: [[line] for line in seen[self.args.language]]}
        out = {f"{kind}.{key}": value for kind in ("video", "state") for key, value in seen[kind].items()}
        return {**out, self.args.language: seen["language"][self.args.language]}

    def batch(self, data: Any) -> tuple[list[list[tuple[str, Any]]], bool]:
        """The leaves of each element of the batch, and whether there was a batch axis; raises on a misfit."""
        seen = self.flat(data)
        batched = self.args.form != "n15" or all(seen[f"state.{key}"].ndim > 2 for key in self.state)
        want: dict[str, tuple[int | None, ...]] = {f"video.{k}": (self.times[0], None, None, 3) for k in self.video}
        want |= {f"state.{key}": (self.times[1], n) for key, n in self.state.items()}
        found: dict[str, np.ndarray] = {}
        for key, shape in want.items():
            value = seen[key]
            if not isinstance(value, np.ndarray):
                raise TypeError(f"{key} must be an array, got {type(value).__name__}")
            value = value if batched else value[None]
            if value.ndim != 1 + len(shape) or any(
                n not in (None, m) for n, m in zip(shape, value.shape[1:], strict=True)
            ):
                raise ValueError(f"{key} must have the shape {shape} after the batch, got {value.shape[1:]}")
            kinds = ("|u1",) if key.startswith("video") else ("<f4",) if self.args.form != "n15" else ("<f4", "<f8")
            if value.dtype.str not in kinds:
                raise TypeError(f"{key} must be one of {kinds}, got {value.dtype.str}")
            found[key] = value
        lines = seen[self.args.language]
        if self.args.form != "n15":
            if not all(isinstance(line, list) and len(line) == 1 for line in lines):
                raise TypeError("language must be a list with a list of one string for each element")
            lines = [line[0] for line in lines]
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise TypeError("language must be a list of strings")
        sizes = {len(value) for value in found.values()} | {len(lines)}
        if len(sizes) > 1:
            raise ValueError(f"one batch size is expected, got {sorted(sizes)}")
        size = sizes.pop()
        return [[*((k, v[b]) for k, v in found.items()), (self.args.language, lines[b])] for b in range(size)], batched

    def get_action(self, data: Any) -> Any:
        """The answer to one observation; bytes where the mode sends something that is no packed answer."""
        from peer_answer import Trap

        elements, batched = self.batch(data)
        how = self.plan.next()
        if how == "error":
            raise RuntimeError("this peer was asked to fail")
        if how == "die-after":
            os._exit(0)
        if how in ("slow", "never"):
            time.sleep(self.args.seconds if how == "slow" else 1e6)
        if how in ("plain-error", "garbage"):
            return b"ERROR" if how == "plain-error" else b"\xc1\xff\x00 no msgpack"
        whole = np.stack([self.plan.answer(leaves, how) for leaves in elements])  # (B, H, D)
        cuts = np.cumsum(list(self.action.values()))[:-1]
        parts: dict[str, Any] = dict(zip(self.action, np.split(whole, cuts, axis=-1), strict=True))
        last = list(parts)[-1]
        if how == "missing-group":
            del parts[last]
        if not batched:
            parts = {key: np.squeeze(value) for key, value in parts.items()}
        if how == "misfit":
            parts[last] = {"__ndarray_class__": True, "as_npy": npy(parts[last])[:-4]}
        if how == "object":
            box = np.array([Trap(self.args.trap)], dtype=object)
            parts[last] = {"__ndarray_class__": True, "as_npy": npy(box, allow_pickle=True)}
        if self.args.form != "n16":
            parts = {f"action.{key}": value for key, value in parts.items()}
        return parts if self.args.form == "n15" else [parts, {}]

    def get_modality_config(self) -> dict[str, Any]:
        args = self.args
        kinds = {"video": (indices(args.video_indices), self.video), "state": (indices(args.state_indices), self.state)}
        kinds |= {"action": (list(range(args.horizon)), self.action), "language": ([0], [args.language])}
        out = {}
        for kind, (steps, keys) in kinds.items():
            config: dict[str, Any] = {"delta_indices": steps, "modality_keys": list(keys)}
            if args.form != "n15":
                config |= {"sin_cos_embedding_keys": None, "mean_std_embedding_keys": None, "action_configs": None}
            as_json = json.dumps(config) if args.form == "n15" else config
            out[kind] = {"__ModalityConfig_class__": True, "as_json": as_json}
        return out

    def call(self, request: Any) -> Any:
        """The answer to any request; raises what becomes {"error"}."""
        if self.args.api_token and request.get("api_token") != self.args.api_token:
            return {"error": "Unauthorized: Invalid API token"}
        endpoint = request.get("endpoint", "get_action")
        if endpoint == "ping":
            return {"status": "ok", "message": "Server is running"}
        if endpoint == "kill":
            self.running = False
            return None
        if endpoint == "get_modality_config":
            return self.get_modality_config()
        if endpoint == "reset" and self.args.form != "n15":
            if set(request.get("data", {})) - {"options"}:
                raise TypeError(f"reset got an unexpected argument among {sorted(request['data'])}")
            return {}
        if endpoint != "get_action":
            raise ValueError(f"Unknown endpoint: {endpoint}")
        return self.get_action(request.get("data", {}))

    def run(self) -> None:
        import zmq

        socket = zmq.Context().socket(zmq.REP)
        socket.bind(f"tcp://127.0.0.1:{self.args.port or '*'}")
        print("ready", socket.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1], flush=True)
        while self.running:
            raw = socket.recv()
            try:
                out = self.call(unpack(raw))
            except Exception as error:
                print(f"bad request: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                out = {"error": str(error)}
            socket.send(out if isinstance(out, bytes) else pack(out))
        socket.close(linger=1000)


def main() -> None:
    from peer_answer import arguments

    parser = arguments(str(__doc__), MODES, "<f4")
    parser.add_argument("--form", choices=("n15", "n16", "n16sim"), default="n15")
    parser.add_argument("--api-token", default="")
    parser.add_argument("--video", default="ego_view", help="camera keys, with commas")
    parser.add_argument("--state", default="arm:6,gripper:1", help="groups and their joints")
    parser.add_argument("--action", default="arm:6,gripper:1", help="groups and their joints")
    parser.add_argument("--language", default="annotation.human.task_description")
    parser.add_argument("--video-indices", default="0", help="frames of the observation, as -1,0; write --x=-1,0")
    parser.add_argument("--state-indices", default="0")
    Server(parser.parse_args()).run()


if __name__ == "__main__":
    main()
