"""Checkpoints of lerobot up to 0.3.3, which kept their statistics among the weights: read without a migration."""

from typing import Any

from surehand.exceptions import FormatError
from surehand.policies.lerobot.checkpoint import ACTION, OLD_STATISTICS, WEIGHTS, Checkpoint

BEFORE, AFTER = OLD_STATISTICS[0], OLD_STATISTICS[2]


def load_old(checkpoint: Checkpoint, config: Any) -> tuple[Any, Any, Any]:
    """Policy, pre-processor and post-processor; FormatError where a weight is missing or has no place."""
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    from safetensors.torch import load_model

    policy = get_policy_class(config.type)(config)
    missing, unexpected = load_model(policy, checkpoint.folder / WEIGHTS, strict=False, device=config.device)
    foreign = [name for name in unexpected if not name.startswith(OLD_STATISTICS)]
    if missing or foreign:
        names = ", ".join(sorted([*missing, *foreign])[:2])
        raise FormatError(
            f"{checkpoint.folder}: written by lerobot 0.3.3 or older, whose {config.type} had other weights ({names}); "
            "load and save it with a lerobot between 0.4 and the one installed"
        )
    policy.to(config.device)
    policy.eval()
    before, after = make_pre_post_processors(config, dataset_stats=statistics(checkpoint))
    return policy, before, after


def statistics(checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Mean and deviation, or smallest and largest value, of every feature that the weights hold them of.

    lerobot 0.3.3 (policies/normalize.py) names feature "observation.state" `normalize_inputs.buffer_observation_state`
    with the parameters mean and std, or min and max; infinite where they were never set.
    """
    import torch
    from safetensors import safe_open

    found: dict[str, dict[str, Any]] = {}
    with safe_open(checkpoint.folder / WEIGHTS, framework="pt") as file:
        names = set(file.keys())
        for key in (*checkpoint.config.input_features, ACTION):
            start = f"{AFTER if key == ACTION else BEFORE}buffer_{key.replace('.', '_')}."
            held = {name.removeprefix(start): file.get_tensor(name) for name in names if name.startswith(start)}
            if held and all(torch.isfinite(values).all() for values in held.values()):
                found[key] = {name: values.float() for name, values in held.items()}
    return found
