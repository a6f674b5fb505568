"""What the novelty models share: plain arrays in and out, and the checks on embeddings."""

from collections.abc import Mapping
from dataclasses import fields
from typing import ClassVar, Self

import numpy as np

from surehand.exceptions import FormatError, NotEnoughData, ShapeError, SurehandError


class PlainArrays:
    """A frozen dataclass of arrays that can be saved and loaded without pickle."""

    kind: ClassVar[str] = ""

    def arrays(self) -> dict[str, np.ndarray]:
        """The model as plain arrays, `kind` among them: for np.savez."""
        found = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]
        return {"kind": np.array(self.kind), **found}

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The model that `arrays` wrote; FormatError where an array is missing."""
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise FormatError(f"a {cls.kind} model needs the arrays {', '.join(names)}; {', '.join(missing)} missing")
        return cls(*(np.asarray(arrays[name]) for name in names))


def spread(x: np.ndarray) -> np.ndarray:
    """Standard deviation of each dimension (V,), 1 where it is 0."""
    deviation = x.std(axis=0)
    return np.asarray(np.where(deviation > 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300), deviation, 1.0))


def training(embedding: np.ndarray, least: int) -> np.ndarray:
    """Embeddings (N, V) float64; an error names what is wrong with them, or how many are needed."""
    x = np.asarray(embedding, np.float64)
    if x.ndim != 2 or not x.shape[1]:
        raise ShapeError(f"embeddings have shape {x.shape}, expected (N, V)")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise SurehandError(f"training embedding {row} has a number that is not finite; leave such rows out")
    if len(x) < least:
        raise NotEnoughData(f"{len(x)} training embeddings; this model needs at least {least}")
    return x


def judged(embedding: np.ndarray, size: int) -> np.ndarray:
    """Embeddings (M, V) float64; ShapeError where V is not that of training."""
    x = np.asarray(embedding, np.float64)
    if x.ndim != 2 or x.shape[1] != size:
        raise ShapeError(f"embeddings have shape {x.shape}, expected (M, {size}) as in training")
    return x


def finite(x: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """risk (M,), NaN where a row of x (M, V) is not finite."""
    return np.asarray(np.where(np.isfinite(x).all(axis=1), risk, np.nan))
