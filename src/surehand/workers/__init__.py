"""Work shared among processes, on this machine or a Ray cluster: results in order, or each as soon as it is done."""

from surehand.workers.actors import Failure
from surehand.workers.finished import finished_jobs
from surehand.workers.life import begin_worker, worker_died
from surehand.workers.lock import only_one
from surehand.workers.ordered import run_jobs

__all__ = ["Failure", "begin_worker", "finished_jobs", "only_one", "run_jobs", "worker_died"]
