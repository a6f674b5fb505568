"""One thread that does what it is given, one thing after the other: a policy is never asked twice at once."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class OneWorker:
    """A thread with a queue. Unlike the standard library's pool it does not keep a program from ending while busy."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None]
        self._jobs = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name="surehand policy").start()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """What the function will return, once its turn has come; a cancelled job is left out."""
        promise: Future[Any] = Future()
        self._jobs.put((promise, function, arguments))
        return promise

    def stop(self) -> None:
        """Nothing more is taken; what is under way goes on to its end."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            promise, function, arguments = job
            if not promise.set_running_or_notify_cancel():
                continue
            try:
                promise.set_result(function(*arguments))
            except Exception as error:
                promise.set_exception(error)
            except BaseException as error:  # a policy that calls exit() ends its answer, not the server
                promise.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
