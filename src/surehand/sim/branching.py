"""What every candidate of a decision would have done: each carried out in a branch of the same world.

K candidates, H steps, F force channels.
"""

from dataclasses import dataclass, replace

import numpy as np

from surehand.sim.env import TaskEnv
from surehand.sim.model import CHANNELS, Branches
from surehand.sim.tasks import HELD


@dataclass(frozen=True, eq=False)
class Labels:
    """What came of K candidates; "executed" is up to the next decision or the episode's end, whichever is first."""

    forces: np.ndarray  # (K, F) peaks over the executed steps, N
    forces_chunk: np.ndarray  # (K, F) peaks over the whole chunk, N
    violation: np.ndarray  # (K,) bool: a limit broken within the executed steps
    violation_chunk: np.ndarray  # (K,) bool: within the whole chunk
    success: np.ndarray  # (K,) bool: the task fulfilled for long enough within the chunk
    diverged: np.ndarray  # (K,) bool; the numbers above mean nothing where True


def look_ahead(env: TaskEnv, candidates: np.ndarray, execute: int) -> Labels:
    """What K candidates (K, H, D) would do from here; the environment does not move.

    A candidate that holds a number that is not finite is not tried: it counts as diverged.
    """
    usable = np.isfinite(candidates).all(axis=(1, 2))
    left = env.task.steps - env.steps
    chunk = np.where(usable[:, None, None], candidates, 0.0)[:, :left].astype(np.float64)
    branches = env.world.branch(chunk, threads=1)  # other processes have the other cores
    done = _success_at(env, branches)  # step of each branch's success, or past its end
    lasts = np.minimum(done + 1, chunk.shape[1])
    broken = _broken(env, chunk, branches.forces)
    h = chunk.shape[1]
    whole = np.arange(h) < lasts[:, None]  # (K, H)
    first = whole & (np.arange(h) < execute)
    return Labels(
        forces=np.where(first[..., None], branches.forces, 0.0).max(axis=1),
        forces_chunk=np.where(whole[..., None], branches.forces, 0.0).max(axis=1),
        violation=(broken & first).any(axis=1),
        violation_chunk=(broken & whole).any(axis=1),
        success=done < h,
        diverged=branches.diverged | ~usable,
    )


def _broken(env: TaskEnv, chunk: np.ndarray, forces: np.ndarray) -> np.ndarray:
    """Whether each step breaks a limit (K, H): a force, or a command beyond a joint's range, as in TaskEnv."""
    body, tolerance = env.body, 1e-6
    beyond = ((chunk < body.low - tolerance) | (chunk > body.high + tolerance)) & body.limited
    broken = np.asarray(beyond.any(axis=2))
    for name, most in env.task.limits.items():
        broken |= forces[..., CHANNELS.index(name)] > most
    return broken


def _success_at(env: TaskEnv, branches: Branches) -> np.ndarray:
    """Step at which each branch has fulfilled the task for long enough (K,); H where it does not."""
    k, h = branches.forces.shape[:2]
    found = np.full(k, h)
    scratch = env.world.scratch()
    for branch in np.flatnonzero(~branches.diverged):
        progress = replace(env.progress)
        for step in range(h):
            scratch.show(branches.states[branch, step])
            done = env.task.fulfilled(scratch, env.scene, progress, branches.forces[branch, step])
            progress.held = progress.held + 1 if done else 0
            if progress.held >= HELD:
                found[branch] = step
                break
    return found
