"""What is known of LeRobot's policy types, and how a policy of a type that is not known is found out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from surehand.exceptions import FormatError
from surehand.frames import Space
from surehand.policies.lerobot.checkpoint import ACTION, CheckpointConfig
from surehand.policies.protocol import Mechanism, PolicySpec

Length = Literal["chunk_size", "action_chunk_size", "n_action_steps", "horizon"]
LENGTHS: tuple[Length, ...] = ("chunk_size", "action_chunk_size", "n_action_steps", "horizon")  # the likeliest first


@dataclass(frozen=True)
class Kind:
    """A LeRobot policy type: which field of its config is a chunk's length, how its samples come to differ."""

    horizon: Length
    generator: Mechanism = "noise"
    history: bool = False  # whether it looks at config.n_obs_steps observations in a row
    steps_first: bool = False  # whether its chunks come as (H, B, D)


KINDS = {
    "act": Kind("chunk_size", "deterministic"),
    "diffusion": Kind("n_action_steps", history=True),
    "multi_task_dit": Kind("n_action_steps", history=True),
    "vqbet": Kind("action_chunk_size", history=True),  # its codes are drawn
    "tdmpc": Kind("horizon", steps_first=True),
    "smolvla": Kind("chunk_size"),
    "pi0": Kind("chunk_size"),
    "pi05": Kind("chunk_size"),
    "pi0_fast": Kind("chunk_size", "token-temperature"),
    "xvla": Kind("chunk_size"),
}


def spec_of(
    config: CheckpointConfig,
    folder: Path,
    action_deltas: Sequence[int] | None = None,
    observation_deltas: Sequence[int] | None = None,
    renamed: dict[str, str] | None = None,
) -> PolicySpec:
    """What the config says of the policy; FormatError where its steps cannot be told.

    `action_deltas` and `observation_deltas` are lerobot's action_delta_indices and observation_delta_indices, None
    where they are not at hand; without them only the types known here can be told. `renamed` gives the dataset's
    name of an input that is called otherwise there.
    """
    kind, where = KINDS.get(config.type), folder / "config.json"
    if ACTION not in config.output_features:
        raise FormatError(f"{where}: the output {ACTION!r} is missing; only policies that answer with actions are run")
    horizon = _horizon(config, kind, action_deltas)
    if horizon is None:
        wanted = kind.horizon if kind else ", ".join(LENGTHS)
        raise FormatError(f"{where}: {wanted} is missing, so that a chunk's length is not known; save it again")
    # Even pi0_fast takes the likeliest token where its temperature is 0.
    still = kind is not None and kind.generator == "token-temperature" and not config.temperature
    generator: Mechanism = "deterministic" if still else kind.generator if kind else "noise"
    names = renamed or {}
    return PolicySpec(
        horizon=horizon,
        dims=config.output_features[ACTION].shape[0],
        space=Space("robot"),
        first_step=first_step(action_deltas, horizon, where),
        stochastic=generator != "deterministic",
        generator=generator,
        cameras=tuple(names.get(key, key) for key in config.cameras),
        inputs=tuple(names.get(key, key) for key in config.inputs if key not in config.cameras),
        history=_history(config, kind, observation_deltas, where),
    )


def first_step(action_deltas: Sequence[int] | None, horizon: int, where: Path) -> int:
    """The offset of a chunk's first step from the observation's frame; FormatError for steps that leave some out.

    lerobot trains on the steps `action_deltas`. Diffusion and its like are trained on past steps too and answer from
    the present one on: a chunk that is shorter than what was trained starts at 0, as select_action executes it.
    """
    if action_deltas is None:
        return 0
    deltas = [int(step) for step in action_deltas]
    if not deltas:
        raise FormatError(f"{where}: a policy of single actions; surehand runs those that predict chunks of them")
    if deltas != list(range(deltas[0], deltas[0] + len(deltas))):
        raise FormatError(f"{where}: trained on the steps {deltas}; surehand reads chunks of consecutive steps alone")
    return deltas[0] if horizon >= len(deltas) else max(deltas[0], 0)


def _horizon(config: CheckpointConfig, kind: Kind | None, action_deltas: Sequence[int] | None) -> int | None:
    """The length of a predicted chunk, None where nothing says it."""
    if kind is not None:
        found: int | None = getattr(config, kind.horizon)
        return found
    lengths = [getattr(config, name) for name in LENGTHS if getattr(config, name) is not None]
    if action_deltas is not None and min(action_deltas, default=0) < 0 and config.n_action_steps is not None:
        return config.n_action_steps  # trained on past steps too: made after diffusion's example
    return lengths[0] if lengths else len(action_deltas) if action_deltas else None


def _history(config: CheckpointConfig, kind: Kind | None, observation_deltas: Sequence[int] | None, where: Path) -> int:
    """How many observations in a row the policy looks at; FormatError unless they follow on one another."""
    if observation_deltas is None:
        return config.n_obs_steps if kind is not None and kind.history else 1
    # Steps after the present one are what world models are trained on, none is looked at.
    past = sorted({int(step) for step in observation_deltas if step < 0})
    if past != list(range(-len(past), 0)):
        raise FormatError(f"{where}: looks at the observations {past}; surehand gives a policy consecutive ones alone")
    return len(past) + 1
