"""Rollouts of several policies on several tasks: shared among processes, resumable, written by the contracts."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.contract import package_version
from surehand.formats.records import read_json, write_text
from surehand.formats.rounds import RoundWriter, open_rounds, write_rounds
from surehand.formats.trials import write_trials
from surehand.frames import Round
from surehand.policies.protocol import Policy
from surehand.policies.sampling import BatchMoments, Perturbed
from surehand.sim.episodes import Draw, Episode
from surehand.sim.outcomes import to_rounds, to_trials
from surehand.sim.robot import body as find_body
from surehand.sim.rollout import check_fit, play, rollout_scenes
from surehand.sim.summary import RolloutRecord, summarise
from surehand.sim.tasks import task as find_task
from surehand.workers import run_jobs

EXPERT = "expert"


@dataclass(frozen=True)
class Campaign:
    """What decides every number of the rollouts."""

    policies: tuple[str, ...]  # folders of checkpoints, or "expert"
    tasks: tuple[str, ...]
    episodes: int  # per policy and task
    body: str = "mobile"
    seed: int = 0
    execute: int = 4
    at_once: int = 16  # scenes that are played side by side; an interruption loses no more than these
    candidates: int = 0  # per decision; 0 is the policy's own answer alone
    generator: Literal["", "native", "perturbation", "batch-moments"] = ""
    sigma: float = 0.0  # of the perturbation, in standard deviations of the training actions
    per: Literal["chunk", "step"] = "chunk"
    temperature: float | None = None  # of native samples
    n0: int = 0  # samples behind the moments
    branch: bool = False

    def __post_init__(self) -> None:
        for name in self.tasks:
            find_task(name)
        find_body(self.body)
        rollout_scenes(self.seed, self.episodes)
        if not self.policies or not self.tasks:
            raise SurehandError("rollouts need a checkpoint (or expert) and a task")
        if len(set(self.policies)) < len(self.policies) or len(set(self.tasks)) < len(self.tasks):
            raise SurehandError(f"{self.policies} on {self.tasks}: name each checkpoint and each task once")
        if self.candidates < 0 or bool(self.candidates) != bool(self.generator):
            raise SurehandError(
                f"{self.candidates} candidates per decision drawn by {self.generator or 'nothing'}: give both "
                "--candidates and one of --sigma, --native, --temperature, --batch-moments, or neither"
            )

    @property
    def draw(self) -> Draw | None:
        """How a decision's candidates are drawn; None for the policy's own answer."""
        return Draw(self.candidates, self.seed, self.branch) if self.candidates or self.branch else None


@dataclass(frozen=True)
class Job:
    """One group of scenes of one policy on one task."""

    campaign: Campaign
    policy: str
    task: str
    first: int  # of its scenes
    part: str  # file name without suffix, in the folder of finished groups

    @property
    def scenes(self) -> list[int]:
        """The scenes of this group."""
        all_of_them = rollout_scenes(self.campaign.seed, self.campaign.episodes)
        return all_of_them[self.first : self.first + self.campaign.at_once]


def roll_out(
    campaign: Campaign,
    out: str | os.PathLike[str],
    *,
    processes: int = 2,
    ray: bool = False,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> RolloutRecord:
    """The record of all rollouts; the folder `out` gets trials.csv, rounds/<policy>.parquet and rollout.json.

    It appears whole or not at all. Finished groups wait beside it in `.NAME.parts`; the same call after an
    interruption goes on from there. FormatError for a folder that holds files or parts of other rollouts.
    """
    target = Path(out).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FormatError(f"{target} exists and is not empty; choose a new folder")
    names = _names(campaign)
    parts = _open_parts(target.parent / f".{target.name}.parts", campaign)
    jobs = [
        Job(campaign, policy, task, first, str(parts / f"{p:03d}-{task}-{first:06d}"))
        for p, policy in enumerate(campaign.policies)
        for task in campaign.tasks
        for first in range(0, campaign.episodes, campaign.at_once)
    ]
    found: list[list[Episode]] = []
    for episodes in run_jobs(_play_group, jobs, processes=processes, ray=ray):
        found.append(episodes)
        progress("rolling out", len(found) / len(jobs))
    record = _write(parts / "whole", campaign, names, jobs, found)
    shutil.rmtree(target, ignore_errors=True)  # an empty folder
    os.replace(parts / "whole", target)
    shutil.rmtree(parts)
    return record


def _play_group(job: Job) -> list[Episode]:
    """The episodes of one group, without their decisions; they and its rounds lie in files from then on."""
    facts = Path(f"{job.part}.json")
    if not facts.exists():
        campaign = job.campaign
        policy: Policy | Literal["expert"] = "expert" if job.policy == EXPERT else _open(campaign, job.policy)
        logged = policy != EXPERT
        with _one_thread():
            episodes = play(
                policy,
                job.task,
                campaign.body,
                job.scenes,
                execute=campaign.execute,
                at_once=campaign.at_once,
                draw=campaign.draw,
                log=logged,
            )
        if logged:
            write_rounds(f"{job.part}.parquet", to_rounds(episodes, campaign.seed, job.first), overwrite=True)
        rows = [{**vars(e), "peaks": e.peaks.tolist(), "decisions": []} for e in episodes]
        write_text(facts, json.dumps(rows))
    return [_episode(row) for row in read_json(facts)]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch, where a policy has loaded it, on one core: other processes have the others, and bits stay the same."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _episode(row: dict[str, Any]) -> Episode:
    changed = {"peaks": np.array(row["peaks"]), "violated": tuple(row["violated"]), "decisions": ()}
    return Episode(**{**row, **changed})


@lru_cache(maxsize=2)
def _open(campaign: Campaign, folder: str) -> Policy:
    """The checkpoint with its generator around it, ready for this body."""
    from surehand.sim.opening import open_policy

    return _around(campaign, open_policy(folder))


def _around(campaign: Campaign, policy: Policy) -> Policy:
    body = find_body(campaign.body)
    check_fit(policy.spec, body, campaign.execute)
    if campaign.temperature is not None:
        at = getattr(policy, "at_temperature", None)
        if at is None:
            raise SurehandError("this policy has no temperature; take --sigma for a deterministic one")
        policy = at(campaign.temperature)
    if campaign.generator == "native" and not policy.spec.stochastic:
        raise SurehandError("this policy is deterministic and draws no candidates of its own; take --sigma")
    if campaign.generator == "perturbation":
        return Perturbed(policy, campaign.sigma, _scale(policy), campaign.per)
    if campaign.generator == "batch-moments":
        return BatchMoments(policy, campaign.n0, grippers=(5,))
    return policy


def _scale(policy: Policy) -> np.ndarray:
    """Standard deviation of the training actions (D,); 0 for a column that was held still."""
    found = getattr(policy, "action_std", None)
    if found is None and hasattr(policy, "config"):  # surehand's learners divide a column held still by 1
        found = [0.0 if std == 1.0 else std for std in getattr(policy.config, "output_std", [])] or None
    if found is None:
        raise SurehandError("this policy does not say how far its training actions spread; it cannot be perturbed")
    return np.asarray(found, dtype=float)


def _names(campaign: Campaign) -> dict[str, str]:
    """What each policy is called in trials and files; every checkpoint is opened once, before anything moves."""
    names: dict[str, str] = {}
    for policy in campaign.policies:
        opened = None if policy == EXPERT else _open(campaign, policy)
        inner = getattr(opened, "policy", opened)
        names[policy] = EXPERT if opened is None else getattr(inner, "name", "") or Path(policy).name
    given = list(names.values())
    for policy, name in names.items():
        if given.count(name) > 1:  # checkpoints of several runs
            names[policy] = f"{Path(policy).absolute().parent.parent.name} {name}"
    if len(set(names.values())) < len(names):
        raise SurehandError(f"checkpoints of the same name ({', '.join(names.values())}); roll them out one by one")
    return names


def _write(
    folder: Path, campaign: Campaign, names: dict[str, str], jobs: Sequence[Job], found: Sequence[list[Episode]]
) -> RolloutRecord:
    """The record; writes everything into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    trials, results = [], []
    for policy, name in names.items():
        mine = [(job, episodes) for job, episodes in zip(jobs, found, strict=True) if job.policy == policy]
        everything = [episode for _, episodes in mine for episode in episodes]
        trials += to_trials(name, everything)
        results += [summarise(name, task, [e for e in everything if e.task == task]) for task in campaign.tasks]
        if policy != EXPERT:
            with RoundWriter(
                folder / "rounds" / f"{name.replace(' ', '-')}.parquet", layout=find_body(campaign.body).layout
            ) as writer:
                for item in _all_rounds([job for job, _ in mine], campaign):
                    writer.append(item)
    write_trials(folder / "trials.csv", trials, seeds=[campaign.seed])
    record = RolloutRecord(
        surehand=package_version(),
        campaign=asdict(campaign),
        versions=_versions(campaign),
        names=names,
        results=results,
    )
    record.save(folder / "rollout.json")
    return record


