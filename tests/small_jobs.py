"""Jobs for the tests of shared work; worker processes import them from here."""

import os
import signal
import time
from pathlib import Path

from surehand.exceptions import ShapeError


def squared(job: int) -> int:
    return job * job


def recorded(job: tuple[str, int]) -> int:
    """Leaves a file of its number; the later ones are slow."""
    folder, number = job
    time.sleep(0.05 if number else 0.0)
    (Path(folder) / str(number)).touch()
    return number


def refused(job: int) -> int:
    if job == 2:
        raise ShapeError("job 2 does not fit")
    return job


def slept(folder: str) -> None:
    """Says who works, and works for long."""
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(60)


def killed(job: int) -> int:
    if job == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return job
