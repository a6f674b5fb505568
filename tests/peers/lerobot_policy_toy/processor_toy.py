"""The toy policy's processors: those of ACT."""

from typing import Any

from lerobot.policies.act.processor_act import make_act_pre_post_processors


def make_toy_pre_post_processors(config: Any, dataset_stats: Any = None, **kwargs: Any) -> Any:
    return make_act_pre_post_processors(config, dataset_stats)
