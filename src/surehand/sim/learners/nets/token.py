"""Actions as tokens, one after the other: each column of each step is one of 256 equal bins, given all before it.

The probabilities of the bins come from a mixture of logistic distributions (Salimans et al. 2017), so that neighbouring
bins are known to be neighbours. The autoregression is a NADE (Larochelle & Murray 2011): all earlier values add to one
hidden layer, which costs little to extend by one token.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, logsigmoid

from surehand.sim.learners.chunks import Inputs
from surehand.sim.learners.nets import Batch, Drawn, LearnerNet

WIDTH = 256
BINS = 256
PARTS = 4  # logistic distributions in a mixture
NARROWEST = -4.0  # log of the smallest scale, in normalised units
LEAST_RANGE = 0.1  # normalised units that all bins together span at least


class Token(LearnerNet):
    """Distribution of the next token from the inputs and the values before it; the embedding is the encoded input.

    `answer` takes the likeliest token each time; `draw` divides the log-probabilities by the temperature and draws.
    """

    low: Tensor
    width: Tensor

    def __init__(self, inputs: Inputs, horizon: int, dims: int) -> None:
        super().__init__()
        self.shape = (horizon, dims)
        tokens = horizon * dims
        self.encoder = nn.Sequential(nn.Linear(inputs.size, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU())
        self.start = nn.Linear(WIDTH, WIDTH)
        self.places = nn.Parameter(torch.randn(tokens, WIDTH) * 0.3)
        self.before = nn.Parameter(torch.randn(tokens, WIDTH) / tokens**0.5)  # what a value adds to later ones
        self.heads = nn.Parameter(torch.randn(dims, WIDTH, 3 * PARTS) / WIDTH**0.5)
        first = torch.cat([torch.zeros(PARTS), torch.linspace(-1.5, 1.5, PARTS), torch.full((PARTS,), -1.0)])
        self.offsets = nn.Parameter(first.repeat(tokens, 1))
        self.register_buffer("low", torch.zeros(dims))
        self.register_buffer("width", torch.ones(dims))

    def prepare(self, target: Tensor) -> None:
        """Nothing; spreads the bins of every column over its training actions (N, H, D)."""
        low, high = target[:, 0].amin(0), target[:, 0].amax(0)
        middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=LEAST_RANGE / 2) * 1.01
        self.low.copy_(middle - half)
        self.width.copy_(2 * half / BINS)

    def losses(self, batch: Batch, target: Tensor, noise: np.random.Generator) -> Tensor:
        """Negative log-likelihood of every token (B, H, D), in nats."""
        tokens = self.tokens(target)
        values = self.values(tokens).flatten(1)[:, :, None]  # (B, T, 1)
        summed = torch.cumsum(values * self.before, dim=1)
        earlier = torch.cat([torch.zeros_like(summed[:, :1]), summed[:, :-1]], dim=1)
        hidden = gelu(self.start(self.encoder(batch.vector))[:, None] + earlier + self.places)
        said = torch.einsum("bhdw,dwp->bhdp", hidden.view(-1, *self.shape, WIDTH), self.heads)
        said = said + self.offsets.view(*self.shape, -1)
        return -log_probability(said, tokens[..., None], self.low, self.width)[..., 0]

    def tokens(self, chunk: Tensor) -> Tensor:
        """Bin (..., D) of every value (..., D); values beyond the bins are in the outermost."""
        return ((chunk - self.low) / self.width).floor().clamp(0, BINS - 1)

    def values(self, tokens: Tensor) -> Tensor:
        """Middles (..., D) of the bins (..., D)."""
        return self.low + (tokens + 0.5) * self.width

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The chunk (B, H, D) of the likeliest tokens, and the encoded input (B, 256)."""
        encoded = self.encoder(batch.vector)
        return self._generate(encoded, None, 1.0).chunk, encoded

    def draw(self, batch: Batch, noise: np.random.Generator, temperature: float) -> Drawn:
        """One chunk per row, log p of its tokens at this temperature and their mean entropy in nats (0: likeliest)."""
        return self._generate(self.encoder(batch.vector), noise if temperature > 0 else None, temperature or 1.0)

    def _generate(self, encoded: Tensor, noise: np.random.Generator | None, temperature: float) -> Drawn:
        """Token by token; without noise the likeliest each time."""
        horizon, dims = self.shape
        every = torch.arange(BINS, dtype=torch.float32)
        hidden = self.start(encoded)
        log_p, entropy = torch.zeros(len(encoded)), torch.zeros(len(encoded))
        chosen = []
        for at in range(horizon * dims):
            column = at % dims
            said = gelu(hidden + self.places[at]) @ self.heads[column] + self.offsets[at]
            bins = log_probability(said[:, None], every.expand(len(said), 1, -1), self.low[column], self.width[column])
            logp = torch.log_softmax(bins[:, 0] / temperature, dim=1)
            picked = logp.argmax(1) if noise is None else _pick(logp, noise)
            value = self.low[column] + (picked + 0.5) * self.width[column]
            hidden = hidden + value[:, None] * self.before[at]
            log_p = log_p + logp.gather(1, picked[:, None])[:, 0]
            entropy = entropy - (logp.exp() * logp).sum(1)
            chosen.append(value)
        chunk = torch.stack(chosen, dim=1).view(-1, horizon, dims)
        return Drawn(chunk, log_p, entropy / (horizon * dims))


def log_probability(said: Tensor, tokens: Tensor, low: Tensor, width: Tensor) -> Tensor:
    """Log-probabilities (..., D, M) of M tokens (..., D, M) under mixtures (..., D, 3 · parts).

    `said` holds weights (as logits), means and log-scales of the logistic distributions; `low` and `width` (D) place
    the bins. The outermost bins reach to infinity.
    """
    weights, means, scales = (part[..., None, :] for part in torch.split(said, PARTS, dim=-1))
    slope = (-scales.clamp(min=NARROWEST)).exp()
    below = (low[..., None] + tokens * width[..., None])[..., None]  # the bins' lower edges (..., D, M, 1)
    left = (below - means) * slope
    step = width[..., None, None] * slope
    right = left + step
    # log(σ(right) − σ(left)) without cancellation: σ(r) − σ(l) = σ(r) σ(−l) (1 − e^(l − r)).
    inside = logsigmoid(right) + logsigmoid(-left) + torch.log(-torch.expm1(-step))
    outermost = torch.where(tokens[..., None] == 0, logsigmoid(right), logsigmoid(-left))
    edge = (tokens[..., None] == 0) | (tokens[..., None] == BINS - 1)
    return torch.logsumexp(torch.log_softmax(weights, -1) + torch.where(edge, outermost, inside), dim=-1)


def _pick(logp: Tensor, noise: np.random.Generator) -> Tensor:
    """One token per row by inverting the distribution function at a uniform number."""
    uniform = torch.from_numpy(noise.random((len(logp), 1)))
    return (torch.cumsum(logp.double().exp(), dim=1) < uniform).sum(1).clamp(max=logp.shape[1] - 1)
