"""How worker processes begin, how many there is room for, and what to say where one died."""

import os
import signal
import threading
from multiprocessing import parent_process

from surehand.exceptions import SurehandError


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


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
