"""Results as they are done, from workers that each keep one expensive state."""

from collections import Counter, deque
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from surehand.exceptions import ShapeError, SurehandError
from surehand.workers.actors import Actor, Died, Failure, Here, Pool, Raised, one_line
from surehand.workers.cluster import Actors, cluster
from surehand.workers.life import processors
from surehand.workers.processes import Processes

State = TypeVar("State")
Job = TypeVar("Job")
Result = TypeVar("Result")


def finished_jobs(
    begin: Callable[[], State],
    function: Callable[[State, Job], Result],
    jobs: Sequence[Job],
    *,
    groups: Sequence[Hashable] | None = None,
    wanted: Callable[[Job], bool] = lambda job: True,
    processes: int = 2,
    ray: str = "",
    retries: int = 2,
    gpus: float = 0.0,
) -> Generator[tuple[int, Result | Failure], None, None]:
    """(index of the job, `function(state, job)` or `Failure`) for every job, in the order in which they are done.

    Every worker calls `begin()` once for its state and closes it at the end, where the state has `close()`. Jobs are
    handed out in order, but a worker goes on with the group of its last job (`groups`, one per job), so that not every
    worker loads everything. A job that is not `wanted` when its turn comes is left out and has no result. A job whose
    worker died is done again by another, up to `retries` times, so it must bear being cut anywhere. What a job raises
    is its Failure; what `begin` raises comes through and ends everything.

    One process without Ray works here, and nothing is pickled. More are started afresh, so all that goes between them
    must be picklable and the calling program needs the usual `if __name__ == "__main__":`. `ray` is "local" (the
    cluster that RAY_ADDRESS names, else one started here), "auto" or an address; a worker there has `gpus` GPUs, and
    as many workers run as have room, up to `processes` (0: no other bound). Closing the generator, or Ctrl-C, kills
    what is being done. SurehandError where workers do not get ready, or Ray is missing.
    """
    if processes < 0 or retries < 0:
        raise SurehandError(f"{processes} processes and {retries} retries: neither may be negative")
    if groups is not None and len(groups) != len(jobs):
        raise ShapeError(f"{len(groups)} groups for {len(jobs)} jobs; give one group for each job")
    if not jobs:
        return
    with _opened(begin, function, processes, ray, gpus) as pool:
        yield from _shared(pool, jobs, _Queue([None] * len(jobs) if groups is None else groups), wanted, retries)


@contextmanager
def _opened(
    begin: Callable[[], Any], function: Callable[[Any, Any], Any], processes: int, ray: str, gpus: float
) -> Iterator[Pool]:
    """The kind of workers asked for, until the block ends."""
    if ray:
        with cluster(ray, processes) as module, closing(Actors(module, begin, function, processes, gpus)) as actors:
            yield actors
    elif processes == 1:
        with closing(Here(begin, function)) as here:
            yield here
    else:
        with closing(Processes(begin, function, processes or processors())) as pool:
            yield pool


class _Queue:
    """Jobs that wait, by group; who works at which group."""

    def __init__(self, groups: Sequence[Hashable]) -> None:
        self._groups = groups
        self._waiting: dict[Hashable, deque[int]] = {}
        for index, group in enumerate(groups):
            self._waiting.setdefault(group, deque()).append(index)
        self._at: dict[Actor, Hashable] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def take(self, worker: Actor) -> int:
        """The next job of the worker's own group, else of the one with the fewest workers, else the earliest."""
        open_groups = {group: jobs[0] for group, jobs in self._waiting.items() if jobs}
        if worker in self._at and self._at[worker] in open_groups:
            return self._waiting[self._at[worker]].popleft()
        self.leave(worker)
        workers = Counter(self._at.values())
        self._at[worker] = min(open_groups, key=lambda group: (workers[group], open_groups[group]))
        return self._waiting[self._at[worker]].popleft()

    def back(self, index: int) -> None:
        """Nothing; the job is the next of its group."""
        self._waiting[self._groups[index]].appendleft(index)

    def leave(self, worker: Actor) -> None:
        """Nothing; the worker is at no group."""
        self._at.pop(worker, None)


def _shared(
    pool: Pool, jobs: Sequence[Any], queue: _Queue, wanted: Callable[[Any], bool], retries: int
) -> Generator[tuple[int, Any | Failure], None, None]:
    busy: dict[Actor, int | None] = {}  # the job each is at; None while it gets ready
    idle: deque[Actor] = deque()
    died: Counter[int] = Counter()  # by job
    stillborn = 0  # workers in a row that died before they were ready
    # A worker that still gets ready may never find room, where a node went away: nothing waits for it alone.
    while queue or any(index is not None for index in busy.values()):
        starting = list(busy.values()).count(None)
        for _ in range(min(len(queue) - starting, pool.room - len(busy) - len(idle))):
            busy[pool.start()] = None
        done: list[tuple[int, Any | Failure]] = []
        hopeless: Exception | None = None
        for worker in pool.wait(list(busy)):
            index = busy.pop(worker)
            try:
                answer = worker.answer()
            except Died as death:
                queue.leave(worker)
                if index is None:
                    stillborn += 1
                    if stillborn > retries:
                        hopeless = hopeless or _never_ready(stillborn, death)
                elif died[index] == retries:
                    done.append((index, Failure(index, _too_often(retries + 1, death))))
                else:
                    died[index] += 1
                    queue.back(index)
                continue
            idle.append(worker)
            if index is not None:
                done.append((index, Failure(index, answer.error) if isinstance(answer, Raised) else answer))
            elif isinstance(answer, Raised):
                hopeless = hopeless or answer.error
            else:
                stillborn = 0
        if hopeless is not None:
            yield from done  # what the others finished in the same moment is not lost
            raise hopeless
        while queue and idle:  # before the results go out: whoever takes them may take long
            index = queue.take(idle[0])
            if not wanted(jobs[index]):
                continue
            try:
                idle[0].give(jobs[index])
            except Exception as error:
                failed = SurehandError(f"the job cannot be sent to a worker ({one_line(error)})")
                done.append((index, Failure(index, failed)))
            else:
                busy[idle.popleft()] = index
        yield from done


def _too_often(times: int, death: Died) -> SurehandError:
    again = f"{times} workers died of it" if times > 1 else "its worker died"
    return SurehandError(f"{again} (the last: {death}); often out of memory: use fewer processes or smaller batches")


def _never_ready(times: int, death: Died) -> SurehandError:
    return SurehandError(
        f"{times} workers in a row died before they were ready (the last: {death}); "
        "often out of memory: use fewer processes"
    )
