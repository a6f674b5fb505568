"""What the kinds of worker have in common: one thing at a time, an answer or an error for it, or death."""

import pickle
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from surehand.exceptions import SurehandError


@dataclass(frozen=True)
class Failure:
    """A job that has no result: its place among the jobs, and why."""

    index: int
    error: Exception


@dataclass(frozen=True)
class Raised:
    """What a worker answers where the work raised."""

    error: Exception


class Died(Exception):
    """A worker is gone before it answered; says how."""


class Actor(Protocol):
    """A worker that holds one state. It begins by itself, and answers for that once, then once for every job."""

    def give(self, job: Any) -> None:
        """Nothing; the job has begun. Raises where it cannot be sent; a dead worker shows in its answer."""

    def answer(self) -> Any:
        """The result of what it was last at, or `Raised`; raises `Died`."""


class Pool(Protocol):
    """Workers of one kind."""

    room: int

    def start(self) -> Actor:
        """A fresh worker, which has not begun yet."""

    def wait(self, actors: Sequence[Actor]) -> Sequence[Actor]:
        """At least one of these, as soon as it has an answer or died."""

    def close(self) -> None:
        """Nothing is left: busy workers are killed, the others end in order."""


def attempt(work: Callable[[], Any]) -> Any:
    """What the work returns, or `Raised`; a job that ends the program has failed, and the program goes on."""
    try:
        return work()
    except Exception as error:
        return Raised(error)
    except SystemExit as end:
        return Raised(SurehandError(f"it asked the program to end (exit {end.code})"))


class Held:
    """A worker's side where it is another process: what comes in and goes out is bytes, and never raises.

    `message` is the pickled pair (begin, function). Plain pickle, not that of pipes: theirs sends tensors as handles,
    which end with the worker.
    """

    def __init__(self, message: bytes, dumps: Callable[[Any], bytes] = pickle.dumps) -> None:
        self._message, self._dumps = message, dumps
        self._function: Callable[[Any, Any], Any]
        self._state: Any = None

    def begin(self) -> bytes:
        return self._packed(attempt(self._begin))

    def do(self, message: bytes) -> bytes:
        return self._packed(attempt(lambda: self._function(self._state, pickle.loads(message))))

    def end(self) -> None:
        end(self._state)

    def _begin(self) -> None:
        begin, self._function = pickle.loads(self._message)
        self._state = begin()

    def _packed(self, answer: Any) -> bytes:
        try:
            return self._dumps(Raised(_sendable(answer.error)) if isinstance(answer, Raised) else answer)
        except Exception as error:
            return self._dumps(Raised(SurehandError(f"its result cannot be sent ({one_line(error)})")))


def unpacked(message: bytes) -> Any:
    """What `Held` answered."""
    try:
        return pickle.loads(message)
    except Exception as error:
        return Raised(SurehandError(f"its result cannot be read by another process ({one_line(error)})"))


def _sendable(error: Exception) -> Exception:
    """The error, its traceback noted, if it surely arrives; else one that says the same in words."""
    if not isinstance(error, SurehandError):  # those explain themselves
        error.add_note("".join(traceback.format_exception(error)).rstrip())
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:  # whatever its class does there
        pass
    return SurehandError(one_line(error))


def one_line(error: BaseException) -> str:
    """Kind and message of an error."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def end(state: Any) -> None:
    """Nothing; a state that can be closed is."""
    if callable(close := getattr(state, "close", None)):
        close()


class Here:
    """The pool and the only worker of one process: this one."""

    room = 1

    def __init__(self, begin: Callable[[], Any], function: Callable[[Any, Any], Any]) -> None:
        self._function = function
        self._state: Any = None
        self._next: Callable[[], Any] = lambda: self._begin(begin)

    def start(self) -> Actor:
        return self

    def wait(self, actors: Sequence[Actor]) -> Sequence[Actor]:
        return actors

    def give(self, job: Any) -> None:
        self._next = lambda: self._function(self._state, job)

    def answer(self) -> Any:
        return attempt(self._next)

    def close(self) -> None:
        end(self._state)

    def _begin(self, begin: Callable[[], Any]) -> None:
        self._state = begin()
