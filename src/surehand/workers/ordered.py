"""Results in the order of the jobs, from workers that keep nothing between two jobs."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from surehand.exceptions import SurehandError
from surehand.workers.cluster import cluster
from surehand.workers.life import begin_worker, worker_died

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


def _on_ray(function: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Generator[Result, None, None]:
    with cluster("local", processes) as ray:
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


def _from_ray(ray: Any, reference: Any) -> Any:
    """The result; the job's own error where it raised one."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError:
        raise worker_died() from None
