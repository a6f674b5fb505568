"""What the commands that run policies share: which ones, with what access, on which machines, and how it went."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from surehand.cli.output import progress_bar
from surehand.exceptions import SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.picture_cache import open_cache_folder
from surehand.formats.predictions import PredictionsFile, open_predictions
from surehand.frames import Space
from surehand.opening import predict
from surehand.policies.mapping import Mapping
from surehand.predictions.fingerprint import data_files
from surehand.predictions.opening import Access
from surehand.predictions.plan import PredictPlan
from surehand.predictions.record import PredictRecord
from surehand.predictions.run import GIGABYTE
from surehand.splits import Split

MOST = 1e9  # gigabytes: no disk is larger, and infinity is no number of bytes


def parted(inputs: Sequence[str], repo_id: str, policies: Sequence[str]) -> tuple[Path | None, list[str]]:
    """(dataset's folder, policies): the first word is the dataset unless --repo-id names it."""
    words = list(inputs)
    folder = None if repo_id or not words else Path(words.pop(0))
    return folder, [*words, *policies]


def access(
    dataset: Path,
    mapping: Sequence[str],
    resize: int,
    api_key: str,
    timeout: float,
    space: str,
    vlm: Path | None,
) -> Access:
    """How policies are spoken to; SurehandError for a mapping or a space that cannot be read."""
    Mapping.parse(mapping)  # before anything is opened
    Space.parse(space)
    where = str(dataset.absolute())  # workers may be elsewhere
    return Access(tuple(mapping), resize, api_key, timeout, space, where, str(vlm.absolute()) if vlm else "")


@dataclass(frozen=True)
class Machines:
    """Where the work is done."""

    processes: int = 1
    ray: bool = False
    ray_address: str = ""
    gpus: float = 0.0
    threads: int = 0
    cache_gb: float = 20.0


def run(
    dataset: LeRobotFolder, policies: Sequence[str], plan: PredictPlan, out: Path, machines: Machines,
    *, split: Split, again: bool = False, renew: bool = False,
) -> PredictRecord:  # fmt: skip
    """The record of what was predicted into the folder, with a bar on stderr meanwhile."""
    if machines.gpus and not (machines.ray or machines.ray_address):
        raise SurehandError("--gpus shares GPUs through Ray; give --ray too, or choose one with CUDA_VISIBLE_DEVICES")
    with _stdout_for_results(), progress_bar() as progress:
        record = predict(
            dataset,
            policies,
            plan,
            out,
            processes=machines.processes,
            ray=machines.ray_address or ("local" if machines.ray else ""),
            gpus=machines.gpus,
            threads=machines.threads,
            cache_bytes=int(min(machines.cache_gb, MOST) * GIGABYTE),
            split=split.rule,
            again=again,
            renew=renew,
            progress=progress,
        )
    for note in [*(f"skipped {what}" for what in record.skipped), *record.warnings]:
        print(f"surehand: {note}", file=sys.stderr)
    return record


@contextmanager
def _stdout_for_results() -> Iterator[None]:
    """What policies print goes to stderr, from this process and from those that it starts."""
    if sys.stdout is None or sys.stderr is None:  # closed by whoever called; the number may be another file's by now
        yield
        return
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)


def run_for(
    dataset: LeRobotFolder, policies: Sequence[str], plan: PredictPlan, out: Path | None, machines: Machines,
    *, split: Split, again: bool = False,
) -> tuple[list[PredictionsFile], list[str]]:  # fmt: skip
    """(predictions of these policies, one warning per policy that failed); SurehandError where all of them did.

    They lie in OUT/predictions, or without OUT in the user's cache, by data and plan.
    """
    folder = out / "predictions" if out is not None else _kept_folder(dataset, plan)
    # Nobody chose the cache's folder, so nobody is asked whether one checkpoint may take the place of its namesake.
    record = run(dataset, policies, plan, folder, machines, split=split, again=again, renew=out is None)
    done = [policy for policy in record.current if policy.state == "done"]
    failed = [f"{p.name} could not be predicted and is not in these numbers: {p.reason}" for p in record.failed]
    if not done:
        raise SurehandError(
            failed[0] if len(failed) == 1 else f"all {len(failed)} policies failed, the first: {failed[0]}"
        )
    return [open_predictions(folder / policy.file) for policy in done], failed


def _kept_folder(dataset: LeRobotFolder, plan: PredictPlan) -> Path:
    """Where predictions lie that nobody named a folder for: by the data, its files, and the plan."""
    said = json.dumps([plan.facts(), data_files(dataset)], sort_keys=True).encode()
    return open_cache_folder() / "predictions" / f"{dataset.identity()}-{hashlib.sha256(said).hexdigest()[:12]}"
