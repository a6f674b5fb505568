"""A policy asked a few questions on purpose: what it answers, how long it takes, what it looks at."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.frames import Predictions
from surehand.policies.mapping import is_picture
from surehand.policies.protocol import Observation, Policy, PolicySpec

TIMED = 8  # single answers whose time is taken, after one that is not


@dataclass(frozen=True, eq=False)
class Probe:
    """What came of it. N observations asked, T of them timed one by one."""

    name: str
    spec: PolicySpec
    predictions: Predictions  # (N, 1, H, D)
    seconds: np.ndarray  # (T,) of one answer to one observation
    identical: bool  # two draws of one observation are equal
    unlike: float = 0.0  # how far two answers to one observation lie apart, as a share of the larger's largest number
    swapped: Predictions | None = None  # the answers where red and blue were exchanged in every picture
    dark: Predictions | None = None  # the answers to black pictures


def probe(policy: Policy, observations: Sequence[Observation], name: str, batch: int = 32) -> Probe:
    """The policy's answers to observations of a dataset, in the order of (episode, frame), and to spoilt ones.

    A stochastic policy that takes a seed answers with the same noise to the right and the spoilt pictures. Raises
    whatever the policy raises; SurehandError where it answers NaN or another shape.
    """
    if not observations:
        raise NotEnoughData("no observations to ask the policy about; the dataset has no frames")
    policy.reset()
    for_warmth = policy.infer(observations[0])
    chunk = np.asarray(for_warmth["actions"])
    if chunk.ndim != 2:
        raise ShapeError(f"{name} answers {chunk.shape}, expected a chunk (H, D)")
    seconds = []
    for observation in observations[:TIMED]:
        before = time.perf_counter()
        policy.infer(observation)
        seconds.append(time.perf_counter() - before)
    policy.reset()
    again = np.asarray(policy.infer(observations[0])["actions"])
    policy.reset()
    pair = policy.sample(observations[0], 2, np.random.default_rng(0)).actions
    pictures = [key for key, value in observations[0].items() if is_picture(value)]
    repeatable = policy.spec.seeded or not policy.spec.stochastic
    spoilt: list[Predictions | None] = [None, None]
    if pictures and repeatable:
        spoilt = [_answers(policy, _spoil(observations, pictures, how), name, batch) for how in ("swap", "dark")]
    return Probe(
        name=name,
        spec=policy.spec,
        predictions=_answers(policy, observations, name, batch),
        seconds=np.array(seconds),
        identical=bool((pair[0] == pair[1]).all()),
        unlike=_unlike(chunk, again),
        swapped=spoilt[0],
        dark=spoilt[1],
    )


def _unlike(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference of two answers as a share of their largest number; 0 where that cannot be told."""
    size = max(float(np.abs(one).max(initial=0)), float(np.abs(other).max(initial=0)))
    if one.shape != other.shape or not np.isfinite(size) or size == 0:
        return 0.0
    return float(np.abs(one - other).max()) / size


def _answers(policy: Policy, observations: Sequence[Observation], name: str, batch: int) -> Predictions:
    chunks: list[np.ndarray] = []
    for first in range(0, len(observations), batch):
        answers = policy.infer_batch(list(observations[first : first + batch]))
        chunks.extend(np.asarray(answer["actions"], np.float32) for answer in answers)
    shapes = {chunk.shape for chunk in chunks}
    if len(shapes) > 1:
        raise ShapeError(f"{name} answers {' and '.join(map(str, sorted(shapes)))}; a policy has one chunk shape")
    found = np.stack(chunks)[:, None]
    if not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found).all(axis=(1, 2, 3))))
        where = observations[row]
        raise SurehandError(
            f"{name} answers NaN or infinity at episode {where['episode_index']}, frame {where['frame_index']}; "
            "it must not drive a robot"
        )
    places = [np.array([o[key] for o in observations], np.int64) for key in ("episode_index", "frame_index")]
    late = policy.spec.first_step
    found = found[:, :, -late:] if late < 0 else found  # steps before the observation have no place in a prediction
    frame = places[1] + max(late, 0)
    return Predictions(found, places[0], frame, np.full(len(found), found.shape[2]), name, policy.spec.space)


def _spoil(observations: Sequence[Observation], pictures: Sequence[str], how: str) -> list[Observation]:
    """The observations with blue for red, or with black pictures, those of their histories too."""
    found = []
    for observation in observations:
        changed = {
            key: observation[key][..., ::-1] if how == "swap" else np.zeros_like(observation[key]) for key in pictures
        }
        if "history" in observation:
            changed["history"] = _spoil(observation["history"], pictures, how)
        found.append({**observation, **changed})
    return found
