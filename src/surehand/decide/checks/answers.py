"""What a policy does when it is asked: whether its draws differ, its pictures matter, its answers come in time."""

import numpy as np

from surehand.decide.checks.compare import chunks, find_rows
from surehand.decide.checks.words import plural
from surehand.decide.findings import Finding, finding
from surehand.frames import Actions, Predictions
from surehand.policies.probe import Probe

SAME = 1e-3  # share of the largest number by which arithmetic on a GPU may differ from call to call
BETTER, MOST = 0.8, 0.75  # mean error with red and blue exchanged, and the share of episodes in which it is smaller
MANY = 5  # episodes; of fewer, frames are counted


def check_draws(probe: Probe, samples: int) -> list[Finding]:
    """Equal draws: against the policy's word, or K samples of a deterministic one. `samples`: K asked for."""
    if not probe.spec.stochastic and probe.unlike > SAME:
        evidence = f"two answers to one observation differ by {100 * probe.unlike:.2g} % of the largest number"
        return [finding("policy.unsteady", evidence)]
    if not probe.identical:
        return []
    if probe.spec.stochastic and probe.spec.seeded:  # of a server it is not known before it is asked
        return [finding("policy.claims_noise", f"two draws of {probe.spec.generator} are equal")]
    asked = f", {samples} samples asked for" if samples > 1 else ""
    severity = "warning" if samples > 1 else None
    return [finding("policy.deterministic", f"two draws are equal{asked}", severity=severity)]  # type: ignore[arg-type]


def check_latency(probe: Probe, fps: float, executed: int | None) -> list[Finding]:
    """A warning where one answer takes longer than the robot needs for the steps it executes of a chunk."""
    horizon = probe.predictions.prediction.shape[2]
    steps = min(executed or -(-horizon // 2), horizon)
    if fps <= 0 or not len(probe.seconds):
        return []
    took = float(np.median(probe.seconds))
    if took <= steps / fps:
        return []
    evidence = (
        f"one answer takes {1000 * took:.0f} ms (median of {len(probe.seconds)}), the {plural(steps, 'step')} executed "
        f"of each chunk last {1000 * steps / fps:.0f} ms at {fps:g} Hz"
    )
    return [finding("policy.slow", evidence)]


def check_pictures(probe: Probe, recorded: Actions) -> list[Finding]:
    """Pictures that change nothing, or that serve the policy better with red and blue exchanged."""
    if probe.dark is None or probe.swapped is None:
        return []
    asked = probe.predictions
    if (asked.prediction == probe.dark.prediction).all():
        severity = None if probe.spec.cameras else "note"  # a server or a function is shown whatever there is
        evidence = f"{plural(len(asked), 'answer')} to black pictures are the same to the bit"
        return [finding("policy.blind", evidence, severity=severity)]  # type: ignore[arg-type]
    (right, swapped), episode = (_errors(one, recorded) for one in (asked, probe.swapped)), _episodes(asked, recorded)
    if not len(right) or swapped.mean() > BETTER * right.mean():
        return []
    # An episode counts once: its few frames in which the picture decides weigh more than many in which it does not.
    kept, place = np.unique(episode, return_inverse=True)
    gain = np.bincount(place, right - swapped) if len(kept) >= MANY else right - swapped
    if (gain > 0).mean() < MOST:
        return []
    evidence = (
        f"exchanged, the error is {swapped.mean() / right.mean():.2f} times as large, smaller in "
        f"{100 * (gain > 0).mean():.0f} % of {plural(len(gain), 'episode' if len(kept) >= MANY else 'frame')}"
    )
    return [finding("policy.channel_order", evidence)]


def _episodes(predictions: Predictions, recorded: Actions) -> np.ndarray:
    """The episode of each predicted frame that exists (n,)."""
    return predictions.episode[find_rows(predictions, recorded) >= 0]


def _errors(predictions: Predictions, recorded: Actions) -> np.ndarray:
    """Mean squared error per predicted frame that exists (n,), in units of the recorded actions' deviation."""
    row = find_rows(predictions, recorded)
    known = predictions.take(row >= 0)
    target, valid = chunks(recorded, row[row >= 0], known.prediction.shape[2])
    deviation = recorded.action.std(axis=0)
    square = ((known.prediction[:, 0] - target) / np.where(deviation > 0, deviation, 1)) ** 2
    square = np.where(valid[..., None], square, 0.0)
    return np.asarray(square.sum(axis=(1, 2)) / (valid.sum(axis=1) * square.shape[2]))
