"""Policies × held-out frames → recorded predictions: shared among workers, kept piece by piece, resumable."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from surehand.exceptions import FormatError
from surehand.formats.contract import package_version
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.picture_cache import open_cache_folder
from surehand.predictions.continuing import open_folder
from surehand.predictions.fingerprint import data_files, fingerprint
from surehand.predictions.opening import open_policy as open_known
from surehand.predictions.plan import Address, PredictPlan, shards
from surehand.predictions.policies import find_policies
from surehand.predictions.record import Predicted, PredictRecord
from surehand.predictions.shard import OpenPolicy, Setup
from surehand.predictions.spread import action_spread
from surehand.predictions.work import Progress, Work
from surehand.splits import check_episodes
from surehand.workers import only_one, processors

GIGABYTE = 10**9


def predict(
    dataset: LeRobotFolder,
    policies: Sequence[str | Address],
    plan: PredictPlan,
    out: str | os.PathLike[str],
    *,
    open_policy: OpenPolicy = open_known,
    processes: int = 1,
    ray: str = "",
    gpus: float = 0.0,
    threads: int = 0,
    cache: Path | None = None,
    cache_bytes: int = 20 * GIGABYTE,
    split: str = "",
    again: bool = False,
    renew: bool = False,
    progress: Progress = lambda what, share: None,
) -> PredictRecord:
    """The record of the folder `out`, which holds one file of predictions per policy and `predict.json` after this.

    The same call goes on after an interruption; finished policies are not predicted again, those that failed are tried
    again, and more policies may be added. A policy that fails is in the record with its reason, and the others go on.
    `ray` is "local" or a cluster's address, `gpus` what each Ray worker gets, `threads` those of torch per worker (0
    shares the processor's cores). Decoded pictures are kept in the folder `cache` (the user's cache unless named), at
    most `cache_bytes`, 0 for none. Numbers depend on none of these, but for last bits on `threads`.

    `split` says in words how the episodes were chosen. FormatError for a folder that holds other predictions and for a
    disk that refuses; what was done is kept. `again` replaces other predictions and does everything anew, `renew`
    replaces those of checkpoints whose files have changed.
    """
    began = time.perf_counter()
    check_episodes(plan.episodes, dataset.episodes.tolist())
    found = find_policies(policies)
    addresses = found.addresses
    target = Path(out).absolute()
    threads = threads or max(1, processors() // max(processes, 1))
    groups = shards(plan, dataset)
    wanted = PredictRecord(
        surehand=package_version(),
        dataset=dataset.root.name,
        data_identity=dataset.identity(),
        data_files=data_files(dataset),
        split=split,
        plan=plan.facts(),
        threads=threads,
        processes=processes,
        ray=ray,
        asked=[a.name for a in (*addresses, *found.broken)],
        skipped=found.skipped,
        policies=[
            Predicted(name=a.name, policy=a.shown, fingerprint=fingerprint(a.where))
            for a in (*addresses, *found.broken)
        ],
    )
    scale = action_spread(dataset, plan.train) if plan.sigma is not None else None
    if not plan.access.dataset:
        plan = replace(plan, access=replace(plan.access, dataset=str(dataset.root)))
    kept = (cache or open_cache_folder()) if cache_bytes else None
    setup = Setup(dataset, plan, open_policy, scale, threads, kept, cache_bytes or GIGABYTE // 2)
    with _made(target), only_one(target):
        folder = open_folder(target, wanted, addresses, len(groups), again, renew)
        work = Work(setup, folder, addresses, groups, progress)
        for address, reason in found.broken.items():
            folder.note(address, state="failed", reason=reason)
        with _same_threads():
            work.run(processes, ray, gpus)
        folder.record.seconds = time.perf_counter() - began
        folder.save()
    return folder.record


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder exists; FormatError where it cannot be made. One that stays empty goes again."""
    try:
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"cannot write {folder}: {error.strerror}; choose a folder you may write to") from None
    try:
        yield
    finally:
        if new and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _same_threads() -> Iterator[None]:
    """Torch has as many threads afterwards as before, where work was done in this process."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        if torch is not None and before:
            torch.set_num_threads(before)
