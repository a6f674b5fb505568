"""How far a context lies from the training contexts: Mahalanobis, nearest neighbours, random network distillation.

N training embeddings, M to judge, V dimensions, F features. A fitted model is plain arrays (`arrays`, `load_novelty`,
an .npz without pickle) and is evaluated with numpy alone. Higher = farther; a row that is not finite gives NaN.
Fit on training episodes alone: calibration episodes must be as new to the model as deployed ones are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from surehand.exceptions import FormatError, NotEnoughData, SurehandError
from surehand.measure.novelty_arrays import PlainArrays, finite, judged, spread, training

_BLOCK = 1_000_000  # distances at a time


class Novelty(Protocol):
    """What all three are: a judge of embeddings and its arrays."""

    kind: ClassVar[str]

    def risk(self, embedding: np.ndarray) -> np.ndarray:
        """How new each embedding (M, V) is: (M,)."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """The model as plain arrays, `kind` among them."""
        ...


@dataclass(frozen=True, eq=False)
class Mahalanobis(PlainArrays):
    """Distance in the metric of the training covariance, divided by √V so that 1 is ordinary."""

    kind: ClassVar[str] = "mahalanobis"
    mean: np.ndarray  # (V,)
    whiten: np.ndarray  # (V, V)

    @classmethod
    def fit(cls, embedding: np.ndarray) -> Self:
        """The model of training embeddings (N, V), N ≥ 2.

        Each dimension is divided by its standard deviation, then the covariance is shrunk towards the identity by the
        weight of Ledoit & Wolf (2004). So it exists for N ≤ V; a dimension that never varied keeps the mean variance of
        the others and its own unit.
        """
        x = training(embedding, 2)
        mean, scale = x.mean(axis=0), spread(x)
        z = (x - mean) / scale
        covariance = z.T @ z / len(z)
        center = float(np.trace(covariance)) / z.shape[1]
        if not center > 0:
            raise NotEnoughData(f"all {len(x)} training embeddings are equal; a distance needs some that differ")
        weight = _ledoit_wolf(z, covariance, center)
        values, vectors = np.linalg.eigh(covariance)
        shrunk = (1 - weight) * np.maximum(values, 0.0) + weight * center
        # Nothing may be infinitely far: where the weight is 0, directions without variance keep a rounding's worth.
        shrunk = np.maximum(shrunk, center * 1e-10)
        return cls(mean, vectors / np.sqrt(shrunk) / scale[:, None] / np.sqrt(z.shape[1]))

    def risk(self, embedding: np.ndarray) -> np.ndarray:
        """√((x−μ)ᵀ Σ⁻¹ (x−μ) / V) of each embedding (M, V): (M,)."""
        x = judged(embedding, len(self.mean))
        with np.errstate(invalid="ignore"):
            return finite(x, np.sqrt((((x - self.mean) @ self.whiten) ** 2).sum(axis=1)))


@dataclass(frozen=True, eq=False)
class Neighbours(PlainArrays):
    """Distance to the k-th nearest training embedding, dimensions divided by their std, divided by √V."""

    kind: ClassVar[str] = "neighbours"
    points: np.ndarray  # (N, V), standardised
    mean: np.ndarray  # (V,)
    scale: np.ndarray  # (V,)
    k: np.ndarray  # ()

    @classmethod
    def fit(cls, embedding: np.ndarray, k: int = 5, *, most: int = 20_000, rng: np.random.Generator) -> Self:
        """The model of training embeddings (N, V), N ≥ k; `rng` chooses `most` of them where there are more."""
        x = training(embedding, k)
        if not 1 <= k <= most:
            raise SurehandError(f"the {k}-th nearest of {most}: expected k from 1 to the number kept")
        mean, scale = x.mean(axis=0), spread(x)
        kept = x if len(x) <= most else x[np.sort(rng.choice(len(x), most, replace=False))]
        return cls((kept - mean) / scale, mean, scale, np.array(k))

    def risk(self, embedding: np.ndarray) -> np.ndarray:
        """Distance of each embedding (M, V) to its k-th nearest of training: (M,)."""
        x = judged(embedding, len(self.mean))
        found, k = np.empty(len(x)), int(self.k)
        size = (self.points**2).sum(axis=1)
        block = max(_BLOCK // len(self.points), 1)
        with np.errstate(invalid="ignore", over="ignore"):
            for start in range(0, len(x), block):
                z = (x[start : start + block] - self.mean) / self.scale
                rough = size - 2 * z @ self.points.T  # orders them; too coarse for embeddings that nearly coincide
                nearest = np.argpartition(rough, k - 1, axis=1)[:, :k]
                exact = ((self.points[nearest] - z[:, None]) ** 2).sum(axis=2)
                found[start : start + block] = np.sqrt(exact.max(axis=1) / len(self.mean))
        return finite(x, found)


@dataclass(frozen=True, eq=False)
class RandomDistillation(PlainArrays):
    """Share of a fixed random network's output that a ridge regression, fitted in training, cannot say.

    After Burda et al. (2018). Both networks are one layer of random cosines (Rahimi & Recht 2007). The error stays
    bounded: far is not told from very far.
    """

    kind: ClassVar[str] = "distillation"
    mean: np.ndarray  # (V,)
    scale: np.ndarray  # (V,)
    target: np.ndarray  # (V+1, T): frequencies and, last, phases
    features: np.ndarray  # (V+1, F)
    weights: np.ndarray  # (F+1, T)

    @classmethod
    def fit(
        cls,
        embedding: np.ndarray,
        *,
        rng: np.random.Generator,
        features: int = 256,
        targets: int = 64,
        ridge: float = 1.0,
    ) -> Self:
        """The model of training embeddings (N, V), N ≥ 2; `rng` draws both networks, `ridge` is the penalty."""
        if min(features, targets) < 1 or not ridge > 0:
            raise SurehandError(f"{features} features, {targets} targets, ridge {ridge}: expected numbers above 0")
        x = training(embedding, 2)
        mean, scale = x.mean(axis=0), spread(x)
        target, seeing = (_network(x.shape[1], size, rng) for size in (targets, features))
        z = (x - mean) / scale
        said, seen = _through(target, z), _with_one(_through(seeing, z))
        penalty = ridge * np.eye(features + 1)
        penalty[-1, -1] = 0.0  # the intercept is free
        return cls(mean, scale, target, seeing, np.linalg.solve(seen.T @ seen + penalty, seen.T @ said))

    def risk(self, embedding: np.ndarray) -> np.ndarray:
        """Mean squared error over targets, in units of a target's own variance, of each embedding (M, V): (M,)."""
        x = judged(embedding, len(self.mean))
        with np.errstate(invalid="ignore"):
            z = (x - self.mean) / self.scale
            error = _through(self.target, z) - _with_one(_through(self.features, z)) @ self.weights
            return finite(x, (error**2).mean(axis=1))


