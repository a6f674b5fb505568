"""Rollouts of several policies on several tasks: shared among processes, resumable, written by the contracts."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from surehand.formats.contract import package_version
from surehand.formats.records import read_json, write_text
from surehand.formats.rounds import RoundWriter, open_rounds, write_rounds
from surehand.formats.trials import write_trials
from surehand.frames import Round
from surehand.policies.protocol import Policy
from surehand.sim.campaign import EXPERT, Campaign, open_checkpoint, policy_names, versions_of
from surehand.sim.episodes import Episode
from surehand.sim.outcomes import to_rounds, to_trials
from surehand.sim.parts import finish, new_whole, open_parts
from surehand.sim.robot import body as find_body
from surehand.sim.rollout import play, rollout_scenes
from surehand.sim.summary import RolloutRecord, summarise
from surehand.workers import only_one, run_jobs


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
    names = policy_names(campaign)
    parts = open_parts(target, {**asdict(campaign), **versions_of(campaign)}, "other rollouts")
    jobs = [
        Job(campaign, policy, task, first, str(parts / f"{p:03d}-{task}-{first:06d}"))
        for p, policy in enumerate(campaign.policies)
        for task in campaign.tasks
        for first in range(0, campaign.episodes, campaign.at_once)
    ]
    found: list[list[Episode]] = []
    with only_one(parts), closing(run_jobs(_play_group, jobs, processes=processes, ray=ray)) as finished:
        for episodes in finished:
            found.append(episodes)
            progress("rolling out", len(found) / len(jobs))
        record = _write(new_whole(parts), campaign, names, jobs, found)
        finish(parts, target)
    return record


def _play_group(job: Job) -> list[Episode]:
    """The episodes of one group, without their decisions; they and its rounds lie in files from then on."""
    facts = Path(f"{job.part}.json")
    if not facts.exists():
        campaign = job.campaign
        policy: Policy | Literal["expert"] = "expert" if job.policy == EXPERT else open_checkpoint(campaign, job.policy)
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


def _write(
    folder: Path, campaign: Campaign, names: dict[str, str], jobs: Sequence[Job], found: Sequence[list[Episode]]
) -> RolloutRecord:
    """The record; writes everything into a new folder."""
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
        versions=versions_of(campaign),
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
