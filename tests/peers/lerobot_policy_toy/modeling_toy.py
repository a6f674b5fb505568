"""The toy policy: a linear map of the state, and noise."""

from collections import deque
from typing import Any

import torch
from lerobot.policies.pretrained import PreTrainedPolicy

from .configuration_toy import ToyConfig


class ToyPolicy(PreTrainedPolicy):
    config_class = ToyConfig
    name = "toy"

    def __init__(self, config: ToyConfig, **kwargs: Any) -> None:
        super().__init__(config)
        self._shape = (config.n_action_steps, config.output_features["action"].shape[0])
        size = config.input_features["observation.state"].shape[0]
        self.map = torch.nn.Linear(size, self._shape[0] * self._shape[1])
        self.reset()

    def get_optim_params(self) -> Any:
        return self.parameters()

    def reset(self) -> None:
        self._waiting: deque[torch.Tensor] = deque()

    def predict_action_chunk(self, batch: dict[str, torch.Tensor], **kwargs: Any) -> torch.Tensor:
        mean = self.map(batch["observation.state"]).unflatten(1, self._shape)
        return mean + torch.randn_like(mean) * torch.bernoulli(torch.full_like(mean, 0.9))

    def select_action(self, batch: dict[str, torch.Tensor], **kwargs: Any) -> torch.Tensor:
        if not self._waiting:
            self._waiting.extend(self.predict_action_chunk(batch).transpose(0, 1).detach())
        return self._waiting.popleft()

    def forward(self, batch: dict[str, torch.Tensor]) -> Any:
        raise NotImplementedError