def load_novelty(arrays: Mapping[str, np.ndarray]) -> Novelty:
    """The model that its `arrays` (or the opened .npz) hold; FormatError names the kinds there are."""
    kinds: dict[str, type[PlainArrays]] = {c.kind: c for c in (Mahalanobis, Neighbours, RandomDistillation)}
    kind = str(arrays["kind"]) if "kind" in arrays else ""
    if kind not in kinds:
        raise FormatError(f"not a novelty model: kind {kind!r}, expected one of {', '.join(kinds)}")
    return kinds[kind].load(arrays)  # type: ignore[return-value]


def _ledoit_wolf(z: np.ndarray, covariance: np.ndarray, center: float) -> float:
    """Weight of the identity, 0 to 1, that minimises the expected squared error of the covariance."""
    n = len(z)
    distance = float((covariance**2).sum()) - center**2 * len(covariance)
    noise = (float(((z**2).sum(axis=1) ** 2).sum()) / n - float((covariance**2).sum())) / n
    return float(np.clip(noise / distance, 0.0, 1.0)) if distance > 0 else 1.0


def _network(size: int, width: int, rng: np.random.Generator) -> np.ndarray:
    frequencies = rng.standard_normal((size, width)) / np.sqrt(size)
    return np.concatenate([frequencies, rng.uniform(0, 2 * np.pi, (1, width))])


def _through(network: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(2) * np.cos(z @ network[:-1] + network[-1]))


def _with_one(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)
