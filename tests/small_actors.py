"""States and jobs for the tests of workers that keep one; worker processes import them from here."""

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surehand.exceptions import ShapeError


@dataclass
class State:
    """Says in its folder which process made it, and that it was closed; remembers the groups it was given."""

    folder: str = ""
    groups: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.folder:
            (Path(self.folder) / f"{os.getpid()}.state").touch()

    def close(self) -> None:
        if self.folder:
            (Path(self.folder) / f"{os.getpid()}.closed").touch()


class Refusal(Exception):
    """An error that is written well enough, but cannot be read again: it takes two arguments and keeps one."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


class Unsent:
    """Neither an error nor a result may hold this."""

    def __reduce__(self) -> Any:
        raise TypeError("this stays where it is")


class Unread:
    """Arrives, and cannot be opened."""

    def __reduce__(self) -> Any:
        return os.stat, ("/nowhere/at/all",)


def squared(state: State, job: int) -> int:
    return job * job


def who(state: State, job: int) -> int:
    return os.getpid()


def troubled(state: State, job: str) -> str:
    """Goes wrong in the way named; other names come back."""
    if job == "value":
        raise ValueError("no such value")
    if job == "shape":
        raise ShapeError("job does not fit")
    if job == "exit":
        sys.exit(3)
    if job == "two arguments":
        raise Refusal("left", "right")
    if job == "holds":
        raise ValueError("holds", Unsent())
    if job == "unsent":
        return Unsent()  # type: ignore[return-value]
    if job == "unread":
        return Unread()  # type: ignore[return-value]
    return job


def killed(state: State, job: tuple[str, int]) -> int:
    """The number; one below 0 kills the worker every time, 100 and more the first time."""
    folder, number = job
    first = Path(folder) / f"{number}.first"
    if number < 0 or (number >= 100 and not first.exists()):
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed_with_child(state: State, job: int) -> None:
    """Dies, while a child of its own still holds all that was open."""
    if os.fork() == 0:
        time.sleep(4)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def waited(state: State, job: tuple[str, int]) -> int:
    """The number, once a file `go` is there; says first who works."""
    folder, number = job
    (Path(folder) / f"{os.getpid()}.pid").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return number


def slept(state: State, folder: str) -> None:
    """Says who works, and works for long."""
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(60)


def grouped(state: State, job: str) -> tuple[int, list[str]]:
    """Who works, and the groups it was given until now."""
    if state.groups[-1:] != [job]:
        state.groups.append(job)
    return os.getpid(), list(state.groups)


def dies() -> State:
    os._exit(7)


def refuses() -> State:
    raise ShapeError("no such dataset")
