"""What K candidates say of their own risk: every signal is higher where it claims more risk, NaN where it is silent.

K candidates, H steps, D dimensions, G groups. NaN is for whoever decides to hold on, never a small number.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.layout import Layout
from surehand.measure.chunk_space import ChunkSpace

SAME = (
    1e-5  # of a joint's scale: what two runs of one network differ by in single precision, and no noise anyone claims
)


class Meaning(NamedTuple):
    """How a signal is to be read."""

    unit: str
    riskier: str  # what a higher value says
    blind: str  # what it cannot see


MEANINGS = {
    "disagreement": Meaning(
        "scale units", "the candidates differ more", "what all candidates get wrong alike; σ, if added"
    ),
    "gripper_entropy": Meaning(
        "nats", "candidates differ in opening and closing", "when all close at the wrong moment"
    ),
    "distance_to_mean": Meaning("scale units", "the pick is far from the mean", "a mean that is itself wrong"),
    "cluster_entropy": Meaning(
        "nats", "candidates fall into several modes", "modes nearer than `within`; harmless modes"
    ),
    "token_entropy": Meaning(
        "nats", "the policy hesitates between tokens", "confident mistakes; the temperature, if scaled"
    ),
    "neg_log_p": Meaning(
        "nats", "the policy finds its pick unlikely", "confident mistakes; more tokens cost more nats"
    ),
    "confidence": Meaning("1", "less of the K candidates' probability lies on the pick", "what none of the K is"),
    "verifier": Meaning("of the verifier", "the verifier likes the pick less", "what the verifier was not trained on"),
    "stac_single": Meaning("scale units", "the pick contradicts the plan before", "a bad plan that is kept"),
    "stac_mmd": Meaning("1", "the candidates' distribution moved since the last decision", "a bad plan that is kept"),
    "novelty": Meaning("of the model", "the context is far from training", "new mistakes in known places"),
    "clock": Meaning("control steps", "later in the episode", "everything: a rival, not a signal"),
    "task": Meaning("1", "the task went wrong more often elsewhere", "everything within a task: a rival"),
}


class Silence(NamedTuple):
    """Why K candidates say nothing by their spread, "" where they do; a `fault` is a reason to hold, whatever else."""

    why: str = ""
    fault: bool = False


def silent(candidates: np.ndarray, generator: str, space: ChunkSpace) -> Silence:
    """Whether these candidates (K, H, D) say anything by their spread.

    K identical chunks from a generator that claims noise are a fault (a seed used K times, a sampler that was never
    switched on), not a confident policy. Chunks are compared: a standard deviation of equal numbers is seldom 0.
    """
    _check(candidates)
    if not len(candidates):
        return Silence("no candidates", True)
    if not np.isfinite(candidates).all():
        return Silence("candidates that are not finite", True)
    if len(candidates) == 1:
        return Silence("one candidate cannot disagree with itself")
    points = space.points(candidates)
    if np.abs(points - points[0]).max(initial=0.0) > SAME:
        return Silence()
    if generator == "deterministic":
        return Silence(f"{len(candidates)} candidates of a deterministic policy are one")
    said = f"{len(candidates)} identical chunks from a generator that claims noise ({generator or 'not named'})"
    return Silence(said, True)


def disagreement(candidates: np.ndarray, space: ChunkSpace) -> np.ndarray:
    """Spread of candidates (K, H, D) by group and in total (G+1,), in scale units.

    Root of the unbiased variance over K, averaged over steps and live joints; for angles the variance on the circle,
    Σ_{i<j} chord² / K(K−1). NaN below two candidates and for a group without live joints. Where `silent` says why,
    0 is no small disagreement: ask it first.
    """
    _check(candidates)
    if len(candidates) < 2:
        return np.full(len(space.names), np.nan)
    points = space.points(candidates)
    variance = ((points - points.mean(axis=0)) ** 2).sum(axis=0) / (len(points) - 1)
    return np.asarray(np.sqrt(space.mean_square(variance.mean(axis=0))))


def distance_to_mean(candidates: np.ndarray, space: ChunkSpace) -> np.ndarray:
    """Each candidate's distance to the mean of all K, by group and in total (K, G+1), in scale units.

    Root mean square over steps and live joints. The mean of angles is the centre of their points on the circle, so it
    exists for opposite angles too. A candidate is part of its mean, which shrinks all distances alike.
    """
    _check(candidates)
    if len(candidates) < 2:
        return np.full((len(candidates), len(space.names)), np.nan)
    points = space.points(candidates)
    return np.asarray(np.sqrt(space.mean_square(((points - points.mean(axis=0)) ** 2).mean(axis=1))))


def gripper_entropy(candidates: np.ndarray, layout: Layout, halfway: float | None = None) -> float:
    """Entropy of open against closed among K candidates (K, H, D), mean over steps and grippers, 0 to ln 2 nats.

    `halfway` parts open from closed; without it the gripper's unit says it ("0..1" or "-1..1"). NaN below two
    candidates, without a gripper, or where neither says what is halfway.
    """
    _check(candidates)
    columns = [i for i, joint in enumerate(layout.joints) if joint.kind == "gripper"]
    if len(candidates) < 2 or not columns:
        return float("nan")
    middles = np.array([_halfway(layout.joints[i].unit) if halfway is None else halfway for i in columns])
    values = candidates[..., columns]
    if np.isnan(middles).any() or not np.isfinite(values).all():
        return float("nan")
    share = (values > middles).mean(axis=0)
    return float(_entropy(share).mean() + _entropy(1 - share).mean())


def cluster_entropy(candidates: np.ndarray, space: ChunkSpace, within: float) -> float:
    """Entropy of the candidates' shares of clusters, 0 to ln K nats; NaN below two candidates.

    Average linkage on root-mean-square distances, cut at `within` scale units: several ways to do a task show as
    several clusters, whatever the spread inside each.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    _check(candidates)
    if not within > 0:
        raise SurehandError(f"clusters within {within} scale units: expected a number above 0")
    if len(candidates) < 2 or not np.isfinite(candidates).all():
        return float("nan")
    points = space.points(candidates).reshape(len(candidates), -1)
    joints = candidates.shape[1] * space.member[:, -1].sum()
    label = fcluster(linkage(points / np.sqrt(joints), "average"), within, "distance")
    return float(_entropy(np.unique(label, return_counts=True)[1] / len(label)).sum())


def confidence(log_p: np.ndarray) -> np.ndarray:
    """1 − each candidate's share of the K candidates' probability (K,), from their log probabilities (K,) in nats.

    The policy's own confidence, turned so that higher is riskier. NaN where any log probability is, and below two
    candidates: the only one holds all of it.
    """
    if not np.isfinite(log_p).all() or len(log_p) < 2:
        return np.full(len(log_p), np.nan)
    share = np.exp(log_p - log_p.max())
    return np.asarray(1 - share / share.sum())


def _check(candidates: np.ndarray) -> None:
    if np.ndim(candidates) != 3:
        raise ShapeError(f"candidates have shape {np.shape(candidates)}, expected (K, H, D)")


def _entropy(share: np.ndarray) -> np.ndarray:
    """−p ln p, 0 at 0."""
    return np.asarray(-share * np.log(np.where(share > 0, share, 1.0)))


def _halfway(unit: str) -> float:
    low, dots, high = unit.partition("..")
    try:
        return (float(low) + float(high)) / 2 if dots else float("nan")
    except ValueError:
        return float("nan")
