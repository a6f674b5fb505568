"""Work shared among processes: jobs in, results out in the same order, on this machine or a Ray cluster."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from surehand.exceptions import SurehandError

Job = TypeVar("Job")
Result = TypeVar("Result")
AHEAD = 4  # jobs per process handed out before the oldest result is taken


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, processes: int = 2, ray: bool = False
) -> Generator[Result, None, None]:
    """`function(job)` for every job, in the order of the jobs, each as soon as it and those before it are done.

    One process works here; more are started afresh, so function, jobs and results must be picklable and the calling
    program needs the usual `if __name__ == "__main__":`. With `ray`, Ray shares the work instead: the cluster that
    RAY_ADDRESS names, or `processes` workers here. Closing the generator, or Ctrl-C, cancels what has not begun.
    A job's own error comes through; SurehandError where a worker died or Ray is missing.
    """
    if processes < 1:
        raise SurehandError(f"{processes} processes: expected at least 1")
    if ray:
        yield from _on_ray(function, jobs, processes)
    elif processes == 1 or len(jobs) < 2:
        yield from map(function, jobs)
    else:
        yield from _in_pool(function, jobs, min(processes, len(jobs)))


@contextmanager
def only_one(folder: str | os.PathLike[str]) -> Iterator[None]:
    """No other process is let in while the block lasts; SurehandError where one is at work in this folder already.

    The lock ends with its process, however that ends, and leaves no file behind.
    """
    handle = _locked(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _locked(folder: str | os.PathLike[str]) -> int | None:
    """The open folder, locked; None where the system or the disk knows no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # the other command has just ended and taken the folder along
        raise SurehandError(f"another command has just finished in {folder}; look at its result") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SurehandError(
            f"another command is at work in {folder}; wait until it ends, or choose another folder"
        ) from None
    except OSError:
        os.close(handle)
        return None
    return handle


def _in_pool(function: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Generator[Result, None, None]:
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=begin_worker)
    waiting: deque[Future[Result]] = deque()
    rest = iter(jobs)
    try:
        for job in rest:
            waiting.append(pool.submit(function, job))
            if len(waiting) == AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise worker_died() from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def begin_worker() -> None:
    """Nothing; for a worker's start: the first process decides about Ctrl-C, which reaches all, and all end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Never returns; a worker whose parent was killed would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def worker_died() -> SurehandError:
    """What to raise where a process of a pool ended by itself."""
    return SurehandError(
        "a worker process died (killed, or out of memory); use fewer processes and run the same command again"
    )


def _on_ray(function: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Generator[Result, None, None]:
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise SurehandError("sharing work through Ray needs ray; pip install 'surehand[ray]'") from None
    started = not ray.is_initialized()
    if started:
        ray.init(**_ray_options(processes))
    remote = ray.remote(function).options(num_cpus=1, max_retries=0)
    waiting: deque[Any] = deque()
    try:
        ahead = AHEAD * max(processes, int(ray.cluster_resources().get("CPU", 1)))
        for job in jobs:
            waiting.append(remote.remote(job))
            if len(waiting) == ahead:
                yield _from_ray(ray, waiting.popleft())
        while waiting:
            yield _from_ray(ray, waiting.popleft())
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
        if started:
            ray.shutdown()


def _ray_options(processes: int) -> dict[str, Any]:
    """For a cluster that RAY_ADDRESS names: none but quiet; else as many workers as asked for, no dashboard."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if os.environ.get("RAY_ADDRESS"):
        return quiet
    return {**quiet, "address": "local", "num_cpus": processes, "include_dashboard": False}


def _from_ray(ray: Any, reference: Any) -> Any:
    """The result; the job's own error where it raised one."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError:
        raise worker_died() from None
