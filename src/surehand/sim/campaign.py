"""What rollouts are made of: which policies, tasks and scenes, and how a decision's candidates are drawn."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from surehand.exceptions import SurehandError
from surehand.formats.checkpoint_names import split_step
from surehand.formats.contract import package_version
from surehand.policies.protocol import Policy
from surehand.policies.sampling import BatchMoments, Perturbed
from surehand.sim.episodes import Draw
from surehand.sim.robot import body as find_body
from surehand.sim.rollout import check_fit, rollout_scenes
from surehand.sim.tasks import task as find_task

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


@lru_cache(maxsize=2)
def open_checkpoint(campaign: Campaign, folder: str) -> Policy:
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
    if found is None:
        raise SurehandError("this policy does not say how far its training actions spread; it cannot be perturbed")
    return np.asarray(found, dtype=float)


def policy_names(campaign: Campaign) -> dict[str, str]:
    """What each policy is called in trials and files; every checkpoint is opened once, before anything moves."""
    names: dict[str, str] = {}
    for policy in campaign.policies:
        opened = None if policy == EXPERT else open_checkpoint(campaign, policy)
        inner = opened.policy if isinstance(opened, Perturbed | BatchMoments) else opened
        names[policy] = EXPERT if opened is None else getattr(inner, "name", "") or _name(policy)
    given = list(names.values())
    for policy, name in names.items():
        if given.count(name) > 1:  # checkpoints of several runs
            names[policy] = f"{_run_and_step(policy)[0]} {name}"
    if len(set(names.values())) < len(names):
        raise SurehandError(f"checkpoints of the same name ({', '.join(names.values())}); roll them out one by one")
    return names


def _name(folder: str) -> str:
    """As in `act 000200`, from the folder's path, for a checkpoint that does not say its name."""
    run, step = _run_and_step(folder)
    return run if step is None else f"{run} {step:06d}"


def _run_and_step(folder: str) -> tuple[str, int | None]:
    run, step = split_step(Path(folder).absolute())
    path = Path(run)
    return (path.parent if path.name == "checkpoints" else path).name, step


def versions_of(campaign: Campaign) -> dict[str, str]:
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
