"""Workers as processes of this machine, each with a pipe of its own: one that dies takes nothing along.

concurrent.futures gives up the whole pool where one process dies, so it cannot serve here.
"""

import atexit
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from surehand.workers.actors import Actor, Died, Held, unpacked
from surehand.workers.life import begin_worker

LOOK = 1.0  # seconds between looks at processes whose pipes a child of theirs may hold open
PATIENCE = 5.0  # seconds an idle worker has to end in order
END = b""


class Process:
    """One worker process and our end of its pipe."""

    def __init__(self, message: bytes) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,))
        try:
            with _ctrl_c_for_us_alone():
                self.process.start()
            self._send(message)
        except BaseException:
            self.pipe.close()
            raise
        finally:
            theirs.close()

    def _send(self, message: bytes) -> None:
        self.busy = True
        with suppress(OSError):
            self.pipe.send_bytes(message)

    def give(self, job: Any) -> None:
        self._send(pickle.dumps(job))

    def answer(self) -> Any:
        try:
            if not self.pipe.poll():
                raise EOFError
            message = self.pipe.recv_bytes()
        except (EOFError, OSError):
            raise Died(self._end()) from None
        self.busy = False
        return unpacked(message)

    def _end(self) -> str:
        """How it ended."""
        self.process.join(PATIENCE)
        if self.process.is_alive():  # closed its pipe, but stays
            self.process.kill()
            self.process.join()
        self.pipe.close()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"ended with exit code {code}"
        with suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"


class Processes:
    """A pool of worker processes."""

    def __init__(self, begin: Callable[[], Any], function: Callable[[Any, Any], Any], room: int) -> None:
        self.room = room
        self._message = pickle.dumps((begin, function))
        self._all: list[Process] = []
        # A generator that nobody closed outlives the wait of multiprocessing for its children, which would be for ever.
        atexit.register(self.close)

    def start(self) -> Process:
        # Only those that have said how they died are forgotten: another may be dead that nobody has looked at.
        self._all = [worker for worker in self._all if not worker.pipe.closed]
        self._all.append(Process(self._message))
        return self._all[-1]

    def wait(self, actors: Sequence[Actor]) -> Sequence[Actor]:
        workers = [worker for worker in self._all if worker in actors]
        ends: dict[Any, Process] = {worker.pipe: worker for worker in workers}
        ends.update({worker.process.sentinel: worker for worker in workers})
        while True:
            ready = {ends[found] for found in wait(list(ends), LOOK)}
            if found := [worker for worker in workers if worker in ready or not worker.process.is_alive()]:
                return found

    def close(self) -> None:
        atexit.unregister(self.close)
        workers, self._all = self._all, []
        for worker in workers:
            if worker.busy:
                worker.process.kill()
        for worker in workers:
            with suppress(OSError):
                worker.pipe.send_bytes(END)
        for worker in workers:
            worker.process.join(PATIENCE)
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


def _work(pipe: Connection) -> None:
    """A worker's life."""
    begin_worker()
    with suppress(EOFError, OSError):  # the first process has gone, or let go of us
        held = Held(pipe.recv_bytes())
        pipe.send_bytes(held.begin())
        while message := pipe.recv_bytes():
            pipe.send_bytes(held.do(message))
        held.end()


@contextmanager
def _ctrl_c_for_us_alone() -> Iterator[None]:
    """Processes begun in this block never hear Ctrl-C, not even before they can say so themselves."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # the first process would start it, and it lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
