"""What the three test servers answer: a number for every step and joint that depends on the whole input.

A request is an ordered list of leaves (path, value). Its features F are one flat list of float64, leaf after leaf:

1. text(path), then by the kind of the value:
2. a str (or bytes): text(value);
3. a bool, int, float or numpy scalar: the number itself;
4. a list or tuple: each element as a leaf of its own with the path "PATH|0", "PATH|1", ...; nothing for the list;
5. None: nothing more;
6. an array: text(dtype.str), ndim, every length of its shape / 100, and then
   - uint8 with three axes or more: for each picture (h, w, c) of the last three axes, in C order of the axes before
     them: the mean of each channel / 255 (c numbers), and the pixels [0, 0], [h // 3, w // 2], [h - 1, max(w - 2, 0)]
     / 255 (3c numbers);
   - any other array: every entry in C order.

text(s), b the UTF-8 bytes of s and i from 0: len(b) / 100, (sum (i + 1) b_i mod 1009) / 1009,
(sum (i + 1)^2 b_i mod 997) / 997.

Over the features j = 0 .. J - 1, for step h = 0 .. H - 1 and joint d = 0 .. D - 1:

    actions[h, d] = sum_j F_j sin(1 + j (d + 1) + h / 10)

The "stochastic" servers add 0.1 sin(1.7 n + d + 0.3 h), n counting the observations the process has accepted (from 1).
All in float64; the servers cast at the very end.
"""

import argparse
import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np

Leaf = tuple[str, Any]


def text(value: str | bytes) -> list[float]:
    """Three numbers that tell one text from another."""
    raw = value.encode() if isinstance(value, str) else value
    first = sum((i + 1) * b for i, b in enumerate(raw)) % 1009
    second = sum((i + 1) ** 2 * b for i, b in enumerate(raw)) % 997
    return [len(raw) / 100, first / 1009, second / 997]


def array(value: np.ndarray) -> list[float]:
    """The features of an array: its dtype, shape and content."""
    out = [*text(value.dtype.str), float(value.ndim), *(n / 100 for n in value.shape)]
    if value.dtype != np.uint8 or value.ndim < 3:
        return [*out, *value.astype(np.float64).ravel().tolist()]
    for picture in value.reshape(-1, *value.shape[-3:]).astype(np.float64) / 255:
        h, w, _ = picture.shape
        out += picture.mean(axis=(0, 1)).tolist()
        for pixel in (picture[0, 0], picture[h // 3, w // 2], picture[h - 1, max(w - 2, 0)]):
            out += pixel.tolist()
    return out


def features(leaves: Iterable[Leaf]) -> list[float]:
    """Every leaf's numbers, in the order of the leaves."""
    out: list[float] = []
    for path, value in leaves:
        if isinstance(value, list | tuple):
            out += features((f"{path}|{i}", element) for i, element in enumerate(value))
            continue
        out += text(path)
        if isinstance(value, str | bytes):
            out += text(value)
        elif isinstance(value, np.ndarray):
            out += array(value)
        elif value is not None:
            out.append(float(value))
    return out


def actions(leaves: Iterable[Leaf], horizon: int, dims: int, count: int | None = None) -> np.ndarray:
    """(H, D) float64, the function in this file's docstring; `count` is n of a stochastic server."""
    found = np.array(features(leaves))
    j = np.arange(len(found))
    h, d = np.arange(horizon)[:, None], np.arange(dims)[None]
    out = np.sin(1 + j * (d[..., None] + 1) + h[..., None] / 10) @ found  # (H, D)
    return out if count is None else out + 0.1 * np.sin(1.7 * count + d + 0.3 * h)


class Trap:
    """An object whose unpickling creates a file: a client that unpickles what it receives leaves this trace."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self.path, "w")


def hostile_pickle(path: str) -> bytes:
    """A pickle that creates the file `path` where it is loaded, and does nothing else."""
    return pickle.dumps(Trap(path))


class Plan:
    """Which answers go wrong: observations after+1 .. after+times of the process, counted over all connections."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.count = 0
        self.after = args.after if args.after is not None else 2 if args.mode == "wrong-dims" else 0

    def next(self) -> str:
        """Counts one accepted observation and returns how to answer it: "ok", or the mode."""
        self.count += 1
        past = self.count - self.after
        return self.args.mode if past > 0 and (self.args.times == 0 or past <= self.args.times) else "ok"

    def answer(self, leaves: Iterable[Leaf], how: str) -> np.ndarray:
        """(H, D) for this observation, spoiled where the mode says so (NaN in the middle row's last joint)."""
        dims = self.args.dims + (how == "wrong-dims")
        out = actions(leaves, self.args.horizon, dims, self.count if self.args.mode == "stochastic" else None)
        if how == "nan":
            out[self.args.horizon // 2, -1] = np.nan
        return out.astype(self.args.dtype)


def arguments(description: str, modes: Iterable[str], dtype: str) -> argparse.ArgumentParser:
    """The options all three servers share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; `ready PORT` is printed")
    parser.add_argument("--mode", choices=tuple(modes), default="ok")
    parser.add_argument("--horizon", type=int, default=8)
    parser.add_argument("--dims", type=int, default=7)
    parser.add_argument("--dtype", default=dtype, help="of the actions, e.g. <f4, >f4, <f8, <f2")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long `slow` sleeps")
    parser.add_argument("--after", type=int, help="good answers before the mode begins (wrong-dims: 2, else 0)")
    parser.add_argument("--times", type=int, default=0, help="how many answers go wrong, then all is well; 0: all")
    parser.add_argument("--trap", default="unpickled", help="mode object: the file that a client's unpickling creates")
    return parser
