"""Work shared among processes, here or through Ray: results in order, or each when it is done; one thread aside."""

from surehand.workers.actors import Failure
from surehand.workers.finished import finished_jobs
from surehand.workers.life import begin_worker, processors, worker_died
from surehand.workers.lock import only_one
from surehand.workers.ordered import run_jobs

__all__ = ["Failure", "begin_worker", "finished_jobs", "only_one", "processors", "run_jobs", "worker_died"]
