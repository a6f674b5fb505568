"""Workers as Ray actors: a cluster joined, or one started here, and what it has room for."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from surehand.exceptions import SurehandError
from surehand.workers.actors import Actor, Died, Held, one_line, unpacked

PATIENCE = 5.0  # seconds a cluster has to answer, and idle actors to end in order


@contextmanager
def cluster(address: str, processes: int) -> Iterator[Any]:
    """Ray's module, joined to a cluster: "local", "auto" or an address; one this program has joined already stays.

    "local" is the cluster that RAY_ADDRESS names or, without it, one started here for this block, with `processes`
    processors (0: all there are). SurehandError where Ray is missing or the cluster does not answer.
    """
    # Ray prints deaths to stdout, which is for results; what they cost is said by us. It reads this as it is imported.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed")
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise SurehandError("sharing work through Ray needs ray; pip install 'surehand[ray]'") from None
    joined = not ray.is_initialized()
    try:
        if joined:
            _join(ray, address, processes)
        yield ray
    finally:
        if joined:
            ray.shutdown()


def _join(ray: Any, address: str, processes: int) -> None:
    """Nothing; Ray is in a cluster."""
    where = os.environ.get("RAY_ADDRESS", "local") if address == "local" else address
    _knock(where)
    options: dict[str, Any] = {"address": where, "log_to_driver": False, "logging_level": "ERROR"}
    if where == "local":
        options |= {"num_cpus": processes or None, "include_dashboard": False}
    try:
        with _our_signals():
            ray.init(**options)
    except Exception as error:  # Ray has no common kind for these
        raise SurehandError(
            f"cannot join Ray at {where} ({one_line(error)[:300]}); see ray status there, and where it asks for a "
            "token set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        ) from None


@contextmanager
def _our_signals() -> Iterator[None]:
    """A polite kill means afterwards what it meant before: Ray's own way is a dump of addresses and exit code 1."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _knock(address: str) -> None:
    """Nothing; SurehandError where nobody listens: Ray itself tries for two minutes, and then ends the program."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except OSError as error:
        raise SurehandError(f"no Ray cluster answers at {address} ({error}); see ray status there") from None


class RayActor:
    """Our end of one actor, and what it is at."""

    def __init__(self, ray: Any, handle: Any) -> None:
        self._ray, self.handle = ray, handle
        self.pending = handle.begin.remote()
        self.busy = True

    def give(self, job: Any) -> None:
        self.pending = self.handle.do.remote(self._ray.cloudpickle.dumps(job))
        self.busy = True

    def answer(self) -> Any:
        try:
            message = self._ray.get(self.pending)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(self.handle)  # where it only cannot be reached: its place is needed
            never_was = getattr(error, "actor_init_failed", False)
            how = one_line(error)[-200:] if never_was else "killed, out of memory, or its node went away"
            raise Died(how) from None
        self.busy = False
        return unpacked(message)


class Actors:
    """A pool of Ray actors, each with one processor and `gpus` GPUs."""

    def __init__(
        self, ray: Any, begin: Callable[[], Any], function: Callable[[Any, Any], Any], processes: int, gpus: float
    ) -> None:
        self._ray = ray
        self.room = _room(ray, gpus)
        if self.room == 0:
            raise SurehandError(f"no node of the Ray cluster has a processor and {gpus:g} GPUs; ask for fewer GPUs")
        self.room = min(self.room, processes or self.room)
        # Restarting is for us: a fresh actor must begin before it is given a job again.
        kind = ray.remote(Held).options(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)
        message = ray.cloudpickle.dumps((begin, function))
        self._fresh: Callable[[], Any] = lambda: kind.remote(message, ray.cloudpickle.dumps)
        self._all: list[RayActor] = []

    def start(self) -> Actor:
        self._all.append(RayActor(self._ray, self._fresh()))
        return self._all[-1]

    def wait(self, actors: Sequence[Actor]) -> Sequence[Actor]:
        workers = {worker.pending: worker for worker in self._all if worker in actors}
        ready, _ = self._ray.wait(list(workers), num_returns=1)
        return [workers[reference] for reference in ready]

    def close(self) -> None:
        workers, self._all = self._all, []
        if not self._ray.is_initialized():  # the program has ended it already
            return
        for worker in workers:
            if worker.busy:
                self._ray.kill(worker.handle)
        ends = [worker.handle.end.remote() for worker in workers if not worker.busy]
        with suppress(self._ray.exceptions.RayError):
            self._ray.wait(ends, num_returns=len(ends), timeout=PATIENCE) if ends else None
        for worker in workers:
            self._ray.kill(worker.handle)


def _room(ray: Any, gpus: float) -> int:
    """How many workers the living nodes hold together; one worker never spans two nodes."""
    each = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fits = [(has.get("CPU", 0.0), has.get("GPU", 0.0) / gpus if gpus else float("inf")) for has in each]
    return sum(int(min(found)) for found in fits)
