"""Action chunking by a transformer, after Zhao et al. (2023): learned queries, one per step, and absolute error.

Their variational encoder of the demonstrator's style is left out: scripted demonstrators have none.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from surehand.sim.learners.chunks import Inputs
from surehand.sim.learners.nets import Batch, LearnerNet

WIDTH, HEADS, LAYERS = 64, 4, 3


class Block(nn.Module):
    """Attention of some rows to all rows, then two layers at each; normalised before each (Xiong et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mix, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.each = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (B, T, W) after the block."""
        parts = self.mix(self.before(rows)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(*parts.unbind(0))  # (B, heads, T, W / heads)
        rows = rows + self.out(mixed.transpose(1, 2).flatten(2))
        return rows + torch.as_tensor(self.each(self.after(rows)))


class Act(LearnerNet):
    """State, environment and instruction as one row each, a query row per step; the embedding is the rows' mean."""

    def __init__(self, inputs: Inputs, horizon: int, dims: int) -> None:
        super().__init__()
        self.sizes = [inputs.state, inputs.environment, len(inputs.instructions)]
        self.inward = nn.ModuleList(
            [nn.Sequential(nn.Linear(size, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH)) for size in self.sizes]
        )
        self.queries = nn.Parameter(torch.randn(horizon, WIDTH) * 0.5)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.outward = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, dims))

    def losses(self, batch: Batch, target: Tensor, noise: np.random.Generator) -> Tensor:
        """Absolute errors (B, H, D)."""
        return (self.answer(batch)[0] - target).abs()

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The chunk (B, H, D) and the mean of the input rows after the last block (B, 64)."""
        parts = torch.split(batch.vector, self.sizes, dim=1)
        rows = [layer(part) for layer, part in zip(self.inward, parts, strict=True)]
        queries = self.queries.expand(len(batch.vector), -1, -1)
        mixed = self.blocks(torch.cat([torch.stack(rows, 1), queries], 1))
        return self.outward(mixed[:, len(rows) :]), mixed[:, : len(rows)].mean(1)