def _all_rounds(jobs: Sequence[Job], campaign: Campaign) -> Iterator[Round]:
    """The rounds of one policy, its episodes numbered on from task to task as its trials are."""
    for job in jobs:
        before = campaign.tasks.index(job.task) * campaign.episodes
        for item in open_rounds(f"{job.part}.parquet"):
            yield replace(item, episode=item.episode + before)


def _open_parts(folder: Path, campaign: Campaign) -> Path:
    """The folder where finished groups wait, new or of an earlier run of the same campaign."""
    wanted = json.dumps({**asdict(campaign), **_versions(campaign)}, sort_keys=True)
    note = folder / "campaign.json"
    try:
        if note.exists() and note.read_text(encoding="utf-8") != wanted:
            raise FormatError(f"{folder} holds parts of other rollouts; remove it or choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        write_text(note, wanted)
    except OSError as error:
        raise FormatError(f"cannot write {folder}: {error.strerror}; choose a folder you may write to") from None
    return folder


def _versions(campaign: Campaign) -> dict[str, str]:
    """What the numbers hold for: packages, and the content of every checkpoint."""
    import mujoco

    packages = {"surehand": package_version(), "mujoco": mujoco.__version__, "numpy": np.__version__}
    return packages | {policy: _digest(Path(policy)) for policy in campaign.policies if policy != EXPERT}


def _digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files in a checkpoint's folder."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)} {file.stat().st_size} ".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
