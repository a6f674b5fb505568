"""The toy policy's configuration: trained on eight steps, it answers with two."""

from dataclasses import dataclass, field
from typing import Any

from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.types import NormalizationMode


@PreTrainedConfig.register_subclass("toy")
@dataclass
class ToyConfig(PreTrainedConfig):
    chunk_size: int = 8
    n_action_steps: int = 2
    normalization_mapping: dict[str, NormalizationMode] = field(default_factory=dict)

    @property
    def observation_delta_indices(self) -> None:
        return None

    @property
    def action_delta_indices(self) -> list[int]:
        return list(range(self.chunk_size))

    @property
    def reward_delta_indices(self) -> None:
        return None

    def get_optimizer_preset(self) -> Any:
        raise NotImplementedError

    def get_scheduler_preset(self) -> None:
        return None

    def validate_features(self) -> None:
        return None
