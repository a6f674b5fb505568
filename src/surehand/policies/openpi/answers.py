"""What goes over openpi's websocket for a policy: its metadata, an observation, an answer, an error."""

import time
import traceback
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np

from surehand.exceptions import FormatError, SurehandError
from surehand.policies.chunks import LONGEST_HISTORY, chunk_of
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Answer, Mechanism, Observation, Policy, PolicySpec


def metadata_of(policy: Policy, name: str) -> dict[str, Any]:
    """The first message of a connection: which policy this is, its specification as plain values, our version."""
    from surehand import __version__

    spec = policy.spec
    return {
        "surehand": __version__,
        "policy": name,
        "horizon": spec.horizon,
        "dims": spec.dims,
        "space": str(spec.space),
        "first_step": spec.first_step,
        "stochastic": spec.stochastic,
        "generator": spec.generator,
        "seeded": spec.seeded,
        "history": spec.history,
        "cameras": None if spec.cameras is None else list(spec.cameras),
        "inputs": None if spec.inputs is None else list(spec.inputs),
    }


def spec_said(metadata: dict[str, Any], otherwise: PolicySpec) -> PolicySpec:
    """`otherwise`, with what surehand's own server says of its policy; of any other server nothing is known.

    Its horizon and columns are left to the first answer, its inputs to the names that the server is sent.
    """
    if not isinstance(metadata.get("surehand"), str):
        return otherwise
    first, history, generator = (metadata.get(key) for key in ("first_step", "history", "generator"))
    if type(first) is not int or type(history) is not int or generator not in get_args(Mechanism):
        return otherwise
    if not 1 <= history <= LONGEST_HISTORY:
        return otherwise
    known = replace(otherwise, first_step=first, history=history)
    if metadata.get("stochastic"):  # its noise goes on from question to question, as any server's
        return known if generator == "deterministic" else replace(known, generator=cast(Mechanism, generator))
    return replace(known, stochastic=False, generator="deterministic", seeded=True)


def observation_of(message: Any, mapping: Mapping) -> Observation:
    """The observation in a message: its own names, those of `mapping` added, "prompt" as the task; arrays writable."""
    if not isinstance(message, dict):
        raise FormatError(f"an observation must be a dict of features, got a {type(message).__name__}")
    observation = {**message, **(mapping.apply(message) if mapping.clauses else {})}
    if "prompt" in observation:
        observation.setdefault("task", observation["prompt"])
    earlier = observation.get("history")
    if isinstance(earlier, list):
        observation["history"] = [observation_of(one, mapping) for one in earlier]
    return {key: np.array(value) if isinstance(value, np.ndarray) else value for key, value in observation.items()}


def ask(policy: Policy, observation: Observation, rng: np.random.Generator | None) -> dict[str, Any]:
    """The policy's answer, ready to be packed; with `rng` a stochastic policy draws anew, as openpi's do."""
    started = time.perf_counter()
    if rng is not None and policy.spec.stochastic:
        answer: Answer = {"actions": policy.sample(observation, 1, rng).actions[0]}
    else:
        answer = policy.infer(observation)
    spent = 1000 * (time.perf_counter() - started)
    return {"policy_timing": {"infer_ms": spent}, **ready(answer)}


def ready(answer: Answer) -> dict[str, Any]:
    """{"actions": (H, D) float32, ...} with every other array as a list: openpi's client cuts each array into steps.

    Its ActionChunkBroker takes row `step` of every array in an answer, however deep, so that an array of another
    length would end in an IndexError on the robot.
    """
    chunk = np.asarray(chunk_of(answer, "the policy"), np.float32)
    return {"actions": chunk} | {key: _listed(value) for key, value in answer.items() if key != "actions"}


def error_text(error: Exception) -> str:
    """One line for whoever asked: what surehand says of bad input, else the last line of the traceback."""
    text = str(error) if isinstance(error, SurehandError) else traceback.format_exception_only(error)[-1]
    return " ".join(text.split())


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _listed(inner) for key, inner in value.items()}
    return [_listed(inner) for inner in value] if isinstance(value, list | tuple) else value
