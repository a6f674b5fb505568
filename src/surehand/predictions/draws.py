"""How one policy's chunks are drawn: its answer, its own samples, or its answer perturbed; n frames, K draws.

The draws of a frame come from a generator seeded by (seed, episode, frame), whichever batch it is in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surehand.exceptions import ShapeError, SpaceError, SurehandError
from surehand.policies.batches import sample_batch
from surehand.policies.protocol import Observation, Policy
from surehand.policies.sampling import Perturbed
from surehand.predictions.plan import PredictPlan


@dataclass(eq=False)
class Drawing:
    """A policy with its generator around it, and what its draws said of themselves."""

    given: Policy  # as it was opened
    policy: Policy
    name: str
    plan: PredictPlan
    said: dict[str, Any] = field(default_factory=dict)  # generator, knob and its value

    @property
    def random(self) -> bool:
        """Whether chunks are drawn at all."""
        return self.policy.spec.stochastic

    def metadata(self) -> dict[str, Any]:
        """What the file says of the draws; the seed only where it decides them."""
        plan, spec = self.plan, self.policy.spec
        found = {**self.said, "batch": plan.batch, "stride": plan.stride, "first_step": spec.first_step}
        if self.random and spec.seeded:
            found |= {"seed": plan.seed, "seeded_by": "seed, episode, frame"}
        elif self.random:
            found["seeded_by"] = "nothing here: the policy draws its own"
        if plan.sigma is not None:
            found["sigma_scale"] = "standard deviation of the training episodes' actions"
        return found


def draws_of(policy: Policy, name: str, plan: PredictPlan, scale: np.ndarray | None) -> Drawing:
    """The policy as the plan wants its chunks drawn; SurehandError where it cannot draw them."""
    given, spec = policy, policy.spec
    if plan.temperature is not None:
        at = getattr(policy, "at_temperature", None)
        if at is None:
            raise SurehandError(f"{name} has no temperature; leave --temperature out, or take --sigma")
        policy = at(plan.temperature)
    if plan.sigma is not None:
        if spec.space.units != "robot":
            raise SpaceError(f"{name} answers in {spec.space} space; --sigma perturbs robot units, leave it out")
        if scale is None:
            raise SurehandError("--sigma needs the spread of the training actions; hold out fewer episodes")
        policy = Perturbed(policy, plan.sigma, scale)
    elif plan.samples > 1 and not spec.stochastic:
        raise SurehandError(
            f"{name} is deterministic: {plan.samples} samples would be one chunk {plan.samples} times; give --sigma "
            "to perturb it, or --samples 1"
        )
    return Drawing(given, policy, name, plan)


def draw(drawing: Drawing, observations: Sequence[Observation], episode: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Chunks (n, K, S, D) for these observations; ShapeError where the answers do not all have one shape."""
    try:
        chunks = _answered(drawing, observations, episode, frame)
    except SurehandError as error:  # a policy knows its observations, not where they come from
        raise type(error)(f"{error}; asked {_where(episode, frame)}") from error
    if len(chunks) != len(observations):
        raise ShapeError(f"{drawing.name} gave {len(chunks)} answers to {len(observations)} observations")
    shapes = {chunk.shape: row for row, chunk in reversed(list(enumerate(chunks)))}
    if len(shapes) > 1 or chunks[0].ndim != 3 or len(chunks[0]) != drawing.plan.samples or 0 in chunks[0].shape:
        shape, row = max(shapes.items(), key=lambda item: item[1])
        others = f"others {chunks[0].shape[1:]}, " if len(shapes) > 1 else ""
        raise ShapeError(
            f"{drawing.name} answered {shape[1:]} at episode {episode[row]} frame {frame[row]}, {others}"
            "expected (steps, dims), the same for all"
        )
    return np.stack(chunks)


def _answered(
    drawing: Drawing, observations: Sequence[Observation], episode: np.ndarray, frame: np.ndarray
) -> list[np.ndarray]:
    """What the policy answers to each observation: (K, S, D), if it is as it should be."""
    policy = drawing.policy
    if not drawing.random:
        answers = policy.infer_batch(list(observations))
        drawing.said |= {"generator": "deterministic"}
        return [np.asarray(answer["actions"])[None] for answer in answers]
    seeds = zip(episode.tolist(), frame.tolist(), strict=True)
    rngs = [np.random.default_rng([drawing.plan.seed, e, f]) for e, f in seeds]
    samples = sample_batch(policy, observations, drawing.plan.samples, rngs)
    first = samples[0]
    drawing.said |= {"generator": first.generator, "knob": first.knob or None}
    drawing.said["knob_value"] = float(first.value) if first.knob else None
    return [np.asarray(sample.actions) for sample in samples]


def _where(episode: np.ndarray, frame: np.ndarray) -> str:
    """The frames of a batch, for a person: its first and last."""
    first, last = (f"episode {episode[row]} frame {frame[row]}" for row in (0, -1))
    return f"at {first}" if first == last else f"between {first} and {last}"
